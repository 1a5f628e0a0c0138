from __future__ import annotations

from sextant.kit.breaker import Breaker, BreakerRules
from sextant.kit.clock import ManualClock


def opened(clock: ManualClock) -> Breaker:
    breaker = Breaker(clock, BreakerRules(failures=3, open_s=30))
    for _ in range(3):
        assert breaker.enter()
        breaker.fail("reset")
    return breaker


def test_enough_failures_in_a_row_open_it_and_a_success_between_does_not() -> None:
    breaker = Breaker(ManualClock(0), BreakerRules(failures=3))
    for _ in range(5):
        breaker.fail("reset")
        breaker.fail("reset")
        breaker.succeed()
    assert (breaker.circuit, breaker.remaining_s(), breaker.reason) == ("closed", 0.0, "")
    clock = ManualClock(0)
    breaker = opened(clock)
    assert (breaker.circuit, breaker.reason, breaker.enter()) == ("open", "reset", False)
    clock.advance(10)
    assert breaker.remaining_s() == 20.0


def test_one_call_tries_and_closes_or_opens_it_again() -> None:
    clock = ManualClock(0)
    breaker = opened(clock)
    clock.advance(30)
    assert breaker.circuit == "half_open"
    assert [breaker.enter(), breaker.enter()] == [True, False]
    breaker.fail("timeout")
    assert (breaker.circuit, breaker.remaining_s(), breaker.reason) == ("open", 30.0, "timeout")
    clock.advance(30)
    assert breaker.enter()
    breaker.leave()  # cancelled: nothing is known, another may try
    assert breaker.enter()
    breaker.succeed()
    assert [breaker.enter(), breaker.enter()] == [True, True]


def test_a_failure_that_no_repeat_mends_opens_it_at_once() -> None:
    breaker = Breaker(ManualClock(0))
    breaker.fail("dns", at_once=True)
    assert breaker.circuit == "open"
