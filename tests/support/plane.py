"""The market plane whole, in virtual time: a simulated Bybit with a fault script, our feed, its broker, a market state."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sextant.kit.clock import ManualClock
from sextant.market.freshness import FreshnessState
from sextant.market.state import MarketState
from sextant.model.events import Event, Stream, StreamDown
from sextant.model.instrument import Instrument, parse_instrument
from sextant.model.times import SECOND_NS
from sextant.sim.bybit import Simulation, start
from sextant.venues.feed import Wanted, Watcher
from sextant.venues.library.bybit import VENUE
from support.listening import Listening, fed

START_NS: Final = 1_790_000_010_000_000_000  # in the middle of a minute
BTC: Final = parse_instrument("bybit:BTC-USDT:perpetual")
ETH: Final = parse_instrument("bybit:ETH-USDT:perpetual")
BOOK: Final = "orderbook.50.BTCUSDT"
TRADES: Final = "publicTrade.BTCUSDT"
DEPTH: Final = 50


@dataclass
class Plane(Listening):
    """What a test looks at and drives.

    Parameters
    ----------
    venue
        The simulated one.
    breaks
        Each time a book stopped being believed: whose, why, and the seconds until it was believed again.
    calls
        Operation and end of every call to the venue.
    """

    venue: Simulation = field(kw_only=True)
    breaks: list[tuple[Instrument, str, float]] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    _broken: dict[Instrument, tuple[str, int]] = field(default_factory=dict)
    _whole: set[Instrument] = field(default_factory=set)

    def learn(self, events: Iterable[Event]) -> Sequence[Instrument]:
        """Apply events as the product does."""
        asked: list[Instrument] = []
        for event in events:
            asked += super().learn([event])
            touched = (
                event.instruments if isinstance(event, StreamDown) else (getattr(event, "instrument", None),)
            )
            for instrument in {BTC, ETH}.intersection(touched):
                self._judge(instrument)
        return asked

    def _judge(self, instrument: Instrument) -> None:
        book, begun = self.state.book(instrument), self._broken.get(instrument)
        if not book.valid and begun is None and instrument in self._whole:
            self._broken[instrument] = (book.reason, self.clock.now_ns())
        elif book.valid:
            self._whole.add(instrument)
            if begun is not None:
                del self._broken[instrument]
                self.breaks.append((instrument, begun[0], (self.clock.now_ns() - begun[1]) / SECOND_NS))

    async def until(self, holds: Callable[[], bool], within_s: float = 30.0) -> float:
        """Seconds until something holds; an error that tells the script's history if it does not within ``within_s``."""
        try:
            return await super().until(holds, within_s)
        except AssertionError as late:
            raise AssertionError(f"{late}; the script did {self.venue.plan.history}") from None

    def valid(self, *instruments: Instrument) -> bool:
        """Whether the books of instruments are listed and believed; Bitcoin's if none is named."""
        return super().valid(*(instruments or (BTC,)))

    def comparable(self, instrument: Instrument = BTC) -> bool:
        """Whether the simulator still remembers itself at the number of a believed book; it does for eight pushes."""
        told = self.venue.book_at(f"{instrument.base}USDT", DEPTH, self.state.book(instrument).sequence)
        return self.valid(instrument) and told is not None

    def true(self, instrument: Instrument = BTC) -> bool:
        """Whether a believed book is the simulator's own at the same number; such a one is never crossed."""
        book = self.state.book(instrument)
        if not book.valid:
            return False
        symbol = f"{instrument.base}USDT"
        listing = self.venue.model.find("linear", symbol)
        told = self.venue.book_at(symbol, DEPTH, book.sequence)
        assert listing is not None
        assert told is not None, f"push {book.sequence} is too old to compare"
        for ours, theirs, best in ((book.bids, told[0], max), (book.asks, told[1], min)):
            assert best(price for price, _ in ours) == ours[0][0]
            expected = [(round(p * listing.tick, 8), round(q * listing.lot, 8)) for p, q in theirs]
            assert [(round(p, 8), round(q, 8)) for p, q in ours] == sorted(expected, reverse=best is max), (
                f"{instrument} differs at {book.sequence}"
            )
        return book.bids[0][0] < book.asks[0][0]

    def freshness(self, stream: Stream, instrument: Instrument = BTC) -> FreshnessState:
        """How a stream is judged now."""
        return self.state.freshness(self.clock.now_ns())[instrument][stream].state

    def struck(self, kind: str) -> int:
        """How often the script did something."""
        return sum(told == kind for _, told in self.venue.plan.history)


@asynccontextmanager
async def plane(
    faults: Sequence[Mapping[str, Any]] = (),
    folder: Path | None = None,
    *,
    instruments: int = 4,
    wanted: Wanted | None = None,
    seed: int = 7,
) -> AsyncIterator[Plane]:
    """A running plane of a few instruments, no history; with a folder through a broker whose bans lie there; ``seed`` is of its jitter."""
    clock = ManualClock(START_NS)
    async with start(clock, seed=7, instruments=instruments, faults=faults) as venue:
        made = Plane(clock, venue, MarketState("demo", simulated=True), venue=venue, seed=seed)
        watcher = Watcher(called=lambda operation, end, _: made.calls.append((operation, end)))
        # Spot shares its topics' names with perpetuals, and a script names topics.
        only = Wanted(most=instruments, history=None, kinds=frozenset({"perpetual"}))
        async with fed(made, VENUE, folder, wanted or only, watcher):
            yield made
