from __future__ import annotations

import asyncio
from pathlib import Path

from sextant.kit.clock import ManualClock
from sextant.kit.db import open_engine
from sextant.kit.health import Health, LoopLag, Reading, database_probe, disk_probe, in_process
from support.database import sqlite


class Part:
    """A part whose reading a test sets, and how often it was asked."""

    def __init__(self) -> None:
        self.reading = Reading("healthy")
        self.asked = 0

    async def probe(self) -> Reading:
        self.asked += 1
        return self.reading


async def test_the_vital_part_decides_unhealthy_and_the_others_degraded() -> None:
    clock, database, feeds = ManualClock(1_000), Part(), Part()
    health = Health(clock, {"database": database.probe, "feeds": feeds.probe})
    assert await health.state() == "healthy"
    feeds.reading = Reading("unhealthy", "no feed")
    clock.advance(1)
    assert await health.state() == "degraded"
    database.reading = Reading("unhealthy", "gone")
    clock.advance(1)
    assert await health.state() == "unhealthy"


async def test_parts_are_asked_once_a_second_and_remember_since_when() -> None:
    clock, part = ManualClock(1_000), Part()
    health = Health(clock, {"database": part.probe})
    for _ in range(5):
        await asyncio.gather(health.checks(), health.checks())
    assert part.asked == 1
    clock.advance(2)
    first = (await health.checks())["database"]
    assert (first.since_ns, first.read_ns) == (1_000, 2_000_001_000)
    part.reading = Reading("degraded", "slow")
    clock.advance(1)
    changed = (await health.checks())["database"]
    assert (changed.state, changed.detail, changed.since_ns) == ("degraded", "slow", 3_000_001_000)


async def test_a_process_is_ready_only_while_it_serves() -> None:
    part = Part()
    health = Health(ManualClock(), {"database": part.probe})
    assert await health.reasons_not_ready() == ["booting"]
    health.stage = "serving"
    assert await health.reasons_not_ready() == []
    health.stage = "draining"
    assert await health.reasons_not_ready() == ["draining"]


async def test_a_database_that_cannot_be_opened_is_unhealthy(tmp_path: Path) -> None:
    async with sqlite(tmp_path) as db:
        assert (await database_probe(db)()).state == "healthy"
    broken = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'missing' / 'sextant.db'}")
    reading = await database_probe(broken)()
    await broken.dispose()
    assert reading.state == "unhealthy"
    assert str(tmp_path) not in (reading.detail or "")


async def test_a_late_loop_is_measured_and_degrades() -> None:
    clock = ManualClock()
    lag = LoopLag(clock)
    assert (await lag.probe()).state == "healthy"
    watching = asyncio.create_task(lag.watch())
    await asyncio.sleep(0)
    clock.advance(0.9)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    watching.cancel()
    assert lag.lag_s == 0.4
    reading = await lag.probe()
    assert (reading.state, reading.detail) == ("degraded", "The loop was 0.400 s late; 0.25 s are allowed.")


async def test_disk_and_own_process_answer(tmp_path: Path) -> None:
    assert (await disk_probe(tmp_path)()).state in ("healthy", "degraded", "unhealthy")
    assert await in_process() == Reading("healthy")


async def test_a_part_that_is_added_is_asked_at_once() -> None:
    async def fine() -> Reading:
        return Reading("healthy")

    async def slow() -> Reading:
        return Reading("degraded", "slow")

    health = Health(ManualClock(), {"database": fine})
    assert await health.state() == "healthy"
    health.add("scores", slow)
    assert await health.state() == "degraded"
    assert list(await health.checks()) == ["database", "scores"]
