"""What one job of evidence found, as a table that any reader of Parquet can open."""

from __future__ import annotations

import io
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sextant.errors import InputError
from sextant.evidence.events import PER_EVENT, EventTable, event_table, run_lengths
from sextant.evidence.outcomes import BUCKETS
from sextant.model.bar import Integers
from sextant.model.times import Interval
from sextant.model.view import View
from sextant.strategies.contract import Strategy, Verdict
from sextant.strategies.gates import historic_pass

FORMAT: Final = b"1"
_FACTS: Final = b"sextant.facts"
_FORMAT: Final = b"sextant.format"


class StrategyFacts(msgspec.Struct, frozen=True):
    """What a strategy said besides its events; ``skipped`` says why it said nothing.

    ``void`` and ``unfilled`` by cell and ``runs``, length and count of the runs of signals that ended, are those of the
    instruments of the job; the rest is the same in every job.
    """

    strategy_id: str
    skipped: str | None
    interval: Interval
    params: tuple[tuple[str, float], ...] = ()
    horizon_rows: int = 1
    void: tuple[int, ...] = (0,) * (2 * BUCKETS)
    unfilled: tuple[int, ...] = (0,) * (2 * BUCKETS)
    pending_count: int = 0
    rows: int = 0
    runs: tuple[tuple[int, int], ...] = ()
    without: tuple[str, ...] = ()
    window_start_ns: int | None = None
    window_end_ns: int | None = None
    resting: bool = False


class Part(msgspec.Struct, frozen=True):
    """The result of a job: facts of each strategy, and its events by the names of :data:`PER_EVENT`.

    ``costs_bps`` is the round trip of each instrument of the job, None where unknown.
    """

    facts: tuple[StrategyFacts, ...]
    events: tuple[dict[str, Any], ...]
    costs_bps: tuple[float | None, ...]


def scored(strategy: Strategy, verdict: Verdict, view: View) -> tuple[StrategyFacts, dict[str, Any]]:
    """What a verdict says about the past: facts, and arrays by name."""
    if verdict.skipped is not None:
        return StrategyFacts(strategy.id, verdict.skipped, verdict.interval), _nothing()
    table = event_table(strategy.id, strategy.defaults(), verdict, view)
    passing = np.ascontiguousarray(historic_pass(verdict) & (verdict.signals.direction != 0))
    lengths, counts = np.unique(run_lengths(passing, verdict.signals.direction), return_counts=True)
    return _facts(table, lengths, counts), {name: getattr(table, name) for name in PER_EVENT}


def _facts(table: EventTable, lengths: Integers, counts: Integers) -> StrategyFacts:
    return StrategyFacts(
        strategy_id=table.strategy_id,
        skipped=None,
        interval=table.interval,
        params=table.params,
        horizon_rows=table.horizon_rows,
        void=tuple(table.void.tolist()),
        unfilled=tuple(table.unfilled.tolist()),
        pending_count=table.pending_count,
        rows=table.rows,
        runs=tuple(zip(lengths.tolist(), counts.tolist(), strict=True)),
        without=table.without,
        window_start_ns=table.window_start_ns,
        window_end_ns=table.window_end_ns,
        resting=table.resting,
    )


def packed(part: Part) -> bytes:
    """The part as a Parquet file: one row per event, facts in its metadata; equal parts give equal bytes."""
    numbers = [np.full(len(events["row"]), place) for place, events in enumerate(part.events)]
    columns: dict[str, Any] = {"strategy": pa.array(np.concatenate(numbers).astype(np.int16))}
    for name in PER_EVENT:
        columns[name] = pa.array(np.concatenate([events[name] for events in part.events]))
    facts = msgspec.json.encode((part.facts, part.costs_bps))
    table = pa.table(columns).replace_schema_metadata({_FORMAT: FORMAT, _FACTS: facts})
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd")
    return out.getvalue()


def unpacked(content: bytes) -> Part:
    """The part that :func:`packed` made a file of.

    Raises
    ------
    InputError
        If it is no such file.
    """
    try:
        table = pq.read_table(io.BytesIO(content))
        known = table.schema.metadata or {}
        if known.get(_FORMAT) != FORMAT:
            raise InputError("A result of another format lies in the store.", reason="format")
        facts, costs = msgspec.json.decode(
            known[_FACTS], type=tuple[tuple[StrategyFacts, ...], tuple[float | None, ...]]
        )
        arrays = {name: np.asarray(table.column(name)) for name in ("strategy", *PER_EVENT)}
    except (pa.ArrowException, msgspec.DecodeError, KeyError) as error:
        raise InputError(f"A result in the store is damaged: {error}.", reason="damaged") from error
    number = arrays.pop("strategy")
    events = tuple(
        {name: np.ascontiguousarray(column[number == place]) for name, column in arrays.items()}
        for place in range(len(facts))
    )
    return Part(facts, events, costs)


_NO_EVENT: Final = {
    "direction": np.int8,
    "strength": np.float64,
    "gross": np.float64,
    "funded": np.bool_,
    "ambiguous": np.bool_,
    "adverse": np.float64,
    "favourable": np.float64,
}


def _nothing() -> dict[str, Any]:
    return {name: np.empty(0, dtype=_NO_EVENT.get(name, np.int64)) for name in PER_EVENT}
