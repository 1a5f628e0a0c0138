"""Recordings as model events, by the same pure parsers that read the live sockets."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sextant.errors import InputError, VenueError
from sextant.kit.frames import Frame
from sextant.model.events import (
    BarUpdate,
    BookCleared,
    BookDelta,
    BookSnapshot,
    DerivativesUpdate,
    Event,
    Liquidation,
    Listed,
    OptionUpdate,
    QuoteUpdate,
    Stream,
    StreamAlive,
    StreamDown,
    Trade,
)
from sextant.model.instrument import Instrument
from sextant.venues.catalog import venues
from sextant.venues.channels import channel_of
from sextant.venues.port import Category, Control, Keeper, Listing, SymbolTable, Venue
from sextant.venues.recordings import Recording, read_recording

_STREAM_OF: Final[Mapping[type, Stream]] = {
    BookSnapshot: "book",
    BookDelta: "book",
    BookCleared: "book",
    Trade: "trades",
    QuoteUpdate: "quote",
    OptionUpdate: "quote",
    BarUpdate: "bars",
    DerivativesUpdate: "derivatives",
    Liquidation: "liquidations",
}

_SYMBOL: Final = re.compile(r"[?&](?:symbol|instId)=([^&]+)")

MOST_CAUSES: Final = 20  # causes told in words; further ones are only counted


@dataclass(slots=True)
class _Connection:
    """What is known of one recorded connection."""

    venue_name: str
    venue: Venue | None
    category: Category | None
    address: str = ""
    opened: bool = False
    keeper: Keeper | None = None
    carried: dict[Instrument, set[Stream]] = field(default_factory=dict)

    def groups(self) -> dict[tuple[Stream, ...], tuple[Instrument, ...]]:
        """The instruments heard on it, by the streams heard of them."""
        found: dict[tuple[Stream, ...], list[Instrument]] = {}
        for instrument, streams in self.carried.items():
            found.setdefault(tuple(sorted(streams)), []).append(instrument)
        return {streams: tuple(instruments) for streams, instruments in found.items()}


class Replay:
    """Recorded frames as model events, and the truth about what the recording held.

    Parameters
    ----------
    recordings
        Merged by time of arrival; the order inside each is kept.
    catalogue
        The venues that can be translated.
    until_ns
        Frames that arrived later are not read; None for all.

    Notes
    -----
    An instrument is listed by the recorded answer that names it, and told just before its first event, so
    that a thousand listings of which two were recorded make two columns.
    """

    def __init__(
        self, recordings: Sequence[Recording], catalogue: Mapping[str, Venue], until_ns: int | None = None
    ) -> None:
        self._recordings = recordings
        self._until_ns = until_ns
        self._catalogue = catalogue
        self._connections: dict[str, _Connection] = {}
        self._symbols: dict[str, SymbolTable] = {name: SymbolTable() for name in catalogue}
        self._listed: dict[Instrument, Listed] = {}
        self._told: set[Instrument] = set()
        self._answered_by: set[str] = set()
        self._left_out: dict[tuple[str, str], str] = {}
        self._books: dict[tuple[str, Category], Keeper] = {}
        self._messages = 0
        self._channels: Counter[str] = Counter()
        self._untranslated: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._first_ns: int | None = None
        self._last_ns: int | None = None
        self.events: Iterator[Event] = self._events()

    def messages(self) -> int:
        """Frames received from sockets so far."""
        return self._messages

    def channels(self) -> dict[str, int]:
        """Frames received so far by channel and kind of message, in the venues' words, by name."""
        return dict(sorted(self._channels.items()))

    def untranslated(self) -> dict[str, int]:
        """Frames received so far that no translator could read, by venue."""
        return dict(sorted(self._untranslated.items()))

    def notes(self) -> tuple[str, ...]:
        """What was not read and why, one sentence each; complete when the events are taken."""
        told = [f"{count} {reason}." for reason, count in self._reasons.most_common(MOST_CAUSES)]
        if len(self._reasons) > MOST_CAUSES:
            told.append(f"{len(self._reasons) - MOST_CAUSES} further causes are not told.")
        told += [
            f"{item.path.name} ends in {item.cut_bytes} bytes of an unfinished block."
            for item in self._recordings
            if item.cut_bytes
        ]
        return tuple(told)

    def period(self) -> tuple[int, int] | None:
        """First and last time of arrival so far; None before the first frame."""
        if self._first_ns is None or self._last_ns is None:
            return None
        return self._first_ns, self._last_ns

    def _events(self) -> Iterator[Event]:
        for frame in heapq.merge(*self._recordings, key=lambda item: item.receive_ns):
            if self._until_ns is not None and frame.receive_ns > self._until_ns:
                return
            if self._first_ns is None:
                self._first_ns = frame.receive_ns
            self._last_ns = frame.receive_ns
            connection = self._connection(frame)
            if frame.kind == "received":
                self._messages += 1
                self._channels[channel_of(frame.data)] += 1
                yield from self._received(frame, connection)
            elif frame.kind == "http":
                yield from self._answered(frame, connection)
            elif frame.kind in ("open", "closed"):
                yield from self._turned(frame, connection)

    def _connection(self, frame: Frame) -> _Connection:
        known = self._connections.get(frame.connection)
        if known is None:
            # Recorders name a connection after its venue; ours add the category: bybit.linear.0.
            name, _, rest = frame.connection.partition(".")
            venue = self._venue(name.lower(), frame.address)
            category = rest.partition(".")[0]
            own = category if venue is not None and category in venue.sockets else None
            known = _Connection(name.lower(), venue, own)
            self._connections[frame.connection] = known
        return known

    def _venue(self, name: str, address: str) -> Venue | None:
        """The venue of a connection, by its name or, where a recorder names a part of a venue, by its address."""
        owner = (venue for venue in self._catalogue.values() if address and venue.owns(address))
        return self._catalogue.get(name) or next(owner, None)

    def _received(self, frame: Frame, connection: _Connection) -> Iterator[Event]:
        venue, category = connection.venue, connection.category
        if venue is None or category is None:
            self._untranslated[connection.venue_name] += 1
            whose = connection.venue_name + (f" ({connection.address})" if connection.address else "")
            self._reasons[f"frames of {whose}: no translator for it yet"] += 1
            return
        symbols = self._symbols[venue.name]
        try:
            events = venue.parse_frame(category, frame.data, frame.receive_ns, symbols)
            control = None if events else venue.parse_control(category, frame.data, symbols)
            if control is not None and control.kind == "unlisted" and self._assume(frame, venue, category):
                events, control = venue.parse_frame(category, frame.data, frame.receive_ns, symbols), None
            keeper = self._keeper(connection, venue, category)
            if keeper is not None:
                parsed, events = events, keeper.take(frame.data, events, frame.receive_ns)
                if parsed and not events:
                    self._reasons[
                        f"frames of {venue.name} change books whose beginning was not known yet"
                    ] += 1
        except VenueError as error:
            self._refused(venue.name, error)
            return
        if control is not None:
            yield from self._heard(control, frame, connection)
        yield from self._learnt(events, connection)

    def _learnt(self, events: list[Event], connection: _Connection) -> Iterator[Event]:
        for event in events:
            yield from self._telling(event)
            stream = _STREAM_OF.get(type(event))
            if stream is not None:
                connection.carried.setdefault(event.instrument, set()).add(stream)  # type: ignore[union-attr]  # of these types all have one
            yield event

    def _keeper(self, connection: _Connection, venue: Venue, category: Category) -> Keeper | None:
        """The memory of a connection; shared by those of a category where books begin with an answer."""
        if connection.keeper is None and venue.variations.keeper is not None:
            made = venue.variations.keeper(category, self._symbols[venue.name])
            shared = venue.variations.snapshots is not None
            connection.keeper = self._books.setdefault((venue.name, category), made) if shared else made
        return connection.keeper

    def _assume(self, frame: Frame, venue: Venue, category: Category) -> bool:
        """Whether the instrument of a frame could be read off it, in a recording that lists none of its venue."""
        assume = venue.variations.assume
        if assume is None or venue.name in self._answered_by:
            return False
        listing = assume(category, frame.data, frame.receive_ns)
        if listing is None or self._symbols[venue.name].instrument(category, listing.symbol) is not None:
            return False
        self._list(venue, listing, Listed(listing.spec, frame.receive_ns, frame.receive_ns))
        self._reasons[
            f"listing is assumed from the digits of its first frame, because no recorded answer lists it: {listing.instrument}"
        ] += 1
        return True

    def _list(self, venue: Venue, listing: Listing, listed: Listed) -> None:
        self._symbols[venue.name].add(listing)
        self._listed[listing.instrument] = listed

    def _heard(self, control: Control, frame: Frame, connection: _Connection) -> Iterator[Event]:
        if control.kind == "pong":
            for streams, instruments in connection.groups().items():
                yield StreamAlive(instruments, streams, frame.receive_ns, frame.receive_ns)
        elif control.kind in ("unlisted", "unknown_topic", "refused"):
            self._untranslated[connection.venue_name] += 1
            words = {
                "unlisted": "of an instrument that no recorded answer lists",
                "unknown_topic": "of a topic that is not read",
                "refused": "refuse a subscription",
            }
            left_out = self._left_out.get((connection.venue_name, control.detail.rpartition(":")[2]))
            why = (
                words[control.kind]
                if left_out is None
                else f"of an instrument that is left out ({left_out.rstrip('.')})"
            )
            self._reasons[f"frames of {connection.venue_name} {why}: {control.detail}"] += 1

    def _answered(self, frame: Frame, connection: _Connection) -> Iterator[Event]:
        """The events of a recorded answer; listings wait for their instrument's first event."""
        venue = connection.venue
        if venue is None:
            self._reasons[f"answers of {connection.venue_name}: no translator for it yet"] += 1
            return
        path = _path(frame.address)
        symbols = self._symbols[venue.name]
        snapshots = venue.variations.snapshots
        try:
            lists = {venue.instruments_request(category, None).path for category in venue.sockets}
            if path in lists or path in venue.variations.former_lists:
                yield from self._listings(frame, venue)
            elif path in {venue.quotes_request(category).path for category in venue.sockets}:
                for event in venue.parse_quotes(frame.data, frame.receive_ns, symbols):
                    yield from self._telling(event)
                    yield event
            elif snapshots is not None and path in snapshots.paths:
                yield from self._begun(frame, venue, snapshots.paths[path])
            else:
                self._reasons[f"answers of {venue.name} to {path}: not read in a replay"] += 1
        except VenueError as error:
            self._refused(venue.name, error)

    def _listings(self, frame: Frame, venue: Venue) -> Iterator[Event]:
        page = venue.parse_instruments(frame.data, frame.receive_ns)
        self._answered_by.add(venue.name)
        self._left_out |= {(venue.name, symbol): reason for symbol, reason in page.left_out}
        for listing, listed in zip(page.listings, page.events, strict=True):
            known = self._listed.get(listing.instrument)
            self._list(venue, listing, listed)
            # Each file of a log begins with the same listings; only other rules are news.
            if listing.instrument in self._told and (known is None or known.spec != listed.spec):
                yield listed

    def _begun(self, frame: Frame, venue: Venue, category: Category) -> Iterator[Event]:
        """The events of a recorded answer that a book begins with."""
        symbols, snapshots = self._symbols[venue.name], venue.variations.snapshots
        named = _SYMBOL.search(frame.address)
        instrument = None if named is None else symbols.instrument(category, named[1])
        listing = None if instrument is None else symbols.listing(instrument)
        if listing is None or snapshots is None:
            self._reasons[f"answers of {venue.name} with a book of an instrument that is not listed"] += 1
            return
        connection = _Connection(venue.name, venue, category)
        keeper = self._keeper(connection, venue, category)
        if keeper is not None:
            book = snapshots.parse(frame.data, frame.receive_ns, listing)
            yield from self._learnt(keeper.begin(book), connection)

    def _turned(self, frame: Frame, connection: _Connection) -> Iterator[Event]:
        """A connection that ended, told or by being opened again, carries its streams no more."""
        if connection.opened:
            reason = "closed" if frame.kind == "closed" else "reopened"
            for streams, instruments in connection.groups().items():
                yield StreamDown(instruments, streams, frame.receive_ns, frame.receive_ns, reason)
            self._forget(connection)
        connection.opened = frame.kind == "open"
        if connection.opened:
            connection.address = frame.address
            if connection.venue is not None:
                category = connection.venue.category_of(frame.address)
                connection.category = category if category is not None else connection.category

    def _forget(self, connection: _Connection) -> None:
        """Begin the memory of a connection anew; of what is shared, only its own books."""
        if connection.keeper in self._books.values():
            for instrument in connection.carried:
                connection.keeper.forget(instrument)  # type: ignore[union-attr]  # one of the values
        else:
            connection.keeper = None

    def _telling(self, event: Event) -> Iterator[Event]:
        """The listing of an event's instrument, the first time it is met."""
        instrument = getattr(event, "instrument", None)
        if instrument is not None and instrument not in self._told:
            self._told.add(instrument)
            listed = self._listed.get(instrument)
            if listed is not None:
                yield listed

    def _refused(self, venue: str, error: VenueError) -> None:
        self._untranslated[venue] += 1
        self._reasons[f"frames of {venue} are not as documented: {error.message}"] += 1


def replay_events(paths: Sequence[Path], until_ns: int | None = None) -> Replay:
    """The recordings as model events, merged by time of arrival.

    Parameters
    ----------
    paths
        Files that ``read_recording`` knows; a folder stands for its files.
    until_ns
        Reading ends before the first frame that arrived later; None for all.

    Raises
    ------
    InputError
        If there is no file, or one is no recording. Taking the events raises it where a file is damaged.
    """
    files = [file for path in paths for file in _files(Path(path))]
    if not files:
        raise InputError("There is no recording to replay.", reason="format")
    return Replay([read_recording(file) for file in files], venues(), until_ns)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(item for item in path.iterdir() if item.is_file() and not item.name.startswith("."))


def _path(url: str) -> str:
    """The path of a URL without host and query."""
    rest = url.partition("://")[2].partition("?")[0]
    return "/" + rest.partition("/")[2]
