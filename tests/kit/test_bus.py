"""The shared store: bounded calls, rest after failures, and what lies wrongly under our keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from sextant.errors import ConfigError, StoreAway
from sextant.kit.bus import BUDGET_S, Bus
from sextant.kit.clock import ManualClock
from support.valkey import Valkey, answering, connected, valkey


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def bus(store: Valkey, clock: ManualClock) -> AsyncIterator[Bus]:
    async with connected(store, clock) as made:
        yield made


async def test_a_command_is_answered(bus: Bus) -> None:
    assert await bus.call("SET", "a", b"\x00\xff") == b"OK"
    assert await bus.call("GET", "a") == b"\x00\xff"
    assert not bus.away
    assert (await bus.probe()).state == "healthy"


async def test_a_script_runs_as_one_step(bus: Bus) -> None:
    assert await bus.script("return ARGV[1] + redis.call('INCR', KEYS[1])", ["n"], [41]) == 42


async def test_a_store_that_hangs_costs_the_budget_a_few_times_and_then_nothing(
    store: Valkey, clock: ManualClock
) -> None:
    """faults.md R2."""
    async with connected(store, clock, BUDGET_S) as bus:
        with store.client() as client:
            client.execute_command("CLIENT", "PAUSE", 2000)
            reasons = []
            for _ in range(4):
                with pytest.raises(StoreAway) as refused:
                    await bus.call("GET", "a")
                reasons.append(refused.value.reason)
            assert reasons == ["timeout", "timeout", "timeout", "resting"]
            assert (await bus.probe()).state == "degraded"
            client.execute_command("CLIENT", "UNPAUSE")
        states = [bus.away]
        clock.advance(2.0)
        await answering(bus)
        states.append(bus.away)
        assert states == [True, False]
        assert bus.counts["failed"] >= 3


async def test_a_store_that_is_not_there_is_told_once_and_found_again() -> None:
    clock = ManualClock()
    with valkey() as store:
        bus = Bus(store.url, clock)
        await answering(bus)
        store.kill()
        reasons = []
        for _ in range(4):
            with pytest.raises(StoreAway) as refused:
                await bus.call("PING")
            reasons.append(refused.value.reason)
        assert reasons[-1] == "resting"
        assert set(reasons[:-1]) <= {"unreachable", "timeout"}
        store.start()
        clock.advance(2.0)
        await answering(bus)
        assert not bus.away
        await bus.close()


async def test_a_refusal_is_told_by_its_word_and_no_reason_to_rest(bus: Bus) -> None:
    await bus.call("LPUSH", "list", "x")
    for _ in range(5):
        with pytest.raises(StoreAway) as refused:
            await bus.call("GET", "list")
        assert refused.value.reason == "WRONGTYPE"
    assert not bus.away
    await bus.replace("list")
    assert await bus.call("GET", "list") is None
    assert bus.counts["replaced"] == 1


@pytest.mark.parametrize("steps", range(14))
async def test_a_call_that_is_cancelled_at_any_step_ends_and_spoils_no_later_answer(
    bus: Bus, steps: int
) -> None:
    waiting = asyncio.create_task(bus.call("BLPOP", "nothing", "0.1", wait_s=2.0))
    for _ in range(steps):
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert waiting.cancelled()
    assert not bus.away
    await bus.call("SET", "a", "mine")
    assert await bus.call("GET", "a") == b"mine"


@pytest.mark.parametrize("url", ["http://host", "localhost:6379", "redis://host/x"])
def test_what_is_no_address_of_a_store_is_refused_without_its_words(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Bus(url.replace("host", "user:secret@host:port"), ManualClock())
    assert "secret" not in str(refused.value)
