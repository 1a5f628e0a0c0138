"""A venue, live: every wanted topic over as few connections as the venue's limits allow."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
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
        self._link_of: dict[Instrument, Link] = {}
        self._topic_of: dict[Instrument, str] = {}
        self._links: list[Link] = []
        for part in _parts(venue, subscriptions):
            link = Link(venue, part, symbols)
            link.attach(outlet, runtime)
            self._links.append(link)
            for subscription in part.subscriptions:
                book = venue.topics(subscription.listing, ("book",)) if "book" in subscription.streams else ()
                if book:
                    instrument = subscription.listing.instrument
                    self._link_of[instrument] = link
                    self._topic_of[instrument] = book[0]

    async def run(self) -> None:
        """Hold every connection until cancelled.

        Raises
        ------
        ExceptionGroup
            If a receiver of events raised: losing events silently would look like a quiet market.
        """
        async with asyncio.TaskGroup() as group:
            for link in self._links:
                group.create_task(link.run(), name=link.name)

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
    )


def _parts(venue: Venue, subscriptions: Iterable[Subscription]) -> Iterator[Part]:
    """Each connection's part, within the characters one may name and with a side socket's streams apart."""
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
    numbers: Counter[Category] = Counter()
    for (category, url), wanted in by_socket.items():
        for some in _within(venue, wanted):
            yield Part(category, url, f"{venue.name}.{category}.{numbers[category]}", some)
            numbers[category] += 1


def _sockets(
    url: str, side: SideSocket | None, offered: Sequence[Stream]
) -> Iterator[tuple[str, tuple[Stream, ...]]]:
    apart = () if side is None else side.streams
    yield url, tuple(stream for stream in offered if stream not in apart)
    if side is not None:
        yield side.url, apart


def _within(venue: Venue, wanted: Sequence[Subscription]) -> Iterator[list[Subscription]]:
    """The subscriptions in parts whose topics have at most the characters that one connection may name."""
    characters = 0
    part: list[Subscription] = []
    for subscription in wanted:
        topics = venue.topics(subscription.listing, subscription.streams)
        size = sum(len(topic) + _QUOTES_AND_COMMA for topic in topics)
        if part and characters + size > venue.limits.topic_characters:
            yield part
            part, characters = [], 0
        part.append(subscription)
        characters += size
    yield part
