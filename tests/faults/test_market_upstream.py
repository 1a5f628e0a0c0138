"""faults.md U1 to U16 at a venue's REST interface: limits, bans, broken answers, clocks and keys."""

from __future__ import annotations

import asyncio
import email.utils
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from sextant.errors import Rejected, Throttled
from sextant.kit.clock import Deadline, ManualClock
from sextant.kit.http import Answer
from sextant.kit.silences import Silences
from sextant.model.times import SECOND_NS
from sextant.sim.bybit import Simulation
from sextant.venues.asking import broker_of
from sextant.venues.broker import Broker, Call, Limit, Policy, Priority
from sextant.venues.feed import Feed, Wanted, at
from sextant.venues.library.bybit import VENUE
from support.accounts import START_NS as ACCOUNT_NS
from support.accounts import reading
from support.loopback import advance_until
from support.plane import BTC, ETH, START_NS, Plane, plane

SETTLED_S = 20.0
LISTINGS = "/v5/market/instruments-info"
QUOTES = "/v5/market/tickers"
BALANCES = "/v5/account/wallet-balance"
LONGEST_S = 300.0  # U2: whatever a venue asks for
COARSE_S = 5.0  # of waiting for that, in which nothing else is looked at
REFRESHED_S = 605.0  # the list is read again every ten minutes


def call(number: int, fault: str, path: str = LISTINGS, **details: Any) -> Mapping[str, Any]:
    """One line of a script about a read."""
    return {"at": {"call": number, "path": path}, "fault": fault, **details}


async def settled(p: Plane, within_s: float = SETTLED_S) -> float:
    return await p.until(lambda: p.valid(BTC) and p.valid(ETH), within_s)


def counted(p: Plane) -> None:
    """A correct client leaves these at zero."""
    assert p.venue.counters.after_retry_after == 0
    assert p.venue.counters.after_ban == 0
    assert p.venue.counters.forbidden == 0


@asynccontextmanager
async def another(venue: Simulation, clock: ManualClock, folder: Path) -> AsyncIterator[Feed]:
    """A further process's feed of the same venue, whose bans lie in the same folder."""
    moved = at(VENUE, venue.base_url, venue.base_url.replace("http", "ws", 1))
    feed = Feed(moved, clock, lambda _: [], Wanted(most=4, history=None))
    feed.within(broker_of(VENUE, clock, folder))
    feed.draw(random.Random(8).random)  # noqa: S311  # a repeatable run, no secret
    running = asyncio.ensure_future(feed.run())
    try:
        yield feed
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_u1_nobody_calls_before_the_time_that_a_venue_asked_for(tmp_path: Path) -> None:
    async with plane([call(1, "limited", retry_after=30)], tmp_path) as p:
        await p.until(lambda: ("market", "rate_limited") in p.calls, 5)
        assert await settled(p, 45) >= 25
        counted(p)


WAITS: Mapping[str, tuple[Any, float, float]] = {
    "0": (0, 0.0, 30.0),
    "missing": (None, 0.0, 30.0),
    "a date": (email.utils.formatdate(START_NS / SECOND_NS + 40, usegmt=True), 30.0, 70.0),
    "for ever": (10**9, LONGEST_S - 10, LONGEST_S + 30),
    "negative": (-5, 0.0, 30.0),
    "a word": ("soon", 0.0, 30.0),
}


@pytest.mark.parametrize("wait", WAITS)
async def test_u2_a_wait_in_any_spelling_is_kept_within_five_minutes(wait: str, tmp_path: Path) -> None:
    stated, least_s, most_s = WAITS[wait]
    details = {} if stated is None else {"retry_after": stated}
    async with plane([call(1, "limited", **details)], tmp_path) as p:
        assert least_s <= await settled(p, most_s) <= most_s


async def test_u3_a_ban_holds_for_every_process_and_over_a_restart(tmp_path: Path) -> None:
    script = [{"at": {"after_s": 10}, "fault": "banned"}, {"at": {"after_s": 10}, "fault": "reset"}]
    async with plane(script, tmp_path) as p:
        async with another(p.venue, p.clock, tmp_path):
            await settled(p)
            await p.until(lambda: p.struck("banned") == 1, 15)
            # The first call or connection after the ban learns of it; from then on nobody comes.
            await p.pass_time(60)
            learnt = p.venue.counters.after_ban
            assert (
                1 <= learnt <= 4
            )  # whoever comes first learns of it; a connection and a read of each may be under way
            await p.pass_time(300)
        async with another(p.venue, p.clock, tmp_path):
            await p.pass_time(220)
            assert p.venue.counters.after_ban == learnt
            assert not p.valid()
            await p.until(lambda: p.valid(BTC) and p.valid(ETH), 180)
        assert p.venue.counters.bans == 1


async def test_u3_the_call_that_is_answered_by_a_ban_is_the_last_for_ten_minutes(tmp_path: Path) -> None:
    async with plane([call(1, "banned")], tmp_path) as p, another(p.venue, p.clock, tmp_path):
        await p.pass_time(590)
        assert p.venue.counters.after_ban <= 1  # the other's first call, under way with ours
        assert p.state.instruments == ()
        await settled(p, 60)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_u5_a_server_that_fails_is_asked_at_most_twice_again(status: int, tmp_path: Path) -> None:
    async with plane([call(1, "status", status=status, times=2)], tmp_path) as p:
        await settled(p)
        assert p.venue.counters.paths[LISTINGS] == len(VENUE.sockets) + 2
        assert ("market", "server_error") in p.calls
    async with plane([call(1, "status", status=status, times=50)], tmp_path) as p:
        with capture_logs() as lines:
            await p.until(lambda: any(line["event"] == "venue.unavailable" for line in lines), 10)
        assert p.calls.count(("market", "server_error")) == 3


async def test_u5_a_venue_that_says_busy_within_a_good_answer_is_asked_again(tmp_path: Path) -> None:
    busy = '{"retCode":10016,"retMsg":"Server error.","result":{},"retExtInfo":{},"time":1790000010000}'
    async with plane([call(1, "body", text=busy, times=2)], tmp_path) as p:
        await settled(p)
        assert p.venue.counters.paths[LISTINGS] == len(VENUE.sockets) + 2


@pytest.mark.parametrize("status", [200, 429, 503])
async def test_u6_a_page_in_place_of_data_is_named_cut_and_counted(status: int, tmp_path: Path) -> None:
    async with plane([call(1, "html", status=status, times=2)], tmp_path) as p:
        with capture_logs() as lines:
            await settled(p, 60)
        end = {200: "bad_body", 429: "rate_limited", 503: "server_error"}[status]
        assert ("market", end) in p.calls
        for line in lines:
            detail = str(line.get("detail", ""))
            assert len(detail) < 400
            assert "\n" not in detail
        counted(p)


DRIFTS: Mapping[str, Mapping[str, Any]] = {
    "field gone": {"field": "result.list.0.priceFilter"},
    "field renamed": {"field": "result.list.0.lotSizeFilter", "renamed": "lot_size"},
    "list became object": {"field": "result.list", "value": {}},
    "text became number": {"field": "result.list.0.priceFilter.tickSize", "value": 0.1},
    "not a number": {"field": "result.list.0.priceFilter.tickSize", "value": "NaN"},
    "infinite": {"field": "result.list.0.priceFilter.tickSize", "value": "Infinity"},
    "huge": {"field": "result.list.0.lotSizeFilter.qtyStep", "value": "1e400"},
    "sixty digits": {"field": "result.list.0.priceFilter.tickSize", "value": "9" * 60},
    "negative": {"field": "result.list.0.priceFilter.tickSize", "value": "-1"},
}


@pytest.mark.parametrize("drift", DRIFTS)
async def test_u7_a_list_that_changed_its_form_is_refused_by_name(drift: str, tmp_path: Path) -> None:
    async with plane([call(1, "drift", **DRIFTS[drift])], tmp_path) as p:
        with capture_logs() as lines:
            await p.until(lambda: any(line["event"] == "venue.unavailable" for line in lines), 5)
        assert p.state.instruments == ()
        [told] = [line for line in lines if line["event"] == "venue.unavailable"]
        assert told["code"] == "wire_error"
        assert DRIFTS[drift]["field"].rpartition(".")[2] in told["detail"]
        await settled(p)


async def test_u7_while_a_list_is_unreadable_the_good_one_is_kept(tmp_path: Path) -> None:
    drift = DRIFTS["field gone"]
    async with plane([call(len(VENUE.sockets) + 1, "drift", **drift, times=50)], tmp_path) as p:
        await settled(p)
        before = p.state.instruments
        with capture_logs() as lines:
            await p.pass_time(REFRESHED_S, COARSE_S)
            await p.until(p.valid, 5)
        assert p.struck("drift") >= 1
        assert p.state.instruments == before
        assert p.true()
        [told] = [line for line in lines if line.get("kind") == "directory_unreadable"]
        assert "priceFilter" in told["detail"]


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "1e400", "-1", "", None, "9" * 60, "1e30", [], {}]
)
async def test_u8_a_number_that_no_market_has_never_reaches_the_state(value: Any, tmp_path: Path) -> None:
    script = [
        call(number, "drift", QUOTES, field=f"result.list.0.{name}", value=value)
        for number in (1, 2)
        for name in ("lastPrice", "bid1Price", "turnover24h")
    ]
    async with plane(script, tmp_path) as p:
        await p.pass_time(30)
        view = p.state.view(p.clock.now_ns())
        for table in (view.quotes, view.derivatives):
            for one in fields(table) if hasattr(table, "__dataclass_fields__") else ():
                column = getattr(table, one.name)
                assert not np.isinf(column.astype(float)).any(), one.name
        for prices in (view.quotes.bid, view.quotes.ask, view.derivatives.last):
            assert not (prices <= 0).any()


async def test_u4_a_counter_that_falls_slowly_is_never_overrun_in_an_hour_of_mixed_calls(
    tmp_path: Path,
) -> None:
    """Kraken's Starter key: at most 15, falling by a third a second; ledgers count 2 (wire-rules.md 2.1)."""
    clock = ManualClock(START_NS)
    counter, served = 0.0, [0, 0]
    last_ns = clock.monotonic_ns()
    most, per_s = 15.0, 0.33

    async def venue(weight: int) -> Answer:
        nonlocal counter, last_ns
        now_ns = clock.monotonic_ns()
        counter = max(0.0, counter - (now_ns - last_ns) / SECOND_NS * per_s) + weight
        last_ns = now_ns
        assert counter <= most, "EAPI:Rate limit exceeded"
        served[weight - 1] += 1
        return Answer(b"{}", clock.now_ns(), {})

    limit = Limit("counter", "key", most, most / per_s, draining=True)
    weights = {"/0/private/Balance": 1, "/0/private/Ledgers": 2}
    policy = Policy("kraken", (limit,), lambda path: {"counter": weights[path]})
    broker = Broker(policy, clock, Silences(tmp_path / "silences.json", clock))
    refused = 0

    async def caller(path: str) -> None:
        nonlocal refused
        priority: Priority = "account" if weights[path] == 1 else "backfill"
        question = Call(path, priority, {"key": "one"})
        while True:
            try:
                await broker.run(question, Deadline(clock, 30), lambda: venue(weights[path]))
            except Throttled:
                refused += 1
                await clock.sleep(1)

    callers = [asyncio.ensure_future(caller(path)) for path in (*weights, *weights)]
    for _ in range(3_600):
        clock.advance(1)
        for _ in range(6):
            await asyncio.sleep(0)
    for one in callers:
        one.cancel()
    assert all(
        isinstance(end, asyncio.CancelledError)
        for end in await asyncio.gather(*callers, return_exceptions=True)
    )
    spent = served[0] + 2 * served[1]
    # What the counter gave back in the hour is used to four fifths, the share that one process spends.
    assert 0.7 * 3_600 * per_s <= spent <= most + 3_600 * per_s
    assert served[0] > 0


async def test_u9_an_asset_without_a_price_is_shown_without_a_value_and_not_as_nothing() -> None:
    unpriced = {"field": "result.list.0.coin.1.usdValue", "value": ""}
    unknown = {"field": "result.list.0.coin.2.coin", "value": "NEWCOIN"}
    script = [call(1, "drift", BALANCES, **unpriced)]
    async with reading(ManualClock(ACCOUNT_NS), faults=script) as (reader, _):
        account = await reader.account("balanced")
    values = {balance.asset: balance.value_usd for balance in account.balances}
    assert values["BTC"] is None
    assert all(value is None or value > 0 for value in values.values())
    async with reading(ManualClock(ACCOUNT_NS), faults=[call(1, "drift", BALANCES, **unknown)]) as (
        reader,
        _,
    ):
        account = await reader.account("balanced")
    assert "NEWCOIN" in {balance.asset for balance in account.balances}


async def test_u10_a_venue_in_maintenance_is_left_alone_and_found_again_by_itself(tmp_path: Path) -> None:
    script: list[Mapping[str, Any]] = [
        {"at": {"after_s": 40}, "fault": "maintenance", "seconds": 300},
        {"at": {"after_s": 80}, "fault": "reset"},
    ]
    async with plane(script, tmp_path) as p:
        await settled(p)
        with capture_logs() as lines:
            await p.until(lambda: p.struck("reset") == 1, 90)
            made, asked = p.venue.counters.connections, dict(p.venue.counters.paths)
            await p.pass_time(220, 2.0)
            assert p.venue.counters.connections == made
            paths = p.venue.counters.paths
            assert {path for path in paths if paths[path] != asked.get(path)} == {"/v5/system/status"}
            assert paths["/v5/system/status"] - asked["/v5/system/status"] <= 8
            _, reason = p.feed.silence()
            assert reason.startswith("maintenance: ")
            assert not p.valid()
            await p.until(lambda: p.valid(BTC) and p.valid(ETH), 120)
            assert p.true()
        told = [line["event"] for line in lines if line.get("kind") == "venue_maintenance"]
        assert told[:1] == ["condition.opened"]


async def test_u12_accounts_of_venues_that_hang_are_answered_within_five_seconds_as_not_covered() -> None:
    clock = ManualClock(ACCOUNT_NS)
    script = [call(1, "drip", BALANCES, bytes_a_second=1)]
    async with reading(clock, faults=script) as (first, _), reading(clock, faults=script) as (second, __):
        asked = [asyncio.ensure_future(reader.account("balanced")) for reader in (first, second)]
        await advance_until(clock, 0.25, lambda: all(answer.done() for answer in asked), most=21)
        for answer in asked:
            account = answer.result()
            assert account.coverage_frac == 0.0
            assert account.equity_usd is None
            assert account.balances == ()


async def test_u15_a_venue_that_is_retired_makes_no_traffic_and_no_noise(tmp_path: Path) -> None:
    clock = ManualClock(START_NS)
    policy = Policy("coincap", (), lambda _: {}, retired="version 2 was switched off")
    broker = Broker(policy, clock, Silences(tmp_path / "silences.json", clock))
    asked = 0

    async def venue() -> Answer:
        nonlocal asked
        asked += 1
        return Answer(b"{}", clock.now_ns(), {})

    with capture_logs() as lines:
        for _ in range(100):
            with pytest.raises(Rejected, match="retired: version 2 was switched off"):
                await broker.run(Call("/v2/assets", "scan"), Deadline(clock, 5), venue)
            clock.advance(60)
    assert (asked, lines) == (0, [])
    assert broker.state().status == "retired"


@pytest.mark.parametrize("skew_s", [3.0, -3.0, 600.0, -600.0])
async def test_u11_a_clock_that_differs_costs_one_repeat_and_is_told(skew_s: float) -> None:
    script = [{"at": {"after_s": 0}, "fault": "skew", "seconds": skew_s}]
    clock = ManualClock(ACCOUNT_NS)
    with capture_logs() as lines:
        async with reading(clock, faults=script) as (reader, venue):
            venue.pump()
            account = await reader.account("balanced")
            assert account.coverage_frac == 1.0
            assert account.holds
            asked = venue.counters.paths[BALANCES]
            clock.advance(61)
            assert (await reader.account("balanced")).coverage_frac == 1.0
            assert venue.counters.paths[BALANCES] == asked + 1
    told = [line for line in lines if line["event"] == "clock.differs"]
    # A time up to five seconds behind the venue's is within its window and needs no mending.
    needed = not -1.0 < skew_s < 5.0
    assert len(told) == (1 if needed else 0)
    assert asked == (2 if needed else 1)
    if told:
        assert told[0]["ahead_s"] == pytest.approx(skew_s, abs=0.01)


async def test_u13_a_key_that_is_refused_twice_is_not_used_again_and_its_owner_is_told_why() -> None:
    clock = ManualClock(ACCOUNT_NS)
    with capture_logs() as lines:
        async with reading(clock, secret="revoked") as (reader, venue):
            for _ in range(60):
                account = await reader.account("balanced")
                clock.advance(61)
            # U16: an hour of a dead key is two failing calls, which do no harm to others behind the address.
            assert venue.counters.paths[BALANCES] == 2
    assert account.equity_usd is None
    assert not account.holds
    assert reader.paused.startswith("auth")
    assert "sign" in reader.paused
    assert "revoked" not in reader.paused
    assert sum(line["event"] == "account.paused" for line in lines) == 1


async def test_u14_a_body_that_grows_when_unpacked_is_cut_at_eight_megabytes(tmp_path: Path) -> None:
    async with plane([call(1, "bomb", megabytes=64)], tmp_path) as p:
        await p.until(lambda: ("market", "bad_body") in p.calls, 10)
        assert p.state.instruments == ()
        await settled(p, 40)
