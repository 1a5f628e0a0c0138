from __future__ import annotations

import asyncio

from sextant.kit.clock import ManualClock
from sextant.kit.rate_limit import CallBudget, Silence


async def _turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_burst_passes_and_the_rest_waits_in_order() -> None:
    clock = ManualClock()
    budget = CallBudget(clock, per_s=10, burst=3)
    passed: list[int] = []

    async def call(number: int) -> None:
        await budget.spend()
        passed.append(number)

    calls = [asyncio.ensure_future(call(number)) for number in range(5)]
    await _turns()
    assert passed == [0, 1, 2]
    clock.advance(0.1)
    await _turns()
    assert passed == [0, 1, 2, 3]
    clock.advance(0.1)
    await asyncio.gather(*calls)
    assert passed == [0, 1, 2, 3, 4]


async def test_idle_time_fills_the_budget_only_to_its_burst() -> None:
    clock = ManualClock()
    budget = CallBudget(clock, per_s=10, burst=2)
    clock.advance(3600)
    calls = [asyncio.ensure_future(budget.spend()) for _ in range(3)]
    await _turns()
    assert [call.done() for call in calls] == [True, True, False]
    clock.advance(0.1)
    await asyncio.gather(*calls)


def test_a_shorter_wish_never_shortens_a_silence() -> None:
    clock = ManualClock()
    silence = Silence(clock)
    assert silence.remaining_s() == 0
    silence.ask(600, "banned")
    silence.ask(1, "busy")
    assert (silence.remaining_s(), silence.reason) == (600, "banned")
    clock.advance(599)
    silence.ask(5, "busy")
    assert (silence.remaining_s(), silence.reason) == (5, "busy")
    clock.advance(6)
    assert silence.remaining_s() == 0
