"""What past events say before any cost: the same for whoever asks, and kept with the events."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sextant.evidence.calibrate import CELLS
from sextant.evidence.clusters import clustered, effective_count, standard_error
from sextant.evidence.events import EventTable
from sextant.evidence.outcomes import BUCKETS, EXIT_NAMES, cell_of
from sextant.model.scorecard import Scorecard
from sextant.model.times import SECOND_NS
from sextant.model.view import Flags
from sextant.strategies.proof import PROVEN_EVENTS

SHRINK_EVENTS: Final = 50.0
"""Independent events that the prior "no gross edge" is worth."""

EVERY: Final = tuple(range(CELLS))
_BPS: Final = 1e4


def members(table: EventTable, cells: tuple[int, ...]) -> Flags:
    """The events of some cells, bool (n,)."""

    def make() -> Flags:
        chosen = np.zeros(CELLS, dtype=np.bool_)
        chosen[list(cells)] = True
        return chosen[table.cell]

    return table.once(("members", cells), make)


def independent(table: EventTable, cells: tuple[int, ...]) -> float:
    """How many independent events those of some cells are worth."""

    def make() -> float:
        mine = members(table, cells)
        return effective_count(clustered(table.cluster[mine], table.gross[mine]))

    return table.once(("independent", cells), make)


def counts(table: EventTable, cells: tuple[int, ...]) -> dict[str, Any]:
    """How many events some cells hold and how they ended, by the names of the scorecard."""

    def make() -> dict[str, Any]:
        mine, chosen = members(table, cells), list(cells)
        ways = np.bincount(table.exit_kind[mine], minlength=len(EXIT_NAMES)).tolist()
        return {
            "n": int(mine.sum()),
            "n_eff": independent(table, cells),
            "clusters_count": len(np.unique(table.cluster[mine])),
            "void_count": int(table.void[chosen].sum()),
            "unfilled_count": int(table.unfilled[chosen].sum()),
            "exits": dict(zip(EXIT_NAMES, ways, strict=True)),
        }

    return table.once(("counts", cells), make)


def figures(table: EventTable, cells: tuple[int, ...]) -> dict[str, Any]:
    """What the events of some cells earned before cost, by the names of the scorecard."""

    def make() -> dict[str, Any]:
        mine = members(table, cells)
        groups = clustered(table.cluster[mine], table.gross[mine])
        error = standard_error(groups)
        n_eff = independent(table, cells)
        held_s = (table.exit_ns[mine] - table.entry_ns[mine]) / SECOND_NS
        return {
            "gross_mean_bps": groups.mean * _BPS,
            "gross_se_bps": None if error is None else error * _BPS,
            "shrink_frac": n_eff / (n_eff + SHRINK_EVENTS),
            "median_s": float(np.median(held_s)),
            "mae_median_bps": float(np.median(table.adverse[mine])) * _BPS,
            "mfe_median_bps": float(np.median(table.favourable[mine])) * _BPS,
            "ambiguous_frac": float(table.ambiguous[mine].mean()),
        }

    return table.once(("figures", cells), make)


def widened(table: EventTable, own: int) -> tuple[int, ...] | None:
    """The smallest set of cells around one that holds 30 independent events; None where all together hold fewer."""
    return next((cells for cells in widenings(own) if independent(table, cells) >= PROVEN_EVENTS), None)


def widenings(cell: int) -> tuple[tuple[int, ...], ...]:
    """The cell, its neighbours, its direction, the strategy."""
    side = cell // BUCKETS * BUCKETS
    direction = tuple(range(side, side + BUCKETS))
    near = tuple(other for other in direction if abs(other - cell) <= 1)
    return (cell,), near, direction, EVERY


def glance(table: EventTable, direction: int, strength: float) -> Scorecard:
    """The evidence for a signal as far as no cost is needed for it: its counts and its gross figures.

    Notes
    -----
    Most candidates are refused because costs eat the gross: what costs make of the past is then never asked for.
    """
    own = int(cell_of(direction, strength))

    def make() -> Scorecard:
        cells = widened(table, own)
        told = counts(table, cells or EVERY) | ({} if cells is None else figures(table, cells))
        status: Any = "insufficient_history" if cells is None else "scored"
        return Scorecard(kind=table.kind, status=status, reason=None, source="", bucket="", **told)

    return table.once(("glance", own), make)
