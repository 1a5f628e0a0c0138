from __future__ import annotations

import asyncio
from contextlib import suppress

from sextant.errors import Stale
from sextant.evidence.events import EventTable
from sextant.kit.clock import ManualClock
from sextant.scans.crew import Crew
from sextant.scans.keeper import KEEP_EVERY_S, EvidenceKeeper
from sextant.scans.run import MarketPart
from support.house import THREE, market, three


async def asleep(clock: ManualClock) -> None:
    while not clock._sleepers:  # noqa: ASYNC110  # the clock has no event for a new sleeper
        await asyncio.sleep(0)


async def test_the_past_is_scored_once_per_closed_bar() -> None:
    clock, crew, scored, part = ManualClock(), Crew(), [], market()
    looked = asyncio.Semaphore(0)

    async def archive(table: EventTable) -> EventTable:
        scored.append(table.strategy_id)
        return table

    def newest() -> MarketPart:
        looked.release()
        return part

    keeping = asyncio.create_task(EvidenceKeeper(crew, clock, three(), newest, archive).keep())
    async with asyncio.timeout(20):
        for _ in range(3):
            await looked.acquire()
            await asleep(clock)
            clock.advance(KEEP_EVERY_S)
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping
    crew.close()
    assert sorted(scored) == sorted(THREE)


async def test_a_market_that_is_not_there_yet_is_waited_for() -> None:
    clock, crew, asked = ManualClock(), Crew(), asyncio.Event()

    def nothing() -> MarketPart:
        asked.set()
        raise Stale("No instrument is known yet.")

    keeping = asyncio.create_task(EvidenceKeeper(crew, clock, three(), nothing).keep())
    async with asyncio.timeout(5):
        await asked.wait()
        await asleep(clock)
    assert not keeping.done()
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping
    crew.close()


async def test_the_past_is_looked_at_when_no_scan_runs_any_more() -> None:
    clock, crew, asked = ManualClock(), Crew(), asyncio.Event()

    def newest() -> MarketPart:
        asked.set()
        return market()

    keeper = EvidenceKeeper(crew, clock, three(), newest)
    with keeper.precedence.first():
        keeping = asyncio.create_task(keeper.keep())
        await asyncio.sleep(0.05)  # a thread would have been asked by now
        assert not asked.is_set()
    async with asyncio.timeout(5):
        await asked.wait()
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping
    crew.close()
