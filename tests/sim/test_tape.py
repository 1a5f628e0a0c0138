"""Trades, forming bars and the book of one instrument are functions of the time."""

from __future__ import annotations

import itertools

import pytest

from sextant.sim.market_model import MarketModel
from sextant.sim.tape import Tape, folded, slots_a_minute

NOW_MS = 1_790_000_010_000


@pytest.fixture(scope="module")
def market() -> MarketModel:
    return MarketModel(7, 240)


def _tape(market: MarketModel, symbol: str, pace: float = 1.0) -> Tape:
    listing = market.find("linear", symbol)
    assert listing is not None
    return Tape(market, listing, pace)


@pytest.mark.parametrize("symbol", ["BTCUSDT", "MASKUSDT", "ORCAUSDT"])
def test_trades_of_a_minute_fold_to_the_bar_of_the_market(market: MarketModel, symbol: str) -> None:
    tape = _tape(market, symbol)
    minute = NOW_MS // 60_000
    trades = [trade for row in range(tape.parts) for trade in tape.trades(minute * tape.parts + row)]
    bar = folded(market.minute_span(tape.listing, minute, minute + 1))
    assert max(trade.ticks for trade in trades) == bar.high
    assert min(trade.ticks for trade in trades) == bar.low
    assert trades[-1].ticks == bar.close
    assert sum(trade.lots for trade in trades) == bar.lots
    assert all(trade.lots > 0 for trade in trades)
    times = [trade.time_ms for trade in trades]
    assert times == sorted(times)
    assert minute * 60_000 <= times[0]
    assert times[-1] < (minute + 1) * 60_000
    assert len({trade.id for trade in trades}) == len(trades)


def test_an_up_move_is_called_plus_and_mostly_bought(market: MarketModel) -> None:
    tape = _tape(market, "ETHUSDT")
    first = tape.due(NOW_MS)
    trades = [trade for row in range(2_000) for trade in tape.trades(first + row)]
    rising = [trade for trade in trades if trade.turn == 1]
    assert sum(trade.bought for trade in rising) > 0.7 * len(rising)
    for before, after in itertools.pairwise(trades):
        assert (after.turn == 1) == (after.ticks > before.ticks) or after.time_ms - before.time_ms > 3


def test_the_last_price_is_at_the_touch(market: MarketModel) -> None:
    tape = _tape(market, "SOLUSDT")
    first = tape.due(NOW_MS)
    for slot in range(first, first + 300):
        last = tape.play(slot, 50)[-1]
        bids, asks = tape.book.view(1)
        assert last.ticks == (asks[0][0] if last.bought else bids[0][0])


def test_recent_trades_are_newest_first_and_never_of_the_future(market: MarketModel) -> None:
    trades = _tape(market, "XRPUSDT").recent(NOW_MS, 500)
    times = [trade.time_ms for trade in trades]
    assert len(times) == 500
    assert times == sorted(times, reverse=True)
    assert times[0] <= NOW_MS


def test_a_forming_bar_grows_into_the_bar_of_the_market(market: MarketModel) -> None:
    tape = _tape(market, "BTCUSDT")
    first = NOW_MS // 300_000 * 5
    seen = [tape.forming(first * 60_000 + second * 1_000, 5, first) for second in range(5, 300, 5)]
    assert [bar.lots for bar in seen] == sorted(bar.lots for bar in seen)
    assert [bar.high for bar in seen] == sorted(bar.high for bar in seen)
    last = tape.forming((first + 5) * 60_000 + 10, 5, first)
    assert last == folded(market.minute_span(tape.listing, first, first + 5))


def test_a_bar_in_which_nothing_traded_yet_shows_the_last_price(market: MarketModel) -> None:
    tape = _tape(market, "ORCAUSDT")
    minute = NOW_MS // 60_000
    bar = tape.forming(minute * 60_000, 1, minute)
    before = folded(market.minute_span(tape.listing, minute - 1, minute))
    assert (bar.open, bar.close, bar.lots) == (before.close, before.close, 0)


def test_liquidations_close_longs_when_the_price_falls(market: MarketModel) -> None:
    tape = _tape(market, "DOGEUSDT")
    first = tape.due(NOW_MS)
    found = [
        (slot, forced) for slot in range(first, first + 20_000) if (forced := tape.forced(slot)) is not None
    ]
    assert found
    for slot, (long_closed, _, lots) in found:
        minute, row = divmod(slot, tape.parts)
        plan = tape.plan(minute)
        assert long_closed == bool(plan.close[row] < plan.open[row])
        assert lots > 0


def test_a_liquid_name_trades_in_more_slots_and_pace_scales_them(market: MarketModel) -> None:
    liquid, thin = _tape(market, "BTCUSDT"), _tape(market, "ORCAUSDT")
    assert (liquid.parts, thin.parts) == (120, 30)
    assert slots_a_minute(liquid.listing, 0.1) == 12


def test_trades_are_numbered_upward_without_meeting(market: MarketModel) -> None:
    tape = _tape(market, "MASKUSDT")
    first = tape.due(NOW_MS)
    numbers = [
        tape.number(slot, row) for slot in range(first, first + 500) for row in range(len(tape.trades(slot)))
    ]
    assert numbers == sorted(set(numbers))
    assert 0 < numbers[0] < 2**40
