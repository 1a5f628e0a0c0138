"""Sizes of couples against hand work; both legs trade at 100 USD."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from sextant.model.account import Account
from sextant.model.bar import BAR_FIELDS
from sextant.model.view import View, bar_frame
from sextant.strategies.costs import CostAssumptions, Pricing
from sextant.strategies.couple_sizes import common_lot, means_of_couple
from sextant.strategies.couples import CoupleSet
from support.carries import spot_carry
from support.couple_runs import BARE, RICH, answer, evaluated, holding, scanned, single

VIEW = spot_carry()
NAME = "ai_funding_arbitrage"


def said_of(view: View = VIEW) -> CoupleSet:
    said = evaluated(NAME, view).couples
    assert said is not None
    return said


def lots(first: str, second: str) -> View:
    steps = (Decimal(first), Decimal(second))
    specs = tuple(
        msgspec.structs.replace(spec, lot=lot) for spec, lot in zip(VIEW.instruments, steps, strict=True)
    )
    return dataclasses.replace(VIEW, instruments=specs)


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [("0.001", "0.01", "0.010"), ("0.02", "0.03", "0.06"), ("1", "0.5", "1.0"), ("10", "4", "20")],
)
def test_the_common_lot_is_the_smallest_that_both_divide(first: str, second: str, both: str) -> None:
    assert common_lot(Decimal(first), Decimal(second)) == Decimal(both)


def test_spot_ties_up_its_notional_and_a_perpetual_its_margin() -> None:
    pricing = Pricing(VIEW, RICH, CostAssumptions())
    means, capital = means_of_couple(pricing, said_of(), 0, 1)
    assert capital.leverage == (None, 3.0)  # never more than the profile and the strategy allow
    assert capital.tied == pytest.approx((1.0, 1 / 3))
    assert means.free_usd == pytest.approx(100_000 / (1 + 1 / 3))  # both from one venue
    assert means.profile.position_cap_frac == pytest.approx(0.30)  # three times the cap of one position


def test_a_careful_profile_does_not_lever() -> None:
    careful = msgspec.structs.replace(RICH, profile="conservative")
    _, capital = means_of_couple(Pricing(VIEW, careful, CostAssumptions()), said_of(), 0, 1)
    assert capital.leverage == (None, 1.0)


def test_sold_spot_is_delivered_from_what_lies_at_its_venue() -> None:
    bare, _ = means_of_couple(Pricing(VIEW, BARE, CostAssumptions()), said_of(), 0, -1)
    assert bare.free_usd == 0.0
    holder = holding(BARE, "bybit", "BTC", "12.5")
    held, _ = means_of_couple(Pricing(VIEW, holder, CostAssumptions()), said_of(), 0, -1)
    assert held.free_usd == pytest.approx(1_250.0)


def test_without_an_account_a_thousand_dollars_stand_for_everything() -> None:
    means, _ = means_of_couple(Pricing(VIEW, Account(), CostAssumptions()), said_of(), 0, 1)
    assert means.illustrative
    assert means.free_usd == pytest.approx(750.0)
    row = single(scanned(NAME, VIEW, Account()))
    assert row.size.notional_usd == pytest.approx(300.0)  # three times a tenth of it
    assert row.size.required_capital_usd == pytest.approx(300 * (4 / 3 + 35e-4))


def test_legs_of_one_asset_take_the_same_quantity_on_both_lots() -> None:
    row = single(scanned(NAME, lots("0.02", "0.03")))
    assert row.legs[0].quantity == row.legs[1].quantity
    assert row.legs[0].quantity % Decimal("0.06") == 0
    assert row.risk_facts["residual_frac"] == 0.0
    assert row.size.notional_usd == pytest.approx(30_000.0, abs=6.0)


def test_less_than_one_common_lot_is_below_the_least_order() -> None:
    item = answer(scanned(NAME, lots("7", "1000")))
    # Both lots divide 7,000 units of 100 USD and nothing smaller: with less, neither leg can be filled.
    assert (item.kind, item.value) == ("below_min_notional", 0.0)
    assert item.limit == pytest.approx(700_000.0)
    assert item.flips_if == "position_cap allows 700000.00 USD instead of 0.00"


def test_a_stop_of_a_few_basis_points_does_not_make_a_couple_large() -> None:
    # Unproven, a quarter of 0.5 % of 100,000 USD may be lost: 125 USD. The stop lies three times 0.3 bps away, but one
    # missed hedge costs half a percent, and the residual its shortfall of 2.665 deviations.
    view = spot_carry(days=60)
    frame = view.bars["4h"]
    wobble = np.where(np.arange(frame.rows) % 2 == 0, 0.3e-4, -0.3e-4)
    columns = {name: getattr(frame, name).copy() for name in BAR_FIELDS}
    columns["close"][:, 1] *= np.exp(wobble)
    row = single(
        scanned(NAME, dataclasses.replace(view, bars={"4h": bar_frame("4h", frame.open_ns, columns)}))
    )
    assert row.stop is not None
    assert row.grade == "unproven"
    assert row.size.binding == "risk"
    assert row.size.risk_usd == pytest.approx(125.0, rel=1e-3)
    assert row.size.notional_usd == pytest.approx(125.0 / (0.005 + 2.665 * 0.3e-4), rel=0.01)
