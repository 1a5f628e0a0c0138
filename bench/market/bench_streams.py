"""Model events from a feed to a replica through a real Valkey: batches, hashes and snapshots of 150 instruments.

Rates are per second of processor time of one process; the store runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import numpy as np

from harness import tell
from sextant.kit.bus import Bus
from sextant.kit.clock import ManualClock
from sextant.market.ingest import learn
from sextant.market.parts import StatePart
from sextant.market.state import MarketState
from sextant.model.bar import BAR_FIELDS, BarBlock
from sextant.model.events import DerivativesUpdate, Event, Trade
from sextant.model.times import INTERVAL_NS, INTERVALS
from sextant.scans.publishing import Feeder
from sextant.scans.shared_market import ShardFollower
from support.shared import WHOLE, Owner, begun, digest_of, told
from support.valkey import connected, valkey
from walk import START_NS, WalkingBook

BENCH = "market.streams"
INSTRUMENTS = 150
EVENTS = 200_000
BATCH = 400  # 20,000 events a second, told every 20 ms
ROWS = {"1m": 1_440} | dict.fromkeys(INTERVALS[1:], 1_000)


def histories(book: WalkingBook, chance: random.Random) -> list[BarBlock]:
    """All bars that are kept of an instrument, of every interval."""
    found = []
    for interval in INTERVALS:
        rows, step = ROWS[interval], INTERVAL_NS[interval]
        last = START_NS // step - 1
        close = 100.0 + np.cumsum([chance.gauss(0.0, 0.01) for _ in range(rows)])[:, None]
        values = dict.fromkeys(BAR_FIELDS, close) | {"high": close + 0.1, "low": close - 0.1}
        block = BarBlock(
            interval=interval,
            instruments=(book.instrument,),
            open_ns=np.arange(last - rows + 1, last + 1) * step,
            event_ns=START_NS,
            receive_ns=START_NS,
            **values,
        )
        found.append(block)
    return found


def walk(count: int) -> tuple[list[Event], list[Event]]:
    """What lists and fills a market; then changes of books, trades and facts in the shares of a live feed."""
    chance = random.Random(7)  # noqa: S311  # a seeded market
    books = [WalkingBook(number, chance) for number in range(INSTRUMENTS)]
    first: list[Event] = [book.listed() for book in books]
    first += [block for book in books for block in histories(book, chance)]
    first += [book.snapshot() for book in books]
    later: list[Event] = []
    for number in range(count):
        book, now_ns = books[chance.randrange(INSTRUMENTS)], START_NS + number * 50_000
        kind = chance.random()
        if kind < 0.6:
            later.append(book.delta(now_ns))
        elif kind < 0.85:
            later.append(Trade(book.instrument, now_ns, now_ns, f"t{number}", 2_000.5, 1.5, 1))
        else:
            later.append(DerivativesUpdate(book.instrument, now_ns, now_ns, mark=2_000.5, index=2_000.25))
    return first, later


async def flow(bus: Bus, clock: ManualClock, figures: dict[str, float | None]) -> None:
    """Rates of both sides, over the same events in the same order as a live feed brings them."""
    first, later = walk(EVENTS)
    feeder, owner = await begun(bus, clock), Owner()
    feeder.learn(first)
    await told(feeder, clock)
    follower = ShardFollower(owner, bus, WHOLE)
    await follower.place()
    while await follower.step(0.0):
        pass
    before, told_before = await held_bytes(bus), feeder.told
    telling = hearing = 0.0
    for at in range(0, EVENTS, BATCH):
        begun_s = time.process_time()
        feeder.learn(later[at : at + BATCH])
        await feeder.tell()
        telling += time.process_time() - begun_s
        begun_s = time.process_time()
        await follower.step(0.0)
        hearing += time.process_time() - begun_s
    if owner.digest() != digest_of(feeder):
        raise AssertionError("the replica is not the feeder")
    alone = MarketState("demo", simulated=True)
    learn(alone, first)
    begun_s = time.process_time()
    learn(alone, later)
    applying = time.process_time() - begun_s
    figures["published_per_cpu_s"] = EVENTS / telling
    figures["consumed_per_cpu_s"] = EVENTS / hearing
    figures["applied_alone_per_cpu_s"] = EVENTS / applying
    figures["carrying_us_per_event_both_sides"] = (telling + hearing - 2 * applying) / EVENTS * 1e6
    figures["store_bytes_per_event"] = (await held_bytes(bus) - before) / (feeder.told - told_before)
    sizes(feeder, owner, figures)


async def held_bytes(bus: Bus) -> int:
    """Memory that the stream takes in the store."""
    return int(await bus.call("MEMORY", "USAGE", "sextant:events:1/1", "SAMPLES", 0, wait_s=5.0))


def sizes(feeder: Feeder, owner: Owner, figures: dict[str, float | None]) -> None:
    """What hashes and snapshots cost, on the loop and beside it."""
    part = feeder.within(lambda state: StatePart(state, WHOLE))

    def cpu_ms(work: object) -> float:
        begun_s = time.process_time()
        work()  # type: ignore[operator]  # called once
        return (time.process_time() - begun_s) * 1e3

    figures["digest_first_ms"] = cpu_ms(part.digest)
    figures["digest_again_ms"] = statistics.median(cpu_ms(part.digest) for _ in range(5))
    made = []
    figures["dump_on_loop_ms"] = cpu_ms(lambda: made.append(part.dump()))
    bytes_ = []
    figures["dump_in_thread_ms"] = cpu_ms(lambda: bytes_.append(made[0]()))
    figures["dump_mb"] = len(bytes_[0]) / 1e6
    target = StatePart(owner.state, WHOLE)
    loaded = []
    figures["load_in_thread_ms"] = cpu_ms(lambda: loaded.append(target.load(bytes_[0])))
    figures["restore_on_loop_ms"] = cpu_ms(lambda: target.restore(loaded[0]))


async def main() -> None:
    """Measure and tell."""
    figures: dict[str, float | None] = {}
    clock = ManualClock(START_NS)
    with valkey() as server:
        async with connected(server, clock) as bus:
            await flow(bus, clock, figures)
    tell(BENCH, figures)


if __name__ == "__main__":
    asyncio.run(main())
