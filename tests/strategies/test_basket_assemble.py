from __future__ import annotations

import dataclasses
import math

import msgspec
import pytest

from sextant.model.opportunity import Opportunity
from sextant.model.times import SECOND_NS
from support.baskets import LONGS, SHORTS, basket, judged, strayed
from support.cards import proven
from support.markets import quoted


def test_a_basket_is_neutral_has_no_price_levels_and_says_when_legs_are_left() -> None:
    row = basket()
    assert (row.direction, row.entry, row.stop, row.targets) == ("neutral", None, None, ())
    assert row.stop_reason is not None
    assert row.horizon_s == 60 * 4 * 3_600
    assert {leg.order_kind for leg in row.legs} == {"market"}
    assert {leg.leverage for leg in row.legs} == {1.0}


def test_its_lines_sum_to_its_edge_and_its_rank_weighs_the_residual_risk() -> None:
    row = basket(proven())
    assert row.edge_bps == pytest.approx(math.fsum(line.bps or 0.0 for line in row.costs), abs=1e-9)
    assert row.edge_usd == pytest.approx((row.edge_bps or 0.0) * row.size.notional_usd / 1e4)
    sigma = row.risk_facts["sigma_frac"]
    assert row.es95_usd == pytest.approx(2.063 * sigma * row.size.notional_usd)
    assert row.rank_score is not None
    assert row.edge_lcb_bps is not None
    assert row.rank_score == pytest.approx(row.edge_lcb_bps / 1e4 / (2.063 * sigma) - 0.05)


def test_no_confidence_is_stated_because_the_evidence_is_that_of_single_legs() -> None:
    row = basket(proven())
    assert row.grade == "A"
    assert (row.confidence, row.evidence.confidence) == (None, None)
    assert row.evidence.reason is not None
    assert "single legs" in row.evidence.reason
    assert any("single legs" in warning for warning in row.warnings)


def test_a_basket_keeps_its_key_while_its_members_stay() -> None:
    first = basket()
    view = strayed()
    later_ns = view.as_of_ns + 5 * SECOND_NS
    later = dataclasses.replace(view, as_of_ns=later_ns, quotes=quoted(view.bars["4h"].close[-1], later_ns))
    (again,), _ = judged(later)
    assert again.opportunity_key == first.opportunity_key
    assert again.expires_ns > again.as_of_ns


def test_every_member_is_told_with_its_weight_and_an_opportunity_survives_the_wire() -> None:
    row = basket(proven())
    assert len([text for text in row.reasons if "deviations" in text]) == len(LONGS) + len(SHORTS)
    assert msgspec.json.decode(msgspec.json.encode(row), type=Opportunity) == row
