"""Model events as tests of the market state need them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal

import numpy as np

from sextant.market.state import MarketState
from sextant.model.bar import BAR_FIELDS, Bar, BarBlock
from sextant.model.events import BarUpdate, BookDelta, BookSnapshot, Event, Level, Listed, Trade
from sextant.model.instrument import Instrument, InstrumentSpec, Kind
from sextant.model.times import INTERVAL_NS, SECOND_NS, Interval

NOW_NS = 10_000 * 86_400 * SECOND_NS


def instrument(base: str = "BTC", kind: Kind = "perpetual") -> Instrument:
    return Instrument("bybit", base, "USDT", kind)


def listed(base: str = "BTC", tick: str = "0.5", kind: Kind = "perpetual", event_ns: int = 1) -> Listed:
    spec = InstrumentSpec(
        instrument=instrument(base, kind),
        tick=Decimal(tick),
        lot=Decimal("0.001"),
        min_notional=None,
        contract_size=Decimal(1),
        status="trading",
        funding_interval_s=28_800 if kind == "perpetual" else None,
        max_leverage=None,
        as_of_ns=event_ns,
    )
    return Listed(spec, event_ns, event_ns)


def state_of(*events: Event, keep: int | None = None, simulated: bool = False) -> MarketState:
    """A state that learnt the events; ``keep`` rows of every interval."""
    rows = None if keep is None else dict.fromkeys(INTERVAL_NS, keep)
    state = MarketState("replay", simulated=simulated, keep_rows=rows)
    for event in events:
        state.apply(event)
    return state


def snapshot(
    sequence: int,
    bids: Sequence[Level],
    asks: Sequence[Level],
    *,
    base: str = "BTC",
    levels: int = 50,
    event_ns: int | None = None,
) -> BookSnapshot:
    time_ns = sequence if event_ns is None else event_ns
    return BookSnapshot(instrument(base), time_ns, time_ns, sequence, levels, list(bids), list(asks))


def delta(
    sequence: int,
    bids: Sequence[Level] = (),
    asks: Sequence[Level] = (),
    *,
    base: str = "BTC",
    first: int | None = None,
    previous: int | None = None,
    event_ns: int | None = None,
) -> BookDelta:
    time_ns = sequence if event_ns is None else event_ns
    return BookDelta(
        instrument(base),
        time_ns,
        time_ns,
        sequence,
        sequence if first is None else first,
        previous,
        list(bids),
        list(asks),
    )


def trade(
    trade_id: str,
    event_ns: int,
    price: float = 100.0,
    size: float = 1.0,
    aggressor: int = 1,
    *,
    base: str = "BTC",
    block: bool = False,
) -> Trade:
    return Trade(
        instrument(base),
        event_ns,
        event_ns,
        trade_id,
        price,
        size,
        aggressor,  # type: ignore[arg-type]  # tests choose among the three
        block,
    )


def bar(
    row: int, interval: Interval, close: float = 100.0, volume: float = 1.0, taker: float = math.nan
) -> Bar:
    return Bar(row * INTERVAL_NS[interval], close, close + 1, close - 1, close, volume, volume * close, taker)


def bar_update(
    row: int,
    interval: Interval = "1m",
    close: float = 100.0,
    *,
    base: str = "BTC",
    volume: float = 1.0,
    taker: float = math.nan,
    final: bool = True,
) -> BarUpdate:
    closed_ns = (row + 1) * INTERVAL_NS[interval]
    return BarUpdate(
        instrument(base),
        closed_ns,
        closed_ns,
        interval,
        bar(row, interval, close, volume, taker),
        final,
    )


def block(
    interval: Interval,
    bases: Sequence[str],
    rows: Iterable[int],
    columns: dict[str, np.ndarray],
    kind: Kind = "perpetual",
) -> BarBlock:
    """A block stated right after its last bar closed; fields that are not given are unknown."""
    open_ns = np.array(list(rows), dtype=np.int64) * INTERVAL_NS[interval]
    shape = (len(open_ns), len(bases))
    full = {
        name: np.asarray(columns.get(name, np.full(shape, np.nan)), dtype=np.float64) for name in BAR_FIELDS
    }
    stated_ns = int(open_ns[-1]) + INTERVAL_NS[interval] if len(open_ns) else 0
    return BarBlock(
        interval,
        tuple(instrument(base, kind) for base in bases),
        open_ns,
        **full,
        event_ns=stated_ns,
        receive_ns=stated_ns,
    )


def block_of(updates: Sequence[BarUpdate]) -> BarBlock:
    """One block with the bars of one instrument, given in rising order of time."""
    columns = {
        name: np.array([[getattr(update.bar, name)] for update in updates], dtype=np.float64)
        for name in BAR_FIELDS
    }
    step = INTERVAL_NS[updates[0].interval]
    rows = [update.bar.open_ns // step for update in updates]
    return block(updates[0].interval, [updates[0].instrument.base], rows, columns)
