"""faults.md S1 to S11 over real sockets: whatever a venue does to its messages, no false book, bar or price is believed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from sextant.model.events import Listed, Trade
from sextant.model.times import MINUTE_NS
from support.plane import BOOK, BTC, ETH, TRADES, Plane, plane

SETTLED_S = 20.0  # within which every book of a fresh plane is valid
HEALED_S = 2.0  # S3
BAR = "kline.1.BTCUSDT"
FACTS = "tickers.BTCUSDT"


def at(topic: str, message: int, fault: str, **details: Any) -> Mapping[str, Any]:
    """One line of a script."""
    return {"seed": 7, "at": {"topic": topic, "message": message}, "fault": fault, **details}


async def settled(p: Plane) -> None:
    await p.until(lambda: p.valid(BTC) and p.valid(ETH), SETTLED_S)


async def watched(p: Plane, seconds: float) -> None:
    """Let time pass; whenever a book is believed it is the simulator's at that number, and never crossed."""
    for _ in range(round(seconds * 4)):
        await p.step()
        for instrument in (BTC, ETH):
            if p.valid(instrument):
                assert p.true(instrument)


async def test_s1_a_message_sent_twice_changes_nothing() -> None:
    async with plane([at(BOOK, 5, "duplicate", times=20)]) as p:
        await settled(p)
        await watched(p, 20)
        assert p.struck("duplicate") == 20
        assert p.state.counters["book_duplicates"] == 20
        assert p.state.counters["book_resyncs"] == 0
        assert p.breaks == []


@pytest.mark.parametrize("distance", [1, 3])
async def test_s2_messages_in_the_wrong_order_are_noticed_and_begun_again(distance: int) -> None:
    async with plane([at(BOOK, 6, "swap", messages=distance)]) as p:
        await settled(p)
        await watched(p, 20)
        assert p.struck("swap") == 1
        assert p.state.counters["book_gaps"] >= 1
        assert p.valid()
        assert p.breaks
        assert all(whose == BTC and wait <= HEALED_S for whose, _, wait in p.breaks)


async def test_s3_a_lost_message_makes_the_book_invalid_at_once_and_whole_within_two_seconds() -> None:
    async with plane([at(BOOK, 8, "gap")]) as p:
        await settled(p)
        asked = p.venue.counters.connections
        await p.until(lambda: p.breaks != [], 30)
        [(whose, why, wait)] = p.breaks
        assert (whose, why) == (BTC, "gap")
        assert wait <= HEALED_S
        assert p.true()
        assert p.state.counters["book_gaps"] == 1
        assert p.venue.counters.connections == asked
        assert [state.counts.resyncs for state in p.feed.states()].count(1) == 1


@pytest.mark.parametrize("kind", ["snapshot", "restart"])
async def test_s4_a_second_snapshot_replaces_the_book(kind: str) -> None:
    async with plane([at(BOOK, 7, kind)]) as p:
        await settled(p)
        await watched(p, 20)
        assert p.struck(kind) == 1
        assert p.breaks == []
        assert p.state.counters["book_resyncs"] == 0
        levels = p.state.book(BTC)
        assert len(levels.bids) <= 50
        assert len(levels.asks) <= 50


async def test_s5_a_crossed_book_is_held_back_for_one_message_and_begun_again_after_two() -> None:
    async with plane([at(BOOK, 6, "crossed"), at(BOOK, 30, "crossed", times=2)]) as p:
        await settled(p)
        await p.until(lambda: p.struck("crossed") == 1, 20)
        await p.until(p.valid, HEALED_S)
        assert p.state.counters["book_resyncs"] == 0
        await p.until(lambda: p.struck("crossed") == 3, 60)
        await p.until(p.valid, HEALED_S)
        assert p.true()
        assert p.state.counters["book_crossed"] == 3
        assert p.state.counters["book_resyncs"] == 1


async def test_s7_a_field_that_is_absent_stays_and_an_empty_one_is_unknown() -> None:
    missing = at(FACTS, 1, "drift", field="data.markPrice", times=10_000)
    async with plane([missing]) as p:
        await settled(p)
        before = p.state.desk(BTC).facts.value("mark")
        await p.pass_time(20)
        assert p.state.desk(BTC).facts.value("mark") == before > 0
    async with plane([at(FACTS, 3, "drift", field="data.markPrice", value="", times=10_000)]) as p:
        await settled(p)
        await p.until(lambda: math.isnan(p.state.desk(BTC).facts.value("mark")), 30)
        column = [spec.instrument for spec in p.state.instruments].index(BTC)
        derivatives = p.state.view(p.clock.now_ns()).derivatives
        assert np.isnan(derivatives.mark[column])
        assert derivatives.index[column] > 0


@pytest.mark.parametrize("kind", ["duplicate", "swap", "gap"])
async def test_s8_one_closed_bar_for_each_minute_whatever_happens_to_its_messages(kind: str) -> None:
    times = 1 if kind == "swap" else 10_000
    every = range(1, 300, 2) if kind == "swap" else (1,)
    script = [at(BAR, number, kind, times=times) for number in every]
    async with plane(script) as p:
        await settled(p)
        first = p.clock.now_ns() // MINUTE_NS + 1
        await p.pass_time(240)
        frame = p.state.bars(BTC, "1m", 10)
        if kind == "gap":
            # Nothing was told of any minute: nothing is known, and nothing is made up.
            assert frame is None or not np.isfinite(frame.close).any()
            return
        assert frame is not None
        listing = p.venue.model.find("linear", "BTCUSDT")
        assert listing is not None
        rows = [row for row, open_ns in enumerate(frame.open_ns) if open_ns // MINUTE_NS >= first]
        assert len(rows) == 3
        truth = p.venue.model.bars(listing, 1, first, 3)
        assert frame.close[rows, 0].tolist() == pytest.approx((truth.close * listing.tick).tolist())
        assert frame.volume[rows, 0].tolist() == pytest.approx((truth.lots * listing.lot).tolist())
        assert p.state.counters["bars_refused"] == 0


async def test_s9_a_burst_of_a_thousand_trades_a_message_is_kept_whole() -> None:
    async with plane([at(TRADES, 4, "burst", messages=1_024, times=20)]) as p:
        await settled(p)
        await p.until(lambda: p.struck("burst") == 20, 120)
        trades = [event for event in p.events if isinstance(event, Trade) and event.instrument == BTC]
        assert len(trades) > 2_000
        assert len({trade.trade_id for trade in trades}) == len(trades)
        told = sum(minute.buy + minute.sell for minute in p.state.desk(BTC).flow.minutes())
        assert told == pytest.approx(sum(trade.size for trade in trades))
        assert p.venue.counters.slow_clients == 0
        assert p.valid()
        assert p.true()


async def test_s10_a_book_that_stands_still_is_stale_after_twice_its_cadence_and_no_longer_scored() -> None:
    async with plane([at(BOOK, 10, "frozen", times=10_000)]) as p:
        await settled(p)
        await p.until(lambda: p.struck("frozen") > 0, 20)
        assert await p.until(lambda: p.freshness("book") == "stale", 10.5) <= 10.5
        assert p.freshness("book", ETH) == "live"
        seen = p.state.freshness(p.clock.now_ns())[BTC]["book"]
        assert seen.reason == "frozen"


async def test_s11_a_listing_that_ends_or_changes_its_step_is_told_and_no_price_becomes_zero() -> None:
    script = [
        {"at": {"after_s": 30}, "fault": "delist", "symbol": "ETHUSDT", "category": "linear"},
        {"at": {"after_s": 30}, "fault": "retick", "symbol": "BTCUSDT", "category": "linear"},
    ]
    async with plane(script) as p:
        await settled(p)
        ticks = {spec.instrument: spec.tick for spec in p.state.instruments}
        await p.pass_time(640)
        told = [
            event.spec.status
            for event in p.events
            if isinstance(event, Listed) and event.spec.instrument == ETH
        ]
        assert told[-1] == "delisted"
        specs = {spec.instrument: spec for spec in p.state.instruments}
        assert ETH not in specs or specs[ETH].status == "delisted"
        assert specs[BTC].tick == 10 * ticks[BTC]
        await p.until(p.valid, HEALED_S)
        view = p.state.view(p.clock.now_ns())
        for prices in (view.quotes.bid, view.quotes.ask, view.derivatives.mark, view.derivatives.last):
            assert not (prices == 0).any()
