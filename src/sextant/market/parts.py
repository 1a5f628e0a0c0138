"""A shard's part of a market state: its hash, its bytes for another process, and a state that takes them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
import numpy as np
import zstandard

from sextant.errors import InputError
from sextant.market.chains import OptionRow
from sextant.market.counters import Counters
from sextant.market.desk import Desk, restore_desk
from sextant.market.ring import BarRing, HeldRows
from sextant.market.state import MarketState, Replacement
from sextant.model.bar import BAR_FIELDS, Integers
from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.model.shard import Shard
from sextant.model.times import Interval
from sextant.model.view import row_digest

FORMAT: Final = 4
"""Raised whenever the bytes of a dump change: a dump of another number is no dump."""

_HASH_BYTES: Final = 16
_LEVEL: Final = 1


class _Rows(msgspec.Struct, array_like=True, frozen=True):
    """Rows of a ring as bytes: int64 (C,), uint8 (R, C), float64 (7, R, C)."""

    first: int
    newest: bytes
    origin: bytes
    values: bytes


class _Dump(msgspec.Struct, array_like=True, frozen=True):
    """A part of a state; specs and contents of desks, of option desks and of rows of chains."""

    format: int
    feed: str
    simulated: bool
    desks: list[tuple[InstrumentSpec, Any, list[tuple[int, bytes]]]]
    option_desks: list[tuple[InstrumentSpec, Any]]
    option_rows: list[tuple[InstrumentSpec, Any]]
    bars: dict[Interval, _Rows]


class StatePart:
    """What one shard told a state.

    Parameters
    ----------
    state
        The state, which may hold other shards besides.
    shard
        Which instruments are meant.

    Notes
    -----
    Equal events of a shard give an equal :meth:`digest` in every process, whatever other shards told it, as long as the shards
    are less than three hours of 1m bars (an eighth of the kept rows) apart: rings advance for all instruments together.
    """

    def __init__(self, state: MarketState, shard: Shard) -> None:
        self._state = state
        self._shard = shard
        held = state.held()
        self._kind = (held.feed, held.simulated)
        self._counters = held.counters
        self._rows: dict[Interval, dict[int, tuple[int, bytes]]] = {}

    def digest(self) -> str:
        """Hex digest of all that is known of the shard, in canonical order."""
        held = self._state.held()
        holds = self._shard.holds
        digest = hashlib.blake2b(digest_size=_HASH_BYTES)
        digest.update(msgspec.msgpack.encode((FORMAT, held.feed, held.simulated, str(self._shard))))
        columns = self._columns()
        for interval, ring in held.bars.rings.items():
            content = self._ring_content(interval, ring, columns)
            if content is not None:
                digest.update(msgspec.msgpack.encode(content))
        for desk in held.desks:
            if holds(desk.spec.instrument):
                digest.update(msgspec.msgpack.encode(desk.content()))
        for name, desk in held.option_desks.items():
            if holds(name):
                digest.update(msgspec.msgpack.encode(desk.content()))
        rows = [row.content() for row in held.chains.rows() if holds(row.spec.instrument)]
        digest.update(msgspec.msgpack.encode(rows))
        return digest.hexdigest()

    def instruments(self) -> tuple[Instrument, ...]:
        """Every instrument of the shard that was listed, options among them."""
        held = self._state.held()
        names = [desk.spec.instrument for desk in held.desks]
        names += [row.spec.instrument for row in held.chains.rows()]
        return tuple(name for name in names if self._shard.holds(name))

    def dump(self) -> Callable[[], bytes]:
        """What makes the bytes of the part as it is now; to be called in a thread, once."""
        held = self._state.held()
        holds = self._shard.holds
        desks = [
            (desk.spec, desk.content(), held.minutes.rows(column))
            for column, desk in enumerate(held.desks)
            if holds(desk.spec.instrument)
        ]
        options = [(desk.spec, desk.content()) for name, desk in held.option_desks.items() if holds(name)]
        rows = [(row.spec, row.content()) for row in held.chains.rows() if holds(row.spec.instrument)]
        facts = msgspec.msgpack.encode(
            (desks, options, rows)
        )  # what a desk gives may change with the next event
        columns = self._columns()
        bars = {interval: ring.held(freeze=True) for interval, ring in held.bars.rings.items()}
        head = (FORMAT, held.feed, held.simulated)

        def make() -> bytes:
            told = {name: _told(rows, columns) for name, rows in bars.items() if rows is not None}
            parts = msgspec.msgpack.decode(facts, type=tuple[msgspec.Raw, msgspec.Raw, msgspec.Raw])
            return zstandard.compress(msgspec.msgpack.encode((*head, *parts, told)), _LEVEL)

        return make

    def load(self, dumped: bytes) -> Replacement:
        """What the bytes of :meth:`dump` say; changes nothing yet and may be called in a thread.

        Raises
        ------
        InputError
            If the bytes are no dump of this release, or of another kind of feed.
        """
        try:
            read = msgspec.msgpack.decode(zstandard.decompress(dumped), type=_Dump)
            if (read.format, read.feed, read.simulated) != (FORMAT, *self._kind):
                raise InputError(
                    f"A dump of format {read.format}, feed {read.feed}, simulated {read.simulated} does not fit here.",
                    reason="other_feed",
                )
            count = len(read.desks)
            return Replacement(
                desks=dict(_desks([(spec, content) for spec, content, _ in read.desks], self._counters)),
                minutes={spec.instrument: rows for spec, _, rows in read.desks},
                option_desks=dict(_desks(read.option_desks, self._counters)),
                option_rows=[_option_row(spec, content) for spec, content in read.option_rows],
                bars={interval: _held(rows, count) for interval, rows in read.bars.items()},
            )
        except (
            msgspec.DecodeError,
            zstandard.ZstdError,
            ArithmeticError,
            AttributeError,
            TypeError,
            ValueError,
        ) as error:
            raise InputError(f"These bytes are no dump of a state: {error}.", reason="corrupt") from error

    def restore(self, loaded: Replacement) -> None:
        """Forget what the shard told and know what was loaded instead."""
        self._state.replace(self._shard.holds, loaded)
        self._rows.clear()

    def _columns(self) -> Integers:
        """The columns of the shard's instruments in a view."""
        desks = self._state.held().desks
        found = [column for column, desk in enumerate(desks) if self._shard.holds(desk.spec.instrument)]
        return np.array(found, dtype=np.int64)

    def _ring_content(
        self, interval: Interval, ring: BarRing, columns: Integers
    ) -> tuple[object, ...] | None:
        """The newest rows of the shard and who stated each bar, as its own ring would hold them; None without bars."""
        rows = ring.held()
        if rows is None or not len(columns):
            return None
        last = int(rows.newest[columns].max())
        low = max(0, last - ring.keep + 1 - rows.first)
        end = last + 1 - rows.first
        origin = rows.origin[low : max(end, low)][:, columns]
        present = np.flatnonzero(origin.any(axis=1))
        if not present.size:
            return None
        low, origin = low + int(present[0]), origin[int(present[0]) :]
        digests = b"".join(self._digests(interval, ring, rows, columns)[low:end])
        return (interval, rows.first + low, digests, origin.tobytes(), rows.newest[columns].tobytes())

    def _digests(self, interval: Interval, ring: BarRing, rows: HeldRows, columns: Integers) -> list[bytes]:
        """One digest for each held row of the shard's columns; only rows that changed are read again."""
        known = self._rows.get(interval, {})
        found: dict[int, tuple[int, bytes]] = {}
        for place, version in enumerate(rows.versions.tolist()):
            row = rows.first + place
            had = known.get(row)
            if had is None or had[0] != version:
                values = np.ascontiguousarray(rows.values[:, place][:, columns])
                had = (version, row_digest(row * ring.step_ns, tuple(values)))
            found[row] = had
        self._rows[interval] = found
        return [digest for _, digest in found.values()]


def _told(rows: HeldRows, columns: Integers) -> _Rows:
    return _Rows(
        rows.first,
        rows.newest[columns].tobytes(),
        np.ascontiguousarray(rows.origin[:, columns]).tobytes(),
        np.ascontiguousarray(rows.values[:, :, columns]).tobytes(),
    )


def _held(rows: _Rows, columns: int) -> HeldRows:
    newest = np.frombuffer(rows.newest, dtype=np.int64)
    if len(newest) != columns:
        raise ValueError(f"{len(newest)} columns of bars for {columns} instruments")
    if not columns:
        blank = np.empty((len(BAR_FIELDS), 0, 0))
        return HeldRows(
            rows.first, blank, np.empty((0, 0), dtype=np.uint8), newest, np.empty(0, dtype=np.int64)
        )
    origin = np.frombuffer(rows.origin, dtype=np.uint8).reshape(-1, columns)
    values = np.frombuffer(rows.values).reshape(len(BAR_FIELDS), len(origin), columns)
    return HeldRows(rows.first, values, origin, newest, np.zeros(len(origin), dtype=np.int64))


def _desks(
    contents: list[tuple[InstrumentSpec, Any]], counters: Counters
) -> Iterator[tuple[Instrument, Desk]]:
    for spec, content in contents:
        desk = Desk(spec, counters)
        restore_desk(desk, content)
        yield spec.instrument, desk


def _option_row(spec: InstrumentSpec, content: Any) -> OptionRow:
    row = OptionRow(spec)
    row.restore(content)
    return row
