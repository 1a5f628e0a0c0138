"""Allowances of several processes: together no more than one, and never open."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator

import msgspec
import pytest

from sextant.errors import StoreAway
from sextant.kit.bus import Bus
from sextant.kit.clock import ManualClock
from sextant.kit.shared_limits import PARTS, Allowance, SharedLimits, Spent
from support.valkey import Valkey, connected

WINDOW = Allowance("window", 1.0, 10.0, 60.0, 0.0)
COUNTER = Allowance("counter", 1.0, 10.0, 20.0, 0.0, drain_per_s=0.5)


@pytest.fixture
async def bus(store: Valkey) -> AsyncIterator[Bus]:
    async with connected(store, ManualClock()) as made:
        yield made


async def keys(bus: Bus) -> list[str]:
    return [key.decode() for key in await bus.call("KEYS", "sextant:limit:*")]


async def test_many_processes_spend_no_more_than_one_may(store: Valkey, bus: Bus) -> None:
    others = [Bus(store.url, ManualClock()) for _ in range(3)]
    limits = [SharedLimits(one) for one in (bus, *others)]
    spent: list[Spent] = []
    for _ in range(5):
        spent += await asyncio.gather(*(each.spend([WINDOW]) for each in limits))
    assert sum(one.wait_s == 0 for one in spent) == 10
    refused = [one for one in spent if one.wait_s]
    assert all(60 - 60 / PARTS <= one.wait_s <= 60 + 2 * 60 / PARTS for one in refused)
    assert {one.used for one in refused} == {10.0}
    for one in others:
        await one.close()


async def test_what_left_the_window_may_be_spent_again(bus: Bus) -> None:
    limits = SharedLimits(bus)
    short = msgspec.structs.replace(WINDOW, window_s=0.2, ceiling=2.0)
    assert [(await limits.spend([short])).wait_s for _ in range(2)] == [0.0, 0.0]
    waited = (await limits.spend([short])).wait_s
    assert 0 < waited <= 0.2 * (1 + 2 / PARTS)
    await asyncio.sleep(waited)
    assert (await limits.spend([short])).wait_s == 0


async def test_a_counter_drains(bus: Bus) -> None:
    limits = SharedLimits(bus)
    full = msgspec.structs.replace(COUNTER, weight=10.0)
    assert (await limits.spend([full])).wait_s == 0
    assert (await limits.spend([COUNTER])).wait_s == pytest.approx(2.0, abs=0.5)
    quick = msgspec.structs.replace(COUNTER, name="quick", weight=10.0, drain_per_s=100.0, window_s=0.1)
    assert (await limits.spend([quick])).wait_s == 0
    await asyncio.sleep(0.12)
    assert (await limits.spend([quick])).wait_s == 0


async def test_several_allowances_are_spent_all_or_none(bus: Bus) -> None:
    limits = SharedLimits(bus)
    tight = msgspec.structs.replace(WINDOW, name="tight", ceiling=1.0)
    assert (await limits.spend([WINDOW, tight])).wait_s == 0
    assert (await limits.spend([WINDOW, tight])).wait_s > 0
    assert (await limits.spend([WINDOW])).used == 1.0


async def test_what_never_fits_waits_for_ever(bus: Bus) -> None:
    assert (await SharedLimits(bus).spend([msgspec.structs.replace(WINDOW, weight=11.0)])).wait_s == math.inf


@pytest.mark.parametrize("allowance", [WINDOW, COUNTER], ids=["window", "counter"])
async def test_a_store_that_forgot_is_found_out(bus: Bus, allowance: Allowance) -> None:
    """faults.md R3."""
    limits = SharedLimits(bus)
    for number in range(5):
        spent = await limits.spend([msgspec.structs.replace(allowance, own=float(number))])
        assert (spent.wait_s, spent.lost) == (0.0, False)
    for key in await keys(bus):
        await bus.call("DEL", key)
    assert (await limits.spend([msgspec.structs.replace(allowance, own=5.0)])).lost


@pytest.mark.parametrize("garbage", [("SET", "x"), ("LPUSH", "x"), ("HSET", "x", "y"), ("HSET", "9e18", "1")])
@pytest.mark.parametrize("allowance", [WINDOW, COUNTER], ids=["window", "counter"])
async def test_garbage_is_replaced_and_counted(
    bus: Bus, allowance: Allowance, garbage: tuple[str, ...]
) -> None:
    """faults.md R5."""
    limits = SharedLimits(bus)
    await limits.spend([allowance])
    (key,) = await keys(bus)
    await bus.call("DEL", key)
    await bus.call(garbage[0], key, *garbage[1:])
    assert (await limits.spend([allowance])).wait_s == 0
    assert (await limits.spend([allowance])).used == pytest.approx(1.0, abs=0.1)
    if garbage[0] != "HSET" or allowance is WINDOW:
        assert bus.counts["garbage"] == 1


async def test_no_name_leaves_the_process_and_every_key_ends(bus: Bus) -> None:
    await SharedLimits(bus).spend([msgspec.structs.replace(WINDOW, name="login|203.0.113.9")])
    (key,) = await keys(bus)
    assert "203" not in key
    assert 60 < await bus.call("TTL", key) <= 60 * 2.1 + 1


async def test_a_store_that_is_away_says_so() -> None:
    bus = Bus("redis://127.0.0.1:1/0", ManualClock())
    with pytest.raises(StoreAway):
        await SharedLimits(bus).spend([WINDOW])
    await bus.close()
