"""The 24 h summary equals the fold of the minutes of the last 24 h."""

from __future__ import annotations

import pytest

from sextant.sim.market_model import MarketModel
from sextant.sim.summary import Summary
from sextant.sim.tape import Tape, folded
from sextant.sim.wire import price_text

NOW_MS = 1_790_000_010_000


@pytest.fixture
def tape() -> Tape:
    market = MarketModel(7, 12)
    listing = market.find("linear", "BTCUSDT")
    assert listing is not None
    return Tape(market, listing, 1.0)


def test_extremes_and_volume_are_those_of_a_day_of_minutes(tape: Tape) -> None:
    fields = Summary(tape).snapshot(NOW_MS)
    minute = NOW_MS // 60_000
    day = folded(tape.model.minute_span(tape.listing, minute - 1_440, minute))
    played = tape.forming(NOW_MS, 1, minute)
    day.add(played)
    assert fields["highPrice24h"] == price_text(tape.listing, day.high)
    assert fields["lowPrice24h"] == price_text(tape.listing, day.low)
    assert fields["lastPrice"] == price_text(tape.listing, day.close)
    assert fields["prevPrice24h"] == price_text(tape.listing, day.open)
    assert float(fields["volume24h"]) == pytest.approx(day.lots * tape.listing.lot, rel=1e-9)


def test_funding_is_that_of_the_next_settlement(tape: Tape) -> None:
    fields = Summary(tape).snapshot(NOW_MS)
    settlement = NOW_MS // 28_800_000 + 1
    assert fields["nextFundingTime"] == str(settlement * 28_800_000)
    assert float(fields["fundingRate"]) == tape.model.funding_rate(tape.listing, settlement)


def test_one_sided_open_interest_is_half(tape: Tape) -> None:
    fields = Summary(tape).snapshot(NOW_MS)
    assert float(fields["openInterest"]) == pytest.approx(2.0 * float(fields["singleOpenInterest"]), rel=1e-9)


def test_a_delta_carries_only_what_changed_and_price_with_size(tape: Tape) -> None:
    summary = Summary(tape)
    told = summary.snapshot(NOW_MS)
    for second in range(1, 30):
        delta = summary.delta(NOW_MS + second * 1_000)
        changed = {name for name, text in delta.items() if told[name] != text}
        assert set(delta) - changed <= {"symbol", "bid1Price", "bid1Size", "ask1Price", "ask1Size"}
        assert ("bid1Price" in delta) == ("bid1Size" in delta)
        told |= delta
    assert told == summary.fields(NOW_MS + 29_000) == summary.told()
