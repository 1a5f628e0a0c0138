"""Against a made venue that answers each question from the time alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest

from sextant.errors import Throttled, Unreachable
from sextant.kit.clock import Deadline, ManualClock
from sextant.kit.http import Answer
from sextant.model.events import DerivativesUpdate, Event, OpenInterestPoint
from sextant.model.times import MINUTE_NS, SECOND_NS
from sextant.venues.library.bybit import VENUE
from sextant.venues.library.deribit import VENUE as DERIBIT
from sextant.venues.points import POINTS, GridPoints, pause_s
from sextant.venues.port import Listing
from support.listings import BTC, BTC_SPOT, ETH
from support.loopback import advance_until

STEP_NS = 5 * MINUTE_NS
MS = 1_000_000


ASKED_NS = 1_786_310_700 * 10**9
"""A time of the grid."""


class Archive:
    """Who is asked: each answer follows from the time and the name alone."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.asked: list[tuple[str, str, float]] = []
        self.failing: list[Exception] = []

    async def get(self, path: str, query: Sequence[tuple[str, str]], deadline: Deadline) -> Answer:
        assert deadline.remaining_s() > 0
        named, subject = dict(query), path.rpartition("/")[2]
        seconds = (self.clock.now_ns() - ASKED_NS) / SECOND_NS
        self.asked.append((subject, named["symbol"], seconds))
        if self.failing:
            raise self.failing.pop(0)
        newest = int(named["endTime"]) * MS // STEP_NS
        fields = (
            {"openInterest": "12", "singleOpenInterest": "6"}
            if subject == "open-interest"
            else {"symbol": named["symbol"], "buyRatio": "0.6"}
        )
        rows = [
            fields | {"timestamp": str((newest - at) * STEP_NS // MS)} for at in range(int(named["limit"]))
        ]
        body = {"retCode": 0, "retMsg": "OK", "result": {"list": rows}, "time": 1}
        return Answer(json.dumps(body).encode(), self.clock.now_ns(), {})

    async def post(self, path: str, deadline: Deadline) -> Answer:
        raise AssertionError((path, deadline))


class Rounds:
    """What is asked from fifteen seconds after a time of the grid on."""

    def __init__(self, *held: Listing) -> None:
        self.clock = ManualClock(ASKED_NS - 285 * SECOND_NS)
        self.archive = Archive(self.clock)
        self.events: list[Event] = []
        self.held = list(held)

    async def reads(self, count: int) -> list[tuple[str, str, float]]:
        """The first reads: of what, whose, and when."""
        points = GridPoints(VENUE, self.archive, self.clock, self.events.extend)
        running = asyncio.ensure_future(points.run(lambda: self.held))
        await advance_until(self.clock, 7.5, lambda: len(self.archive.asked) >= count, most=5_000)
        for _ in range(5):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return self.archive.asked


async def test_each_perpetual_is_asked_once_a_round_after_the_grid_and_spot_never() -> None:
    asked = await Rounds(BTC, BTC_SPOT, ETH).reads(8)
    # Ninety seconds over four reads, from fifteen seconds after each five minutes on.
    assert asked == [
        ("open-interest", "BTCUSDT", 37.5),
        ("account-ratio", "BTCUSDT", 60.0),
        ("open-interest", "ETHUSDT", 82.5),
        ("account-ratio", "ETHUSDT", 105.0),
        ("open-interest", "BTCUSDT", 337.5),
        ("account-ratio", "BTCUSDT", 360.0),
        ("open-interest", "ETHUSDT", 382.5),
        ("account-ratio", "ETHUSDT", 405.0),
    ]


async def test_points_are_told_with_their_own_times() -> None:
    stage = Rounds(ETH)
    await stage.reads(2)
    times = [ASKED_NS - 2 * STEP_NS, ASKED_NS - STEP_NS, ASKED_NS]
    interest = [event for event in stage.events if isinstance(event, OpenInterestPoint)]
    assert [(event.event_ns, event.open_interest) for event in interest] == [(at, 6.0) for at in times]
    shares = [event for event in stage.events if isinstance(event, DerivativesUpdate)]
    assert [(event.event_ns, event.long_share) for event in shares] == [(at, 0.6) for at in times]


async def test_who_came_later_is_asked_first_in_the_next_round() -> None:
    stage = Rounds(BTC)
    asking = asyncio.ensure_future(stage.reads(6))
    await advance_until(stage.clock, 7.5, lambda: len(stage.archive.asked) >= 2, most=5_000)
    stage.held.append(ETH)
    await advance_until(stage.clock, 7.5, asking.done, most=5_000)
    assert [name for _, name, _ in await asking] == ["BTCUSDT"] * 2 + ["ETHUSDT"] * 2 + ["BTCUSDT"] * 2


@pytest.mark.parametrize(
    ("error", "waits_s"),
    [(Throttled("slow down", retry_after_s=30.0), 30.0), (Unreachable("away", reason="reset"), 0.0)],
)
async def test_a_read_that_fails_is_left_and_silence_is_kept(error: Exception, waits_s: float) -> None:
    stage = Rounds(BTC)
    stage.archive.failing.append(error)
    asked = await stage.reads(2)
    assert [seconds for _, _, seconds in asked] == [60.0, 105.0 + waits_s]
    assert len(stage.events) == POINTS


async def test_a_venue_without_the_history_is_never_asked() -> None:
    stage = Rounds(BTC)
    await GridPoints(DERIBIT, stage.archive, stage.clock, stage.events.extend).run(lambda: stage.held)
    assert stage.archive.asked == []
    assert pause_s(1_000, 2.5) == 2.0
