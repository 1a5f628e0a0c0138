from __future__ import annotations

import numpy as np
import pytest

from sextant.errors import Stale
from sextant.kit.clock import ManualClock
from sextant.market.state import MarketState
from sextant.model.times import MINUTE_NS
from sextant.scans.source import KEEP_ROWS, QUIET_S, SCANNED_MINUTES, SHARED_FOR_S, MarketSource, scanned
from sextant.strategies.prices import CostAssumptions
from support import minutes
from support.market import bar_update, block, delta, listed, snapshot


def _source() -> tuple[MarketSource, ManualClock]:
    clock = ManualClock(now_ns=10**18)
    return MarketSource(MarketState("live", simulated=False), clock, CostAssumptions()), clock


def test_a_market_without_instruments_is_stale_not_empty() -> None:
    source, _ = _source()
    with pytest.raises(Stale, match="No instrument is known yet"):
        source.read()


def test_callers_of_one_second_share_a_view() -> None:
    source, clock = _source()
    source.learn([listed()])
    first = source.read()
    clock.advance(SHARED_FOR_S / 2)
    assert source.read() is first
    clock.advance(SHARED_FOR_S)
    assert source.read() is not first


def test_books_that_lost_a_message_are_named_once() -> None:
    source, _ = _source()
    book = listed()
    source.learn([book, snapshot(5, [(100.0, 1.0)], [(101.0, 1.0)])])
    assert source.learn([delta(9)]) == [book.spec.instrument]
    assert source.learn([bar_update(0)]) == []


async def test_health_says_when_nothing_arrives() -> None:
    source, clock = _source()
    assert (await source.probe()).state == "degraded"
    source.learn([listed()])
    assert (await source.probe()).state == "healthy"
    clock.advance(QUIET_S + 1)
    reading = await source.probe()
    assert reading.state == "degraded"
    assert reading.detail == "No event for 31 s; 30 s are allowed."


def test_scores_see_all_minutes_and_scans_the_newest_day() -> None:
    clock = ManualClock(now_ns=3_000 * MINUTE_NS)
    prices = np.arange(1.0, 3_001.0)[:, None]
    state = MarketState("live", simulated=False, keep_rows=KEEP_ROWS)
    source = MarketSource(state, clock, CostAssumptions())
    source.learn(
        [
            listed(),
            block(
                "1m", ["BTC"], range(3_000), dict.fromkeys(("open", "high", "low", "close", "volume"), prices)
            ),
        ]
    )
    whole, part = source.sight().view.bars["1m"], source.read().view.bars["1m"]
    assert (whole.rows, part.rows) == (KEEP_ROWS["1m"], SCANNED_MINUTES)
    assert part.close[0, 0] == 1_561.0
    assert part.open_ns[-1] == whole.open_ns[-1]
    assert part.row_digests == whole.row_digests[-16 * SCANNED_MINUTES :]
    assert np.shares_memory(part.close, whole.close)
    assert source.read().view.as_of_ns == source.sight().view.as_of_ns


def test_a_view_of_a_day_is_seen_as_it_is() -> None:
    view = minutes.walked(30, 1)
    assert scanned(view) is view
