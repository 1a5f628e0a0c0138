from __future__ import annotations

import pytest

from sextant.errors import NotFound
from sextant.kit.clock import ManualClock
from sextant.market.state import MarketState
from sextant.model.events import QuoteUpdate
from sextant.scans.source import MarketSource
from sextant.scans.stream_ages import StreamAges
from sextant.strategies.prices import CostAssumptions
from support.market import instrument, listed


def ages(clock: ManualClock) -> StreamAges:
    source = MarketSource(MarketState("live", simulated=False), clock, CostAssumptions())
    now = clock.now_ns()
    source.learn([listed("BTC"), QuoteUpdate(instrument("BTC"), now, now, bid=1.0, ask=2.0)])
    return StreamAges(source, clock)


def test_callers_of_one_second_share_a_picture() -> None:
    clock = ManualClock(10**18)
    told = ages(clock)
    as_of_ns, first = told.sums()
    assert as_of_ns == 10**18
    clock.advance(0.5)
    assert told.sums() == (as_of_ns, first)
    clock.advance(20.0)
    later_ns, second = told.sums()
    assert later_ns == 10**18 + 20_500_000_000
    quote = next(row for row in second if row.stream == "quote")
    assert quote.counts["stale"] == 1


def test_each_stream_of_one_instrument_is_told_and_an_unknown_one_is_refused() -> None:
    clock = ManualClock(10**18)
    told = ages(clock)
    clock.advance(7.0)
    as_of_ns, rows = told.of(instrument("BTC"))
    assert as_of_ns == 10**18 + 7 * 10**9
    assert rows["quote"].state == "late"
    assert rows["book"].state == "unsupported"
    with pytest.raises(NotFound):
        told.of(instrument("ETH"))
