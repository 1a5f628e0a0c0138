"""Ordered streams in the shared store: appended by one writer, read by many from any place, with snapshots beside them.

Every entry names the one it continues, so a reader knows a hole when it meets one, whatever the store forgot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from sextant.errors import Conflict, StoreAway
from sextant.kit.bus import Bus

BEGINNING: Final = "0-0"
PIECE_BYTES: Final = 1024 * 1024  # written well within the budget of a call, even through a slow network
MOST_PIECES: Final = 512
READ_AT_ONCE: Final = 64  # entries of one answer
LATE_S: Final = 0.4  # a store looks at who waits for how long only so often

_DIGEST_BYTES: Final = 16


class Entry(msgspec.Struct, frozen=True):
    """One entry: its id, the id it continues, its kind and its bytes."""

    entry_id: str
    after: str
    kind: str
    body: bytes


class Snapshot(msgspec.Struct, frozen=True):
    """What was known once the entry of an id had been read."""

    position: str
    body: bytes


class _Manifest(msgspec.Struct, frozen=True, array_like=True):
    """Where a snapshot lies: which of two places, how many pieces, and what they must be."""

    position: str
    slot: int
    pieces: int
    digest: bytes


_MANIFEST: Final = msgspec.msgpack.Decoder(_Manifest)


def order(entry_id: str) -> tuple[int, int]:
    """Epoch and number of an id, by which ids are ordered."""
    epoch, _, number = entry_id.partition("-")
    return int(epoch), int(number)


class StreamWriter:
    """The one writer of a stream.

    Parameters
    ----------
    bus
        The store.
    key
        Name of the stream.
    keep
        Entries to keep, about.
    epoch
        Greater than that of every writer before; whoever wrote before is refused from then on.

    Notes
    -----
    A call that failed may have been done. The same entry may be appended again and lies in the stream once.
    """

    def __init__(self, bus: Bus, key: str, keep: int, epoch: int) -> None:
        self._bus = bus
        self._key = key
        self._keep = keep
        self.epoch = epoch
        self.position = BEGINNING
        self._number = 0

    def skip(self) -> str:
        """A position that no entry has or had; what is appended next continues it, so readers need a snapshot of it."""
        self.epoch += 1
        self._number = 0
        self.position = f"{self.epoch}-0"
        return self.position

    def go_on(self, position: str) -> None:
        """Continue what another writer left at a position."""
        self.position = position

    async def append(self, kind: str, body: bytes) -> str:
        """The id of a new entry, once it lies in the stream.

        Raises
        ------
        StoreAway
            If the store did not confirm it; the same call may be made again.
        Conflict
            If another writer has gone further.
        """
        entry = Entry(f"{self.epoch}-{self._number + 1}", self.position, kind, body)
        try:
            await self._add(entry)
        except StoreAway as error:
            if error.reason == "WRONGTYPE":
                await self._bus.replace(self._key)
                await self._add(entry)
            elif error.reason == "ERR" and "equal or smaller" in error.message:
                await self._check(entry)
            else:
                raise
        self._number += 1
        self.position = entry.entry_id
        return entry.entry_id

    async def _add(self, entry: Entry) -> None:
        fields = ("a", entry.after, "k", entry.kind, "b", entry.body)
        await self._bus.call("XADD", self._key, "MAXLEN", "~", self._keep, entry.entry_id, *fields)

    async def _check(self, entry: Entry) -> None:
        """Do nothing if the newest entry is this one, appended by a call whose answer was lost."""
        newest = await self._bus.call("XREVRANGE", self._key, "+", "-", "COUNT", 1)
        found = _entry(newest[0]) if newest else None
        if found is None:
            await self._bus.replace(self._key)
            await self._add(entry)
        elif found != entry:
            raise Conflict(f"Another process writes {self._key}; this one ends.", reason="other_writer")


class StreamReader:
    """A reader of one stream, from any place on.

    Parameters
    ----------
    bus
        The store.
    key
        Name of the stream.
    """

    def __init__(self, bus: Bus, key: str) -> None:
        self._bus = bus
        self._key = key
        self._at = BEGINNING

    def seek(self, position: str) -> None:
        """Read on behind a position."""
        self._at = position

    async def read(self, wait_s: float = 0.0) -> list[Entry]:
        """The next entries, at most 64; none where none came within ``wait_s``.

        Notes
        -----
        Whatever lies there and is no entry of ours counts as absent: the next good one does not continue the last.

        Raises
        ------
        StoreAway
            If the store did not answer.
        """
        command: list[str | int] = ["XREAD", "COUNT", READ_AT_ONCE]
        longest_s = 0.0
        if wait_s > 0:
            command += ["BLOCK", max(1, round(wait_s * 1000))]
            longest_s = wait_s + LATE_S
        try:
            answer = await self._bus.call(*command, "STREAMS", self._key, self._at, wait_s=longest_s)
        except StoreAway as error:
            if error.reason != "WRONGTYPE":
                raise
            self._bus.miss(self._key)
            return []
        raws = answer[0][1] if answer else []
        if raws:
            self._at = raws[-1][0].decode()
        found = [_entry(raw) for raw in raws]
        good = [entry for entry in found if entry is not None]
        if len(good) < len(found):
            self._bus.miss(self._key)
        return good

    async def newest(self) -> str | None:
        """The id of the newest entry; None where there is none of ours; raises :class:`StoreAway`."""
        try:
            answer = await self._bus.call("XREVRANGE", self._key, "+", "-", "COUNT", 1)
        except StoreAway as error:
            if error.reason != "WRONGTYPE":
                raise
            return None
        entry = _entry(answer[0]) if answer else None
        return None if entry is None else entry.entry_id


class Snapshots:
    """The newest snapshot of a stream, in pieces; while a newer one is written the older is whole.

    Parameters
    ----------
    bus
        The store.
    key
        Name of the stream.
    """

    def __init__(self, bus: Bus, key: str) -> None:
        self._bus = bus
        self._key = f"{key}:snapshot"

    async def put(self, snapshot: Snapshot) -> None:
        """Keep a snapshot instead of the one before; raises :class:`StoreAway`."""
        body = snapshot.body
        held = await self._manifest()
        slot = 0 if held is None else 1 - held.slot
        pieces = [body[at : at + PIECE_BYTES] for at in range(0, len(body), PIECE_BYTES)]
        for number, piece in enumerate(pieces):
            await self._bus.call("SET", self._piece(slot, number), piece)
        manifest = _Manifest(snapshot.position, slot, len(pieces), _digest(body))
        await self._bus.call("SET", self._key, msgspec.msgpack.encode(manifest))

    async def get(self) -> Snapshot | None:
        """The newest snapshot; None where there is none, or none that is whole; raises :class:`StoreAway`."""
        held = await self._manifest()
        if held is None:
            return None
        pieces: list[bytes] = []
        for number in range(held.pieces):
            piece = await self._read(self._piece(held.slot, number))
            if piece is None:
                return None  # taken away, or the next but one is being written
            pieces.append(piece)
        body = b"".join(pieces)
        if _digest(body) != held.digest:
            self._bus.miss(self._key)
            return None
        return Snapshot(held.position, body)

    async def position(self) -> str | None:
        """Where the newest snapshot stands; None where there is none; raises :class:`StoreAway`."""
        held = await self._manifest()
        return None if held is None else held.position

    async def _manifest(self) -> _Manifest | None:
        raw = await self._read(self._key)
        if raw is None:
            return None
        try:
            held = _MANIFEST.decode(raw)
            order(held.position)
        except (msgspec.DecodeError, ValueError):
            self._bus.miss(self._key)
            return None
        return held if held.slot in (0, 1) and 0 <= held.pieces <= MOST_PIECES else None

    async def _read(self, key: str) -> bytes | None:
        """The bytes under a key; something of another kind is taken away."""
        try:
            raw = await self._bus.call("GET", key)
        except StoreAway as error:
            if error.reason != "WRONGTYPE":
                raise
            await self._bus.replace(key)
            return None
        return None if raw is None else bytes(raw)

    def _piece(self, slot: int, number: int) -> str:
        return f"{self._key}:{slot}:{number}"


def _entry(raw: Sequence[Any]) -> Entry | None:
    """The entry in an answer of the store; None where it is none of ours."""
    entry_id, fields = raw[0].decode(), raw[1]
    if fields is None or len(fields) % 2:
        return None
    named = dict(zip(fields[::2], fields[1::2], strict=True))
    try:
        after, kind, body = named[b"a"].decode(), named[b"k"].decode(), bytes(named[b"b"])
        continues = _continues(entry_id, after)
    except (KeyError, ValueError):
        return None
    return Entry(entry_id, after, kind, body) if continues else None


def _continues(entry_id: str, after: str) -> bool:
    """Whether a writer of ours can have given an entry this id: its own count, from 1, or the first of its epoch."""
    (epoch, number), before = order(entry_id), order(after)
    return (number == 1 and before < (epoch, 1)) or (number > 1 and before == (epoch, number - 1))


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest()
