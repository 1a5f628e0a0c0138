"""faults.md N1 to N12 as the market plane meets them: the way to a venue breaks, and what was known stays honest.

N4 is about our own interface and stands with it; N11 needs fifty connections and stands in ``tests/venues/test_session.py``.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from sextant.kit.clock import ManualClock
from sextant.market.state import MarketState
from sextant.model.times import SECOND_NS
from sextant.venues.asking import broker_of
from sextant.venues.feed import Feed, Wanted, at
from sextant.venues.library.bybit import VENUE
from support.certificates import certificate
from support.loopback import advance_until, serving
from support.plane import BOOK, BTC, ETH, START_NS, Plane, plane

SETTLED_S = 20.0
HEALED_S = 3.0  # N10
LISTINGS = "/v5/market/instruments-info"
SILENT_S = 30.0  # N2


def call(number: int, fault: str, **details: Any) -> Mapping[str, Any]:
    """One line of a script about a read of the instruments."""
    return {"at": {"call": number, "path": LISTINGS}, "fault": fault, **details}


def moment(after_s: float, fault: str, **details: Any) -> Mapping[str, Any]:
    """One line of a script about everything."""
    return {"at": {"after_s": after_s}, "fault": fault, **details}


async def settled(p: Plane) -> None:
    await p.until(lambda: p.valid(BTC) and p.valid(ETH), SETTLED_S)


async def whole_again(p: Plane) -> None:
    assert p.true(BTC)
    assert p.true(ETH)


@pytest.mark.parametrize("seed", range(20))
async def test_n1_a_reply_that_is_cut_at_any_byte_is_asked_for_again_and_never_half_believed(
    seed: int,
) -> None:
    async with plane([call(1, "reset", seed=seed), call(2, "reset", seed=seed + 100)]) as p:
        await settled(p)
        assert p.struck("reset") == 2
        assert p.venue.counters.paths[LISTINGS] == len(VENUE.sockets) + 2  # a page of each, and two repeats
        listed = {spec.instrument for spec in p.state.instruments}
        assert len(listed) == sum(listing.category == "linear" for listing in p.venue.model.listings)


async def test_n2_a_peer_that_says_nothing_is_dead_within_thirty_seconds_and_left() -> None:
    async with plane([moment(5, "silence", seconds=3_600)]) as p:
        await settled(p)
        await p.until(lambda: p.struck("silence") == 1, 10)
        made = p.venue.counters.connections
        assert await p.until(lambda: p.venue.counters.connections > made, SILENT_S + 2) <= SILENT_S + 2
        await p.until(lambda: p.valid(BTC) and p.valid(ETH), HEALED_S)
        await whole_again(p)


async def test_n3_a_reply_of_a_byte_a_second_ends_at_the_deadline_of_the_whole() -> None:
    async with plane([call(1, "drip", bytes_a_second=1)]) as p:
        told = await p.until(lambda: ("market", "timeout") in p.calls, 31)
        assert told <= 31
        await settled(p)
        await whole_again(p)


async def _asking(host: str, folder: Path, secure: str) -> tuple[set[str], list[str]]:
    """For two minutes a feed of a venue that cannot be reached: how its broker stands after the first call, and the log."""
    clock = ManualClock(START_NS)
    broker = broker_of(VENUE, clock, folder)
    assert broker is not None
    state = MarketState("live", simulated=False)
    moved = at(VENUE, f"http{secure}://{host}", f"ws{secure}://{host}")
    feed = Feed(moved, clock, lambda _: [], Wanted(most=4, history=None))
    feed.within(broker)
    feed.draw(random.Random(7).random)  # noqa: S311  # a repeatable run, no secret
    stood: set[str] = set()
    with capture_logs() as lines:
        running = asyncio.ensure_future(feed.run())
        try:
            await advance_until(clock, 0.5, lambda: broker.state().status == "failing")
            for _ in range(240):
                await asyncio.sleep(0.001)
                clock.advance(0.5)
                stood.add(broker.state().status)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    assert state.instruments == ()
    return stood, [f"{line['event']} {line.get('detail', '')}" for line in lines]


async def test_n5_a_name_that_is_unknown_opens_the_breaker_at_its_first_call(tmp_path: Path) -> None:
    stood, lines = await _asking("nobody.invalid", tmp_path, "")
    assert stood == {"failing"}
    assert sum(line.startswith("venue.unavailable") for line in lines) == 1


async def test_n6_a_certificate_that_nobody_signed_is_refused_and_nothing_is_sent_in_the_open(
    tmp_path: Path,
) -> None:
    heard: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        heard.append(request.path)
        return web.json_response({})

    context, _ = certificate(tmp_path)
    async with serving(answer, context) as host:
        stood, lines = await _asking(host, tmp_path / "secure", "s")
    assert stood == {"failing"}
    assert any("certificate" in line for line in lines)
    async with serving(answer) as host:
        stood, _ = await _asking(host, tmp_path / "plain", "s")
    assert stood == {"failing"}
    assert heard == []


async def test_n7_a_reply_shorter_than_it_promised_is_no_list_of_fewer_instruments() -> None:
    async with plane([call(1, "truncated"), call(2, "truncated")]) as p:
        await settled(p)
        assert p.struck("truncated") == 2
        linear = sum(listing.category == "linear" for listing in p.venue.model.listings)
        assert len(p.state.instruments) == linear


async def test_n8_a_reply_that_points_elsewhere_is_not_followed() -> None:
    async with plane([call(1, "redirect", location="http://127.0.0.2:9/v5")]) as p:
        await p.until(lambda: ("market", "rejected") in p.calls, 5)
        assert p.state.instruments == ()
        await settled(p)
        await whole_again(p)


SPELLINGS: Mapping[str, tuple[str, Mapping[str, Any], bool]] = {
    "fragments": ("fragments", {}, True),
    "broken text": ("broken_text", {}, True),
    "binary": ("binary", {"hex": "ff00ff00"}, True),
    "empty": ("raw", {"text": ""}, True),
    "deep": ("raw", {"text": "[", "repeat": 100_000}, True),
    "two megabytes": ("raw", {"text": "x", "repeat": 2 * 1024 * 1024 + 1}, False),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_n9_a_message_in_any_spelling_is_joined_counted_or_cut_off(spelling: str) -> None:
    kind, details, survives = SPELLINGS[spelling]
    script = {"at": {"topic": BOOK, "message": 6}, "fault": kind, **details}
    async with plane([script]) as p:
        await settled(p)
        made = p.venue.counters.connections
        await p.until(lambda: p.struck(kind) == 1, 20)
        await p.pass_time(HEALED_S)
        assert p.valid(BTC)
        assert p.valid(ETH)
        await whole_again(p)
        assert (p.venue.counters.connections == made) == survives
        if survives:
            assert all(whose == BTC for whose, _, __ in p.breaks)


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1012])
async def test_n10_a_closed_connection_is_back_within_three_seconds_with_the_same_topics(code: int) -> None:
    script = moment(5, "reset") if code == 1006 else moment(5, "close", code=code)
    async with plane([script]) as p:
        await settled(p)
        topics = [state.topics for state in p.feed.states()]
        await p.until(lambda: p.breaks != [], 15)
        await p.until(lambda: p.valid(BTC) and p.valid(ETH), HEALED_S)
        await whole_again(p)
        assert all(why == "stream_down" and wait <= HEALED_S for _, why, wait in p.breaks)
        assert [state.topics for state in p.feed.states()] == topics


async def test_n12_a_venue_that_is_away_for_ten_minutes_is_shown_with_its_age_and_found_within_ten_seconds(
    tmp_path: Path,
) -> None:
    async with plane([moment(5, "away", seconds=600)], tmp_path) as p:
        await settled(p)
        last = p.state.desk(BTC).facts.value("mark")
        with capture_logs() as lines:
            await p.until(lambda: p.struck("away") == 1, 10)
            await p.pass_time(598)
            assert not p.valid()
            assert p.freshness("book") == "invalid"
            assert p.state.desk(BTC).facts.value("mark") > 0
            age_ns = p.state.freshness(p.clock.now_ns())[BTC]["derivatives"].age_ns
            assert age_ns is not None
            assert age_ns >= 595 * SECOND_NS
            # Waits of five seconds in the mean: 120 attempts, give or take 6.5, and the first ones, which wait less.
            (link,) = p.feed.states()
            assert 80 <= link.counts.attempts <= 170
            # What is read by REST once a minute or less often, each try of it counted.
            assert 60 <= p.venue.counters.while_away - link.counts.attempts <= 200
            await p.pass_time(2)
            await p.until(lambda: p.valid(BTC) and p.valid(ETH), 10)
        await whole_again(p)
        assert last > 0
        assert len(lines) <= 20
