"""Against a loopback venue that keeps a history and answers as Bybit documents: newest first, bounded pages."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from sextant.kit.clock import Deadline, ManualClock
from sextant.kit.http import HttpSettings, RestClient
from sextant.kit.retry import Retrying
from sextant.model.bar import BarBlock
from sextant.model.events import DerivativesUpdate, Event, FundingSettled, OpenInterestPoint
from sextant.model.times import HOUR_NS, INTERVAL_NS, MINUTE_NS, Interval
from sextant.venues.backfill import Backfill, Failure, Plan, Progress, tasks
from sextant.venues.library.bybit import VENUE
from sextant.venues.library.bybit.frames import INTERVAL_OF
from sextant.venues.port import Listing
from support.listings import BTC, BTC_SPOT, ETH, listing
from support.loopback import advance_until, serving

NOW_NS = 1_786_310_817_000_000_000
MS = 1_000_000


class Archive:
    """A venue's past: one row at every step since the listing; values follow from the time alone."""

    def __init__(self, clock: ManualClock, listed_ns: int = 0) -> None:
        self.clock = clock
        self.listed_ns = listed_ns
        self.asked: list[dict[str, str]] = []
        self.failing: list[web.Response] = []
        self.broken: set[str] = set()
        self.busy = 0
        self.busiest = 0

    async def serve(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        self.asked.append({"path": request.path, **query})
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        await asyncio.sleep(0)
        self.busy -= 1
        if self.failing:
            return self.failing.pop(0)
        if query["symbol"] in self.broken:
            return self._answer({"list": [{"surprise": 1}]})
        return self._answer({"list": self._rows(request.path, query)})

    def _answer(self, result: object, code: int = 0) -> web.Response:
        time = self.clock.now_ns() // MS
        return web.json_response({"retCode": code, "retMsg": "", "result": result, "time": time})

    def _rows(self, path: str, query: dict[str, str]) -> list[object]:
        if path.endswith("/kline"):
            step, most, end = INTERVAL_NS[INTERVAL_OF[query["interval"]]], 1000, query["end"]
        elif path.endswith("/funding/history"):
            step, most, end = 8 * HOUR_NS, 200, query["endTime"]
        elif path.endswith("/open-interest"):
            step, most, end = 5 * MINUTE_NS, 200, query["endTime"]
        else:
            step, most, end = 5 * MINUTE_NS, 500, query["endTime"]
        newest_ns = int(end) * MS // step * step
        rows: list[object] = []
        for number in range(min(int(query["limit"]), most)):
            at_ns = newest_ns - number * step
            if at_ns < self.listed_ns:
                break
            rows.append(self._row(path, str(at_ns // MS), at_ns // step))
        return rows

    def _row(self, path: str, at: str, number: int) -> object:
        price = str(100 + number % 7)
        if path.endswith("/kline"):
            return [at, price, price, price, price, "1", price]
        if path.endswith("/funding/history"):
            return {"symbol": "x", "fundingRate": "0.0001", "fundingRateTimestamp": at}
        if path.endswith("/open-interest"):
            return {"openInterest": str(2 * (number % 11)), "timestamp": at}
        return {"symbol": "x", "buyRatio": "0.5", "sellRatio": "0.5", "timestamp": at}


class Stage:
    def __init__(self, clock: ManualClock, archive: Archive, client: RestClient) -> None:
        self.clock = clock
        self.archive = archive
        self.client = client
        self.events: list[Event] = []
        self.progress: list[Progress] = []

    async def run(self, listings: Sequence[Listing], plan: Plan, seconds: float = 600) -> tuple[Failure, ...]:
        backfill = Backfill(VENUE, self.client, self.clock, self.events.extend, self.progress.append)
        work = asyncio.ensure_future(backfill.run(listings, Deadline(self.clock, seconds), plan))
        await advance_until(self.clock, 0.1, work.done, most=10_000)
        return work.result()

    def block(self, interval: Interval) -> BarBlock:
        (found,) = [
            event for event in self.events if isinstance(event, BarBlock) and event.interval == interval
        ]
        return found


@asynccontextmanager
async def staged(listed_ns: int = 0) -> AsyncIterator[Stage]:
    clock = ManualClock(NOW_NS)
    archive = Archive(clock, listed_ns)
    async with serving(archive.serve) as host:
        settings = HttpSettings(refusal=VENUE.refusal)
        async with RestClient(f"http://{host}", Retrying(clock, lambda: 0.5), settings) as client:
            yield Stage(clock, archive, client)


def only(**wanted: int) -> Plan:
    return Plan(bars={}, **({"funding": 0, "open_interest": 0, "account_ratio": 0} | wanted))


def test_long_frames_come_first_for_every_instrument_and_the_plan_feeds_every_indicator() -> None:
    order = [(task.subject, task.interval, task.rows) for task in tasks(VENUE, [BTC, ETH], Plan())]
    assert order[::2] == order[1::2]
    assert order[::2] == [
        ("bars", "4h", 1000),
        ("bars", "1h", 1000),
        ("funding", None, 200),
        ("open_interest", None, 400),
        ("account_ratio", None, 500),
        ("bars", "1m", 3000),
        ("bars", "5m", 1000),
        ("bars", "30m", 1000),
        ("bars", "1d", 1000),
    ]


def test_only_perpetuals_have_funding_interest_and_ratios() -> None:
    assert {task.subject for task in tasks(VENUE, [BTC_SPOT], Plan())} == {"bars"}


async def test_three_thousand_bars_are_one_block_without_gap_or_forming_bar() -> None:
    async with staged() as stage:
        assert (
            await stage.run([BTC], Plan(bars={"1m": 3000}, funding=0, open_interest=0, account_ratio=0)) == ()
        )
        block = stage.block("1m")
        last_ns = NOW_NS // MINUTE_NS * MINUTE_NS - MINUTE_NS  # the last minute that had ended
        assert block.open_ns.tolist() == list(range(last_ns - 2999 * MINUTE_NS, last_ns + 1, MINUTE_NS))
        assert block.close[:, 0].tolist() == [100 + at // MINUTE_NS % 7 for at in block.open_ns.tolist()]
        assert math.isnan(block.taker_buy_volume[0, 0])
        assert block.instruments == (BTC.instrument,)
        assert [int(asked["limit"]) for asked in stage.archive.asked] == [1000, 1000, 1000, 1]


async def test_a_younger_instrument_has_a_shorter_history() -> None:
    async with staged(listed_ns=NOW_NS - 90 * MINUTE_NS) as stage:
        assert await stage.run([BTC], Plan(bars={"1m": 3000, "1d": 1000})) == ()
        assert len(stage.block("1m").open_ns) == 89  # 90 rows, the last still forming
        assert not [event for event in stage.events if isinstance(event, BarBlock) and event.interval == "1d"]


async def test_points_are_paged_oldest_first_without_repeats() -> None:
    async with staged() as stage:
        assert await stage.run([BTC], only(open_interest=400, funding=200, account_ratio=500)) == ()
        interest = [event for event in stage.events if isinstance(event, OpenInterestPoint)]
        newest_ns = NOW_NS // (5 * MINUTE_NS) * 5 * MINUTE_NS
        assert [point.event_ns for point in interest] == list(
            range(newest_ns - 399 * 5 * MINUTE_NS, newest_ns + 1, 5 * MINUTE_NS)
        )
        assert interest[0].open_interest == interest[0].event_ns // (5 * MINUTE_NS) % 11
        assert len([event for event in stage.events if isinstance(event, FundingSettled)]) == 200
        ratios = [event for event in stage.events if isinstance(event, DerivativesUpdate)]
        assert (len(ratios), {ratio.long_share for ratio in ratios}) == (500, {0.5})
        assert len(stage.archive.asked) == 4


async def test_what_fails_is_told_with_its_reason_and_the_rest_goes_on() -> None:
    async with staged() as stage:
        stage.archive.broken.add("BTCUSDT")
        failures = await stage.run([BTC, ETH], only(funding=200))
        assert [(failure.task.listing, failure.code) for failure in failures] == [(BTC, "wire_error")]
        assert {event.instrument for event in stage.events if isinstance(event, FundingSettled)} == {
            ETH.instrument
        }
        assert stage.progress[-1] == Progress(done=2, failed=1, total=2, reads=2)


async def test_a_busy_venue_is_asked_again_although_it_answered_200() -> None:
    async with staged() as stage:
        stage.archive.failing.append(stage.archive._answer({}, code=10016))
        stage.archive.failing.append(web.Response(status=503))
        assert await stage.run([BTC], only(funding=200)) == ()
        assert len(stage.archive.asked) == 3


@pytest.mark.parametrize("limited", ["429", "10006"])
async def test_a_venue_that_asks_for_silence_gets_it_from_all_workers(limited: str) -> None:
    async with staged() as stage:
        many = [listing(f"C{number}USDT", f"C{number}") for number in range(30)]
        stage.archive.failing.append(
            web.Response(status=429, headers={"Retry-After": "30"})
            if limited == "429"
            else stage.archive._answer({}, code=10006)
        )
        start_ns = stage.clock.monotonic_ns()
        assert await stage.run(many, only(funding=1)) == ()
        waited_s = (stage.clock.monotonic_ns() - start_ns) / 1e9
        assert (30 <= waited_s < 40) if limited == "429" else (1 <= waited_s < 10)
        assert len(stage.archive.asked) <= 30 + 16  # the workers that were under way


async def test_a_ban_longer_than_the_deadline_ends_every_task_without_a_further_call() -> None:
    async with staged() as stage:
        stage.archive.failing.append(web.Response(status=403, text="403, access too frequent"))
        many = [listing(f"C{number}USDT", f"C{number}") for number in range(60)]
        failures = await stage.run(many, only(funding=1), seconds=60)
        assert 44 <= len(failures) <= 60  # at most the workers under way got an answer
        assert {failure.code for failure in failures} == {"throttled"}
        assert len(stage.archive.asked) <= 16


async def test_requests_stay_within_the_budget_and_a_few_at_a_time() -> None:
    async with staged() as stage:
        many = [listing(f"C{number}USDT", f"C{number}") for number in range(400)]
        start_ns = stage.clock.monotonic_ns()
        assert await stage.run(many, only(funding=1)) == ()
        seconds = (stage.clock.monotonic_ns() - start_ns) / 1e9
        assert len(stage.archive.asked) == 400
        assert 20 + 100 * seconds + 1 >= 400  # the burst, and the rate since
        assert stage.archive.busiest <= 16
        assert [progress.done for progress in stage.progress] == list(range(1, 401))


async def test_what_the_deadline_leaves_undone_is_told() -> None:
    async with staged() as stage:
        many = [listing(f"C{number}USDT", f"C{number}") for number in range(400)]
        failures = await stage.run(many, only(funding=1), seconds=1)
        assert 0 < len(failures) < 400
        assert {failure.code for failure in failures} <= {"budget_exceeded", "unreachable"}
        assert json.dumps([failure.message for failure in failures])
