"""One venue as one ordered stream of model events: its instruments, its sockets and its history."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sextant.errors import SextantError
from sextant.kit import log
from sextant.kit.clock import Clock, Deadline
from sextant.kit.conditions import Conditions
from sextant.kit.http import Answer, HttpSettings, Observe, RestClient
from sextant.kit.ids import new_fraction
from sextant.kit.rate_limit import CallBudget, Silence
from sextant.kit.retry import Backoff, Retrying
from sextant.model.events import DerivativesUpdate, Event, Listed, Stream
from sextant.model.instrument import Instrument, Kind
from sextant.model.times import DAY_NS
from sextant.venues.asking import Asking, Asks
from sextant.venues.backfill import Backfill, Failure, Plan, Progress
from sextant.venues.broker import Broker, Priority
from sextant.venues.directory import Directory, changes, read_directory, read_quotes
from sextant.venues.link import Ask, LinkState, Outlet, Subscription, Tap
from sextant.venues.port import Listing, Request, SymbolTable, Venue
from sextant.venues.session import Session, runtime

DIRECTORY_S: Final = 30.0  # a few answers of near a megabyte
BOOK_S: Final = 10.0  # one answer of a few hundred levels
BACKFILL_S: Final = 900.0  # the whole history of a thousand instruments at a hundred reads a second
REFRESH_S: Final = 600.0  # the venue's list is read again, for changed rules and delistings
START_AGAIN: Final = Backoff(first_s=1.0, longest_s=10.0)  # a healed venue is found within ten seconds
STREAMS: Final[tuple[Stream, ...]] = ("book", "trades", "quote", "bars", "derivatives", "liquidations")

Learn = Callable[[list[Event]], Sequence[Instrument]]
"""Takes events in order and names the instruments whose book must be asked for anew."""

_LOG: Final = log.get("venues")


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a venue.

    Parameters
    ----------
    bases
        Base assets; None means all.
    quotes
        Quote assets.
    most
        Greatest number of instruments; the ones of highest 24 h turnover stay.
    history
        How much of the past is fetched; None for nothing.
    kinds
        Kinds of instruments; None means all that the venue is read for.
    within_days
        Options and futures that settle later are not wanted; None for any.
    """

    bases: frozenset[str] | None = None
    quotes: frozenset[str] = frozenset({"USDT"})
    most: int = 300
    history: Plan | None = field(default_factory=Plan)
    kinds: frozenset[Kind] | None = None
    within_days: float | None = None


@dataclass(frozen=True)
class Watcher:
    """Who is told how the feed comes along; every call must return at once.

    Parameters
    ----------
    listed
        Number of instruments, once they are known.
    progress
        After each piece of history.
    filled
        What of the history could not be had, once it has been asked for.
    tap
        Every received frame, before it is read.
    called
        Operation, end and seconds of each call to the venue.
    answered
        Address and answer of every book that was asked for, before it is read; for a recorder.
    """

    listed: Callable[[int], None] = lambda _: None
    progress: Callable[[Progress], None] = lambda _: None
    filled: Callable[[Sequence[Failure]], None] = lambda _: None
    tap: Tap | None = None
    called: Observe = lambda *_: None
    answered: Callable[[str, Answer], None] = lambda *_: None


def at(venue: Venue, rest: str, sockets: str) -> Venue:
    """The venue at another address: ``rest`` as ``http://host:port``, ``sockets`` as ``ws://host:port``."""
    moved = {
        category: sockets + "/" + url.partition("://")[2].partition("/")[2]
        for category, url in venue.sockets.items()
    }
    sides = {
        category: replace(side, url=sockets + "/" + side.url.partition("://")[2].partition("/")[2])
        for category, side in venue.variations.side_sockets.items()
    }
    variations = replace(venue.variations, rests={}, side_sockets=sides)
    return replace(venue, rest=rest, sockets=moved, variations=variations)


class Feed:
    """Brings a venue's events until cancelled.

    Parameters
    ----------
    venue
        Whose wire is spoken.
    clock
        Of deadlines, pings and receive times.
    learn
        Takes the events.
    wanted
        Which instruments, and how much of their past.
    watcher
        Who is told how it comes along.
    """

    def __init__(
        self, venue: Venue, clock: Clock, learn: Learn, wanted: Wanted, watcher: Watcher | None = None
    ) -> None:
        self._venue = venue
        self._clock = clock
        self._learn = learn
        self._wanted = wanted
        self._watcher = watcher or Watcher()
        self._session: Session | None = None
        self._silence = Silence(clock)
        self._broker: Broker | None = None
        self._seen: set[Instrument] = set()

    def within(self, broker: Broker | None) -> None:
        """Ask only what a broker lets pass, and keep its silences on sockets too, where there is one; before ``run``."""
        self._broker = broker
        if broker is not None:
            self._silence = Silence(self._clock, broker.silence())

    async def run(self) -> None:
        """Read the instruments, hold the sockets, fetch the past; while the venue is away, go on asking.

        Notes
        -----
        A feed without a past begins anew when the venue has listed more of what is wanted: options are listed every day.
        One with a past tells what it began with, until its process starts again.
        """
        retrying = Retrying(clock=self._clock, fraction=new_fraction)
        settings = HttpSettings(
            refusal=self._venue.refusal,
            silence=self._silence,
            elsewhere=self._venue.variations.rests,
            observe=self._watcher.called,
        )
        async with RestClient(self._venue.rest, retrying, settings) as client:
            while True:
                await self._until_more_is_listed(client)

    async def _until_more_is_listed(self, client: RestClient) -> None:
        listings = await self._listings(self._asks(client, "scan"))
        symbols = SymbolTable(listings)
        subscriptions = [Subscription(listing, STREAMS) for listing in listings]
        outlet = Outlet(self._emit, self._watcher.tap)
        shared = replace(
            runtime(self._venue, self._clock, new_fraction, self._silence),
            ask=self._asker(self._asks(client, "book")),
        )
        self._session = Session(self._venue, subscriptions, symbols, outlet, shared)
        self._watcher.listed(len(listings))
        async with asyncio.TaskGroup() as group:
            told = group.create_task(self._session.run())
            if self._wanted.history is not None:
                past = self._asks(client, "backfill")
                group.create_task(self._fill(past, listings, self._wanted.history))
            await self._refresh(self._asks(client, "scan"), listings)
            told.cancel()

    def _asks(self, client: RestClient, priority: Priority) -> Asks:
        return client if self._broker is None else Asking(self._broker, client, priority)

    def _asker(self, client: Asks) -> Ask | None:
        """Reads the answers that books begin with, at the pace the venue allows; None where none do."""
        snapshots = self._venue.variations.snapshots
        if snapshots is None:
            return None
        budget = CallBudget(self._clock, snapshots.per_s, burst=1)

        async def ask(request: Request) -> Answer:
            await budget.spend()
            deadline = Deadline(self._clock, BOOK_S)
            if request.post:
                return await client.post(request.path, deadline)
            answer = await client.get(request.path, request.query, deadline)
            self._watcher.answered(self._venue.address_of(request), answer)
            return answer

        return ask

    def states(self) -> tuple[LinkState, ...]:
        """Every connection as it is now; none before the instruments are known."""
        return () if self._session is None else self._session.states()

    def silence(self) -> tuple[float, str]:
        """How long the venue still wants silence, in seconds, and in which words it asked for it."""
        remaining_s = self._silence.remaining_s()
        return remaining_s, self._silence.reason if remaining_s else ""

    @property
    def venue(self) -> str:
        """The name of the venue."""
        return self._venue.name

    def _emit(self, events: list[Event]) -> None:
        for instrument in self._learn(events):
            if self._session is not None:
                self._session.request_resync(instrument)

    async def _listings(self, client: Asks) -> list[Listing]:
        """The wanted instruments; asked for until the venue answers."""
        attempt = 0
        while True:
            try:
                return await self._read_listings(client)
            except SextantError as error:
                if attempt == 0:
                    _LOG.warning(
                        "venue.unavailable", venue=self._venue.name, code=error.code, detail=error.message
                    )
                await self._clock.sleep(START_AGAIN.wait_s(attempt, new_fraction))
                attempt += 1

    async def _read_listings(self, client: Asks) -> list[Listing]:
        deadline = Deadline(self._clock, DIRECTORY_S)
        directory = await read_directory(self._venue, client, deadline)
        fitting = SymbolTable(listing for listing in directory.symbols if self._fits(listing))
        facts = await read_quotes(self._venue, client, deadline, fitting)
        self._seen = {listing.instrument for listing in fitting}
        kept = largest(list(fitting), facts, self._wanted.most)
        stay = {listing.instrument for listing in kept}
        self._learn([event for event in directory.events if event.spec.instrument in stay])
        self._learn([event for event in facts if getattr(event, "instrument", None) in stay])
        return kept

    async def _refresh(self, client: Asks, listings: Sequence[Listing]) -> None:
        """Tell changed rules and delistings; a directory that cannot be read changes nothing.

        Ends when a feed without a past has more to listen to.
        """
        held = {listing.instrument: listing for listing in listings}
        conditions, name = Conditions(self._clock), self._venue.name
        while True:
            await self._clock.sleep(REFRESH_S)
            try:
                found = await read_directory(self._venue, client, Deadline(self._clock, DIRECTORY_S))
                changed = changes(tuple(held.values()), found, self._clock.now_ns())
            except SextantError as error:
                facts = {"code": error.code, "detail": error.message}
                conditions.note("directory_unreadable", name, holds=True, at_once=True, **facts)
                continue
            conditions.note("directory_unreadable", name, holds=False, at_once=True)
            held |= {listing.instrument: listing for listing in changed}
            now_ns = self._clock.now_ns()
            if changed:
                self._emit([Listed(listing.spec, now_ns, now_ns) for listing in changed])
            if self._wanted.history is None and self._more(found):
                return

    def _more(self, found: Directory) -> bool:
        """Whether something wanted is listed that was not, or not yet wanted, when the instruments were read."""
        return any(listing.instrument not in self._seen and self._fits(listing) for listing in found.symbols)

    def _fits(self, listing: Listing) -> bool:
        instrument = listing.instrument
        wanted = self._wanted
        good = instrument.quote in wanted.quotes and listing.spec.status == "trading"
        good = good and (wanted.kinds is None or instrument.kind in wanted.kinds)
        if wanted.within_days is not None and instrument.expiry_ns is not None:
            good = good and instrument.expiry_ns - self._clock.now_ns() <= wanted.within_days * DAY_NS
        return good and (wanted.bases is None or instrument.base in wanted.bases)

    async def _fill(self, client: Asks, listings: Sequence[Listing], plan: Plan) -> None:
        backfill = Backfill(self._venue, client, self._clock, self._emit, self._watcher.progress)
        failures = await backfill.run(listings, Deadline(self._clock, BACKFILL_S), plan)
        self._watcher.filled(failures)


def largest(listings: Sequence[Listing], events: Sequence[Event], most: int) -> list[Listing]:
    """The listings of highest 24 h turnover, highest first; unknown turnover comes last, names break ties."""
    turnover = {
        event.instrument: event.turnover_24h
        for event in events
        if isinstance(event, DerivativesUpdate) and isinstance(event.turnover_24h, float)
    }
    order = sorted(
        listings, key=lambda listing: (-turnover.get(listing.instrument, -1.0), str(listing.instrument))
    )
    return order[:most]
