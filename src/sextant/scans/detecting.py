"""The facts of all instruments: rules over columns, trades, forced closes and books, read from one view."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from sextant.confluence.absence import last_of
from sextant.confluence.book_watch import BookWatch
from sextant.confluence.detectors import (
    WASH_NS,
    WASH_SIZE,
    Fact,
    FactBook,
    Print,
    Seen,
    readings,
    wash_suspected,
    whale_trades,
)
from sextant.confluence.forced import (
    Burst,
    Wave,
    cascade,
    large_liquidations,
    market_cascade,
    zones_seen,
)
from sextant.confluence.levels import LEVELS
from sextant.confluence.scorer import Evaluation
from sextant.model.bar import Floats
from sextant.model.instrument import is_dollar
from sextant.model.times import MINUTE_NS
from sextant.model.view import Flags, LiquidationTape, TradeTape, View

BURST_NS: Final = 5 * MINUTE_NS
BURST_ROWS: Final = 5
DAY_NS: Final = 1_440 * MINUTE_NS
LEAST_CASCADE_USD: Final = 1e6
"""A cascade is at least this large: below it the usual need not be known."""
_FORCED: Final = {1: "liq_short_usd", -1: "liq_long_usd"}
"""Field of a minute by the side of the move: shorts that are closed are bought."""


def facts_seen(view: View, found: Evaluation, book: FactBook, watch: BookWatch) -> list[Seen]:
    """What every rule says now; ``book`` holds the facts that are open."""
    seen: list[Seen] = []
    for column in range(view.size):
        seen += readings(found, column)
        seen += of_trades(view, column)
        seen += of_forced(view, found, column, book)
    return [*seen, *watch.seen(view), *of_market(view, book)]


def of_trades(view: View, column: int) -> list[Seen]:
    """The largest trades of the last minute where they are large, and pairs that look like one trader with itself."""
    instrument = view.instruments[column].instrument
    tape = view.trades.get(instrument)
    if tape is None:
        return []
    turnover = float(view.derivatives.turnover_24h[column])
    recent = prints(tape, tape.event_ns > view.as_of_ns - MINUTE_NS)
    alike = prints(tape, (tape.event_ns > view.as_of_ns - BURST_NS) & may_match(tape))
    return [
        *whale_trades(instrument, recent, turnover),
        *wash_suspected(instrument, alike, traded_5m(view, column)),
    ]


def may_match(tape: TradeTape) -> Flags:
    """The trades with another of the same size and the other side within a second, bool (n,); the rest match nothing."""
    chosen = np.zeros(len(tape.size), dtype=np.bool_)
    order = np.lexsort((tape.event_ns, tape.size))
    size, time, side = tape.size[order], tape.event_ns[order], tape.aggressor[order]
    # Of a run of equal sizes a pair may have others between them; three on either side are looked at.
    for apart in (1, 2, 3):
        if len(order) <= apart:
            break
        pair = (
            (size[apart:] <= size[:-apart] * (1.0 + WASH_SIZE))
            & (np.abs(time[apart:] - time[:-apart]) <= WASH_NS)
            & (side[apart:] == -side[:-apart])
            & (side[apart:] != 0)
        )
        chosen[order[apart:][pair]] = True
        chosen[order[:-apart][pair]] = True
    return chosen


def traded_5m(view: View, column: int) -> float:
    """Turnover of the last five closed minutes, quote units; 0 where it is not known."""
    minutes = view.bars.get("1m")
    return 0.0 if minutes is None else float(np.nansum(minutes.quote_volume[-BURST_ROWS:, column]))


def of_forced(view: View, found: Evaluation, column: int, book: FactBook) -> Iterator[Seen]:
    """Single large forced closes of the last minute, a cascade of the last five, and the zones of a day."""
    instrument = view.instruments[column].instrument
    tape = view.liquidations.get(instrument)
    if tape is None:
        return
    turnover = float(view.derivatives.turnover_24h[column])
    recent = forced_prints(tape, tape.event_ns > view.as_of_ns - MINUTE_NS)
    yield from large_liquidations(instrument, recent, turnover)
    burst = forced_prints(tape, tape.event_ns > view.as_of_ns - BURST_NS)
    peak = max((fact.peak for fact in book.of(instrument) if fact.seen.kind == "cascade"), default=0.0)
    if peak or sum(one.usd for one in burst) > LEAST_CASCADE_USD:
        yield from cascade(instrument, burst_of(view, found, column, tuple(burst), peak))
    yield from zones_seen(instrument, forced_prints(tape, tape.event_ns > view.as_of_ns - DAY_NS), turnover)


def of_market(view: View, book: FactBook) -> list[Seen]:
    """A cascade over many instruments within the last five minutes."""
    waves = []
    dollars = [tape for instrument, tape in sorted(view.liquidations.items()) if is_dollar(instrument.quote)]
    late = [(tape, tape.event_ns > view.as_of_ns - BURST_NS) for tape in dollars]
    for side in (1, -1):
        mine = [(tape, chosen & (tape.side == -side)) for tape, chosen in late]
        sums = [
            float(np.cumsum(tape.price[chosen] * tape.size[chosen])[-1])
            for tape, chosen in mine
            if chosen.any()
        ]
        count = sum(int(np.count_nonzero(chosen)) for _, chosen in mine)
        waves.append(Wave(side, sum(sums), count, len(sums)))
    peaks = {fact.seen.direction: fact.peak for fact in book.of(None)}
    return market_cascade(waves, peaks)


def burst_of(view: View, found: Evaluation, column: int, burst: tuple[Print, ...], peak_usd: float) -> Burst:
    """The forced closes of five minutes with what is usual, and how the price moved meanwhile; 0 where it is not known."""
    side = 1 if sum(one.side * one.usd for one in burst) >= 0 else -1
    close = view.bars["1m"].close[:, column]
    before, last = close[-1 - BURST_ROWS :][:1], float(view.derivatives.last[column])
    moved = float(last - before[0]) if before.size and np.isfinite(before[0]) else 0.0
    return Burst(
        prints=burst,
        usual_usd=usual_5m(view, column, side),
        moved=moved if np.isfinite(moved) else 0.0,
        atr=last_of(found, "5m", LEVELS["5m"]["atr"], column) or 0.0,
        peak_usd=peak_usd,
    )


def usual_5m(view: View, column: int, side: int) -> float:
    """Lower median of what was closed by force on a side in the known five minutes of a day, USD; 0 without any."""
    if view.minutes is None:
        return 0.0
    usd = view.minutes.column(_FORCED[side])[:, column]
    sums = usd[len(usd) % BURST_ROWS :].reshape(-1, BURST_ROWS).sum(axis=1)
    known: Floats = np.sort(sums[~np.isnan(sums)])
    return float(known[(len(known) - 1) // 2]) if len(known) else 0.0


def prints(tape: TradeTape, chosen: Flags) -> list[Print]:
    """Some trades of a tape."""
    columns = (tape.event_ns[chosen], tape.price[chosen], tape.size[chosen], tape.aggressor[chosen])
    return [
        Print(int(time), float(price * size), int(side), float(price), float(size))
        for time, price, size, side in zip(*columns, strict=True)
    ]


def forced_prints(tape: LiquidationTape, chosen: Flags) -> list[Print]:
    """Some forced closes of a tape; a short that is closed is bought."""
    columns = (tape.event_ns[chosen], tape.price[chosen], tape.size[chosen], tape.side[chosen])
    return [
        Print(int(time), float(price * size), -int(side), float(price), float(size))
        for time, price, size, side in zip(*columns, strict=True)
    ]


def spoofed(view: View, facts: tuple[Fact, ...]) -> Flags:
    """Of which books levels are suspected to be shown and not meant, bool (S,)."""
    flags = np.zeros(view.size, dtype=np.bool_)
    for fact in facts:
        name = fact.seen.instrument
        if fact.seen.kind == "spoof_suspected" and name is not None and name in view.column_of:
            flags[view.column_of[name]] = True
    return flags
