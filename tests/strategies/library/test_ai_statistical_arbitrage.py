"""The fixtures of strategies.md 3.6 with the numbers stated there."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sextant.evidence.events import EventTable, event_table
from sextant.evidence.outcomes import EXIT_NAMES
from sextant.model.view import View
from sextant.scans.run import BarColumns
from sextant.strategies.catalog import strategy
from sextant.strategies.columns import Columns
from sextant.strategies.gates import historic_pass
from support.bar_markets import residual_market
from support.baskets import ARBITRAGE, LONGS, SHORTS, judged, strayed
from support.markets import known_at, quoted, specs_of
from support.said import failed, said


def test_residuals_that_have_strayed_pass_and_their_directions_point_back() -> None:
    verdict, _ = said(ARBITRAGE, strayed())
    passing = np.flatnonzero(historic_pass(verdict)[-1] & (verdict.signals.direction[-1] != 0))
    assert passing.tolist() == sorted((*LONGS, *SHORTS))
    assert verdict.signals.direction[-1, list(LONGS)].tolist() == [1, 1, 1, 1]
    assert verdict.signals.direction[-1, list(SHORTS)].tolist() == [-1, -1, -1]
    assert verdict.signals.strength[-1, 3] == pytest.approx(3.1 / 1.5, rel=0.02)


def test_one_long_and_no_short_are_no_basket() -> None:
    verdict, gates = said(ARBITRAGE, residual_market(1.0, planted=False, first=26))
    assert failed(gates) == ["basket_breadth"]
    assert (gates["basket_breadth"].value, gates["basket_breadth"].threshold) == (0.0, 3.0)
    assert verdict.signals.direction[-1, 0] == 1


def test_a_leg_is_left_when_its_residual_has_returned_or_is_lost() -> None:
    verdict, _ = said(ARBITRAGE, strayed())
    score = verdict.facts["score"]
    known = np.isfinite(score)
    long_exit, short_exit = verdict.signals.exit_flag[..., 0], verdict.signals.exit_flag[..., 1]
    np.testing.assert_array_equal(long_exit[known], (score >= -0.5)[known] | (np.abs(score) >= 5.0)[known])
    np.testing.assert_array_equal(short_exit[known], (score <= 0.5)[known] | (np.abs(score) >= 5.0)[known])
    assert not long_exit[~known].any()


def test_evidence_counts_what_a_leg_earned_beyond_the_factors() -> None:
    view = strayed()
    plugin = strategy(ARBITRAGE)
    verdict = plugin.evaluate(view, plugin.defaults(basket_breadth=2.0), Columns(view))
    table = event_table(ARBITRAGE, {}, verdict, view)
    bare = event_table(ARBITRAGE, {}, dataclasses.replace(verdict, hedge=None), view)
    assert table.count > 10
    assert verdict.hedge is not None
    flagged = np.array([EXIT_NAMES[kind] == "flag" for kind in table.exit_kind])
    assert flagged.any()
    last = table.exit_row - flagged
    earned = verdict.hedge.returns(table.column, table.row, table.entry_row, last)
    assert table.gross == pytest.approx(bare.gross - table.direction * earned)
    # Planted reversion pays and the common factor, twice as noisy, is gone: the residual varies less.
    assert table.gross.std() < bare.gross.std()
    assert table.gross.mean() > 0


def test_past_events_of_a_shorter_past_are_the_first_of_a_longer_one_hedge_and_all() -> None:
    view = strayed()
    plugin = strategy(ARBITRAGE)

    def events(market: View) -> EventTable:
        verdict = plugin.evaluate(market, plugin.defaults(basket_breadth=2.0), Columns(market))
        return event_table(ARBITRAGE, {}, verdict, market)

    whole = events(view)
    for rows in (520, 601, 650):
        cut = events(known_at(view, int(view.bars["4h"].open_ns[rows])))
        first = (whole.exit_row < rows) & np.isin(whole.row, cut.row)
        assert cut.count == np.count_nonzero(first) > 0
        np.testing.assert_array_equal(cut.gross, whole.gross[first])


def test_columns_that_need_bars_only_are_shared_by_views_of_the_same_bars() -> None:
    view, lasting = strayed(), BarColumns()
    plugin = strategy(ARBITRAGE)
    first = plugin.evaluate(view, plugin.defaults(), Columns(view, lasting=lasting))
    later = dataclasses.replace(view, as_of_ns=view.as_of_ns + 10**9)
    second = plugin.evaluate(later, plugin.defaults(), Columns(later, lasting=lasting))
    assert second.hedge is first.hedge
    fewer = known_at(view, int(view.bars["4h"].open_ns[-1]))
    third = plugin.evaluate(fewer, plugin.defaults(), Columns(fewer, lasting=lasting))
    assert third.hedge is not first.hedge


def test_spot_instruments_make_the_factors_where_there_are_no_perpetuals_and_their_shorts_need_one() -> None:
    spot: View = dataclasses.replace(strayed(), instruments=specs_of(40))
    rows, dispositions = judged(spot)
    assert not rows
    assert {dispositions[column].stage for column in SHORTS} == {"shortable"}
    assert {dispositions[column].stage for column in LONGS} == {"basket_members"}


def test_too_short_a_past_or_too_few_instruments_are_insufficient() -> None:
    view = strayed()
    _, dispositions = judged(known_at(view, int(view.bars["4h"].open_ns[3])))
    assert {item.stage for item in dispositions} == {"bars.4h.age_s"}
    few = dataclasses.replace(known_at(view, view.as_of_ns), as_of_ns=int(view.bars["4h"].open_ns[499]))
    short = known_at(few, few.as_of_ns)
    _, dispositions = judged(
        dataclasses.replace(short, quotes=quoted(short.bars["4h"].close[-1], short.as_of_ns))
    )
    assert {item.stage for item in dispositions} == {"bars.4h"}
    assert {item.value for item in dispositions} == {499.0}
