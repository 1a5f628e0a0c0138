"""Against a made venue that answers each question from the time alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from sextant.errors import Throttled, Unreachable
from sextant.kit.clock import Deadline, ManualClock
from sextant.kit.http import Answer
from sextant.model.events import DerivativesUpdate, Event
from sextant.model.times import MINUTE_NS
from sextant.venues.library.bybit import VENUE
from sextant.venues.library.deribit import VENUE as DERIBIT
from sextant.venues.port import Listing
from sextant.venues.ratios import POINTS, ROUND_S, AccountRatios, pause_s
from support.listings import BTC, BTC_SPOT, ETH
from support.loopback import advance_until

STEP_NS = 5 * MINUTE_NS
MS = 1_000_000


class Crowd:
    """Who is asked: the share is .5 for BTC and .6 for the rest."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.asked: list[tuple[str, float]] = []
        self.failing: list[Exception] = []

    async def get(self, path: str, query: Sequence[tuple[str, str]], deadline: Deadline) -> Answer:
        assert path == "/v5/market/account-ratio"
        assert deadline.remaining_s() > 0
        named = dict(query)
        self.asked.append((named["symbol"], self.clock.monotonic_ns() / 1e9))
        if self.failing:
            raise self.failing.pop(0)
        newest = int(named["endTime"]) * MS // STEP_NS
        share = "0.5" if named["symbol"].startswith("BTC") else "0.6"
        rows = [
            {"symbol": named["symbol"], "buyRatio": share, "timestamp": str((newest - at) * STEP_NS // MS)}
            for at in range(int(named["limit"]))
        ]
        body = {"retCode": 0, "retMsg": "OK", "result": {"list": rows}, "time": 1}
        return Answer(json.dumps(body).encode(), self.clock.now_ns(), {})

    async def post(self, path: str, deadline: Deadline) -> Answer:
        raise AssertionError((path, deadline))


class Round:
    def __init__(self, *held: Listing) -> None:
        self.clock = ManualClock(1_786_310_817_000_000_000)
        self.crowd = Crowd(self.clock)
        self.events: list[Event] = []
        self.held = list(held)

    async def reads(self, count: int) -> list[tuple[str, float]]:
        """The first reads: whose, and when."""
        ratios = AccountRatios(VENUE, self.crowd, self.clock, self.events.extend)
        running = asyncio.ensure_future(ratios.run(lambda: self.held))
        await advance_until(self.clock, 10.0, lambda: len(self.crowd.asked) >= count, most=5_000)
        for _ in range(5):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return self.crowd.asked


async def test_each_perpetual_is_asked_once_a_round_and_spot_never() -> None:
    asked = await Round(BTC, BTC_SPOT, ETH).reads(4)
    assert [name for name, _ in asked] == ["BTCUSDT", "ETHUSDT", "BTCUSDT", "ETHUSDT"]
    assert [at for _, at in asked] == [ROUND_S + 150.0 * turn for turn in (1, 2, 3, 4)]


async def test_points_are_told_with_their_own_times() -> None:
    stage = Round(ETH)
    await stage.reads(1)
    told = [event for event in stage.events if isinstance(event, DerivativesUpdate)]
    assert [event.long_share for event in told] == [0.6] * POINTS
    newest_ns = stage.clock.now_ns() // STEP_NS * STEP_NS
    assert [event.event_ns for event in told] == [newest_ns - 2 * STEP_NS, newest_ns - STEP_NS, newest_ns]


async def test_who_came_later_is_asked_next() -> None:
    stage = Round(BTC)
    asking = asyncio.ensure_future(stage.reads(4))
    await advance_until(stage.clock, 10.0, lambda: len(stage.crowd.asked) >= 2, most=5_000)
    stage.held.append(ETH)
    await advance_until(stage.clock, 10.0, asking.done, most=5_000)
    assert [name for name, _ in await asking] == ["BTCUSDT", "BTCUSDT", "BTCUSDT", "ETHUSDT"]


@pytest.mark.parametrize(
    ("error", "waits_s"),
    [(Throttled("slow down", retry_after_s=40.0), 40.0), (Unreachable("away", reason="reset"), 0.0)],
)
async def test_a_read_that_fails_is_left_and_silence_is_kept(error: Exception, waits_s: float) -> None:
    stage = Round(BTC, ETH)
    stage.crowd.failing.append(error)
    asked = await stage.reads(2)
    assert asked == [("BTCUSDT", ROUND_S + 150.0), ("ETHUSDT", ROUND_S + 300.0 + waits_s)]
    assert len(stage.events) == POINTS


async def test_a_venue_without_the_history_is_never_asked() -> None:
    stage = Round(BTC)
    await AccountRatios(DERIBIT, stage.crowd, stage.clock, stage.events.extend).run(lambda: stage.held)
    slow = replace(VENUE, limits=replace(VENUE.limits, requests_per_s=2.5))
    assert pause_s(1_000, slow.limits.requests_per_s) == 2.0
    assert stage.crowd.asked == []
