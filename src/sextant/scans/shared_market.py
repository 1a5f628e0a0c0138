"""The market in the shared store: what feeds say of themselves, and one shard's stream followed into a state."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

import msgspec

from sextant.errors import InputError, StoreAway
from sextant.kit import log
from sextant.kit.bus import Bus
from sextant.kit.streams import BEGINNING, Entry, Snapshots, StreamReader
from sextant.market.ingest import Met, ShardEntry, ShardIngest
from sextant.market.state import MarketState
from sextant.model.event_pack import EventUnpacker
from sextant.model.shard import MOST_SHARDS, Shard
from sextant.model.view import Feed

CARD_KEY: Final = "sextant:feed"
EVENTS: Final = "events"
DIGEST: Final = "digest"
ASKED_S: Final = 30  # a wish for a snapshot is forgotten after it
CARD_S: Final = (
    600  # so long after the last feed there are none; a process that starts then opens its own sockets
)

T = TypeVar("T")

_LOG: Final = log.get("scans")


class FeedCard(msgspec.Struct, frozen=True):
    """What the feeds of an installation are: how many, and where their events come from."""

    count: int
    feed: Feed
    simulated: bool


_CARD: Final = msgspec.msgpack.Decoder(FeedCard)


def stream_key(shard: Shard) -> str:
    """Where a shard's events lie."""
    return f"sextant:events:{shard}"


def wish_key(shard: Shard) -> str:
    """Where readers say that they need a snapshot of a shard."""
    return f"sextant:wish:{shard}"


async def read_card(bus: Bus) -> FeedCard | None:
    """What feeds there are; None where none is known, or what lies there is no card; raises :class:`StoreAway`."""
    try:
        raw = await bus.call("GET", CARD_KEY)
        card = None if raw is None else _CARD.decode(raw)
    except msgspec.DecodeError:
        bus.miss(CARD_KEY)
        return None
    except StoreAway as error:
        if error.reason != "WRONGTYPE":
            raise
        bus.miss(CARD_KEY)
        return None
    return card if card is not None and 1 <= card.count <= MOST_SHARDS else None


async def write_card(bus: Bus, card: FeedCard) -> None:
    """Say what feeds there are, whatever lay there; raises :class:`StoreAway`."""
    await bus.call("SET", CARD_KEY, msgspec.msgpack.encode(card), "EX", CARD_S)


class Holder(Protocol):
    """Whoever owns a state and lets one piece of work at a time touch it."""

    def within(self, work: Callable[[MarketState], T], /) -> T:
        """What the work gives."""
        ...


class ShardFollower:
    """Follows one shard's stream into a state.

    Parameters
    ----------
    holder
        Owns the state.
    bus
        Where the stream lies.
    shard
        Which.

    Notes
    -----
    Until it has found a snapshot it knows nothing. When an entry is missing it keeps what it knows, asks for a snapshot,
    and goes on from the next that is not the one from which it could not go on.
    """

    def __init__(self, holder: Holder, bus: Bus, shard: Shard) -> None:
        self.shard = shard
        self.counts: Counter[Met | str] = Counter()
        self.agreed = ("", "")
        self._holder = holder
        self._bus = bus
        self._reader = StreamReader(bus, stream_key(shard))
        self._snapshots = Snapshots(bus, stream_key(shard))
        self._unpacker = EventUnpacker()
        self._ingest: ShardIngest = holder.within(lambda state: ShardIngest(state, shard, BEGINNING))
        self._placed = False
        self._useless: str | None = None
        self._restored: str | None = None

    @property
    def ingest(self) -> ShardIngest:
        """The state's side of it."""
        return self._ingest

    @property
    def placed(self) -> bool:
        """Whether everything up to its position is known."""
        return self._placed

    async def place(self) -> bool:
        """Whether it knows a place from which it can go on; raises :class:`StoreAway`."""
        if self._placed:
            return True
        position = await self._snapshots.position()
        snapshot = None
        if position is not None and position != self._useless:
            snapshot = await self._snapshots.get()
        if snapshot is None:
            await self._wish()
            return False
        part = self._ingest.part
        try:
            loaded = await asyncio.to_thread(part.load, snapshot.body)
        except InputError as error:
            self._bus.miss(stream_key(self.shard))
            _LOG.warning("replica.unreadable", shard=str(self.shard), detail=error.message[:200])
            self._useless = snapshot.position
            await self._wish()
            return False
        self._holder.within(lambda _: self._ingest.restore(snapshot.position, loaded))
        self._reader.seek(snapshot.position)
        self._placed, self._restored = True, snapshot.position
        self.counts["restored"] += 1
        return True

    async def step(self, wait_s: float) -> int:
        """How many entries were taken, after waiting for some at most so long; raises :class:`StoreAway`."""
        taken = 0
        for entry in await self._reader.read(wait_s):
            if not self._take(entry):
                break
            taken += 1
            await asyncio.sleep(0)  # a process that catches up goes on answering
        return taken

    def _take(self, entry: Entry) -> bool:
        try:
            told = self._read(entry)
        except InputError as error:
            _LOG.warning("replica.unreadable", shard=str(self.shard), detail=error.message[:200])
            self._bus.miss(stream_key(self.shard))
            met: Met = "gap"
        else:
            met = self._holder.within(lambda _: self._ingest.take(told))
        self.counts[met] += 1
        if met == "agrees":
            self.agreed = (entry.entry_id, told.digest)
        elif met in ("gap", "differs"):
            _LOG.warning(f"replica.{met}", shard=str(self.shard), position=self._ingest.position)
            self._placed, self._useless = False, self._restored
        return self._placed

    def _read(self, entry: Entry) -> ShardEntry:
        if entry.kind == EVENTS:
            return ShardEntry(entry.entry_id, entry.after, self._unpacker.unpack(entry.body))
        if entry.kind == DIGEST:
            return ShardEntry(entry.entry_id, entry.after, digest=entry.body.decode("ascii", "replace"))
        raise InputError(f"'{entry.kind[:20]}' is no kind of entry of this release.", reason="corrupt")

    async def _wish(self) -> None:
        await self._bus.call("SET", wish_key(self.shard), "1", "EX", ASKED_S)
