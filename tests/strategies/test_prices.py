from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import numpy as np
import pytest

from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.model.view import View
from sextant.strategies.prices import CostAssumptions, newest_close, touch, usd_now, usd_per_quote
from support.markets import bars_of, closes_of, framed, quoted, unquoted, view_of
from support.views import empty_view, spec

ASSUMED = CostAssumptions(spread_bps_assumed=10.0)


def market(**changes: Any) -> View:
    view = view_of(framed("1h", bars_of(closes_of([np.full(30, 0.001), np.zeros(30)]))))
    return dataclasses.replace(view, **changes)


def test_the_touch_is_the_quote_with_its_age() -> None:
    view = market()
    seen = touch(view, ASSUMED)
    assert not seen.assumed
    np.testing.assert_allclose(seen.mid, view.bars["1h"].close[-1])
    np.testing.assert_allclose(seen.spread_bps, 2.0)
    np.testing.assert_array_equal(seen.age_ms, 0.0)


def test_a_crossed_or_absent_quote_is_unknown_and_not_helped_out_by_an_assumption() -> None:
    view = market()
    bid = view.quotes.bid.copy()
    bid[0] = 2 * view.quotes.ask[0]
    times = view.quotes.event_ns.copy()
    times[1] = 0
    seen = touch(dataclasses.replace(view, quotes=dataclasses.replace(view.quotes, bid=bid)), ASSUMED)
    assert np.isnan(seen.mid[0])
    assert np.isfinite(seen.mid[1])
    seen = touch(dataclasses.replace(view, quotes=dataclasses.replace(view.quotes, event_ns=times)), ASSUMED)
    assert np.isnan(seen.mid[1])
    assert np.isnan(seen.age_ms[1])


def test_a_spread_is_assumed_around_the_last_close_of_a_replay_without_any_quote() -> None:
    view = unquoted(market())
    seen = touch(view, ASSUMED)
    assert seen.assumed
    np.testing.assert_allclose(seen.mid, view.bars["1h"].close[-1])
    np.testing.assert_allclose(seen.spread_bps, 10.0)
    assert np.isnan(seen.ask_size).all()
    assert np.isnan(seen.age_ms).all()
    assert seen.event_ns.tolist() == [view.as_of_ns, view.as_of_ns]


@pytest.mark.parametrize("feed", ["live", "demo"])
def test_a_feed_that_could_have_quotes_is_never_helped_out(feed: str) -> None:
    view = dataclasses.replace(unquoted(market()), feed=feed)  # type: ignore[arg-type]  # a literal of the model
    seen = touch(view, ASSUMED)
    assert not seen.assumed
    assert np.isnan(seen.mid).all()


def test_nothing_is_assumed_by_default() -> None:
    assert np.isnan(touch(unquoted(market()), CostAssumptions()).mid).all()


def test_the_newest_close_comes_from_the_frame_that_closed_last() -> None:
    hours = framed("1h", bars_of(closes_of([np.full(30, 0.001), np.full(30, np.nan)])))
    longer = framed("4h", bars_of(closes_of([np.full(7, 0.01), np.full(7, 0.01)])))
    view = dataclasses.replace(view_of(hours), bars={"1h": hours, "4h": longer})
    close, event_ns = newest_close(view)
    assert close[0] == hours.close[-1, 0]
    assert close[1] == longer.close[-1, 1]
    assert event_ns.tolist() == [hours.last_close_ns, longer.last_close_ns]
    assert np.isnan(newest_close(empty_view("BTC"))[0]).all()


def test_quote_assets_are_worth_what_a_spot_instrument_of_the_view_says() -> None:
    frame = framed("1h", bars_of(closes_of([np.full(30, 0.001), np.zeros(30), np.zeros(30)])))
    specs = (spec("BTC"), _against("BTC"), _against("XYZ"))
    view = view_of(frame, specs, quoted(frame.close[-1], 1))
    rows = usd_per_quote(view, "1h")
    assert rows is not None
    np.testing.assert_array_equal(rows[:, 0], 1.0)
    np.testing.assert_array_equal(rows[:, 1], frame.close[:, 0])
    assert np.isnan(rows[:, 2]).all()
    assert usd_per_quote(market(), "1h") is None
    now = usd_now(view)
    assert now[:2].tolist() == [1.0, frame.close[-1, 0]]
    assert np.isnan(now[2])


def _against(quote: str) -> InstrumentSpec:
    return msgspec.structs.replace(spec("X"), instrument=Instrument("binance", "X", quote, "spot"))
