"""Results of many jobs as the tables of one run: the same bytes whichever job ended first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sextant.errors import InputError
from sextant.evidence.events import PER_EVENT, EventTable
from sextant.evidence.partitions import Partition
from sextant.evidence.parts import Part, StrategyFacts
from sextant.model.bar import Floats
from sextant.model.instrument import Instrument
from sextant.model.times import INTERVAL_NS, SECOND_NS


class Merged(NamedTuple):
    """What all jobs found: by strategy its events, or why it was silent; and float64 (S,) round trips in bps."""

    tables: dict[str, EventTable | str]
    costs_bps: Floats


def merged(
    partitions: Sequence[Partition], parts: Sequence[Part], instruments: tuple[Instrument, ...]
) -> Merged:
    """The tables of all strategies.

    Parameters
    ----------
    partitions, parts
        All jobs of a plan and what each found, in the same order.
    instruments
        S identities, the meaning of the columns of the partitions.

    Raises
    ------
    InputError
        If a part does not belong to its partition.

    Notes
    -----
    Events lie by row and then instrument, as :func:`~sextant.evidence.outcomes.outcomes` gives them; counts are sums of whole
    numbers. A strategy was silent where it was in every job.
    """
    costs = np.full(len(instruments), np.nan)
    found: dict[str, list[tuple[Partition, StrategyFacts, dict[str, Any]]]] = {}
    for partition, part in zip(partitions, parts, strict=True):
        said = tuple(facts.strategy_id for facts in part.facts)
        if said != partition.strategies or len(part.costs_bps) != len(partition.columns):
            raise InputError("A result in the store belongs to another job.", reason="damaged")
        costs[list(partition.columns)] = [np.nan if cost is None else cost for cost in part.costs_bps]
        for facts, events in zip(part.facts, part.events, strict=True):
            found.setdefault(facts.strategy_id, []).append((partition, facts, events))
    tables = {name: _joined(pieces, instruments) for name, pieces in found.items()}
    return Merged(tables, costs)


def _joined(
    pieces: list[tuple[Partition, StrategyFacts, dict[str, Any]]], instruments: tuple[Instrument, ...]
) -> EventTable | str:
    spoke = [piece for piece in pieces if piece[1].skipped is None]
    if not spoke:
        return pieces[0][1].skipped or "unknown"
    first = spoke[0][1]
    for _, facts, _ in spoke:
        if (facts.rows, facts.params, facts.window_end_ns) != (
            first.rows,
            first.params,
            first.window_end_ns,
        ):
            raise InputError("Results of different runs lie in the store.", reason="damaged")
    arrays: dict[str, Any] = {
        name: np.concatenate([events[name] for _, _, events in spoke]) for name in PER_EVENT
    }
    arrays["column"] = np.concatenate(
        [np.array(partition.columns, dtype=np.int64)[events["column"]] for partition, _, events in spoke]
    )
    order = np.lexsort((arrays["column"], arrays["row"]))
    every = [facts for _, facts, _ in spoke]
    return EventTable(
        strategy_id=first.strategy_id,
        params=first.params,
        interval=first.interval,
        horizon_rows=first.horizon_rows,
        instruments=instruments,
        **{name: arrays[name][order] for name in PER_EVENT},
        void=np.sum([facts.void for facts in every], axis=0, dtype=np.int64),
        unfilled=np.sum([facts.unfilled for facts in every], axis=0, dtype=np.int64),
        pending_count=sum(facts.pending_count for facts in every),
        rows=first.rows,
        median_run_s=_median_run_s(every),
        without=tuple(dict.fromkeys(name for facts in every for name in facts.without)),
        window_start_ns=first.window_start_ns,
        window_end_ns=first.window_end_ns,
        resting=first.resting,
    )


def _median_run_s(every: Sequence[StrategyFacts]) -> float | None:
    runs = [run for facts in every for run in facts.runs]
    if not runs:
        return None
    lengths, counts = np.array(runs, dtype=np.int64).T
    middle = float(np.median(np.repeat(lengths, counts)))
    return middle * INTERVAL_NS[every[0].interval] / SECOND_NS
