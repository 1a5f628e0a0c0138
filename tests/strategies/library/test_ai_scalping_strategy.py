"""The fixtures of strategies.md 3.4 with the numbers stated there; tolerance 2 % or half of the last digit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sextant.evidence.events import event_table
from sextant.model.view import View, bar_frame, no_books
from sextant.strategies.catalog import strategy
from sextant.strategies.columns import Columns
from sextant.strategies.costs import Pricing
from sextant.strategies.propose import judge
from support.bar_markets import booked, scalping_market
from support.cards import UNPROVEN, proven
from support.judging import NOTHING, RICH, run
from support.markets import known_at
from support.said import away_frac, failed, said

SCALPING = "ai_scalping_strategy"


def answered(view: View) -> tuple[str, str]:
    _, (answer,) = run(SCALPING, view)
    return answer.kind, answer.stage


def with_bars(view: View, **columns: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> View:
    """The market with other columns of its minutes."""
    frame = view.bars["1m"]
    names = ("open", "high", "low", "close", "volume", "quote_volume", "taker_buy_volume")
    fields = {name: columns.get(name, getattr(frame, name)).copy() for name in names}
    return dataclasses.replace(view, bars={"1m": bar_frame("1m", frame.open_ns, fields)})


def test_buying_that_moves_the_price_by_several_costs_is_followed() -> None:
    view = scalping_market()
    verdict, gates = said(SCALPING, view)
    assert failed(gates) == []
    assert verdict.signals.direction[-1, 0] == 1
    assert gates["move_to_cost"].value == pytest.approx(6.5, abs=0.05)
    assert gates["flow"].value == pytest.approx(9.8, abs=0.05)
    assert gates["activity"].value == pytest.approx(3.0)
    assert gates["response"].value == pytest.approx(1.4, abs=0.05)
    # The likely move is 6.55 x 12 bps; the stop lies 0.8 and the target 1.4 of it away.
    assert away_frac(verdict, view) == pytest.approx((0.8 * 78.6e-4, 1.4 * 78.6e-4), rel=0.01)
    (row,), _ = run(SCALPING, view)
    assert row.break_even_hit_frac == pytest.approx(0.43, abs=0.005)
    assert (row.grade, row.horizon_s) == ("unproven", 600.0)
    assert row.expires_ns - row.as_of_ns == 60 * 10**9


def test_a_move_that_cannot_pay_its_costs_is_refused_first() -> None:
    _, gates = said(SCALPING, scalping_market(0.12, 1.1))
    assert failed(gates) == ["move_to_cost"]
    assert gates["move_to_cost"].value == pytest.approx(0.85, abs=0.005)
    assert gates["move_to_cost"].distance == pytest.approx(0.72, abs=0.005)
    _, (answer,) = run(SCALPING, scalping_market(0.12, 1.1))
    assert answer.flips_if == "move_to_cost rises from 0.8495 to 3"


def test_a_post_only_entry_rests_at_the_touch_and_pays_the_maker() -> None:
    view = scalping_market()
    plugin = strategy(SCALPING)
    verdict = plugin.evaluate(view, plugin.defaults(post_only=1.0), Columns(view))
    (row,), _ = judge(plugin, verdict, lambda *_: UNPROVEN, Pricing(view, RICH, NOTHING))
    leg = row.legs[0]
    assert (leg.order_kind, leg.side) == ("limit_post_only", "buy")
    assert float(leg.price) == pytest.approx(float(view.quotes.bid[0]), abs=1e-7)
    assert float(leg.price) <= float(view.quotes.bid[0])
    lines = {line.item: line.bps for line in row.costs}
    assert (lines["fee_entry"], lines["fee_exit"]) == (-2.0, -5.0)
    assert lines["spread"] == pytest.approx(-1.0)
    # The same move over 2 + 5 + 1 bps.
    _, gates = said(SCALPING, view, post_only=1.0)
    assert gates["move_to_cost"].value == pytest.approx(78.58 / 8.0, rel=1e-3)


def test_the_rank_of_a_post_only_idea_counts_how_often_such_orders_were_filled() -> None:
    view = scalping_market()
    plugin = strategy(SCALPING)
    verdict = plugin.evaluate(view, plugin.defaults(post_only=1.0), Columns(view))
    scores = []
    for unfilled in (0, 250):
        card = proven(unfilled_count=unfilled)
        (row,), _ = judge(plugin, verdict, lambda *_, card=card: card, Pricing(view, RICH, NOTHING))
        assert row.rank_score is not None
        scores.append(row.rank_score + 0.05)  # the price of risk of a balanced profile
    assert scores[1] == pytest.approx(scores[0] / 2.0)


def test_post_only_evidence_needs_a_bar_that_passes_the_price() -> None:
    view = scalping_market()
    plugin = strategy(SCALPING)
    params = plugin.defaults(post_only=1.0, flow=1.0, activity=1.0, response_low=0.0)
    verdict = plugin.evaluate(view, params, Columns(view))
    assert verdict.signals.limit is not None
    acts = verdict.signals.direction != 0
    np.testing.assert_array_equal(verdict.signals.limit[acts], view.bars["1m"].close[acts])
    assert np.isnan(verdict.signals.limit[~acts]).all()
    assert event_table(SCALPING, params, verdict, view).resting
    assert not event_table(SCALPING, {}, said(SCALPING, view)[0], view).resting


def test_the_book_must_lean_the_same_way_and_bounds_the_size() -> None:
    view = scalping_market()
    _, gates = said(SCALPING, booked(view, 50_000.0, 50_000.0))
    assert failed(gates) == ["book_imbalance"]
    view = booked(view, 240.0, 160.0)
    (thin,), _ = run(SCALPING, view)
    # All ten levels lie within 10 bps; a twentieth of the thinner side, the asks.
    assert thin.size.binding == "capacity"
    assert thin.size.notional_usd == pytest.approx(view.books.ask_price[0].sum() * 160.0 / 20.0, rel=1e-6)


def test_what_is_missing_is_named_and_never_guessed() -> None:
    view = scalping_market()
    assert answered(dataclasses.replace(view, books=no_books(1))) == ("insufficient_data", "books")
    unknown = np.full(view.bars["1m"].close.shape, np.nan)
    assert answered(with_bars(view, taker_buy_volume=unknown)) == ("insufficient_data", "gate.flow")
    holed = view.bars["1m"].close.copy()
    holed[400] = np.nan
    assert answered(with_bars(view, close=holed)) == ("insufficient_data", "bars.1m")
    three = known_at(view, int(view.bars["1m"].open_ns[3]))
    assert answered(three)[0] == "insufficient_data"


def test_minutes_without_any_trade_are_insufficient_for_flow() -> None:
    view = scalping_market()
    frame = view.bars["1m"]
    fields = {name: getattr(frame, name).copy() for name in ("volume", "quote_volume", "taker_buy_volume")}
    for column in fields.values():
        column[-3:] = 0.0
    assert answered(with_bars(view, **fields)) == ("insufficient_data", "gate.flow")
