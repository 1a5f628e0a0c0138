from __future__ import annotations

import pytest

from sextant.api.limits import POLICIES, Policy, RateLimits
from sextant.errors import RateLimited
from sextant.kit.bus import Bus
from sextant.kit.clock import ManualClock
from sextant.kit.shared_limits import SharedLimits
from support.valkey import Valkey, connected, valkey

SMALL = Policy("small", 3, 60)


def test_the_window_slides_and_refusals_are_not_counted() -> None:
    clock = ManualClock()
    limits = RateLimits(clock)
    for left in (2, 1, 0):
        standing = limits.take(SMALL, "ada")
        assert (standing.remaining, standing.reset_s) == (left, 60)
        clock.advance(10)
    for _ in range(5):
        with pytest.raises(RateLimited) as refused:
            limits.take(SMALL, "ada")
        assert refused.value.retry_after_s == 30
        assert refused.value.facts["standing"].reset_s == 50
    clock.advance(30)
    assert limits.take(SMALL, "ada").remaining == 0
    with pytest.raises(RateLimited):
        limits.take(SMALL, "ada")


def test_callers_and_policies_do_not_share() -> None:
    limits = RateLimits(ManualClock())
    for _ in range(3):
        limits.take(SMALL, "ada")
    assert limits.take(SMALL, "bob").remaining == 2
    assert limits.take(Policy("other", 3, 60), "ada").remaining == 2


def test_a_million_callers_take_bounded_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sextant.api.limits.COUNTED_CALLERS", 100)
    limits = RateLimits(ManualClock())
    for number in range(1_000):
        limits.take(SMALL, str(number))
    assert len(limits._seen) == 100
    assert limits.take(SMALL, "999").remaining == 1


def test_a_user_has_eight_requests_at_a_time() -> None:
    limits = RateLimits(ManualClock())
    for _ in range(8):
        limits.begin("ada")
    with pytest.raises(RateLimited) as refused:
        limits.begin("ada")
    assert refused.value.reason == "concurrency"
    limits.begin("bob")
    limits.end("bob")
    limits.end("ada")
    limits.begin("ada")
    for _ in range(8):
        limits.end("ada")
    assert limits._busy == {}


def test_streams_are_counted_per_user_and_per_process() -> None:
    limits = RateLimits(ManualClock())
    for number in range(100):
        for _ in range(5):
            limits.open_stream(str(number))
    with pytest.raises(RateLimited):
        limits.open_stream("one more")
    limits.close_stream("0")
    limits.open_stream("one more")
    with pytest.raises(RateLimited):
        limits.open_stream("1")


@pytest.mark.parametrize(
    ("name", "quota", "window_s"),
    [
        ("default", 300, 60),
        ("anonymous", 60, 60),
        ("login", 5, 300),
        ("refresh", 10, 60),
        ("health", 600, 60),
        ("discover", 30, 60),
        ("onboard", 5, 3_600),
        ("scan.poll", 600, 60),
    ],
)
def test_the_policies_are_the_documented_ones(name: str, quota: int, window_s: int) -> None:
    assert (POLICIES[name].quota, POLICIES[name].window_s) == (quota, window_s)


def test_each_process_allows_its_share_and_always_one() -> None:
    policy = Policy("login", 5, 300)
    for processes, share in ((1, 5), (2, 2), (5, 1), (64, 1)):
        limits = RateLimits(ManualClock(), processes)
        for number in range(share):
            standing = limits.take(policy, "203.0.113.1")
            assert (standing.policy.quota, standing.remaining) == (share, share - number - 1)
        with pytest.raises(RateLimited) as refused:
            limits.take(policy, "203.0.113.1")
        assert refused.value.reason == "login"


# -- several processes ---------------------------------------------------------------------------


async def admitted(processes: list[RateLimits], times: int) -> int:
    """How many requests of one caller pass, asked at each process in turn."""
    passed = 0
    for number in range(times):
        try:
            await processes[number % len(processes)].admit(TEN, "ada")
        except RateLimited:
            continue
        passed += 1
    return passed


TEN = Policy("ten", 10, 60)


async def test_processes_allow_a_quota_together_wherever_a_caller_asks(store: Valkey) -> None:
    clock = ManualClock()
    async with connected(store, clock) as bus:
        processes = [RateLimits(clock, 4, SharedLimits(bus)) for _ in range(4)]
        assert [(await processes[0].admit(TEN, "ada")).remaining for _ in range(8)] == [
            9,
            8,
            7,
            6,
            5,
            4,
            3,
            2,
        ]
        assert await admitted(processes, 20) == 2
        with pytest.raises(RateLimited) as refused:
            await processes[3].admit(TEN, "ada")
        assert 57 <= refused.value.retry_after_s <= 66
        assert (await processes[3].admit(TEN, "bob")).remaining == 9


async def test_a_store_that_is_away_leaves_each_process_its_share(store: Valkey) -> None:
    """faults.md R1: strict local budgets, never open."""
    clock = ManualClock()
    bus = Bus("redis://127.0.0.1:1/0", clock)
    processes = [RateLimits(clock, 4, SharedLimits(bus)) for _ in range(4)]
    assert await admitted(processes, 60) == 4 * (10 // 4)
    await bus.close()


async def test_what_passed_before_the_store_went_away_counts() -> None:
    clock = ManualClock()
    with valkey() as store:
        async with connected(store, clock) as bus:
            limits = RateLimits(clock, 4, SharedLimits(bus))
            assert await admitted([limits], 6) == 6
            store.kill()
            clock.advance(30)
            assert await admitted([limits], 20) == 0  # six passed; a share is two
            clock.advance(30)
            assert await admitted([limits], 20) == 2


async def test_evicted_counts_leave_each_process_its_share(store: Valkey) -> None:
    """faults.md R3: the limiter falls to in-process buckets, not open."""
    clock = ManualClock()
    async with connected(store, clock) as bus:
        limits = RateLimits(clock, 4, SharedLimits(bus))
        assert await admitted([limits], 6) == 6
        await bus.call("FLUSHALL")
        assert await admitted([limits], 20) == 0
        clock.advance(61)  # for this process; in the store less than a second
        assert await admitted([limits], 20) == 4  # it was told of six
