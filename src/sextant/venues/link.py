"""One connection to a venue, for ever: opened, subscribed, kept, judged, and opened again."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sextant.errors import Throttled, VenueError, WireError
from sextant.kit import log
from sextant.kit.clock import Clock, Deadline
from sextant.kit.http import Answer
from sextant.kit.rate_limit import CallBudget, Silence
from sextant.kit.retry import Backoff, Fraction
from sextant.kit.websocket import Connection, SocketSettings, connect
from sextant.model.event_block import Events
from sextant.model.events import BookCleared, BookSnapshot, Event, Stream, StreamAlive, StreamDown
from sextant.model.instrument import Instrument
from sextant.venues.arrivals import Arrivals, BlockTaker
from sextant.venues.outbox import Outbox
from sextant.venues.port import Category, Control, Keeper, Listing, Operation, Request, SymbolTable, Venue

Emit = Callable[[Events], None]
Tap = Callable[[str, int, bytes], None]
Ask = Callable[[Request], Awaitable[Answer]]

OPEN_S: Final = 10.0
TICK_S: Final = 1.0
ACKNOWLEDGE_S: Final = 10.0
RESYNC_S: Final = 5.0  # a requested book that has not come by then is requested again
RENEW: Final = Backoff(
    first_s=1.0, longest_s=60.0
)  # between requests for a book that breaks as soon as it comes
STOOD_S: Final = 5.0  # a book that stood so long broke for another reason than the last time
RECONNECT: Final = Backoff(first_s=0.5, longest_s=10.0)  # a healed venue is found within ten seconds
ODD_CAUSES: Final = 64  # causes told apart in the log; further ones are only counted
_SECOND_NS: Final = 1_000_000_000

_log = log.get("venues")


@dataclass(frozen=True, slots=True)
class Subscription:
    """The streams wanted of an instrument."""

    listing: Listing
    streams: tuple[Stream, ...]


@dataclass(frozen=True, slots=True)
class Outlet:
    """Where a session's findings go; both are called on the event loop and must return at once.

    Parameters
    ----------
    emit
        Takes the model events of one frame, or of many as a block, in wire order.
    tap
        Takes ``(link name, receive_ns, frame)`` of every frame before it is read; for a recorder.
    """

    emit: Emit
    tap: Tap | None = None


@dataclass(frozen=True, slots=True)
class Runtime:
    """What links share: time, jitter, the budget of connection attempts, and the silence the venue asked for.

    ``ask`` reads one answer of the venue's REST interface, for books that begin with one; None without REST. ``label``
    tells the links of one session from those of another of the same venue. ``messages`` is spent by every message to the
    venue; None where it does not count them.
    """

    clock: Clock
    fraction: Fraction
    connects: CallBudget
    silence: Silence
    settings: SocketSettings
    ask: Ask | None = None
    label: str = ""
    messages: CallBudget | None = None


@dataclass(slots=True)
class LinkCounts:
    """What happened on a link since it was made."""

    attempts: int = 0
    drops: int = 0
    frames: int = 0
    events: int = 0
    wire_errors: int = 0
    unknown_topics: int = 0
    unlisted: int = 0
    refused: int = 0
    resyncs: int = 0


@dataclass(frozen=True, slots=True)
class LinkState:
    """A link as health pages show it; ``reason`` is empty while it is up, ``silent_s`` None before the first frame."""

    name: str
    up: bool
    reason: str
    since_ns: int
    instruments: int
    topics: int
    counts: LinkCounts
    silent_s: float | None = None
    url: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """What one connection carries.

    Parameters
    ----------
    category
        Of its instruments.
    url
        Of its socket.
    name
        For taps, logs and health.
    subscriptions
        The identical set after every reconnection.
    """

    category: Category
    url: str
    name: str
    subscriptions: Sequence[Subscription]


@dataclass(frozen=True, slots=True)
class _Asked:
    operation: Operation
    topics: tuple[str, ...]
    at_ns: int | None = None


class Link:
    """One connection of a session.

    Parameters
    ----------
    venue
        Whose wire is spoken.
    part
        Which socket, and what it carries.
    symbols
        Instruments by symbol, for reading frames.
    """

    def __init__(self, venue: Venue, part: Part, symbols: SymbolTable) -> None:
        self.name = part.name
        self.counts = LinkCounts()
        self._venue = venue
        self._category = part.category
        self._url = part.url
        self._symbols = symbols
        self._keeper: Keeper | None = None
        self._beginnings: dict[Instrument, asyncio.Task[None]] = {}
        self._carried: dict[str, tuple[Instrument, tuple[Stream, ...]]] = {}
        self._wanted: dict[Instrument, Subscription] = {}
        self._hold_on_to(part.subscriptions)
        self._groups = _by_streams(self._wanted.values())
        self._connection: Connection | None = None
        self._outbox: Outbox | None = None
        self._asked: dict[str, _Asked] = {}
        self._awaited: dict[Instrument, int] = {}
        self._renewed: dict[Instrument, tuple[int, int]] = {}
        self._begun: dict[Instrument, int] = {}
        self._odd: set[tuple[str | None, str]] = set()
        read = venue.variations.read_block
        self._blocks = (
            None if read is None else BlockTaker(read, (part.category, symbols), self._emit, self._take)
        )
        self._arrivals: Arrivals | None = None
        self._requests = 0
        self._heard_ns = 0
        self._pinged_ns = 0
        self._up = False
        self._reason = "starting"
        self._since_ns = 0

    def _hold_on_to(self, subscriptions: Sequence[Subscription]) -> list[str]:
        """The topics that come with further subscriptions, remembered."""
        before = set(self._carried)
        for subscription in subscriptions:
            instrument = subscription.listing.instrument
            self._wanted[instrument] = subscription
            for stream in subscription.streams:
                for topic in self._venue.topics(subscription.listing, (stream,)):
                    streams = self._carried[topic][1] if topic in self._carried else ()
                    self._carried[topic] = (instrument, (*streams, stream))
        return [topic for topic in self._carried if topic not in before]

    def attach(self, outlet: Outlet, runtime: Runtime) -> None:
        """Say where findings go and what is shared; before ``run``."""
        self._outlet, self._runtime, self._clock = outlet, runtime, runtime.clock
        self._since_ns = runtime.clock.now_ns()

    def carry(self, subscriptions: Sequence[Subscription]) -> None:
        """Carry further instruments from now on; an open connection asks for their topics at once."""
        topics = self._hold_on_to(subscriptions)
        self._groups = _by_streams(self._wanted.values())
        self._request("subscribe", topics)

    def drop(self, instruments: Collection[Instrument]) -> None:
        """Carry these no more; an open connection leaves their topics."""
        gone = {name for name in instruments if self._wanted.pop(name, None) is not None}
        topics = [topic for topic, (instrument, _) in self._carried.items() if instrument in gone]
        for topic in topics:
            del self._carried[topic]
        for instrument in gone:
            for told in (self._awaited, self._renewed, self._begun):
                told.pop(instrument, None)
            if self._keeper is not None:
                self._keeper.forget(instrument)
        self._groups = _by_streams(self._wanted.values())
        self._request("unsubscribe", topics)

    @property
    def topics(self) -> tuple[str, ...]:
        """What is carried now."""
        return tuple(self._carried)

    def state(self) -> LinkState:
        """The link as it is now; the counts are a copy."""
        instruments = sum(len(group) for group in self._groups.values())
        return LinkState(
            self.name,
            self._up,
            "" if self._up else self._reason,
            self._since_ns,
            instruments,
            len(self._carried),
            replace(self.counts),
            (self._clock.monotonic_ns() - self._heard_ns) / _SECOND_NS if self.counts.frames else None,
            self._url,
        )

    async def run(self) -> None:
        """Hold the connection until cancelled; every loss is told, waited out with full jitter, and healed."""
        failures = 0
        while True:
            await self._turn_to_connect()
            self.counts.attempts += 1
            reason = await self._hold()
            if self._up:
                failures = 0
            self._go_down(reason)
            wait_s = RECONNECT.wait_s(failures, self._runtime.fraction)
            failures += 1
            await self._clock.sleep(wait_s)

    async def _turn_to_connect(self) -> None:
        """Wait for the end of the venue's silence and for the budgets; a silence asked for meanwhile is kept, too."""
        while True:
            while (silent_s := self._runtime.silence.remaining_s()) > 0:
                await self._clock.sleep(silent_s)
            await self._runtime.connects.spend()
            if self._runtime.messages is not None:
                await self._runtime.messages.spend()  # for the first word of the connection
            if self._runtime.silence.remaining_s() == 0:
                return

    def request_resync(self, instrument: Instrument, topic: str) -> None:
        """Leave and rejoin one book's topic, so that the venue sends its snapshot again, or ask for it by REST.

        A request for a book that is already awaited changes nothing; without a connection the coming
        subscription brings the snapshot anyway.
        """
        if self._keeper is not None and instrument not in self._awaited:
            self._keeper.forget(instrument)
        self._renew([(instrument, topic)])

    def _renew(self, books: Iterable[tuple[Instrument, str]]) -> None:
        """Ask anew for books whose turn it is; by as few messages as the venue takes, because it counts them."""
        due = [(instrument, topic) for instrument, topic in books if self._takes_turn(instrument)]
        if self._venue.variations.snapshots is None:
            topics = [topic for _, topic in due]
            self._request("unsubscribe", topics)
            self._request("subscribe", topics)
            return
        for instrument, _ in due:
            # At the start hundreds of books wait for their turn; asking for one twice would make all of them later.
            if instrument not in self._beginnings:
                task = asyncio.ensure_future(self._begin(instrument))
                self._beginnings[instrument] = task
                task.add_done_callback(functools.partial(self._forget_beginning, instrument))

    def _forget_beginning(self, instrument: Instrument, _: asyncio.Task[None]) -> None:
        self._beginnings.pop(instrument, None)

    def _takes_turn(self, instrument: Instrument) -> bool:
        """Whether a book is asked for now; else it is awaited already, or is noted for when its time comes."""
        if self._connection is None or instrument in self._awaited:
            return False
        now_ns = self._clock.monotonic_ns()
        due_ns = self._due_ns(instrument, now_ns)
        if now_ns < due_ns:
            # So that it is late when it is due.
            self._awaited[instrument] = due_ns - round(RESYNC_S * _SECOND_NS)
            return False
        self._awaited[instrument] = now_ns
        times, _ = self._renewed.get(instrument, (0, 0))
        self._renewed[instrument] = (times + 1, now_ns)
        self.counts.resyncs += 1
        return True

    def _due_ns(self, instrument: Instrument, now_ns: int) -> int:
        """When a book may be asked for anew: twice at once, then later and later while it does not stand for a while."""
        begun_ns = self._begun.pop(instrument, None)  # it stands no more
        if begun_ns is not None and now_ns - begun_ns >= STOOD_S * _SECOND_NS:
            self._renewed.pop(instrument, None)
        times, last_ns = self._renewed.get(instrument, (0, 0))
        if times < 2:
            return now_ns
        return last_ns + round(RENEW.wait_s(times - 2, lambda: 1.0) * _SECOND_NS)

    async def _begin(self, instrument: Instrument) -> None:
        """Ask for the beginning of a book; one that did not come is asked for again when it is late."""
        snapshots, ask = self._venue.variations.snapshots, self._runtime.ask
        listing, keeper = self._symbols.listing(instrument), self._keeper
        if snapshots is None or ask is None or listing is None or keeper is None:
            return
        try:
            answer = await ask(snapshots.request(listing))
            events = keeper.begin(snapshots.parse(answer.body, answer.receive_ns, listing))
        except VenueError as error:
            _log.warning("feed.no_book", link=self.name, instrument=str(instrument), code=error.code)
            return
        if events:
            self._strike_off(events)
            self._emit(events)

    async def _hold(self) -> str:
        """Open, subscribe and keep one connection; how it ended."""
        self._arrivals = None if self._blocks is None else Arrivals(self._blocks.take)
        try:
            connection = await connect(
                await self._address(),
                self._receive,
                self._clock,
                Deadline(self._clock, OPEN_S),
                self._runtime.settings,
            )
        except VenueError as error:
            if isinstance(error, Throttled):
                self._keep_silent(error)
            return error.reason or error.code
        self._connection = connection
        self._outbox = Outbox(connection, self._runtime.messages)
        self._asked.clear()
        self._awaited.clear()
        make = self._venue.variations.keeper
        self._keeper = None if make is None else make(self._category, self._symbols)
        self._heard_ns = self._pinged_ns = self._clock.monotonic_ns()
        self._request("subscribe", tuple(self._carried))
        closed = asyncio.ensure_future(connection.closed())
        keeping = asyncio.ensure_future(self._keep(self._outbox))
        sending = asyncio.ensure_future(self._outbox.run())
        taking = asyncio.ensure_future(_until_failure(self._arrivals))
        try:
            await asyncio.wait((closed, keeping, taking), return_when=asyncio.FIRST_COMPLETED)
            if taking.done():
                taking.result()
            if self._arrivals is not None:
                self._arrivals.flush()
            if closed.done():
                return f"closed_{closed.result().code}"
            return keeping.result()
        except asyncio.CancelledError:
            connection.close()
            raise
        finally:
            self._connection = self._outbox = None
            tasks = (closed, keeping, sending, taking, *self._beginnings.values())
            for task in tasks:
                task.cancel()
            connection.abort()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _address(self) -> str:
        """Where to connect; asked for first at a venue that gives another address each time."""
        door, ask = self._venue.variations.door, self._runtime.ask
        if door is None or ask is None:
            return self._url
        return door.parse((await ask(door.request)).body)

    def _keep_silent(self, refused: Throttled) -> None:
        """Ask everything that calls this venue for silence; the venue's own meaning of the refusal comes first."""
        if "status" not in refused.facts:
            self._runtime.silence.ask(refused.retry_after_s, refused.message)
            return
        own = self._venue.refusal(int(refused.facts["status"]), refused.facts["body"])
        told = own if isinstance(own, Throttled) else refused
        self._runtime.silence.ask(told.retry_after_s, told.message)

    async def _keep(self, outbox: Outbox) -> str:
        """Ping on time until the connection is as good as dead; why it is."""
        ping = self._venue.ping
        while True:
            await self._clock.sleep(TICK_S)
            now_ns = self._clock.monotonic_ns()
            # One tick early, so that the judgement falls within the limit and not one tick after it.
            if now_ns - self._heard_ns >= (ping.silent_s - TICK_S) * _SECOND_NS:
                return "silent"
            sent_ns = [asked.at_ns for asked in self._asked.values() if asked.at_ns is not None]
            if any(now_ns - at_ns >= ACKNOWLEDGE_S * _SECOND_NS for at_ns in sent_ns):
                return "unacknowledged"
            if ping.text and now_ns - self._pinged_ns >= ping.every_s * _SECOND_NS:
                self._pinged_ns = now_ns
                outbox.put(ping.text)
            self._ask_again(now_ns)

    def _ask_again(self, now_ns: int) -> None:
        late = [book for book, at_ns in self._awaited.items() if now_ns - at_ns >= RESYNC_S * _SECOND_NS]
        for instrument in late:
            del self._awaited[instrument]
        self._renew((book, topic) for book in late for topic in self._book_topics(book))

    def _request(self, operation: Operation, topics: Sequence[str]) -> None:
        """Ask for topics or leave them, in as many messages as the venue wants."""
        size = self._venue.limits.topics_per_request[self._category]
        channels: dict[str, list[str]] = {}
        for topic in topics:
            channel = topic.partition(":")[0] if self._venue.variations.one_channel else ""
            channels.setdefault(channel, []).append(topic)
        for some in channels.values():
            for start in range(0, len(some), size):
                self._ask(operation, tuple(some[start : start + size]))

    def _ask(self, operation: Operation, topics: tuple[str, ...]) -> None:
        if self._outbox is None:
            return
        self._requests += 1
        request_id = str(self._requests)
        asked = self._asked[request_id] = _Asked(operation, topics)
        message = self._venue.command(operation, topics, request_id)
        self._outbox.put(message, lambda: self._note_sent(request_id, asked))

    def _note_sent(self, request_id: str, asked: _Asked) -> None:
        """From now on the answer is due, unless it was given up with its connection."""
        if self._asked.get(request_id) is asked:
            self._asked[request_id] = replace(asked, at_ns=self._clock.monotonic_ns())

    def _receive(self, receive_ns: int, frame: bytes) -> None:
        self._heard_ns = self._clock.monotonic_ns()
        self.counts.frames += 1
        if self._outlet.tap is not None:
            self._outlet.tap(self.name, receive_ns, frame)
        if self._arrivals is None:
            self._take(receive_ns, frame)
        else:
            self._arrivals.add(receive_ns, frame)

    def _take(self, receive_ns: int, frame: bytes) -> None:
        """Tell the events of one frame."""
        try:
            events = self._venue.parse_frame(self._category, frame, receive_ns, self._symbols)
            if not events:
                self._hear(self._venue.parse_control(self._category, frame, self._symbols), receive_ns)
            if self._keeper is not None:
                events = self._keeper.take(frame, events, receive_ns)
        except WireError as error:
            self._count_odd(error)
            return
        if events:
            if self._awaited:
                self._strike_off(events)
            self._emit(events)
        if self._keeper is not None:
            self._want(self._keeper)

    def _emit(self, events: Events) -> None:
        self.counts.events += len(events)
        self._outlet.emit(events)

    def _want(self, keeper: Keeper) -> None:
        """Ask anew for the books whose order or checksum was broken."""
        wanted = keeper.wants()
        if wanted:
            self._renew((book, topic) for book in wanted for topic in self._book_topics(book))

    def _book_topics(self, instrument: Instrument) -> list[str]:
        return [
            topic
            for topic, (carried, streams) in self._carried.items()
            if carried == instrument and "book" in streams
        ]

    def _strike_off(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, BookSnapshot | BookCleared):
                self._awaited.pop(event.instrument, None)
            if isinstance(event, BookSnapshot):
                self._begun[event.instrument] = self._clock.monotonic_ns()

    def _hear(self, control: Control, receive_ns: int) -> None:
        if control.kind == "pong":
            self._tell_alive(receive_ns)
        elif control.kind == "acknowledged":
            self._asked.pop(control.request_id or next(iter(self._asked), ""), None)
            self._rise(receive_ns)
        elif control.kind == "refused":
            self._take_refusal(control, receive_ns)
        elif control.kind == "unknown_topic":
            self.counts.unknown_topics += 1
        elif control.kind == "unlisted":
            self.counts.unlisted += 1

    def _take_refusal(self, control: Control, receive_ns: int) -> None:
        """Find the topic that was refused by halves: a venue refuses a whole message for one of its topics."""
        # A venue that returns no number answers in the order in which it was asked.
        asked = self._asked.pop(control.request_id or next(iter(self._asked), ""), None)
        if asked is not None and asked.operation == "subscribe" and "already" not in control.detail:
            if len(asked.topics) > 1:
                half = len(asked.topics) // 2
                self._ask("subscribe", asked.topics[:half])
                self._ask("subscribe", asked.topics[half:])
            else:
                self._tell_refused(asked.topics[0], control.detail, receive_ns)
        self._rise(receive_ns)

    def _tell_refused(self, topic: str, words: str, receive_ns: int) -> None:
        carried = self._carried.get(topic)
        if carried is None:
            return  # it was dropped before the venue answered
        self.counts.refused += 1
        instrument, streams = carried
        _log.warning("feed.refused", link=self.name, topic=topic, words=words)
        self._outlet.emit([StreamDown((instrument,), streams, receive_ns, receive_ns, reason="refused")])

    def _rise(self, receive_ns: int) -> None:
        """Be up when every subscription has been answered."""
        if self._up or self._asked:
            return
        self._up, self._since_ns = True, receive_ns
        _log.info("feed.up", link=self.name, topics=len(self._carried))
        self._tell_alive(receive_ns)

    def _tell_alive(self, receive_ns: int) -> None:
        if self._up:
            self._outlet.emit(
                [
                    StreamAlive(instruments, streams, receive_ns, receive_ns)
                    for streams, instruments in self._groups.items()
                ]
            )

    def _go_down(self, reason: str) -> None:
        """Tell a loss once: further failed attempts change only the reason that health pages show."""
        told = not self._up and self.counts.drops > 0
        self._up, self._reason = False, reason
        if told:
            return
        self.counts.drops += 1
        self._since_ns = now_ns = self._clock.now_ns()
        _log.warning("feed.down", link=self.name, reason=reason)
        self._outlet.emit(
            [
                StreamDown(instruments, streams, now_ns, now_ns, reason)
                for streams, instruments in self._groups.items()
            ]
        )

    def _count_odd(self, error: WireError) -> None:
        self.counts.wire_errors += 1
        cause = (error.reason, str(error.facts.get("field", "")))
        if cause not in self._odd and len(self._odd) < ODD_CAUSES:
            self._odd.add(cause)
            _log.warning("feed.odd_frame", link=self.name, reason=error.reason, words=error.message)


async def _until_failure(arrivals: Arrivals | None) -> None:
    """Take what arrives; without anything to take, for ever."""
    await (asyncio.get_running_loop().create_future() if arrivals is None else arrivals.run())


def _by_streams(
    subscriptions: Iterable[Subscription],
) -> dict[tuple[Stream, ...], tuple[Instrument, ...]]:
    """The instruments that share a set of streams."""
    groups: dict[tuple[Stream, ...], list[Instrument]] = {}
    for subscription in subscriptions:
        groups.setdefault(subscription.streams, []).append(subscription.listing.instrument)
    return {streams: tuple(instruments) for streams, instruments in groups.items()}
