"""Views and tables of arrays as bytes and back, losing nothing; closed bars in blocks that many views share."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray

from sextant.errors import InputError
from sextant.model.bar import BAR_FIELDS
from sextant.model.digests import DIGEST_BYTES, digest_of
from sextant.model.times import INTERVAL_NS, MINUTE_NS, Interval
from sextant.model.view import MINUTE_FIELDS, BarFrame, MinuteFrame, View, bar_frame, minute_digest

BLOCK_ROWS: Final = 256
"""Rows of a block, aligned to multiples of it since the epoch: a view that is a minute younger shares all but the last."""

_LEVEL: Final = 1  # prices compress little; a higher level costs time and saves a few percent
_T = TypeVar("_T")

Put = Callable[[str, Callable[[], bytes]], None]
"""``put(key, make)``: keep the bytes that ``make`` gives under a key, unless the key is known."""

Get = Callable[[str], bytes]
"""``get(key)``: the bytes under a key."""


class _Block(msgspec.Struct, frozen=True, array_like=True):
    """Where a run of closed bars is kept: open time of its first row, rows, key."""

    open_ns: int
    rows: int
    key: str


class _Packed(msgspec.Struct, frozen=True):
    """A view without its bars and minutes, and where these are; ``minutes`` is None where the view has none."""

    rest: dict[str, Any]
    bars: dict[Interval, list[_Block]]
    minutes: list[_Block] | None = None
    fields: tuple[str, ...] = ()


def pack_view(view: View, put: Put) -> bytes:
    """Everything of a view but its closed bars and minutes, which are put block by block.

    Parameters
    ----------
    view
        The view.
    put
        Keeps blocks; called once for each, in order.
    """
    bars = {interval: list(_blocks(interval, frame, put)) for interval, frame in view.bars.items()}
    hints = _hints(View)
    rest = {
        item.name: _dump(hints[item.name], getattr(view, item.name))
        for item in dataclasses.fields(view)
        if item.name not in ("bars", "minutes")
    }
    minutes = None if view.minutes is None else list(_minute_blocks(view.minutes, put))
    packed = _Packed(rest, bars, minutes, MINUTE_FIELDS if minutes is not None else ())
    return zstandard.compress(msgspec.msgpack.encode(packed), _LEVEL)


def unpack_view(packed: bytes, get: Get) -> View:
    """The view of :func:`pack_view`, equal to the letter.

    Raises
    ------
    InputError
        If the bytes are no view, or a block is not what its key says.
    """
    try:
        read = msgspec.msgpack.decode(zstandard.decompress(packed), type=_Packed)
        hints = _hints(View)
        facts = {name: _load(hints[name], value) for name, value in read.rest.items() if name in hints}
        size = len(facts["instruments"])
        bars = {interval: _frame(interval, blocks, size, get) for interval, blocks in read.bars.items()}
        minutes = None
        if read.minutes is not None and read.fields == MINUTE_FIELDS:
            minutes = _minutes(read.minutes, size, get)
        return View(bars=bars, minutes=minutes, **facts)
    except (
        msgspec.DecodeError,
        msgspec.ValidationError,
        zstandard.ZstdError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:
        raise InputError(f"These bytes are no stored view: {error}.", reason="corrupt") from error


def pack_arrays(value: Any) -> bytes:
    """A frozen dataclass of arrays and plain values as bytes."""
    return zstandard.compress(msgspec.msgpack.encode(_dump(type(value), value)), _LEVEL)


def unpack_arrays(packed: bytes, kind: type[_T]) -> _T:
    """The dataclass of :func:`pack_arrays`.

    Raises
    ------
    InputError
        If the bytes are no such value.
    """
    try:
        value: _T = _load(kind, msgspec.msgpack.decode(zstandard.decompress(packed)))
    except (
        msgspec.DecodeError,
        msgspec.ValidationError,
        zstandard.ZstdError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:
        raise InputError(f"These bytes are no stored {kind.__name__}: {error}.", reason="corrupt") from error
    return value


def _blocks(interval: Interval, frame: BarFrame, put: Put) -> typing.Iterator[_Block]:
    if not frame.rows:
        return
    number = frame.open_ns // INTERVAL_NS[interval] // BLOCK_ROWS
    edges = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), frame.rows]
    for start, end in itertools.pairwise(edges):
        digests = frame.row_digests[start * DIGEST_BYTES : end * DIGEST_BYTES]
        key = digest_of((interval.encode(), digests)).hex()
        put(key, functools.partial(_block_bytes, frame, start, end))
        yield _Block(int(frame.open_ns[start]), end - start, key)


def _block_bytes(frame: BarFrame, start: int, end: int) -> bytes:
    columns = np.stack([getattr(frame, name)[start:end] for name in BAR_FIELDS])
    return zstandard.compress(np.ascontiguousarray(columns).tobytes(), _LEVEL)


def _frame(interval: Interval, blocks: list[_Block], size: int, get: Get) -> BarFrame:
    step = INTERVAL_NS[interval]
    if not blocks:
        empty = np.empty((0, size))
        return bar_frame(interval, np.empty(0, dtype=np.int64), {"close": empty})
    parts, times = [], []
    for block in blocks:
        raw = np.frombuffer(zstandard.decompress(get(block.key)), dtype=np.float64)
        parts.append(raw.reshape(len(BAR_FIELDS), block.rows, size))
        times.append(block.open_ns + step * np.arange(block.rows, dtype=np.int64))
    columns = np.concatenate(parts, axis=1)
    frame = bar_frame(
        interval,
        np.concatenate(times),
        {name: np.ascontiguousarray(columns[place]) for place, name in enumerate(BAR_FIELDS)},
    )
    _check(interval, frame, blocks)
    return frame


def _minute_blocks(frame: MinuteFrame, put: Put) -> typing.Iterator[_Block]:
    start = 0
    for part in frame.parts:
        end = start + part.shape[1]
        digests = frame.row_digests[start * DIGEST_BYTES : end * DIGEST_BYTES]
        key = _minutes_key(digests)
        put(key, functools.partial(_part_bytes, part))
        yield _Block(int(frame.open_ns[start]), end - start, key)
        start = end


def _part_bytes(part: NDArray[np.float32]) -> bytes:
    return zstandard.compress(np.ascontiguousarray(part).tobytes(), _LEVEL)


def _minutes_key(digests: bytes) -> str:
    return digest_of((b"minutes", digests)).hex()


def _minutes(blocks: list[_Block], size: int, get: Get) -> MinuteFrame:
    parts, times, digests = [], [], []
    for block in blocks:
        raw = np.frombuffer(zstandard.decompress(get(block.key)), dtype=np.float32)
        part = raw.reshape(len(MINUTE_FIELDS), block.rows, size)
        open_ns = block.open_ns + MINUTE_NS * np.arange(block.rows, dtype=np.int64)
        told = b"".join(minute_digest(int(at), part[:, row]) for row, at in enumerate(open_ns))
        if _minutes_key(told) != block.key:
            raise InputError("A block of minutes is not what its key says.", reason="corrupt")
        parts.append(part)
        times.append(open_ns)
        digests.append(told)
    whole = np.concatenate(times) if times else np.empty(0, dtype=np.int64)
    return MinuteFrame(whole, tuple(parts), b"".join(digests))


def _check(interval: Interval, frame: BarFrame, blocks: list[_Block]) -> None:
    start = 0
    for block in blocks:
        digests = frame.row_digests[start * DIGEST_BYTES : (start + block.rows) * DIGEST_BYTES]
        key = digest_of((interval.encode(), digests)).hex()
        if key != block.key:
            raise InputError(f"A block of {interval} bars is not what its key says.", reason="corrupt")
        start += block.rows


def _dump(kind: Any, value: Any) -> Any:
    """The value in what MessagePack knows.

    Arrays with their type and shape, dataclasses by field, mappings as pairs, and members of unions with the name of
    their own kind.
    """
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(value, np.ndarray):
        return [value.dtype.str, list(value.shape), np.ascontiguousarray(value).tobytes()]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        hints = _hints(type(value))
        return {
            item.name: _dump(hints[item.name], getattr(value, item.name))
            for item in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return [[key, _dump(inner[1], value[key])] for key in sorted(value)]
    if origin is tuple and _is_union(inner[0]):
        return [[type(item).__name__, _dump(type(item), item)] for item in value]
    return value


def _load(kind: Any, raw: Any) -> Any:
    origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
    if _is_union(kind):
        members = [one for one in inner if one is not types.NoneType]
        if raw is None or len(members) > 1:
            return None if raw is None else msgspec.convert(raw, kind)
        return _load(members[0], raw)
    if origin is np.ndarray:
        return _array(raw)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: _load(hints[name], value) for name, value in raw.items()})
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {msgspec.convert(key, inner[0]): _load(inner[1], value) for key, value in raw}
    if origin is tuple and _is_union(inner[0]):
        kinds = {one.__name__: one for one in typing.get_args(inner[0])}
        return tuple(_load(kinds[name], value) for name, value in raw)
    return msgspec.convert(raw, kind)


def _is_union(kind: Any) -> bool:
    return typing.get_origin(kind) in (typing.Union, types.UnionType)


def _array(raw: Any) -> NDArray[Any]:
    name, shape, data = raw
    array = np.frombuffer(data, dtype=np.dtype(name)).reshape(shape)
    array.flags.writeable = False
    return array


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)
