"""Messages keep their order and the budget; the first one passes at once."""

from __future__ import annotations

import asyncio

import pytest

from sextant.kit.clock import ManualClock
from sextant.kit.rate_limit import CallBudget
from sextant.venues.outbox import MOST, Outbox


class Heard:
    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.said: list[tuple[float, bytes]] = []
        self.aborted = 0

    def send(self, message: bytes) -> None:
        self.said.append((self.clock.monotonic_ns() / 1e9, message))

    def abort(self) -> None:
        self.aborted += 1


async def passing(clock: ManualClock, seconds: float) -> None:
    for _ in range(round(seconds * 10)):
        for _ in range(10):
            await asyncio.sleep(0)
        clock.advance(0.1)


async def test_the_first_passes_at_once_and_the_others_as_the_budget_lets_them() -> None:
    clock = ManualClock(1_790_000_010_000_000_000)
    heard = Heard(clock)
    outbox = Outbox(heard, CallBudget(clock, per_s=2.0, burst=1))
    running = asyncio.ensure_future(outbox.run())
    begun_s, sent = clock.monotonic_ns() / 1e9, []
    for number in range(6):
        outbox.put(b"%d" % number, lambda number=number: sent.append(number))  # type: ignore[misc]
    assert [message for _, message in heard.said] == [b"0"]
    await passing(clock, 5)
    assert [message for _, message in heard.said] == [b"0", b"1", b"2", b"3", b"4", b"5"]
    assert sent == [0, 1, 2, 3, 4, 5]
    assert [at - begun_s for at, _ in heard.said] == pytest.approx([0, 0, 0.5, 1, 1.5, 2], abs=0.15)
    running.cancel()


async def test_without_a_budget_everything_passes_at_once() -> None:
    clock = ManualClock(1_790_000_010_000_000_000)
    heard = Heard(clock)
    outbox = Outbox(heard, None)
    for number in range(50):
        outbox.put(b"%d" % number)
    assert len(heard.said) == 50


async def test_whoever_has_too_much_to_say_begins_anew() -> None:
    clock = ManualClock(1_790_000_010_000_000_000)
    heard = Heard(clock)
    outbox = Outbox(heard, CallBudget(clock, per_s=1.0, burst=1))
    for _ in range(MOST + 1):
        outbox.put(b"x")
    assert heard.aborted == 0
    outbox.put(b"x")
    assert heard.aborted == 1
