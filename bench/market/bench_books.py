"""Applying model events to the market state: books alone, and the mix of W1 without its decoding; checked at the end.

Rates are per second of processor time of one core, so that neighbours on the machine do not count.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import summary, tell, times_ms
from sextant.market.state import MarketState
from sextant.model.bar import Bar
from sextant.model.events import (
    BarUpdate,
    BookDelta,
    DerivativesUpdate,
    Event,
    QuoteUpdate,
    Trade,
)
from sextant.model.times import MILLISECOND_NS, MINUTE_NS
from walk import START_NS, WalkingBook

INSTRUMENTS = 200
EVENTS = 200_000


def _other(market: WalkingBook, number: int, now_ns: int, share: float) -> list[Event]:
    price = market.middle / 10
    who = market.instrument
    if share < 0.8:
        return [Trade(who, now_ns, now_ns, f"{number:032x}", price, 0.5, 1 if number % 2 else -1)]
    if share < 0.95:
        return [
            DerivativesUpdate(who, now_ns, now_ns, last=price, mark=price, index=price, open_interest=1e6),
            QuoteUpdate(who, now_ns, now_ns, bid=price - 0.1, bid_size=1.0, ask=price + 0.1, ask_size=1.0),
        ]
    open_ns = now_ns // MINUTE_NS * MINUTE_NS
    return [BarUpdate(who, now_ns, now_ns, "1m", Bar(open_ns, price, price, price, price, 1.0), final=False)]


def generated(only_books: bool) -> tuple[list[WalkingBook], list[Event], list[Event], int]:
    """Markets, their listings with snapshots, the events that follow, and of how many frames they are."""
    chance = random.Random(7)  # noqa: S311  # a fixed seed, nothing secret
    markets = [WalkingBook(number, chance) for number in range(INSTRUMENTS)]
    start: list[Event] = [event for market in markets for event in (market.listed(), market.snapshot())]
    events: list[Event] = []
    for number in range(EVENTS):
        market = chance.choice(markets)
        now_ns = START_NS + number * MILLISECOND_NS
        share = 0.0 if only_books else chance.random()
        events += [market.delta(now_ns)] if share < 0.6 else _other(market, number, now_ns, share)
    return markets, start, events, EVENTS


def _check(state: MarketState, markets: Sequence[WalkingBook]) -> None:
    for market in markets:
        book = state.book(market.instrument)
        bids, asks = market.shown()
        assert book.valid
        assert (list(book.bids), list(book.asks)) == (bids, asks)


def measure(only_books: bool) -> dict[str, float | None]:
    markets, start, events, frames = generated(only_books)

    def run() -> MarketState:
        state = MarketState("demo", simulated=True)
        for event in start:
            state.apply(event)
        begun = time.process_time_ns()
        apply = state.apply
        for event in events:
            apply(event)
        spent.append((time.process_time_ns() - begun) / 1e9)
        return state

    spent: list[float] = []
    for _ in range(5):
        state = run()
        _check(state, markets)
    rates = sorted(frames / seconds for seconds in spent)
    figures: dict[str, float | None] = {
        "instruments": float(INSTRUMENTS),
        "frames": float(frames),
        "frames_per_s": statistics.median(rates),
        "frames_per_s_slowest": rates[0],
        "us_per_frame": 1e6 / statistics.median(rates),
        "runs": float(len(rates)),
    }
    if not only_books:
        as_of_ns = START_NS + EVENTS * MILLISECOND_NS
        touch = [event for event in events if isinstance(event, BookDelta)][-INSTRUMENTS:]

        def view() -> None:
            for event in touch:
                state.desk(event.instrument).changed = True
            state.view(as_of_ns)

        taken = summary(times_ms(view, runs=21))
        figures |= {"view_all_changed_ms": taken["median"], "view_all_changed_p95_ms": taken["p95"]}
        figures["state_hash_ms"] = summary(times_ms(state.state_hash))["median"]
    return figures


def main() -> None:
    tell("market.books", measure(only_books=True))
    tell("market.apply_mix", measure(only_books=False))


if __name__ == "__main__":
    main()
