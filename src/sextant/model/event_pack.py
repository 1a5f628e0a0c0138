"""Model events as bytes and back, losing nothing: batches in which each instrument is named once."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Annotated, Any, Final

import msgspec
import numpy as np
import zstandard
from msgspec import UNSET

from sextant.errors import InputError
from sextant.model.bar import BAR_FIELDS, BarBlock, Integers
from sextant.model.events import (
    BarUpdate,
    BookCleared,
    BookDelta,
    BookSnapshot,
    DerivativesUpdate,
    Event,
    FundingSettled,
    Liquidation,
    Listed,
    OpenInterestPoint,
    OptionUpdate,
    QuoteUpdate,
    StreamAlive,
    StreamDown,
    Trade,
    Unfollowed,
)
from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.model.times import Interval

MOST_BYTES: Final = 64 * 1024 * 1024
"""Bytes of a batch before it is made small; larger ones are no batch of ours."""

_LEVEL: Final = 1
_PLAIN: Final = (
    BookSnapshot,
    BookDelta,
    BookCleared,
    Trade,
    BarUpdate,
    FundingSettled,
    OpenInterestPoint,
    Liquidation,
)
"""Kinds whose fields are told one by one."""

_PARTIAL: Final = (QuoteUpdate, DerivativesUpdate, OptionUpdate)
"""Kinds that leave fields unsaid: what is said is told with a mask of the places it belongs to."""

_GROUPS: Final = (StreamDown, StreamAlive, Unfollowed)
"""Kinds that tell of several instruments."""

_OWN: Final = 3  # instrument, event_ns and receive_ns come first in every kind
_At = Annotated[int, msgspec.Meta(ge=0)]


class _Listed(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=90):
    """A spec, with its instrument in full."""

    spec: InstrumentSpec
    event_ns: int
    receive_ns: int


class _Block(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=91):
    """A block, its arrays as bytes: int64 (T,), then float64 (7, T, S)."""

    interval: Interval
    instruments: tuple[_At, ...]
    open_ns: bytes
    values: bytes
    event_ns: int
    receive_ns: int


def _wire_of(kind: type[Any], tag: int) -> Any:
    """The kind with a place in the batch's list of instruments instead of the instrument."""
    hints = typing.get_type_hints(kind)
    if kind in _GROUPS:
        fields = [("at", tuple[_At, ...]), *((name, hints[name]) for name in kind.__struct_fields__[1:])]
    elif kind in _PARTIAL:
        said = list[float | int | None]
        fields = [("at", _At), ("event_ns", int), ("receive_ns", int), ("mask", int), ("said", said)]
    else:
        fields = [("at", _At), *((name, hints[name]) for name in kind.__struct_fields__[1:])]
    return msgspec.defstruct(f"_{kind.__name__}", fields, tag=tag, array_like=True, frozen=True, gc=False)


_WIRES: Final[dict[type[Any], Any]] = {
    kind: _wire_of(kind, tag) for tag, kind in enumerate((*_PLAIN, *_PARTIAL, *_GROUPS), 1)
}
_KINDS: Final[dict[Any, type[Any]]] = {wire: kind for kind, wire in _WIRES.items()}
_Fields = Callable[[Any], tuple[Any, ...]]

_REST: Final[dict[type[Any], _Fields]] = {
    kind: attrgetter(*kind.__struct_fields__[1:]) for kind in (*_PLAIN, *_GROUPS)
}
_SAID: Final[dict[type[Any], _Fields]] = {
    kind: attrgetter(*kind.__struct_fields__[_OWN:]) for kind in _PARTIAL
}
_UNSAID: Final[dict[type[Any], int]] = {kind: len(kind.__struct_fields__) - _OWN for kind in _PARTIAL}

_Any: Final[Any] = typing.Union[(*_WIRES.values(), _Listed, _Block)]


class _Batch(msgspec.Struct, array_like=True, frozen=True):
    """Instruments as they are first met, and the events that point to them."""

    instruments: list[msgspec.Raw]
    events: list[_Any]


class EventPacker:
    """Packs batches of events; remembers the words of instruments.

    Notes
    -----
    Each batch stands for itself: a reader may begin with any.
    """

    def __init__(self) -> None:
        self._words: dict[Instrument, msgspec.Raw] = {}
        self._encoder = msgspec.msgpack.Encoder()

    def pack(self, events: Iterable[Event]) -> bytes:
        """The events in order, made small.

        Raises
        ------
        InputError
            If something among them is not a model event.
        """
        places: dict[Instrument, int] = {}
        wires: list[Any] = []
        for event in events:
            kind = type(event)
            wire = _WIRES.get(kind)
            if wire is None:
                wires.append(self._rare(event, places))
            elif kind in _REST:
                if kind in _GROUPS:
                    at: Any = tuple(_place(places, name) for name in event.instruments)  # type: ignore[union-attr]
                else:
                    name = event.instrument  # type: ignore[union-attr]  # these kinds have one
                    at = places.get(name)
                    if at is None:
                        at = places[name] = len(places)
                wires.append(wire(at, *_REST[kind](event)))
            else:
                at = _place(places, event.instrument)  # type: ignore[union-attr]  # as above
                mask, said = 0, []
                for bit, value in enumerate(_SAID[kind](event)):
                    if value is not UNSET:
                        mask |= 1 << bit
                        said.append(value)
                wires.append(wire(at, event.event_ns, event.receive_ns, mask, said))
        batch = (self._named(places), wires)
        return zstandard.compress(self._encoder.encode(batch), _LEVEL)

    def _rare(self, event: Event, places: dict[Instrument, int]) -> _Listed | _Block:
        if isinstance(event, Listed):
            return _Listed(event.spec, event.event_ns, event.receive_ns)
        if isinstance(event, BarBlock):
            values = np.stack([getattr(event, name) for name in BAR_FIELDS])
            return _Block(
                event.interval,
                tuple(_place(places, name) for name in event.instruments),
                np.ascontiguousarray(event.open_ns, dtype=np.int64).tobytes(),
                values.tobytes(),
                event.event_ns,
                event.receive_ns,
            )
        raise InputError(f"{type(event).__name__} is not a model event.")

    def _named(self, places: dict[Instrument, int]) -> list[msgspec.Raw]:
        named = []
        for name in places:
            word = self._words.get(name)
            if word is None:
                word = self._words[name] = msgspec.Raw(self._encoder.encode(name))
            named.append(word)
        return named


class EventUnpacker:
    """Unpacks batches; the same instrument is the same object in all of them."""

    def __init__(self) -> None:
        self._known: dict[bytes, Instrument] = {}
        self._batch = msgspec.msgpack.Decoder(_Batch)
        self._instrument = msgspec.msgpack.Decoder(Instrument)

    def unpack(self, packed: bytes) -> list[Event]:
        """The events of :meth:`EventPacker.pack`, equal to the letter.

        Raises
        ------
        InputError
            If the bytes are no batch.
        """
        try:
            batch = self._batch.decode(_unzipped(packed))
            names = [self._name(word) for word in batch.instruments]
            return [_event(wire, names) for wire in batch.events]
        except (
            msgspec.DecodeError,  # of which a wrong kind of value is one
            zstandard.ZstdError,
            IndexError,
            TypeError,
            ValueError,
        ) as error:
            raise InputError(f"These bytes are no batch of events: {error}.", reason="corrupt") from error

    def _name(self, word: msgspec.Raw) -> Instrument:
        key = bytes(word)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._instrument.decode(key)
        return known


def _unzipped(packed: bytes) -> bytes:
    if not 0 <= zstandard.frame_content_size(packed) <= MOST_BYTES:
        raise ValueError("too large, or of unknown size")
    return zstandard.decompress(packed)


def _place(places: dict[Instrument, int], name: Instrument) -> int:
    return places.setdefault(name, len(places))


def _event(wire: Any, names: Sequence[Instrument]) -> Event:
    kind = _KINDS.get(type(wire))
    if kind is None:
        return _rare_event(wire, names)
    if kind in _PARTIAL:
        fields: list[Any] = [UNSET] * _UNSAID[kind]
        if wire.mask.bit_count() != len(wire.said):
            raise ValueError("the mask names other places than are said")
        said = iter(wire.said)
        for place in range(len(fields)):
            if wire.mask >> place & 1:
                fields[place] = next(said)
        made: Event = kind(names[wire.at], wire.event_ns, wire.receive_ns, *fields)
        return made
    if kind in _GROUPS:
        group: Event = kind(tuple(names[at] for at in wire.at), *_REST[kind](wire))
        return group
    plain: Event = kind(names[wire.at], *_REST[kind](wire))
    return plain


def _rare_event(wire: _Listed | _Block, names: Sequence[Instrument]) -> Event:
    if isinstance(wire, _Listed):
        return Listed(wire.spec, wire.event_ns, wire.receive_ns)
    open_ns: Integers = np.frombuffer(wire.open_ns, dtype=np.int64)
    instruments = tuple(names[at] for at in wire.instruments)
    values = np.frombuffer(wire.values).reshape(len(BAR_FIELDS), len(open_ns), len(instruments))
    columns = dict(zip(BAR_FIELDS, values, strict=True))
    return BarBlock(
        interval=wire.interval,
        instruments=instruments,
        open_ns=open_ns,
        event_ns=wire.event_ns,
        receive_ns=wire.receive_ns,
        **columns,
    )
