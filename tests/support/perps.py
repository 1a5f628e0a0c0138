"""Recorded perpetuals of several venues: hourly bars and settled funding of five coins over a year."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sextant.model.bar import Floats, Integers
from sextant.model.instrument import InstrumentSpec
from sextant.model.times import HOUR_NS, SECOND_NS
from sextant.model.view import Series, View, bar_frame, no_books, no_derivatives, no_quotes
from support.markets import TINY, frozen
from support.views import spec

FOLDER: Final = "perps_multi_venue"
STEP_NS: Final = 4 * HOUR_NS
COINS: Final = ("BTC", "ETH", "SOL", "DOGE", "HYPE")


@dataclasses.dataclass(frozen=True)
class Recorded:
    """Hourly bars and settlements by (venue, coin): times of opening and (n, 5) prices and volume; times and rates."""

    bars: dict[tuple[str, str], tuple[Integers, Floats]]
    rates: dict[tuple[str, str], tuple[Integers, Floats]]


def recorded(data: Path, venues: Sequence[str]) -> Recorded:
    """What was recorded of some venues."""
    bars: dict[tuple[str, str], tuple[Integers, Floats]] = {}
    rates: dict[tuple[str, str], tuple[Integers, Floats]] = {}
    candles = pq.read_table(data / FOLDER / "candles.parquet")
    funding = pq.read_table(data / FOLDER / "funding_rates.parquet")
    for venue in venues:
        for coin in COINS:
            for table, names, into in (
                (candles, ("o", "h", "l", "c", "v"), bars),
                (funding, ("funding_rate",), rates),
            ):
                chosen = pc.and_(pc.equal(table["venue"], venue), pc.equal(table["coin"], coin))
                mine = table.filter(chosen).sort_by("timestamp")
                times = mine["timestamp"].cast(pa.timestamp("ns", tz="UTC")).to_numpy().astype(np.int64)
                times, first = np.unique(times, return_index=True)
                values = np.column_stack([mine[name].to_numpy()[first] for name in names]).astype(np.float64)
                into[venue, coin] = (times, values)
    return Recorded(bars, rates)


def view_at(known: Recorded, as_of_ns: int, rows: int) -> View:
    """The last ``rows`` bars of four hours and all settlements by a time, a multiple of four hours; no quotes were recorded.

    Notes
    -----
    The estimate of the next rate was not recorded: the last settled one stands for it. Intervals are those of the last
    settlements. Open interest was recorded once only and is given as a billion dollars.
    """
    names = list(known.bars)
    open_ns = as_of_ns - np.arange(rows, 0, -1, dtype=np.int64) * STEP_NS
    columns = {
        name: np.full((rows, len(names)), np.nan) for name in ("open", "high", "low", "close", "volume")
    }
    specs: list[InstrumentSpec] = []
    facts: dict[str, Any] = {
        name: np.full(len(names), np.nan) for name in ("funding_rate", "funding_interval_s", "open_interest")
    }
    following = np.zeros(len(names), dtype=np.int64)
    history = {}
    for place, (venue, coin) in enumerate(names):
        _fill(columns, place, known.bars[venue, coin], open_ns)
        times, rates = known.rates[venue, coin]
        seen = times <= as_of_ns
        step_ns = int(np.median(np.diff(times[seen][-31:]))) if seen.sum() > 1 else 0
        step_s = round(step_ns / SECOND_NS / 3600) * 3600
        rules = msgspec.structs.replace(
            spec(coin, "perpetual", venue), tick=TINY, lot=TINY, funding_interval_s=step_s or None
        )
        specs.append(rules)
        if step_s:
            history[rules.instrument] = Series(times[seen], rates[seen, 0].copy())
            facts["funding_rate"][place] = rates[seen, 0][-1]
            facts["funding_interval_s"][place] = step_s
            following[place] = times[seen][-1] + step_s * SECOND_NS
    columns["quote_volume"] = columns["volume"] * columns["close"]
    facts["open_interest"] = 1e9 / columns["close"][-1]
    empty = no_derivatives(len(names))
    return frozen(
        View(
            as_of_ns=as_of_ns,
            feed="replay",
            simulated=False,
            instruments=tuple(specs),
            bars={"4h": bar_frame("4h", open_ns, columns)},
            quotes=no_quotes(len(names)),
            books=no_books(len(names)),
            derivatives=dataclasses.replace(
                empty, **facts, next_funding_ns=following, event_ns=np.full(len(names), as_of_ns - SECOND_NS)
            ),
            funding_history=history,
            open_interest_history={},
            trades={},
        )
    )


def _fill(columns: dict[str, Floats], place: int, hourly: tuple[Integers, Floats], open_ns: Integers) -> None:
    """Four whole hours make a bar; a bar with a missing hour stays unknown."""
    times, values = hourly
    for row, begin in enumerate(open_ns.tolist()):
        first = int(np.searchsorted(times, begin))
        part = values[first : first + 4]
        if len(part) == 4 and times[first] == begin and times[first + 3] == begin + 3 * HOUR_NS:
            columns["open"][row, place] = part[0, 0]
            columns["high"][row, place] = part[:, 1].max()
            columns["low"][row, place] = part[:, 2].min()
            columns["close"][row, place] = part[3, 3]
            columns["volume"][row, place] = part[:, 4].sum()
