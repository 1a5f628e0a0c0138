"""Frames to their readers, at venues whose frames bear a topic of a kind and an instrument."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from sextant.model.instrument import Instrument
from sextant.venues.decoding import decode
from sextant.venues.port import Category, SymbolTable
from sextant.venues.wire import UNREADABLE


class TopicReader(NamedTuple):
    """How a kind of topic is read: the documented shape, what makes events of it, and what the kind states."""

    decoder: msgspec.json.Decoder[Any]
    build: Callable[[Any, Instrument, int, Any], list[Any]]
    stated: Any = None


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a venue spells topics.

    Parameters
    ----------
    venue
        Named in errors.
    mark
        What stands before a topic in the bytes of a frame, its opening quotation mark included.
    head
        Decoder of frames of any kind; its shape, and that of every reader, has the topic as ``topic``, None
        in the head where there is none.
    split
        A topic to its kind and symbol.
    """

    venue: str
    mark: bytes
    head: msgspec.json.Decoder[Any]
    split: Callable[[str], tuple[str, str]]


class Topics:
    """The readers of one venue by kind of topic.

    Notes
    -----
    The topic is guessed by searching the bytes, so that a frame is decoded once and not twice; the guess is
    believed only when the decoded frame bears that topic. Every other frame is read from its head.
    """

    def __init__(self, spelling: Spelling, readers: Mapping[str, TopicReader]) -> None:
        self._spelling = spelling
        self._readers = readers
        self._mark = spelling.mark
        self._mark_bytes = len(spelling.mark)

    def events(self, category: Category, data: bytes, receive_ns: int, symbols: SymbolTable) -> list[Any]:
        """What the reader of the frame's topic makes of it; nothing without topic, reader or listing.

        Raises
        ------
        WireError
            If the frame does not have the documented shape; names the field.
        """
        start = data.find(self._mark) + self._mark_bytes
        route = symbols.routes(category).get(data[start : data.find(b'"', start)])
        if route is not None:
            topic, unpack, build, instrument, stated = route
            try:
                frame = unpack(data)
            except UNREADABLE:
                frame = None
            if frame is not None and frame.topic == topic:
                events: list[Any] = build(frame, instrument, receive_ns, stated)
                return events
        return self._slowly(category, data, receive_ns, symbols)

    def kind_of(self, topic: str) -> tuple[TopicReader | None, str]:
        """The reader of a topic, None where its kind is not read, and its symbol."""
        kind, symbol = self._spelling.split(topic)
        return self._readers.get(kind), symbol

    def _slowly(self, category: Category, data: bytes, receive_ns: int, symbols: SymbolTable) -> list[Any]:
        topic = decode(self._spelling.head, data, f"{self._spelling.venue} frame").topic
        if topic is None:
            return []
        reader, symbol = self.kind_of(topic)
        instrument = symbols.instrument(category, symbol)
        if reader is None or instrument is None:
            return []
        frame = decode(reader.decoder, data, f"{self._spelling.venue} {topic}"[:100])
        route = (topic, reader.decoder.decode, reader.build, instrument, reader.stated)
        symbols.routes(category)[topic.encode()] = route
        return reader.build(frame, instrument, receive_ns, reader.stated)
