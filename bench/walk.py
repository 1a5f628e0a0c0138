"""Input whose truth is known: an order book that walks at random and tells every change as a venue would, and its past."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Final

import numpy as np

from sextant.model.bar import BarBlock
from sextant.model.events import BookDelta, BookSnapshot, Level, Listed
from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.model.times import INTERVAL_NS, Interval

LEVELS = 50
START_NS = 1_717_200_000 * 1_000_000_000
ROWS_OF_PAST: Final[dict[Interval, int]] = {
    "4h": 1_000,
    "1h": 1_000,
    "1m": 3_000,
    "5m": 1_000,
    "30m": 1_000,
    "1d": 1_000,
}
"""As many bars as a server keeps of each interval, in the order in which it asks for them."""


def past(
    instrument: Instrument, interval: Interval, rows: int, until_ns: int, rng: np.random.Generator
) -> BarBlock:
    """Bars of a random walk that end at a time, as a venue answers a request for history."""
    step = INTERVAL_NS[interval]
    close = 100.0 * np.exp(np.cumsum(0.002 * rng.normal(size=(rows, 1)), axis=0))
    volume = 1e4 * (1.0 + rng.random((rows, 1)))
    return BarBlock(
        interval=interval,
        instruments=(instrument,),
        open_ns=until_ns - rows * step + step * np.arange(rows),
        event_ns=until_ns,
        receive_ns=until_ns,
        open=close,
        high=close * 1.002,
        low=close * 0.998,
        close=close,
        volume=volume,
        quote_volume=volume * close,
        taker_buy_volume=volume * 0.5,
    )


class WalkingBook:
    """One instrument's true book, walking at random and telling every change as a venue would."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self.instrument = Instrument("bybit", f"A{number:03d}", "USDT", "perpetual")
        self.chance = chance
        self.middle = 20_000 + number
        self.sequence = 1
        self.bids = {self.middle - step: 1.0 + step for step in range(1, LEVELS + 1)}
        self.asks = {self.middle + step: 1.0 + step for step in range(1, LEVELS + 1)}

    def listed(self) -> Listed:
        spec = InstrumentSpec(
            self.instrument,
            Decimal("0.1"),
            Decimal("0.001"),
            None,
            Decimal(1),
            "trading",
            28_800,
            None,
            START_NS,
        )
        return Listed(spec, START_NS, START_NS)

    def snapshot(self) -> BookSnapshot:
        bids, asks = self.shown()
        return BookSnapshot(self.instrument, START_NS, START_NS, 1, LEVELS, bids, asks)

    def shown(self) -> tuple[list[Level], list[Level]]:
        """The true book, best first."""
        return (
            [(ticks / 10, self.bids[ticks]) for ticks in sorted(self.bids, reverse=True)],
            [(ticks / 10, self.asks[ticks]) for ticks in sorted(self.asks)],
        )

    def delta(self, now_ns: int) -> BookDelta:
        """Three sizes near the touch change; every fifth time the touch moves by one tick, which adds and deletes levels."""
        chance = self.chance
        changes: tuple[dict[int, float], dict[int, float]] = ({}, {})
        if chance.random() < 0.2:
            up = chance.random() < 0.5
            gone, made = (min(self.asks), self.middle) if up else (max(self.bids), self.middle)
            self.middle += 1 if up else -1
            changes[up][gone] = 0.0
            changes[not up][made] = chance.random() + 0.1
            far = self.middle + LEVELS if up else self.middle - LEVELS
            changes[up][far] = 5.0
        for _ in range(3):
            side = chance.random() < 0.5
            ticks = self.middle + (1 if side else -1) * (1 + int(chance.expovariate(0.2)) % LEVELS)
            changes[side].setdefault(ticks, chance.random() + 0.1)
        for book, changed, best_last in ((self.bids, changes[0], True), (self.asks, changes[1], False)):
            for ticks, size in changed.items():
                if size:
                    book[ticks] = size
                else:
                    book.pop(ticks, None)
            for ticks in sorted(book, reverse=best_last)[LEVELS:]:
                del book[ticks]
        self.sequence += 1
        bids, asks = ([(ticks / 10, size) for ticks, size in part.items()] for part in changes)
        return BookDelta(self.instrument, now_ns, now_ns, self.sequence, self.sequence, None, bids, asks)
