"""One venue as one ordered stream of model events: its instruments, its sockets and its history."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from sextant.errors import SextantError
from sextant.kit import log
from sextant.kit.clock import Clock, Deadline
from sextant.kit.conditions import Conditions
from sextant.kit.http import Answer, HttpSettings, Observe, RestClient
from sextant.kit.ids import new_fraction
from sextant.kit.precedence import Precedence
from sextant.kit.rate_limit import CallBudget, Silence
from sextant.kit.retry import Backoff, Fraction, Retrying
from sextant.model.event_block import Events
from sextant.model.events import Event, Listed, Stream, Unfollowed
from sextant.model.instrument import Instrument, Kind
from sextant.model.times import DAY_NS
from sextant.venues.asking import Asking, Asks
from sextant.venues.backfill import Backfill, Failure, Plan, Progress
from sextant.venues.broker import Allowance, Broker, Priority
from sextant.venues.directory import Directory, changes, read_directory, read_quotes
from sextant.venues.link import Ask, LinkState, Outlet, Subscription, Tap
from sextant.venues.maintenance import Maintenance
from sextant.venues.points import GridPoints
from sextant.venues.port import Listing, Request, SymbolTable, Venue
from sextant.venues.session import Session, runtime
from sextant.venues.universe import Change, Terms, Universe

DIRECTORY_S: Final = 30.0  # a few answers of near a megabyte
BOOK_S: Final = 10.0  # one answer of a few hundred levels
BACKFILL_S: Final = 900.0  # the whole history of a thousand instruments at a hundred reads a second
READS_EACH: Final = (
    20  # of one instrument, twice what the default plan needs; some venues allow one read a second
)
LOOK_S: Final = 300.0  # one call for all turnovers: confluence.md 5, Selection
LISTED_LOOKS: Final = 2  # every second look reads the venue's list again, for changed rules and delistings
START_AGAIN: Final = Backoff(first_s=1.0, longest_s=10.0)  # a healed venue is found within ten seconds
STREAMS: Final[tuple[Stream, ...]] = ("book", "trades", "quote", "bars", "derivatives", "liquidations")

Learn = Callable[[Events], Sequence[Instrument]]
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
        How many instruments; those of highest 24 h turnover, as :mod:`sextant.venues.universe` chooses them.
    history
        How much of the past is fetched; None for nothing.
    kinds
        Kinds of instruments; None means all that the venue is read for.
    within_days
        Options and futures that settle later are not wanted; None for any.
    floor_usd, include, exclude
        As :class:`sextant.venues.universe.Terms` states them; what is included is of any quote.
    label
        Stands before the number of each connection, where several feeds of one venue run beside each other.
    part
        Of all that is chosen, what is carried here; another process carries the rest. None for all.
    """

    bases: frozenset[str] | None = None
    quotes: frozenset[str] = frozenset({"USDT"})
    most: int = 300
    history: Plan | None = field(default_factory=Plan)
    kinds: frozenset[Kind] | None = None
    within_days: float | None = None
    floor_usd: float = 0.0
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    label: str = ""
    part: Callable[[Instrument], bool] | None = None

    def terms(self) -> Terms:
        """Who may be followed of those that are wanted."""
        return Terms(self.most, self.floor_usd, self.include, self.exclude)


@dataclass(frozen=True)
class Watcher:
    """Who is told how the feed comes along; every call must return at once.

    Parameters
    ----------
    listed
        Number of instruments, once they are known and whenever it changes.
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


@dataclass(frozen=True, slots=True)
class Away:
    """Since when a venue says nothing, and why."""

    since_ns: int
    reason: str


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
    door = venue.variations.door
    if door is not None and door.moved is not None:
        door = replace(door, parse=door.moved(sockets))
    variations = replace(venue.variations, rests={}, side_sockets=sides, door=door)
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
        self._universe = Universe(wanted.terms())
        self._held: dict[Instrument, Listing] = {}
        self._symbols = SymbolTable()
        self._directory: Directory | None = None
        self._session: Session | None = None
        self._away: Away | None = None
        self._silence = Silence(clock)
        self._broker: Broker | None = None
        self._fraction: Fraction = new_fraction
        self._precedence = Precedence()

    def behind(self, precedence: Precedence) -> None:
        """Fetch the past only when nothing goes before it; before ``run``."""
        self._precedence = precedence

    def draw(self, fraction: Fraction) -> None:
        """Draw the jitter of every wait from a source of one's own, such as a seeded one; before ``run``."""
        self._fraction = fraction

    def within(self, broker: Broker | None, silence: Silence | None = None) -> None:
        """Ask only what a broker lets pass, and keep its silences on sockets too, where there is one; before ``run``.

        ``silence`` is kept together with the venue's other feeds, whoever of them was asked for it.
        """
        self._broker = broker
        if silence is not None:
            self._silence = silence
        elif broker is not None:
            self._silence = Silence(self._clock, broker.silence())

    async def run(self) -> None:
        """Read the instruments, hold the sockets, fetch the past, look again; while the venue is away, go on asking."""
        retrying = Retrying(clock=self._clock, fraction=self._fraction)
        settings = HttpSettings(
            refusal=self._venue.refusal,
            silence=self._silence,
            elsewhere=self._venue.variations.rests,
            observe=self._watcher.called,
        )
        async with RestClient(self._venue.rest, retrying, settings) as client, self._attended(retrying):
            await self._follow(client)

    @asynccontextmanager
    async def _attended(self, retrying: Retrying) -> AsyncIterator[None]:
        """Within it the venue's statement that it rests is heard, where it makes one."""
        page = self._venue.variations.status
        if page is None:
            yield
            return
        watcher = Maintenance(self._venue.name, page, self._clock, self._silence)
        settings = HttpSettings(refusal=self._venue.refusal, observe=self._watcher.called)
        async with RestClient(self._venue.rest, retrying, settings) as client:
            watching = asyncio.create_task(watcher.watch(client), name=f"status of {self._venue.name}")
            try:
                yield
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)

    async def _follow(self, client: RestClient) -> None:
        await self._made_ready()
        first = await self._first(self._asks(client, "scan"))
        shared = replace(
            runtime(self._venue, self._clock, self._fraction, self._silence),
            ask=self._asker(self._asks(client, "book")),
            label=self._wanted.label,
        )
        outlet = Outlet(self._emit, self._watcher.tap)
        session = Session(self._venue, _wanting(first.entered), self._symbols, outlet, shared)
        self._session = session
        self._watcher.listed(len(self._held))
        past = self._asks(client, "backfill")
        async with asyncio.TaskGroup() as group:
            group.create_task(session.run())
            self._begin_filling(group, past, first.entered)
            if self._wanted.history is not None:
                points = GridPoints(self._venue, past, self._clock, self._emit)
                group.create_task(points.run(lambda: tuple(self._held.values())))
            async for change in self._changes(self._asks(client, "scan")):
                session.change(_wanting(change.entered), change.left)
                self._forget(change.left)
                self._watcher.listed(len(self._held))
                self._begin_filling(group, past, change.entered)

    async def _made_ready(self) -> None:
        """Compile, or fetch compiled, what reads blocks, before a connection waits for it."""
        read = self._venue.variations.read_block
        if read is not None:
            category = next(iter(self._venue.sockets))
            await asyncio.to_thread(read, category, [b"{}"], [1], SymbolTable())

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

    def allowance(self) -> Allowance | None:
        """What a call would meet now; None where calls pass without a broker."""
        return None if self._broker is None else self._broker.allowance()

    @property
    def venue(self) -> str:
        """The name of the venue."""
        return self._venue.name

    def away(self) -> Away | None:
        """Since when nothing comes of the venue, and why; None while anything does."""
        states = self.states()
        if not states or any(state.up for state in states):
            return self._away
        newest = max(states, key=lambda state: state.since_ns)
        return Away(newest.since_ns, newest.reason)

    def _emit(self, events: Events) -> None:
        for instrument in self._learn(events):
            if self._session is not None:
                self._session.request_resync(instrument)

    async def _first(self, client: Asks) -> Change:
        """The instruments to begin with; asked for until the venue answers."""
        attempt = 0
        while True:
            try:
                change = await self._look(client, anew=True)
            except SextantError as error:
                if attempt == 0:
                    self._away = Away(self._clock.now_ns(), error.code)
                    _LOG.warning(
                        "venue.unavailable", venue=self._venue.name, code=error.code, detail=error.message
                    )
                await self._clock.sleep(START_AGAIN.wait_s(attempt, self._fraction))
                attempt += 1
            else:
                self._away = None
                return change

    async def _changes(self, client: Asks) -> AsyncIterator[Change]:
        """What further looks change; one that fails changes nothing, and the next one comes in its time."""
        conditions, name, looks = Conditions(self._clock), self._venue.name, 0
        while True:
            await self._clock.sleep(LOOK_S)
            looks += 1
            try:
                change = await self._look(client, anew=looks % LISTED_LOOKS == 0)
            except SextantError as error:
                facts = {"code": error.code, "detail": error.message}
                conditions.note("directory_unreadable", name, holds=True, at_once=True, **facts)
                continue
            conditions.note("directory_unreadable", name, holds=False, at_once=True)
            if change.entered or change.left:
                counts = {"entered": len(change.entered), "left": len(change.left)}
                _LOG.info("universe.changed", venue=name, **counts)
                yield change

    async def _look(self, client: Asks, *, anew: bool) -> Change:
        """What one more look at the venue's turnovers changes, told to the learner; ``anew`` reads its list before.

        Raises
        ------
        VenueError
            If an answer could not be had, or has lost its rows; then nothing has changed.
        """
        deadline = Deadline(self._clock, DIRECTORY_S)
        directory = self._directory
        if anew or directory is None:
            directory = await read_directory(self._venue, client, deadline)
        ruled = changes(tuple(self._held.values()), directory, self._clock.now_ns())
        fitting = SymbolTable(listing for listing in directory.symbols if self._fits(listing))
        facts = await read_quotes(self._venue, client, deadline, fitting)
        self._directory = directory
        change = _carried(self._universe.look(fitting, facts), self._wanted.part)
        self._tell(ruled, change, facts)
        return change

    def _tell(self, ruled: Sequence[Listing], change: Change, facts: Sequence[Event]) -> None:
        """Rules come before anything is said about an instrument."""
        now_ns = self._clock.now_ns()
        entered = {listing.instrument for listing in change.entered}
        self._held |= {listing.instrument: listing for listing in (*ruled, *change.entered)}
        for listing in (*ruled, *change.entered):
            self._symbols.add(listing)  # changed rules, too: checksums and depths are kept by them
        told: list[Event] = [Listed(listing.spec, now_ns, now_ns) for listing in (*ruled, *change.entered)]
        told += [event for event in facts if getattr(event, "instrument", None) in entered]
        if told:
            self._emit(told)

    def _forget(self, left: Sequence[Instrument]) -> None:
        """Say that these are followed no more, after their topics were left."""
        for instrument in left:
            self._held.pop(instrument, None)
            self._symbols.remove(instrument)
        if left:
            now_ns = self._clock.now_ns()
            self._learn([Unfollowed(tuple(left), now_ns, now_ns)])

    def _fits(self, listing: Listing) -> bool:
        """Whether it is of what is wanted; whether it is large enough is another question."""
        instrument, wanted = listing.instrument, self._wanted
        good = wanted.kinds is None or instrument.kind in wanted.kinds
        if wanted.within_days is not None and instrument.expiry_ns is not None:
            good = good and instrument.expiry_ns - self._clock.now_ns() <= wanted.within_days * DAY_NS
        if good and self._universe.included(instrument):
            return True
        good = good and instrument.quote in wanted.quotes
        return good and (wanted.bases is None or instrument.base in wanted.bases)

    def _begin_filling(self, group: asyncio.TaskGroup, client: Asks, listings: Sequence[Listing]) -> None:
        if self._wanted.history is not None and listings:
            group.create_task(self._fill(client, listings, self._wanted.history))

    async def _fill(self, client: Asks, listings: Sequence[Listing], plan: Plan) -> None:
        backfill = Backfill(self._venue, client, self._clock, self._emit, self._watcher.progress)
        backfill.behind(self._precedence)
        least_s = READS_EACH * len(listings) / self._venue.limits.requests_per_s
        failures = await backfill.run(listings, Deadline(self._clock, max(BACKFILL_S, least_s)), plan)
        self._watcher.filled(failures)


def _carried(change: Change, part: Callable[[Instrument], bool] | None) -> Change:
    """What of a change concerns the part that is carried here."""
    if part is None:
        return change
    entered = tuple(listing for listing in change.entered if part(listing.instrument))
    return replace(change, entered=entered, left=tuple(name for name in change.left if part(name)))


def _wanting(listings: Sequence[Listing]) -> list[Subscription]:
    return [Subscription(listing, STREAMS) for listing in listings]
