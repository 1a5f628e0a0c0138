"""A venue, live: every wanted topic over as few connections as the venue's limits allow."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from sextant.kit.clock import Clock
from sextant.kit.rate_limit import CallBudget, Silence
from sextant.kit.retry import Fraction
from sextant.kit.websocket import SocketSettings
from sextant.model.events import Stream
from sextant.model.instrument import Instrument
from sextant.venues.link import Link, LinkState, Outlet, Part, Runtime, Subscription
from sextant.venues.port import Category, SideSocket, SymbolTable, Venue

_BURST_SHARE: Final = 0.2
_RATE_SHARE: Final = 0.6  # with the burst, at most 0.8 of the venue's limit in any five minutes
_WINDOW_S: Final = 300
_MESSAGE_SHARE: Final = 0.5
_MESSAGE_BURST: Final = 0.25
_QUOTES_AND_COMMA: Final = 3  # characters each topic adds to the list beside its own


class Session:
    """The live events of one venue.

    Parameters
    ----------
    venue
        Whose wire is spoken.
    subscriptions
        What is wanted; streams the venue does not offer in a category are left out.
    symbols
        Instruments by symbol; frames of others are counted and dropped.
    outlet
        Where events and raw frames go.
    runtime
        Shared time, jitter and connection budget; made by ``runtime``.

    Notes
    -----
    All topics of an instrument travel on one connection, so that its book and its trades keep their order.
    """

    def __init__(
        self,
        venue: Venue,
        subscriptions: Iterable[Subscription],
        symbols: SymbolTable,
        outlet: Outlet,
        runtime: Runtime,
    ) -> None:
        self._venue = venue
        self._symbols, self._outlet, self._runtime = symbols, outlet, runtime
        self._link_of: dict[Instrument, Link] = {}
        self._topic_of: dict[Instrument, str] = {}
        self._links: list[Link] = []
        self._place_of: dict[Link, tuple[Category, str]] = {}
        self._tasks: dict[Link, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._numbers: Counter[Category] = Counter()
        self._open(subscriptions)

    async def run(self) -> None:
        """Hold every connection until cancelled.

        Raises
        ------
        ExceptionGroup
            If a receiver of events raised: losing events silently would look like a quiet market.
        """
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for link in self._links:
                    self._start(link)
                await (
                    asyncio.get_running_loop().create_future()
                )  # further connections may come as long as it lasts
        finally:
            self._group = None

    def change(self, entered: Iterable[Subscription], left: Collection[Instrument]) -> None:
        """Carry further instruments and drop others, on the connections that stand; the rest goes on unchanged.

        New ones go where there is room, else on a new connection; one that carries nothing any more is closed.
        """
        for link in self._links:
            link.drop(left)
        for instrument in left:
            self._link_of.pop(instrument, None)
            self._topic_of.pop(instrument, None)
        for place, wanted in _by_socket(self._venue, entered).items():
            self._seat(place, wanted)
        for link in [link for link in self._links if not link.topics]:
            self._close(link)

    def _seat(self, place: tuple[Category, str], wanted: Sequence[Subscription]) -> None:
        """Give subscriptions of one socket to its connections, filling the room of each in turn."""
        left = list(wanted)
        for link in self._links:
            if self._place_of[link] == place:
                room = self._venue.limits.topic_characters - sum(map(_size, link.topics))
                fitting = _fitting(self._venue, left, room)
                if fitting:
                    link.carry(fitting)
                    self._note(link, fitting)
                    left = left[len(fitting) :]
        self._open_at(place, left)

    def _open(self, subscriptions: Iterable[Subscription]) -> None:
        for place, wanted in _by_socket(self._venue, subscriptions).items():
            self._open_at(place, wanted)

    def _open_at(self, place: tuple[Category, str], wanted: Sequence[Subscription]) -> None:
        """Carry the subscriptions of one socket on new connections."""
        category, url = place
        for some in _within(self._venue, wanted):
            number = f"{self._runtime.label}{self._numbers[category]}"
            name = f"{self._venue.name}.{category}.{number}"
            self._numbers[category] += 1
            link = Link(self._venue, Part(category, url, name, some), self._symbols)
            link.attach(self._outlet, self._runtime)
            self._links.append(link)
            self._place_of[link] = place
            self._note(link, some)
            self._start(link)

    def _note(self, link: Link, subscriptions: Iterable[Subscription]) -> None:
        """Remember where each book is asked for anew."""
        for subscription in subscriptions:
            wanted = "book" in subscription.streams
            book = self._venue.topics(subscription.listing, ("book",)) if wanted else ()
            if book:
                self._link_of[subscription.listing.instrument] = link
                self._topic_of[subscription.listing.instrument] = book[0]

    def _start(self, link: Link) -> None:
        if self._group is not None:
            self._tasks[link] = self._group.create_task(link.run(), name=link.name)

    def _close(self, link: Link) -> None:
        self._links.remove(link)
        del self._place_of[link]
        task = self._tasks.pop(link, None)
        if task is not None:
            task.cancel()

    def request_resync(self, instrument: Instrument) -> None:
        """Ask the venue for the instrument's book anew; only its book topic is left and rejoined.

        Nothing happens for an instrument whose book is not subscribed here.
        """
        link = self._link_of.get(instrument)
        if link is not None:
            link.request_resync(instrument, self._topic_of[instrument])

    def states(self) -> tuple[LinkState, ...]:
        """Every connection as it is now."""
        return tuple(link.state() for link in self._links)


def runtime(
    venue: Venue,
    clock: Clock,
    fraction: Fraction,
    silence: Silence | None = None,
    settings: SocketSettings | None = None,
) -> Runtime:
    """What the sessions of one venue in one process share.

    Parameters
    ----------
    venue
        Whose limit of connection attempts is kept.
    clock, fraction
        Sources of time and jitter.
    silence
        Shared with the venue's REST client, because a ban is of the address; one of its own when None.
    settings
        TLS of the sockets; the venue's own bound on a message when None.
    """
    limit = venue.limits.connects_per_5_min
    return Runtime(
        clock,
        fraction,
        CallBudget(clock, per_s=_RATE_SHARE * limit / _WINDOW_S, burst=max(1, int(_BURST_SHARE * limit))),
        silence or Silence(clock),
        settings or SocketSettings(message_bytes=venue.limits.frame_bytes),
        messages=_messages(venue, clock),
    )


def _messages(venue: Venue, clock: Clock) -> CallBudget | None:
    """The budget of messages to a venue that counts them: three quarters of what it allows in any second."""
    most = venue.limits.messages_per_s
    if most is None:
        return None
    return CallBudget(clock, per_s=_MESSAGE_SHARE * most, burst=max(1, int(_MESSAGE_BURST * most)))


def _by_socket(
    venue: Venue, subscriptions: Iterable[Subscription]
) -> dict[tuple[Category, str], list[Subscription]]:
    """The subscriptions by category and URL, a side socket's streams apart."""
    by_socket: dict[tuple[Category, str], list[Subscription]] = {}
    for subscription in subscriptions:
        category = subscription.listing.category
        offered = venue.capabilities.streams.get(category, ())
        side = venue.variations.side_sockets.get(category)
        for url, own in _sockets(venue.sockets[category], side, offered):
            streams = tuple(stream for stream in subscription.streams if stream in own)
            if streams:
                some = by_socket.setdefault((category, url), [])
                some.append(Subscription(subscription.listing, streams))
    return by_socket


def _sockets(
    url: str, side: SideSocket | None, offered: Sequence[Stream]
) -> Iterator[tuple[str, tuple[Stream, ...]]]:
    apart = () if side is None else side.streams
    yield url, tuple(stream for stream in offered if stream not in apart)
    if side is not None:
        yield side.url, apart


def _within(venue: Venue, wanted: Sequence[Subscription]) -> Iterator[Sequence[Subscription]]:
    """The subscriptions in parts whose topics have at most the characters that one connection may name."""
    left = wanted
    while left:
        part = _fitting(venue, left, venue.limits.topic_characters) or left[:1]
        yield part
        left = left[len(part) :]


def _fitting(venue: Venue, wanted: Sequence[Subscription], room: int) -> Sequence[Subscription]:
    """The first subscriptions whose topics fit into so many characters."""
    for count, subscription in enumerate(wanted):
        room -= sum(map(_size, venue.topics(subscription.listing, subscription.streams)))
        if room < 0:
            return wanted[:count]
    return wanted


def _size(topic: str) -> int:
    return len(topic) + _QUOTES_AND_COMMA
