"""All simulated venues at once, each with a script of its own, heard through the product's feeds by one market."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from sextant.cli.pricing import moved
from sextant.cli.venue_feeds import OPTIONS, Following, feeds_of, simulated_at
from sextant.kit.clock import Deadline, ManualClock
from sextant.market.books import BookState
from sextant.market.state import MarketState
from sextant.model.events import Event, StreamDown
from sextant.model.instrument import Instrument, parse_instrument
from sextant.model.times import SECOND_NS
from sextant.sim.books import Level
from sextant.sim.deribit_market import Contract
from sextant.sim.limits import Counters
from sextant.sim.together import Venues, standing
from sextant.venues.catalog import price_sources
from sextant.venues.feed import Feed, Wanted, Watcher
from sextant.venues.reference import Told
from sextant.venues.reference_desk import PriceDesk, chosen, opened
from support.listening import STEP_S

START_NS: Final = 1_790_000_010_000_000_000  # in the middle of a minute
FEEDS: Final = ("bybit", "binance", "kraken", "kucoin", "coinbase", "deribit")
SOURCES: Final = ("coingecko", "coincap")
ASSETS: Final = ("BTC", "ETH", "SOL")
ASK_S: Final = 20.0
AWAY_S: Final = 5.0
"""How long a venue is away when a script says so."""
BASES: Final = frozenset({"BTC", "ETH"})
BOOKS: Final[tuple[Instrument, ...]] = tuple(
    parse_instrument(f"{place}:{kind}")
    for place, kinds in (
        ("bybit", ("BTC-USDT:perpetual", "ETH-USDT:perpetual", "BTC-USDT:spot", "ETH-USDT:spot")),
        ("binance", ("BTC-USDT:perpetual", "ETH-USDT:perpetual", "BTC-USDT:spot", "ETH-USDT:spot")),
        ("kraken", ("BTC-USD:spot", "ETH-USD:spot")),
        ("kucoin", ("BTC-USDT:spot", "ETH-USDT:spot")),
        ("coinbase", ("BTC-USD:spot", "ETH-USD:spot")),
        ("deribit", ("BTC-USD:perpetual", "ETH-USD:perpetual")),
    )
    for kind in kinds
)
"""Whose books are compared."""

DEPTH: Final = {"bybit": 50, "binance": 500, "kraken": 25, "coinbase": 1_000}
_TURNS: Final = 20
_PLACES: Final = 8  # of a price, in which no two steps are one

Sides = tuple[list[Level], list[Level]]
Kind = Literal["ours", "silence", "away"]


@dataclass(frozen=True, slots=True)
class Break:
    """A book that was not believed for a while.

    Parameters
    ----------
    instrument, reason
        Whose, and why.
    wait_s
        How long.
    kind
        ours; ``silence`` where the venue wanted it meanwhile, and ``away`` where nobody answered there: then the time is
        the venue's, and of one that was away it counts from when it was back.
    """

    instrument: Instrument
    reason: str
    wait_s: float
    kind: Kind


@dataclass(slots=True)
class Found:
    """What a run came to.

    Parameters
    ----------
    compared
        Books found equal, by venue.
    silent_s
        Seconds for which books were too old to compare, of all together.
    breaks
        In the order of their ends.
    handler_s
        Processor seconds of each call of the learner.
    in_silence
        Calls and connections of a venue that were begun although it was known to want silence.
    prices
        How often a source of prices was asked and priced every asset, one or more, or none.
    """

    compared: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FEEDS, 0))
    silent_s: float = 0.0
    breaks: list[Break] = field(default_factory=list)
    handler_s: list[float] = field(default_factory=list)
    in_silence: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FEEDS, 0))
    prices: dict[str, int] = field(default_factory=dict)

    def healed(self, kind: Kind, venue: str = "") -> list[float]:
        """Waits of the breaks of one kind, at one venue or all, the shortest first."""
        return sorted(
            each.wait_s for each in self.breaks if each.kind == kind and venue in ("", each.instrument.venue)
        )


class Everywhere:
    """What a test looks at and drives.

    Parameters
    ----------
    clock
        Of everything.
    venues
        The simulated ones.
    desk
        Asked for prices beside the feeds.
    """

    def __init__(self, clock: ManualClock, venues: Venues, desk: PriceDesk) -> None:
        self.clock, self.venues, self.desk = clock, venues, desk
        self.state = MarketState("demo", simulated=True)
        self.feeds: dict[str, list[Feed]] = {}
        self.found = Found()
        self._broken: dict[Instrument, tuple[str, int]] = {}
        self._whole: set[Instrument] = set()
        self._listed: set[Instrument] = set()
        self._silent_until_ns = dict.fromkeys(FEEDS, 0)
        self._away_until_ns = dict.fromkeys(FEEDS, 0)
        self._seen = dict.fromkeys(FEEDS, 0)
        self._compared: dict[Instrument, int] = {}
        self._asking: asyncio.Task[Told] | None = None

    def learn(self, told: Iterable[Event]) -> Sequence[Instrument]:
        """Apply events as the product does."""
        begun = time.process_time()
        events = list(told)
        for event in events:
            self.state.apply(event)
        asked = [instrument for instrument, _ in self.state.drain_resyncs()]
        self.found.handler_s.append(time.process_time() - begun)
        touched: set[Instrument] = set()
        for event in events:
            if isinstance(event, StreamDown):
                touched.update(event.instruments)
            else:
                touched.add(getattr(event, "instrument", BOOKS[0]))
        for instrument in touched.intersection(BOOKS):
            self._judge(instrument)
        return asked

    def _judge(self, instrument: Instrument) -> None:
        book, begun = self.book(instrument, 1), self._broken.get(instrument)
        if book is None:
            return
        now_ns = self.clock.now_ns()
        if not book.valid and begun is None and instrument in self._whole:
            self._broken[instrument] = (book.reason, now_ns)
        elif book.valid:
            self._whole.add(instrument)
            if begun is not None:
                del self._broken[instrument]
                reason, since_ns = begun
                away_ns, silent_ns = (
                    self._away_until_ns[instrument.venue],
                    self._silent_until_ns[instrument.venue],
                )
                kind: Kind = "silence" if silent_ns > since_ns else "away" if away_ns > since_ns else "ours"
                wait_s = (now_ns - (max(since_ns, away_ns) if kind == "away" else since_ns)) / SECOND_NS
                self.found.breaks.append(Break(instrument, reason, wait_s, kind))

    def book(self, instrument: Instrument, levels: int | None = None) -> BookState | None:
        """The book as it is now; None before the instrument was listed."""
        if instrument not in self._listed:
            self._listed = {spec.instrument for spec in self.state.instruments}
        return self.state.book(instrument, levels) if instrument in self._listed else None

    def valid(self, instruments: Iterable[Instrument] = BOOKS) -> bool:
        """Whether all of these books are believed."""
        books = [self.book(instrument, 1) for instrument in instruments]
        return all(book is not None and book.valid for book in books)

    def invalid(self) -> list[Instrument]:
        """Whose books are not believed."""
        return [instrument for instrument in BOOKS if not self.valid([instrument])]

    def counters(self, name: str) -> Counters:
        """What a venue counted."""
        found: Counters = getattr(self.venues, name).counters
        return found

    def history(self, name: str) -> list[tuple[str, str]]:
        """What the script of a venue did."""
        found: list[tuple[str, str]] = getattr(self.venues, name).plan.history
        return found

    async def step(self) -> None:
        """Let a quarter of a second pass, and every socket speak."""
        silences = {name: max(feed.silence()[0] for feed in feeds) for name, feeds in self.feeds.items()}
        before = {name: self._calls(name) for name in FEEDS}
        self.clock.advance(STEP_S)
        self.venues.pump()
        self._note_away()
        await self._turn()
        now_ns = self.clock.now_ns()
        for name, feeds in self.feeds.items():
            if silences[name] > STEP_S:
                self.found.in_silence[name] += self._calls(name) - before[name]
            silent_s = max(feed.silence()[0] for feed in feeds)
            if silent_s:
                self._silent_until_ns[name] = now_ns + round(silent_s * SECOND_NS)

    def _note_away(self) -> None:
        for name in FEEDS:
            history = self.history(name)
            if any(kind == "away" for _, kind in history[self._seen[name] :]):
                self._away_until_ns[name] = self.clock.now_ns() + round(AWAY_S * SECOND_NS)
            self._seen[name] = len(history)

    async def _turn(self) -> None:
        for _ in range(2):
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            await asyncio.sleep(0.001)

    def _calls(self, name: str) -> int:
        """Reads and connections that a venue has seen, without its statement of whether it rests."""
        counters = self.counters(name)
        tried = counters.requests + counters.connections + counters.while_away
        return tried - counters.paths.get("/v5/system/status", 0)

    def ask_prices(self) -> None:
        """Ask the sources of prices, unless they are being asked; what comes of it is counted."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self.desk.prices(ASSETS, Deadline(self.clock, ASK_S)))
            self._asking.add_done_callback(self._count_prices)

    def _count_prices(self, asked: asyncio.Task[Told]) -> None:
        if asked.cancelled():
            return
        priced = len(asked.result().prices)
        kind = "all" if priced == len(ASSETS) else "some" if priced else "none"
        self.found.prices[kind] = self.found.prices.get(kind, 0) + 1

    async def stop_asking(self) -> None:
        """Wait for nobody's price any more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def compare(self) -> None:
        """Hold every believed book that changed since against its simulator; an error says which differs."""
        for instrument in BOOKS:
            shown = self.book(instrument, 1)
            if shown is None or not shown.valid:
                continue
            if self._compared.get(instrument) != shown.sequence:
                book = self.book(instrument)
                assert book is not None
                equal = self._equal(instrument, book)
                if equal is None:
                    self._excuse(instrument)
                    continue
                assert equal, self._difference(instrument, book)
                self._compared[instrument] = shown.sequence
                self.found.compared[instrument.venue] += 1

    def _excuse(self, instrument: Instrument) -> None:
        """A book that is older than what its simulator remembers says so by its age."""
        age_ns = self.state.freshness(self.clock.now_ns())[instrument]["book"].age_ns
        assert age_ns is not None, f"{instrument} has no age"
        assert age_ns > SECOND_NS, f"{instrument} is of no known push, and {age_ns / SECOND_NS} s old"
        self.found.silent_s += STEP_S

    def _equal(self, instrument: Instrument, book: BookState) -> bool | None:
        """Whether a book is the simulator's at the same number; None where the simulator does not remember that."""
        assert book.bids[0][0] < book.asks[0][0]
        told = self.truths(instrument, book.sequence)
        if not told:
            return None
        tick, lot, inverse = self.steps(instrument)
        inside = instrument.venue == "kucoin"
        if any(_same(book, sides, (tick, lot), inverse=inverse, inside=inside) for sides in reversed(told)):
            return True
        # A venue without numbers is compared with all it remembers: where nothing fits the book may be older.
        return None if instrument.venue in ("kraken", "coinbase") and self._aged(instrument) else False

    def _aged(self, instrument: Instrument) -> bool:
        age_ns = self.state.freshness(self.clock.now_ns())[instrument]["book"].age_ns
        return age_ns is not None and age_ns > SECOND_NS

    def _difference(self, instrument: Instrument, book: BookState) -> str:
        sides = self.truths(instrument, book.sequence)[-1]
        tick, lot, _ = self.steps(instrument)
        told = [(round(p * tick, 8), round(q * lot, 8)) for p, q in sides[0][:5]]
        return f"{instrument} differs at {book.sequence}: {book.bids[:5]} where {told}; {self.history(instrument.venue)}"

    def steps(self, instrument: Instrument) -> tuple[float, float, bool]:
        """Tick and lot of the simulator, and whether sizes are dollars there."""
        venues, base = self.venues, instrument.base
        if instrument.venue == "deribit":
            contract = Contract(f"{base}-PERPETUAL", base, "perpetual", period="perpetual")
            return contract.tick, contract.lot, True
        model = getattr(venues, instrument.venue).model
        listing = model.find("spot" if instrument.kind == "spot" else "linear", spelt(instrument))
        return listing.tick, listing.lot, False

    def truths(self, instrument: Instrument, number: int) -> list[Sides]:
        """What the simulator's book was at a number; all that it remembers where the venue has no numbers."""
        venues, symbol = self.venues, spelt(instrument)
        spot = instrument.kind == "spot"
        told: Sides | None
        if instrument.venue == "bybit":
            told = venues.bybit.book_at(symbol, DEPTH["bybit"], number, "spot" if spot else "linear")
        elif instrument.venue == "binance":
            told = venues.binance.book_at(symbol, number, "spot" if spot else "linear")
        elif instrument.venue == "kucoin":
            told = venues.kucoin.book_at(symbol, number)
        elif instrument.venue == "deribit":
            told = venues.deribit.book_at(symbol, number)
        else:
            venue = venues.kraken if instrument.venue == "kraken" else venues.coinbase
            return venue.lately(symbol, DEPTH[instrument.venue])
        return [] if told is None else [told]


def spelt(instrument: Instrument) -> str:
    """An instrument in its venue's words."""
    if instrument.venue == "deribit":
        return f"{instrument.base}-PERPETUAL"
    joint = {"kraken": "/", "kucoin": "-", "coinbase": "-"}.get(instrument.venue, "")
    return f"{instrument.base}{joint}{instrument.quote}"


def _same(book: BookState, told: Sides, steps: tuple[float, float], *, inverse: bool, inside: bool) -> bool:
    """Whether a book is what was told; with ``inside`` all it has was told, as of a book that began with a part."""
    tick, lot = steps
    for ours, theirs, down in ((book.bids, told[0], True), (book.asks, told[1], False)):
        levels = sorted(theirs, reverse=down)
        truth = [
            (round(p * tick, _PLACES), round(q * lot / (p * tick) if inverse else q * lot, _PLACES))
            for p, q in levels
        ]
        mine = [(round(price, _PLACES), round(size, _PLACES)) for price, size in ours]
        if inside and (len(mine) < 50 or not set(mine) <= set(truth)):
            return False
        if not inside and (mine[: len(truth)] != truth[: len(mine)] or len(mine) < min(10, len(truth))):
            return False
    return True


@asynccontextmanager
async def everywhere(
    scripts: Mapping[str, Sequence[Mapping[str, Any]]], folder: Path, seed: int
) -> AsyncIterator[Everywhere]:
    """All venues and their feeds until the block ends; ``seed`` is of the feeds' jitter."""
    clock = ManualClock(START_NS)
    chance = random.Random(seed)  # noqa: S311  # a repeatable run, no secret
    async with standing(clock, scripts, seed=7, instruments=12) as venues:
        keys = {"coingecko_demo_key": venues.coingecko.demo_key, "coincap_key": venues.coincap.key}
        sources = [moved(source, venues.address) for source in chosen(SOURCES, price_sources())]
        async with opened(sources, keys, clock, folder, chance.random) as desk:
            stage = Everywhere(clock, venues, desk)
            wanted = Wanted(
                bases=BASES,
                quotes=frozenset({"USDT", "USD"}),
                most=4 * len(FEEDS),
                history=None,
                include=tuple(map(str, BOOKS)),
            )
            following = Following(
                simulated_at(FEEDS, venues.address),
                wanted,
                folder,
                replace(OPTIONS, most=12),
                fraction=chance.random,
            )
            stage.feeds = feeds_of(following, clock, stage.learn, lambda _: Watcher())
            running = [asyncio.ensure_future(feed.run()) for feeds in stage.feeds.values() for feed in feeds]
            try:
                yield stage
            finally:
                await stage.stop_asking()
                for task in running:
                    task.cancel()
                ends = await asyncio.gather(*running, return_exceptions=True)
            assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends
