"""faults.md S12: an indicator that computes for ever costs its own scan and nobody's market, and where it stands on the loop it is named."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import numpy as np
import pytest
from structlog.testing import capture_logs

from sextant.cli.looping import SWITCH_S
from sextant.indicators.contract import Indicator, Output, State, batch
from sextant.kit import watchdog
from sextant.kit.clock import Deadline, ManualClock, SystemClock
from sextant.kit.watchdog import Watchdog
from sextant.model.account import Account
from sextant.model.events import BookDelta, Event
from sextant.model.instrument import Instrument
from sextant.scans.crew import THREADS, Crew
from sextant.scans.records import ScanRequest
from sextant.scans.run import Asked
from sextant.scans.universe import choose
from support.house import MOMENTUM, market, misbehaving
from support.plane import BTC, ETH, Plane, plane

SETTLED_S: Final = 20.0
WATCHED_S: Final = 5.0
BURSTS: Final = 6
MANY_TRADES: Final = {
    "at": {"topic": "publicTrade.BTCUSDT", "message": 5},
    "fault": "burst",
    "messages": 1_024,
    "times": BURSTS,
}


class Heavy:
    """An indicator in plain Python that does not end before it is let go."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.entered = threading.Semaphore(0)

    def compute(self) -> dict[str, Any]:
        """Its outputs of a few bars, by the way every indicator is computed."""
        kept = Indicator(
            name="heavy",
            inputs=("close",),
            outputs=(Output("heavy", "number"),),
            params=(),
            warmup=lambda _: 0,
            settle=lambda _: 0,
            start=lambda columns, _: (np.zeros((1, columns)),),
            advance=self.never_ending_indicator,
            source="none",
        )
        return batch(kept, {"close": np.ones((3, 2))}, 0, {})

    def never_ending_indicator(
        self, _: State, __: int, ___: tuple[Any, ...], outputs: tuple[Any, ...], ____: tuple[Any, ...]
    ) -> None:
        """Keep the interpreter busy until it is let go."""
        self.entered.release()
        total = 0.0
        while not self.released.is_set():
            total += sum(number**0.5 for number in range(200))
        outputs[0][:] = total


def scan_of(heavy: Heavy) -> tuple[Any, Asked]:
    """A strategy that computes the indicator, and what it is asked."""

    def evaluate(*_: object) -> Any:
        heavy.compute()
        raise ZeroDivisionError

    part = market()
    asked = Asked(part, choose(part.view, ScanRequest(), part.turnover_usd), Account(), ScanRequest())
    return misbehaving(evaluate=evaluate)[MOMENTUM], asked


def timed(p: Plane) -> list[float]:
    """Processor seconds of the loop's own thread for each call of the learner from now on."""
    learn: Callable[[Iterable[Event]], Sequence[Instrument]] = p.learn
    spent: list[float] = []

    def watched(events: Iterable[Event]) -> Sequence[Instrument]:
        begun = time.thread_time()
        lost = learn(events)
        spent.append(time.thread_time() - begun)
        return lost

    p.feed._learn = watched  # the feed was made with the learner; only the measure is added
    return spent


@asynccontextmanager
async def held(heavy: Heavy) -> AsyncIterator[list[asyncio.Task[Any]]]:
    """As many scans as compute at once, each within the indicator, until the block ends."""
    crew, interval = Crew(), sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)  # as every serving process does
    deadline = Deadline(ManualClock(), 3_600.0)
    scans = [asyncio.ensure_future(crew.guarded(*scan_of(heavy), deadline)) for _ in range(THREADS)]
    try:
        for _ in range(THREADS):
            assert await asyncio.to_thread(heavy.entered.acquire, timeout=60.0)
        yield scans
    finally:
        heavy.released.set()
        await asyncio.gather(*scans)
        crew.close()
        sys.setswitchinterval(interval)


async def test_s12_a_heavy_indicator_of_every_scan_leaves_the_market_to_the_loop() -> None:
    heavy = Heavy()
    async with plane([MANY_TRADES], instruments=4) as p:
        await p.until(lambda: p.valid(BTC) and p.valid(ETH), SETTLED_S)
        spent = timed(p)
        with capture_logs() as lines:
            async with held(heavy) as scans:
                watching = asyncio.ensure_future(Watchdog(SystemClock()).watch())
                before = p.count(BookDelta)
                for _ in range(round(WATCHED_S)):
                    await p.pass_time(1.0)
                    assert p.true(BTC)
                    assert p.true(ETH)
                await p.until(lambda: p.struck("burst") == BURSTS, 30)
                assert not any(scan.done() for scan in scans)  # all that time they were within the indicator
                assert p.count(BookDelta) - before > 2 * WATCHED_S
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
            ends = [scan.result().report for scan in scans]
        assert [(end.outcome, end.reason) for end in ends] == [("failed", "ZeroDivisionError")] * THREADS
        assert p.breaks == []
        assert p.venue.counters.slow_clients == 0
        blamed = [line for line in lines if line["event"] == "loop.blocked"]
        assert not any(Heavy.never_ending_indicator.__name__ in str(line["stack"]) for line in blamed)
        spent.sort()
        p99, worst = spent[int(0.99 * (len(spent) - 1))], spent[-1]
        told = f"S12: {len(spent)} calls of the handler, 99 of 100 within {p99 * 1e3:.2f} ms, worst {worst * 1e3:.2f} ms\n"
        sys.stderr.write(told)


async def test_s12_a_scan_whose_indicator_does_not_end_is_late_and_the_next_has_room() -> None:
    heavy, crew = Heavy(), Crew()
    strategy, asked = scan_of(heavy)
    late = await crew.guarded(strategy, asked, Deadline(SystemClock(), 0.2))
    assert (late.report.outcome, late.report.reason) == ("late", "deadline")
    assert await crew.run(lambda given: given + 1, 1, Deadline(SystemClock(), 60), "next") == 2
    heavy.released.set()
    crew.close()


async def test_s12_an_indicator_that_holds_the_loop_is_named_while_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watchdog, "BLOCKED_S", 0.2)
    monkeypatch.setattr(watchdog, "BEAT_S", 0.02)
    heavy = Heavy()
    with capture_logs() as lines:

        def let_go_once_named() -> None:
            for _ in range(6_000):
                if any(line["event"] == "loop.blocked" for line in lines):
                    break
                time.sleep(0.01)
            heavy.released.set()

        watching = asyncio.ensure_future(Watchdog(SystemClock()).watch())
        await asyncio.sleep(0.1)
        letting = threading.Thread(target=let_go_once_named)
        letting.start()
        heavy.compute()  # what no part of the house does: on the loop
        letting.join()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    told = [line for line in lines if line["event"] == "loop.blocked"]
    named = [
        frame
        for line in told
        for frame in line["stack"]
        if frame.endswith(Heavy.never_ending_indicator.__name__)
    ]
    assert named
    assert named[0].startswith("test_market_pressure.py:")
