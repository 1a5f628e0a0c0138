from __future__ import annotations

import pytest

from sextant.errors import Stale
from sextant.kit.clock import ManualClock
from sextant.market.state import MarketState
from sextant.scans.source import QUIET_S, SHARED_FOR_S, MarketSource
from sextant.strategies.prices import CostAssumptions
from support.market import bar_update, delta, listed, snapshot


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
