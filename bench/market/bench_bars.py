"""History of 136 instruments x 6,000 hours with its folds, single bars, and the cost of a view of 1,000 instruments."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from harness import summary, tell, times_ms
from sextant.market.state import MarketState
from sextant.model.bar import Bar, BarBlock
from sextant.model.events import BarUpdate, Listed
from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.model.times import INTERVAL_NS, MINUTE_NS, Interval

FIRST_ROW = 20_000 * 24


def _instruments(count: int) -> tuple[Instrument, ...]:
    return tuple(Instrument("binance", f"A{number:04d}", "USDT", "spot") for number in range(count))


def _state(instruments: tuple[Instrument, ...]) -> MarketState:
    state = MarketState("replay", simulated=False)
    for instrument in instruments:
        spec = InstrumentSpec(
            instrument, Decimal("0.01"), Decimal("0.01"), None, Decimal(1), "trading", None, None, 1
        )
        state.apply(Listed(spec, 1, 1))
    return state


def _block(instruments: tuple[Instrument, ...], interval: Interval, first: int, rows: int) -> BarBlock:
    generator = np.random.default_rng(3)
    close = 100.0 + generator.random((rows, len(instruments)))
    step = INTERVAL_NS[interval]
    open_ns = np.arange(first, first + rows) * step
    stated_ns = int(open_ns[-1]) + step
    return BarBlock(
        interval,
        instruments,
        open_ns,
        close,
        close + 1,
        close - 1,
        close,
        close,
        close,
        close,
        stated_ns,
        stated_ns,
    )


def history() -> dict[str, float | None]:
    """One block at once, and the same rows one hour at a time."""
    instruments = _instruments(136)
    whole = _block(instruments, "1h", FIRST_ROW, 6_000)
    rows = [_block(instruments, "1h", FIRST_ROW + row, 1) for row in range(1_000)]

    def load() -> MarketState:
        state = _state(instruments)
        state.apply(whole)
        return state

    def follow() -> None:
        state = _state(instruments)
        for row in rows:
            state.apply(row)

    bars = load().view(whole.event_ns).bars
    assert (bars["1h"].rows, bars["4h"].rows, bars["1d"].rows) == (1_000, 1_000, 250)
    loaded, followed = summary(times_ms(load)), summary(times_ms(follow))
    return {
        "block_136x6000_ms": loaded["median"],
        "block_136x6000_p95_ms": loaded["p95"],
        "row_of_136_us": followed["median"],  # ms per 1,000 rows
    }


def minute() -> dict[str, float | None]:
    """1,000 instruments: the bars of a closing minute one by one, then a view; at first and when all is hashed."""
    instruments = _instruments(1_000)
    state = _state(instruments)
    first = FIRST_ROW * 60
    whole = _block(instruments, "1m", first, 1_440)
    state.apply(whole)
    cold = summary(times_ms(lambda: state.view(whole.event_ns), runs=1, warm=0))
    row = [first + 1_440]

    def close_minute() -> None:
        open_ns = row[0] * MINUTE_NS
        row[0] += 1
        bar = Bar(open_ns, 100.0, 101.0, 99.0, 100.0, 1.0, 1.0, 1.0)
        stated_ns = open_ns + MINUTE_NS
        for instrument in instruments:
            state.apply(BarUpdate(instrument, stated_ns, stated_ns, "1m", bar, final=True))

    def repair() -> None:
        open_ns = (row[0] - 1) * MINUTE_NS
        bar = Bar(open_ns, 100.0, 101.0, 99.0, 100.0 + row[0] % 7 / 10, 2.0 + len(moved), 1.0, 1.0)
        stated_ns = open_ns + MINUTE_NS
        state.apply(BarUpdate(instruments[0], stated_ns, stated_ns, "1m", bar, final=True))

    def look() -> None:
        state.view(row[0] * MINUTE_NS)

    moved: list[float] = []
    closed = summary(times_ms(close_minute, runs=30))
    warm: list[float] = []
    for _ in range(15):
        close_minute()
        warm += times_ms(look, runs=1, warm=0)
    again = summary(times_ms(look, runs=15))
    for _ in range(5):
        shown = state.view(row[0] * MINUTE_NS)
        moved += times_ms(repair, runs=1, warm=0)
        assert shown.bars["1m"].rows == 1_440
    assert state.view(row[0] * MINUTE_NS).bars["1m"].rows == 1_440
    return {
        "minute_of_1000_bars_ms": closed["median"],
        "view_1000x1440_cold_ms": cold["median"],
        "view_after_a_minute_ms": summary(warm)["median"],
        "view_again_ms": again["median"],
        "bar_into_a_shown_row_ms": summary(moved)["median"],
    }


def main() -> None:
    tell("market.bars", history() | minute())


if __name__ == "__main__":
    main()
