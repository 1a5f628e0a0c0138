"""One shard's feed, told to other processes through a stream in the shared store."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, TypeVar

from sextant.errors import StoreAway
from sextant.kit import log
from sextant.kit.bus import Bus
from sextant.kit.clock import Clock
from sextant.kit.conditions import Conditions
from sextant.kit.streams import BEGINNING, Snapshot, Snapshots, StreamReader, StreamWriter, order
from sextant.market.freshness import STREAMS
from sextant.market.ingest import learn
from sextant.market.parts import StatePart
from sextant.market.state import MarketState
from sextant.model.bar import BarBlock
from sextant.model.event_block import Events
from sextant.model.event_pack import EventPacker
from sextant.model.events import Event, StreamDown
from sextant.model.instrument import Instrument
from sextant.model.shard import Shard
from sextant.scans.shared_market import (
    DIGEST,
    EVENTS,
    FeedCard,
    ShardFollower,
    stream_key,
    wish_key,
    write_card,
)

BATCH_S: Final = 0.02  # events wait so long for others to share an entry with
MOST_AT_ONCE: Final = 2_000  # events, or rows of bars, of one entry: about 15 ms to apply
MOST_WAITING: Final = 1_000_000  # events or rows of bars: about 60 MB; what is more is told by a snapshot
KEEP_ENTRIES: Final = 20_000  # more than six minutes of full batches: several snapshots
DIGEST_S: Final = 5.0
SNAPSHOT_S: Final = 60.0
LEAST_SNAPSHOT_S: Final = 5.0  # between two, whoever wishes for one
LOOK_S: Final = 1.0  # wishes are read and the card is renewed so often
PAUSE_S: Final = 0.2

T = TypeVar("T")

_MILLISECOND_NS: Final = 1_000_000
_LOG: Final = log.get("scans")


class Feeder:
    """Learns from a venue's feed and tells what it learnt, in order, each entry once.

    Parameters
    ----------
    shard
        Whose instruments the feed brings.
    bus
        Where the stream lies. While it is away events wait; when too many do, a snapshot tells instead of them.
    clock
        Of batches, and of the epoch of this process.
    card
        What feeds there are.

    Notes
    -----
    The state is at every moment what a reader knows who has read everything that was told and waits to be told. A feeder that
    starts reads its own stream first and goes on from there, so readers need not begin anew.
    """

    def __init__(self, shard: Shard, bus: Bus, clock: Clock, card: FeedCard) -> None:
        self.shard = shard
        self._bus = bus
        self._clock = clock
        self._card = card
        self._forget()
        self._packer = EventPacker()
        self._conditions = Conditions(clock)
        self._snapshots = Snapshots(bus, stream_key(shard))
        self._writer = StreamWriter(bus, stream_key(shard), KEEP_ENTRIES, 0)
        self._waiting: deque[Event] = deque()
        self._weight = 0
        self._unsent: deque[tuple[str, bytes]] = deque()
        self._missed = True
        self._first: Snapshot | None = None
        self._dump: Callable[[], bytes] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._due = {"digest": 0, "snapshot": 0, "look": 0}
        self.told = 0

    def within(self, work: Callable[[MarketState], T]) -> T:
        """What work gives on the state."""
        return work(self._state)

    def learn(self, events: Events) -> list[Instrument]:
        """The instruments whose book must be asked for anew, after learning the events; they are told soon."""
        lost = learn(self._state, events)
        told = list(events)
        self._waiting.extend(told)
        self._weight += sum(map(_weight, told))
        if self._weight > MOST_WAITING:
            self._waiting.clear()
            self._weight, self._missed = 0, True
        return lost

    async def begin(self) -> None:
        """Know again what this shard's feeder knew before; however long the store is away."""
        while True:
            try:
                position, newest = await self._resume()
                break
            except StoreAway as error:
                self._note(error)
                await self._clock.sleep(PAUSE_S)
        self._note(None)
        epoch = self._clock.now_ns() // _MILLISECOND_NS
        self._writer.epoch = max(epoch, order(newest)[0] + 1)
        if position is None:
            return
        self._missed = False
        self._writer.go_on(position)
        names = self._part.instruments()
        now_ns = self._clock.now_ns()
        if names:
            # What the connections of the process before carried is not believed until it is told anew.
            self.learn([StreamDown(names, STREAMS, now_ns, now_ns, "feed_restarted")])
        _LOG.info("feed.resumed", shard=str(self.shard), instruments=len(names), position=position)

    async def publish(self) -> None:
        """Tell what was learnt until cancelled.

        Raises
        ------
        Conflict
            If another process tells of the same shard.
        """
        try:
            while True:
                try:
                    await self.tell()
                except StoreAway as error:
                    self._note(error)
                    await self._clock.sleep(PAUSE_S)
                    continue
                self._note(None)
                if self._weight < MOST_AT_ONCE:
                    await self._clock.sleep(BATCH_S)
        finally:
            if self._keeping is not None:
                self._keeping.cancel()

    async def tell(self) -> None:
        """Tell what waits now, as entries of bounded size, until nothing of it does.

        Raises
        ------
        StoreAway
            If the store is away; nothing is lost, and the call may be made again.
        Conflict
            If another process tells of the same shard.
        """
        if self._is_due("look", LOOK_S):
            await self._look()
        if self._missed:
            await self._begin_anew()
        if self._first is not None:
            await self._snapshots.put(self._first)
            self._first = None
        while not self._missed and (self._unsent or self._waiting):
            if not self._unsent:
                self._cut()
            await self._writer.append(*self._unsent[0])
            self._unsent.popleft()
            if self._dump is not None and not self._unsent:
                make, self._dump = self._dump, None
                self._keeping = asyncio.create_task(self._keep(self._writer.position, make))

    async def kept(self) -> None:
        """Return when no snapshot is being written."""
        if self._keeping is not None:
            await asyncio.wait({self._keeping})

    async def _resume(self) -> tuple[str | None, str]:
        """The place from which to go on, None where the past cannot be known, and the newest id there is."""
        self._forget()
        follower = ShardFollower(self, self._bus, self.shard)
        newest = await StreamReader(self._bus, stream_key(self.shard)).newest() or BEGINNING
        newest = max(newest, await self._snapshots.position() or BEGINNING, key=order)
        if not await follower.place():
            return None, newest
        while await follower.step(0.0):
            pass
        reached = follower.ingest.position
        if not follower.placed or order(reached) < order(newest):
            self._forget()
            return None, newest
        return reached, reached

    def _forget(self) -> None:
        self._state = MarketState(self._card.feed, simulated=self._card.simulated)
        self._part = StatePart(self._state, self.shard)

    async def _begin_anew(self) -> None:
        """Make a snapshot of what is known, which the next entry continues."""
        self._unsent.clear()
        self._waiting.clear()
        self._weight, self._missed, self._dump = 0, False, None
        make, position = self._part.dump(), self._writer.skip()
        self._first = Snapshot(position, await asyncio.to_thread(make))
        self._is_due("snapshot", SNAPSHOT_S)  # this is one

    async def _look(self) -> None:
        """Renew the card and read wishes."""
        await write_card(self._bus, self._card)
        wished = await self._bus.call("DEL", wish_key(self.shard))
        missing = await self._snapshots.position() is None
        if wished or missing:
            soonest_ns = self._clock.monotonic_ns() + round(LEAST_SNAPSHOT_S * 1e9)
            self._due["snapshot"] = min(self._due["snapshot"], soonest_ns)

    def _cut(self) -> None:
        """Make an entry of what waits; where it is all, say what the state is with it, and copy it, when that is due."""
        batch: list[Event] = []
        room = MOST_AT_ONCE
        while self._waiting and room > 0:
            batch.append(self._waiting.popleft())
            room -= _weight(batch[-1])
        self._weight -= MOST_AT_ONCE - room
        self._unsent.append((EVENTS, self._packer.pack(batch)))
        self.told += len(batch)
        if self._waiting:
            return
        if self._is_due("digest", DIGEST_S):
            self._unsent.append((DIGEST, self._part.digest().encode()))
        if self._keeping is None or self._keeping.done():
            if self._keeping is not None:
                self._keeping.result()
            if self._is_due("snapshot", SNAPSHOT_S):
                self._dump = self._part.dump()

    async def _keep(self, position: str, make: Callable[[], bytes]) -> None:
        try:
            await self._snapshots.put(Snapshot(position, await asyncio.to_thread(make)))
        except StoreAway as error:
            _LOG.warning("feed.snapshot_not_kept", shard=str(self.shard), reason=error.reason)
            self._due["snapshot"] = self._clock.monotonic_ns() + round(LEAST_SNAPSHOT_S * 1e9)

    def _is_due(self, what: str, every_s: float) -> bool:
        """Whether something is to be done now; then it is due again after a while."""
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._due[what]:
            return False
        self._due[what] = now_ns + round(every_s * 1e9)
        return True

    def _note(self, error: StoreAway | None) -> None:
        facts = {} if error is None else {"reason": error.reason}
        self._conditions.note(
            "feed_not_told", str(self.shard), holds=error is not None, at_once=True, **facts
        )


def _weight(event: Event) -> int:
    """How much of an entry an event is: one, or its rows of bars."""
    return max(1, event.close.size) if isinstance(event, BarBlock) else 1
