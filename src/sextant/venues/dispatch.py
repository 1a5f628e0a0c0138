"""Frames to their readers, at venues whose frames state their channel in a field ``channel``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from sextant.venues.decoding import decode
from sextant.venues.wire import UNREADABLE

_MARK: Final = b'"channel":"'
_MARK_BYTES: Final = len(_MARK)


class Head(msgspec.Struct, gc=False):
    """The field that says what a frame is; answers have none."""

    channel: str | UnsetType = UNSET


HEAD: Final = msgspec.json.Decoder(Head)


class Reader(NamedTuple):
    """How a channel is read: the documented shape of its frames, and what makes events of one."""

    decoder: msgspec.json.Decoder[Any]
    build: Callable[[Any, Mapping[str, Any], int], list[Any]]


class Dispatch:
    """The readers of one venue by channel.

    Parameters
    ----------
    venue
        Named in errors.
    readers
        By channel; the shapes have a field ``channel``.

    Notes
    -----
    The channel is guessed by searching the bytes, so that a frame is decoded once and not twice; the guess is
    believed only when the decoded frame bears that channel. Every other frame is read from its head.
    """

    def __init__(self, venue: str, readers: Mapping[str, Reader]) -> None:
        self._venue = venue
        self._readers = readers
        self._guesses = {name.encode(): (name, reader) for name, reader in readers.items()}

    def events(self, data: bytes, known: Mapping[str, Any], receive_ns: int) -> list[Any]:
        """What the reader of the frame's channel makes of it; nothing where no reader is known.

        Raises
        ------
        WireError
            If the frame does not have the documented shape; names the field.
        """
        start = data.find(_MARK) + _MARK_BYTES
        guess = self._guesses.get(data[start : data.find(b'"', start)])
        if guess is not None:
            name, reader = guess
            try:
                frame = reader.decoder.decode(data)
            except UNREADABLE:
                frame = None
            if frame is not None and frame.channel == name:
                return reader.build(frame, known, receive_ns)
        channel = decode(HEAD, data, f"{self._venue} frame").channel
        found = self._readers.get(channel) if isinstance(channel, str) else None
        if found is None:
            return []
        frame = decode(found.decoder, data, f"{self._venue} {channel}")
        return found.build(frame, known, receive_ns)
