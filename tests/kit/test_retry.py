from __future__ import annotations

import asyncio
import random

import pytest

from sextant.errors import Rejected, Throttled, Unreachable, VenueError, WireError
from sextant.kit.clock import Deadline, ManualClock
from sextant.kit.retry import Backoff, Retrying, passing, stated_wait_s

RESET = Unreachable("reset", reason="reset")


class Calls:
    """Raises its failures one after the other, then answers."""

    def __init__(self, *failures: VenueError) -> None:
        self.failures = list(failures)
        self.count = 0

    async def __call__(self) -> str:
        self.count += 1
        if self.failures:
            raise self.failures.pop(0)
        return "answer"


def _retrying(clock: ManualClock, fraction: float = 0.5) -> Retrying:
    return Retrying(clock, lambda: fraction)


async def _drive(clock: ManualClock, work: asyncio.Future[str], *, steps: int = 100) -> list[float]:
    """Advance in steps of 50 ms until the work is done; the instants of every step."""
    instants = []
    for _ in range(steps):
        for _ in range(5):
            await asyncio.sleep(0)
        if work.done():
            break
        clock.advance(0.05)
        instants.append(clock.monotonic_ns() / 1e9)
    return instants


async def test_a_read_is_repeated_at_most_twice() -> None:
    clock = ManualClock()
    calls = Calls(RESET, RESET)
    work = asyncio.ensure_future(_retrying(clock).run(calls, Deadline(clock, 10)))
    await _drive(clock, work)
    assert (work.result(), calls.count) == ("answer", 3)

    calls = Calls(RESET, RESET, RESET)
    work = asyncio.ensure_future(_retrying(clock).run(calls, Deadline(clock, 10)))
    await _drive(clock, work)
    with pytest.raises(Unreachable):
        work.result()
    assert calls.count == 3


async def test_the_first_wait_is_half_of_its_bound_at_a_fraction_of_one_half() -> None:
    clock = ManualClock()
    calls = Calls(RESET)
    work = asyncio.ensure_future(_retrying(clock).run(calls, Deadline(clock, 10)))
    assert len(await _drive(clock, work)) == 2  # .5 * .2 s = two steps of 50 ms


@pytest.mark.parametrize(
    "failure",
    [
        Throttled("slow down", retry_after_s=1.0),
        Rejected("no", reason="http_404"),
        WireError("field gone", reason="shape"),
        Unreachable("bad name on the certificate", reason="tls"),
    ],
)
async def test_what_would_come_again_is_not_repeated(failure: VenueError) -> None:
    clock = ManualClock()
    calls = Calls(failure)
    with pytest.raises(type(failure)):
        await _retrying(clock).run(calls, Deadline(clock, 10))
    assert calls.count == 1


async def test_a_wait_that_would_pass_the_deadline_is_not_begun() -> None:
    clock = ManualClock()
    calls = Calls(RESET)
    with pytest.raises(Unreachable):
        await _retrying(clock).run(calls, Deadline(clock, 0.1))
    assert (calls.count, clock.monotonic_ns()) == (1, 0)


async def test_a_stated_wait_is_the_least_that_is_waited() -> None:
    clock = ManualClock()
    calls = Calls(Unreachable("busy", reason="http_503", retry_after_s=1.0))
    work = asyncio.ensure_future(_retrying(clock).run(calls, Deadline(clock, 10)))
    assert (await _drive(clock, work))[-1] == pytest.approx(1.0)
    assert work.result() == "answer"


def test_full_jitter_stays_between_nothing_and_a_bound_that_doubles_up_to_the_longest() -> None:
    backoff = Backoff(first_s=0.2, longest_s=2.0)
    assert [backoff.wait_s(attempt, lambda: 1.0) for attempt in range(6)] == pytest.approx(
        [0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    )
    assert backoff.wait_s(10_000, lambda: 1.0) == 2.0
    drawn = random.Random(7)  # noqa: S311  # seeded, not secret
    waits = [backoff.wait_s(3, drawn.random) for _ in range(1000)]
    assert min(waits) < 0.05
    assert 0.75 < sum(waits) / 1000 < 0.85  # the mean of an even draw from 0 to 1.6


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("30", 30.0),
        (" 7 ", 7.0),
        ("0", None),
        ("-5", None),
        ("1000000000", 300.0),
        ("9" * 400, 300.0),
        ("soon", None),
        ("1e3", None),
        ("\u0661\u0662", None),
        ("Sun, 09 Aug 2026 21:27:27 GMT", 30.0),
        ("Sun, 09 Aug 2026 21:26:00 GMT", None),
        ("Fri, 09 Aug 2126 21:27:27 GMT", 300.0),
        ("Fri, 99 Aug 2126 21:27:27 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date_and_capped(text: str | None, seconds: float | None) -> None:
    now_ns = 1_786_310_817_000_000_000  # 2026-08-09 21:26:57 UTC
    assert stated_wait_s(text, now_ns) == seconds


def test_only_missing_or_broken_answers_may_pass() -> None:
    assert passing(RESET)
    assert passing(WireError("a page", reason="bad_body"))
    assert not passing(WireError("too much", reason="too_large"))
