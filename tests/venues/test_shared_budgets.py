"""Several processes behind one address spend what a venue allows once, whatever becomes of the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sextant.errors import Throttled
from sextant.kit.bus import Bus
from sextant.kit.clock import Deadline, ManualClock, SystemClock
from sextant.kit.http import Answer
from sextant.kit.shared_limits import SharedLimits
from sextant.kit.silences import Silences
from sextant.venues.broker import Broker, Call, Limit, Policy
from sextant.venues.shared_budgets import SharedBudgets, Want
from support.valkey import Valkey, connected

WINDOW = Want("venue|weight|", 1.0, 10.0, 1.0, 60.0, draining=False)
COUNTER = Want("venue|counter|key", 1.0, 10.0, 1.0, 20.0, draining=True)


@pytest.fixture
async def bus(store: Valkey) -> AsyncIterator[Bus]:
    async with connected(store, ManualClock()) as made:
        yield made


async def spent(processes: list[SharedBudgets], want: Want, times: int) -> int:
    return sum([await processes[number % len(processes)].spend([want]) <= 0 for number in range(times)])


@pytest.mark.parametrize("want", [WINDOW, COUNTER], ids=["window", "counter"])
async def test_processes_spend_a_budget_once(bus: Bus, want: Want) -> None:
    clock = ManualClock()
    processes = [SharedBudgets(SharedLimits(bus), clock, 2) for _ in range(2)]
    assert await spent(processes, want, 30) == 10
    assert await processes[0].spend([want]) > 0


@pytest.mark.parametrize("want", [WINDOW, COUNTER], ids=["window", "counter"])
async def test_without_the_store_each_has_its_share(want: Want) -> None:
    """faults.md R1: strict local budgets, never open."""
    clock = ManualClock()
    bus = Bus("redis://127.0.0.1:1/0", clock)
    processes = [SharedBudgets(SharedLimits(bus), clock, 2) for _ in range(2)]
    assert await spent(processes, want, 40) == 10
    assert await spent(processes[:1], want, 10) == 0
    clock.advance(60)
    assert await spent(processes[:1], want, 10) == 5
    await bus.close()


async def test_a_store_that_forgot_is_not_believed_for_a_window(bus: Bus) -> None:
    """faults.md R3."""
    clock = ManualClock()
    process = SharedBudgets(SharedLimits(bus), clock, 2)
    assert await spent([process], WINDOW, 8) == 8
    await bus.call("FLUSHALL")
    assert await spent([process], WINDOW, 8) == 0
    clock.advance(61)  # for the process; in the store, which was told of eight, no time passed
    assert await spent([process], WINDOW, 8) == 2


async def test_brokers_of_two_processes_pass_no_more_than_the_venue_allows(bus: Bus, tmp_path: Path) -> None:
    policy = Policy("venue", (Limit("weight", "address", 10, 60, share=1.0),), lambda _: {"weight": 2.0})
    clock = SystemClock()
    brokers = []
    for number in range(2):
        broker = Broker(policy, clock, Silences(tmp_path / f"{number}.json", clock))
        broker.share(SharedBudgets(SharedLimits(bus), clock, 2))
        brokers.append(broker)
    asked = 0

    async def ask() -> Answer:
        nonlocal asked
        asked += 1
        return Answer(b"{}", clock.now_ns(), {})

    calls = [
        broker.run(Call("/x", "account"), Deadline(clock, 0.5), ask) for broker in brokers for _ in range(4)
    ]
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert asked == 5
    refused = [end for end in ends if isinstance(end, Throttled)]
    assert len(refused) == 3
    assert {end.reason for end in refused} == {"budget"}
