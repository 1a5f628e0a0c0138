from __future__ import annotations

import dataclasses
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from sextant.model.account import Account
from sextant.model.instrument import Instrument
from support.baskets import LONGS, SHORTS, basket, judged, strayed
from support.cards import UNPROVEN, proven
from support.judging import RICH


def test_one_basket_holds_all_members_and_each_is_disposed_as_part_of_it() -> None:
    (row,), dispositions = judged(strayed())
    members = [column for column, item in enumerate(dispositions) if item.kind == "opportunity"]
    assert members == sorted((*LONGS, *SHORTS))
    assert {dispositions[column].opportunity_key for column in members} == {row.opportunity_key}
    assert len(dispositions) == strayed().size
    sides = {leg.instrument.base: leg.side for leg in row.legs}
    assert sides == {f"C{c:03d}": "buy" for c in LONGS} | {f"C{c:03d}": "sell" for c in SHORTS}


def test_too_few_on_one_side_fail_together_and_say_how_many_are_asked() -> None:
    rows, dispositions = judged(strayed(), basket_breadth=4.0)
    assert not rows
    for column in (*LONGS, *SHORTS):
        answer = dispositions[column]
        assert (answer.kind, answer.stage) == ("gate_failed", "basket_breadth")
        assert (answer.value, answer.limit) == (3.0, 4.0)
        assert answer.flips_if == "basket_breadth rises from 3 to 4 legs"


def test_gross_is_that_of_all_legs_and_must_pay_for_all_of_them() -> None:
    row = basket(proven())
    total = sum(leg.notional_usd for leg in row.legs) / row.size.notional_usd
    # 120 bps of each leg after shrinkage; both sides are as large as each other.
    assert total == pytest.approx(2.0, abs=1e-6)
    assert row.gross_bps == pytest.approx(240.0, abs=1e-3)
    # Two taker fees of 5 and a spread of 2 on twice the reference notional; funding cancels between the sides.
    assert row.edge_bps == pytest.approx(240.0 - 24.0, abs=1e-3)
    assert row.edge_lcb_bps == pytest.approx(216.0 - 0.84 * 32.0, abs=1e-3)
    rows, dispositions = judged(strayed(), proven(gross_mean_bps=14.0))
    assert not rows
    for column in (*LONGS, *SHORTS):
        assert dispositions[column].kind == "negative_net_edge"
        assert dispositions[column].gross_bps == pytest.approx(2 * 0.8 * 14.0)
        assert dispositions[column].cost_bps == pytest.approx(24.0, abs=1e-3)


def test_one_unproven_leg_leaves_the_basket_unproven() -> None:
    row = basket(UNPROVEN)
    assert (row.grade, row.edge_bps, row.rank_group) == ("unproven", None, 1)
    assert any("quarter of the risk budget" in warning for warning in row.warnings)


def test_the_size_is_bound_by_what_the_residuals_may_lose() -> None:
    row = basket()
    # A quarter of 500 USD.
    assert row.size.risk_usd == pytest.approx(125.0, rel=1e-6)
    assert row.size.binding == "risk"
    assert row.size.required_capital_usd == pytest.approx(
        2.0 * row.size.notional_usd + 24e-4 * row.size.notional_usd, rel=1e-5
    )
    poor = msgspec.structs.replace(RICH, free_usd={"binance": 2_000.0})
    row = basket(account=poor)
    assert row.size.binding == "capital"
    assert row.size.notional_usd == pytest.approx(1_000.0, rel=1e-5)


def test_a_lot_too_coarse_for_a_hedge_is_named() -> None:
    view = strayed()
    coarse = tuple(
        msgspec.structs.replace(spec, lot=Decimal(4)) if column == 7 else spec
        for column, spec in enumerate(view.instruments)
    )
    rows, dispositions = judged(dataclasses.replace(view, instruments=coarse))
    assert not rows
    assert (dispositions[7].kind, dispositions[7].stage) == ("gate_failed", "lot_match")
    assert dispositions[7].value is not None
    assert dispositions[7].value > 0.02


def test_a_leg_under_the_least_order_is_named_for_all() -> None:
    rows, dispositions = judged(strayed(), account=Account())
    assert not rows
    assert {dispositions[column].kind for column in (*LONGS, *SHORTS)} == {"below_min_notional"}


def test_a_leg_whose_funding_is_unknown_is_left_out_and_the_rest_goes_on_if_it_can() -> None:
    view = strayed()
    rates = view.derivatives.funding_rate.copy()
    rates[0] = np.nan
    facts = dataclasses.replace(view.derivatives, funding_rate=rates)
    (row,), dispositions = judged(dataclasses.replace(view, derivatives=facts))
    assert (dispositions[0].kind, dispositions[0].stage) == ("insufficient_data", "cost.funding")
    assert len(row.legs) == 6


def test_one_asset_takes_one_place() -> None:
    view = strayed()
    twin = msgspec.structs.replace(
        view.instruments[19], instrument=Instrument("bybit", "C003", "USDT", "perpetual")
    )
    specs = (*view.instruments[:19], twin, *view.instruments[20:])
    rich = msgspec.structs.replace(RICH, free_usd={"binance": 1e5, "bybit": 1e5})
    (row,), dispositions = judged(
        dataclasses.replace(view, instruments=specs), account=rich, basket_breadth=2.0
    )
    assert sorted(leg.instrument.base for leg in row.legs).count("C003") == 1
    stages = [dispositions[column].stage for column in (3, 19)]
    assert sorted(stages) == ["", "one_per_asset"]


def test_an_account_under_the_strategys_least_is_refused() -> None:
    poor = Account(equity_usd=2_999.0, coverage_frac=1.0, free_usd={"binance": 2_999.0})
    rows, dispositions = judged(strayed(), proven(), poor)
    assert not rows
    assert (dispositions[0].kind, dispositions[0].stage) == ("gate_failed", "min_capital")
