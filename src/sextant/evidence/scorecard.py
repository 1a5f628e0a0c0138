"""Scorecards: the statistics of past events, for a signal of the last row and for a whole strategy."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from sextant.evidence.calibrate import (
    CELLS,
    NOTHING_LASTS,
    Calibration,
    OutOfSample,
    Results,
    calibrate,
    walk_forward,
)
from sextant.evidence.clusters import Z90, clustered, mean_interval, standard_error, wilson
from sextant.evidence.events import EventTable
from sextant.evidence.gross import EVERY, counts, figures, independent, members, widened, widenings
from sextant.evidence.live import LiveRecord
from sextant.evidence.multiple import Tries, deflated_p, reality_p, shape_of
from sextant.evidence.outcomes import BUCKET_EDGES, BUCKETS, cell_of
from sextant.model.account import Grade
from sextant.model.bar import Floats, Integers
from sextant.model.scorecard import Scorecard
from sextant.model.view import Flags
from sextant.strategies.proof import CAUTION, PROVEN_EVENTS, grade_of, proof_of

_BPS: Final = 1e4


class Predicted(NamedTuple):
    """Events predicted out of sample: float64 (m,) stated, bool (m,) came true, int64 (m,) entered."""

    stated: Floats
    won: Flags
    entry_ns: Integers


class Scorer:
    """What past events say to one user; statistics are computed when first asked for and kept.

    Parameters
    ----------
    table
        Past events before cost.
    cost_bps
        float64 (S,): the user's round-trip cost of each instrument, NaN where unknown.
    tries
        Everything that was looked at besides, see :func:`tries_of`; None counts the strategy's own cells.
    live
        How ideas that were told to somebody have done; None where nobody follows them.

    Notes
    -----
    The confidence of a cell that live ideas have refuted is withheld. Counts, n_eff and gross figures are the same for every user; events of instruments whose cost is unknown count
    there and are left out of net figures.
    """

    def __init__(
        self,
        table: EventTable,
        cost_bps: Floats,
        tries: Tries | None = None,
        live: LiveRecord | None = None,
    ) -> None:
        self.table = table
        self._cost_bps = cost_bps
        self._tries = tries
        self._live = live
        self._net: Floats = table.gross - cost_bps[table.column] / _BPS
        self._figures: dict[tuple[int, ...], dict[str, Any]] = {}
        self._variances: dict[tuple[int, ...], float | None] = {}

    def card(self, column: int, direction: int, strength: float) -> Scorecard:
        """The evidence for a signal of the last row.

        Parameters
        ----------
        column
            Instrument of the signal.
        direction, strength
            As the strategy says them; +1 or -1, 1 = at threshold.

        Notes
        -----
        A cell with fewer than 30 independent events is widened to the neighbouring buckets, then the direction, then the
        whole strategy; ``source`` says which. With fewer than 30 in all, numbers are withheld.
        """
        own = int(cell_of(direction, strength))
        cells = widened(self.table, own)
        if cells is None:
            return self._insufficient(_bucket_text(own))
        figures = self._figures_of(cells)
        source = self._source(own, cells)
        cost = float(self._cost_bps[column])
        card = Scorecard(
            **figures,
            **self._shared,
            status="scored",
            reason=None if math.isfinite(cost) else "The cost of this instrument is unknown.",
            source=source,
            bucket=_bucket_text(own),
            **self._confidence(column, own),
        )
        return msgspec.structs.replace(card, grade=self._grade(card, cost))

    def variance(self, direction: int, strength: float) -> float | None:
        """Variance of past outcomes after cost as the card of such a signal states it, a fraction squared; None where it does not."""
        cells = widened(self.table, int(cell_of(direction, strength)))
        if cells is None:
            return None
        if cells not in self._variances:
            net = self._net[self._members(cells) & self._priced]
            self._variances[cells] = float(net.var(ddof=1)) if len(net) > 1 else None
        return self._variances[cells]

    def summary(self, direction: int = 0) -> Scorecard:
        """The evidence for all strengths and instruments of one direction, or of both for 0.

        Notes
        -----
        Its grade is that of the mean cost of the events.
        """
        cells = EVERY if direction == 0 else widenings(int(cell_of(direction, 1.0)))[2]
        if self._n_eff(cells) < PROVEN_EVENTS:
            return self._insufficient("all", cells)
        card = Scorecard(
            **self._figures_of(cells),
            **self._shared,
            status="scored",
            reason=None,
            source=self._source(None, cells),
            bucket="all",
        )
        known = self._cost_bps[self.table.column[self._members(cells)]]
        known = known[np.isfinite(known)]
        return msgspec.structs.replace(
            card, grade=self._grade(card, float(known.mean()) if len(known) else math.nan)
        )

    @property
    def net(self) -> Floats:
        """float64 (n,): what each event earned after cost, a fraction; NaN where its cost is unknown."""
        return self._net

    @cached_property
    def calibration(self) -> Calibration | None:
        """Hit fractions by cell and instrument at the user's costs; None with too few events."""
        known, held = calibrate(self._results, len(self.table.instruments)), self.out_of_sample
        if known is None:
            return None
        return dataclasses.replace(known, lasting=NOTHING_LASTS if held is None else held.lasting)

    @cached_property
    def out_of_sample(self) -> OutOfSample | None:
        """How probabilities stated in the past have held; None where none could be stated."""
        table = self.table
        return walk_forward(self._results, len(table.instruments), table.rows, table.horizon_rows)

    @property
    def predicted(self) -> Predicted:
        """Every event whose probability was stated before its outcome was known; none where none could be."""
        held, table = self.out_of_sample, self.table
        event = np.flatnonzero(self._priced)[np.empty(0, dtype=np.int64) if held is None else held.event]
        stated = np.empty(0) if held is None else held.stated
        return Predicted(stated, self._net[event] > 0, table.entry_ns[event])

    @cached_property
    def reality(self) -> float | None:
        """Share of resampled worthless worlds in which the best cell looks as good as it does here."""
        table = self.table
        groups = int(table.cluster.max()) + 1 if table.count else 0
        means = np.full((groups, CELLS), np.nan)
        for cell in EVERY:
            mine = self._members((cell,)) & self._priced
            if self._n_eff((cell,)) >= PROVEN_EVENTS:
                sizes = np.bincount(table.cluster[mine], minlength=groups)
                sums = np.bincount(table.cluster[mine], weights=self._net[mine], minlength=groups)
                means[sizes > 0, cell] = sums[sizes > 0] / sizes[sizes > 0]
        return reality_p(means, table.content_hash)

    @cached_property
    def _priced(self) -> Flags:
        return np.isfinite(self._net)

    @cached_property
    def _results(self) -> Results:
        table = self.table
        every = Results(
            column=table.column,
            cell=table.cell,
            cluster=table.cluster,
            row=table.row,
            exit_row=table.exit_row,
            gross=table.gross,
            won=self._net > 0,
        )
        return every.where(self._priced)

    @cached_property
    def _shared(self) -> dict[str, Any]:
        """What every card of the strategy says alike."""
        table, held = self.table, self.out_of_sample
        return {
            "kind": table.kind,
            "brier": None if held is None else held.brier,
            "log_loss": None if held is None else held.log_loss,
            "reliability": () if held is None else held.reliability,
            "reality_p": self.reality,
            "without": table.without,
            "window_start_ns": table.window_start_ns,
            "window_end_ns": table.window_end_ns,
            "half_life_s": table.median_run_s,
            "live_count": 0 if self._live is None else self._live.count,
            "live_hit_frac": None if self._live is None else self._live.hit_frac,
            "edge_decay_z": self.edge_decay_z,
        }

    @cached_property
    def edge_decay_z(self) -> float | None:
        """Live mean less past mean over their joint standard error; None where either is unknown."""
        live = self._live
        if live is None or live.mean_bps is None or live.error_bps is None:
            return None
        past = self._figures_of(EVERY)
        mean, low, high = (past.get(f"expectancy{end}_bps") for end in ("", "_low", "_high"))
        if mean is None or low is None or high is None:
            return None
        error = math.hypot((high - low) / (2.0 * Z90), live.error_bps)
        return (live.mean_bps - mean) / error if error > 0 else None

    @cached_property
    def shown_count(self) -> int:
        """Cells that hold an event: the tries that this strategy alone amounts to."""
        return len(np.unique(self.table.cell))

    def ratios(self) -> list[float]:
        """Mean over standard deviation of the cluster means of every cell with 30 independent events or more."""
        found = []
        for cell in EVERY:
            if self._n_eff((cell,)) >= PROVEN_EVENTS:
                mine = self._members((cell,)) & self._priced
                shape = shape_of(clustered(self.table.cluster[mine], self._net[mine]).means)
                if shape is not None:
                    found.append(shape.ratio)
        return found

    def _members(self, cells: tuple[int, ...]) -> Flags:
        return members(self.table, cells)

    def _n_eff(self, cells: tuple[int, ...]) -> float:
        return independent(self.table, cells)

    def _figures_of(self, cells: tuple[int, ...]) -> dict[str, Any]:
        """All statistics of a set of cells, by the names of the scorecard."""
        if cells not in self._figures:
            gross = counts(self.table, cells) | figures(self.table, cells)
            self._figures[cells] = gross | self._net_figures(cells)
        return self._figures[cells]

    def _net_figures(self, cells: tuple[int, ...]) -> dict[str, Any]:
        mine = self._members(cells) & self._priced
        net, cluster = self._net[mine], self.table.cluster[mine]
        if not len(net):
            return {}
        groups = clustered(cluster, net)
        error = standard_error(groups)
        low, high = (None, None) if error is None else mean_interval(groups.mean, error, groups.groups)
        hit = float((net > 0).mean())
        # Events without a known cost say nothing about net outcomes: their share of n_eff is not counted here.
        hit_low, hit_high = wilson(hit, self._n_eff(cells) * len(net) / int(self._members(cells).sum()))
        gains, losses = float(net[net > 0].sum()), float(-net[net < 0].sum())
        shape = shape_of(groups.means)
        # The few cells of one strategy differ because their edges do; the variance of worthless tries is 1/G then.
        tries = self._tries or Tries(max(1, self.shown_count), 0.0)
        return {
            "hit_frac": hit,
            "hit_low_frac": hit_low,
            "hit_high_frac": hit_high,
            "expectancy_bps": groups.mean * _BPS,
            "expectancy_low_bps": None if low is None else low * _BPS,
            "expectancy_high_bps": None if high is None else high * _BPS,
            "median_bps": float(np.median(net)) * _BPS,
            "variance_frac": float(net.var(ddof=1)) if len(net) > 1 else None,
            "profit_factor": gains / losses if losses > 0 else None,
            "es95_bps": shortfall(net, 0.05) * _BPS,
            "deflated_p": None if shape is None else deflated_p(shape, tries),
        }

    def _confidence(self, column: int, cell: int) -> dict[str, Any]:
        known = self.calibration
        if known is None or not math.isfinite(self._cost_bps[column]):
            return {}
        if self._live is not None and cell in self._live.miscalibrated:
            return {"miscalibrated": True}
        low, high = known.interval(column, cell)
        share = float(known.stated(np.array([column]), np.array([cell]))[0])
        return {"confidence": share, "confidence_low": low, "confidence_high": high}

    def _grade(self, card: Scorecard, cost_bps: float) -> Grade:
        proof = proof_of(card)
        if proof.gross_bps is None or proof.error_bps is None or not math.isfinite(cost_bps):
            return "unproven"
        edge = proof.gross_bps - cost_bps
        return grade_of(card.n_eff, edge, edge - CAUTION * proof.error_bps, card.deflated_p)

    def _insufficient(self, bucket: str, cells: tuple[int, ...] = EVERY) -> Scorecard:
        table = self.table
        told = counts(table, cells)
        return Scorecard(
            **told,
            kind=table.kind,
            status="insufficient_history",
            reason=f"insufficient history: {told['n_eff']:.1f} of {PROVEN_EVENTS:g} independent events",
            source=self._source(None, cells),
            bucket=bucket,
            without=table.without,
            window_start_ns=table.window_start_ns,
            window_end_ns=table.window_end_ns,
            half_life_s=table.median_run_s,
        )

    def _source(self, own: int | None, cells: tuple[int, ...]) -> str:
        text = f"{self.table.strategy_id}, {_cells_text(cells)}"
        if own is not None and cells != (own,):
            text += f" (its own cell has {self._n_eff((own,)):.1f} of {PROVEN_EVENTS:g} independent events)"
        unpriced = int((self._members(cells) & ~self._priced).sum())
        return text + (f"; net figures leave out {unpriced} events of unknown cost" if unpriced else "")


def tries_of(scorers: Sequence[Scorer], variants: int = 1) -> Tries:
    """The tries that a whole catalogue amounts to.

    Parameters
    ----------
    scorers
        One per strategy.
    variants
        Parameter variants of each that were evaluated in the last 90 days.
    """
    ratios = [ratio for scorer in scorers for ratio in scorer.ratios()]
    count = sum(scorer.shown_count for scorer in scorers) * variants
    return Tries(max(1, count), float(np.var(ratios, ddof=1)) if len(ratios) > 1 else 0.0)


def shortfall(net: Floats, share: float) -> float:
    """Mean loss of the worst ``share`` of outcomes, at least one of them; positive is a loss, in the unit of ``net``.

    Examples
    --------
    >>> shortfall(np.array([0.03, -0.02, 0.01]), 0.05)
    0.02
    """
    worst = max(1, math.ceil(share * len(net)))
    return -float(np.sort(net)[:worst].mean())


def _bucket_text(cell: int) -> str:
    bucket = cell % BUCKETS
    upper = f"..{BUCKET_EDGES[bucket + 1]:g}" if bucket + 1 < BUCKETS else " and above"
    return f"{BUCKET_EDGES[bucket]:g}{upper}"


def _cells_text(cells: tuple[int, ...]) -> str:
    if cells == EVERY:
        return "both directions, every strength"
    side = "long" if cells[0] < BUCKETS else "short"
    if len(cells) == BUCKETS:
        return f"{side}, every strength"
    first, last = cells[0] % BUCKETS, cells[-1] % BUCKETS
    if last + 1 == BUCKETS:
        return f"{side}, strength {BUCKET_EDGES[first]:g} and above"
    return f"{side}, strength {BUCKET_EDGES[first]:g}..{BUCKET_EDGES[last + 1]:g}"
