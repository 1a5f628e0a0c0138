from __future__ import annotations

import pytest

from sextant.api.limits import POLICIES, Policy, RateLimits
from sextant.errors import RateLimited
from sextant.kit.clock import ManualClock

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
