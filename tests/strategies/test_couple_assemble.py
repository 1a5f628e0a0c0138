from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest

from sextant.model.account import Account, FeeTier
from sextant.model.times import SECOND_NS
from sextant.model.view import View
from support.carries import interval_trap, spot_carry
from support.couple_runs import RICH, scanned, single

NAME = "ai_funding_arbitrage"
VIEW = spot_carry()


def later(view: View, seconds: float) -> View:
    """The same market, all of it seen ``seconds`` later; quotes and facts are of that moment."""
    moved = round(seconds * SECOND_NS)
    facts = dataclasses.replace(view.derivatives, event_ns=view.derivatives.event_ns + moved)
    quotes = dataclasses.replace(view.quotes, event_ns=view.quotes.event_ns + moved)
    return dataclasses.replace(view, as_of_ns=view.as_of_ns + moved, quotes=quotes, derivatives=facts)


def test_both_legs_are_market_orders_at_their_touch() -> None:
    row = single(scanned(NAME, VIEW))
    entry, hedge = row.legs
    assert (entry.side, entry.role, entry.leverage, entry.margin_usd) == ("buy", "entry", None, None)
    assert (hedge.side, hedge.role, hedge.leverage) == ("sell", "hedge", 3.0)
    assert hedge.margin_usd == pytest.approx(hedge.notional_usd / 3.0)
    assert float(entry.price) == pytest.approx(100.01)
    assert float(hedge.price) == pytest.approx(99.99)
    assert entry.order_kind == hedge.order_kind == "market"


def test_the_idea_keeps_its_key_while_its_first_row_its_legs_and_its_parameters_stay() -> None:
    first, same = (single(scanned(NAME, view)) for view in (VIEW, later(VIEW, 60.0)))
    assert first.opportunity_key == same.opportunity_key
    assert first.first_seen_ns == same.first_seen_ns
    assert single(scanned(NAME, interval_trap())).opportunity_key != first.opportunity_key


def test_it_expires_with_the_quotes_it_stands_on_or_the_next_funding() -> None:
    row = single(scanned(NAME, VIEW))
    assert row.expires_ns == VIEW.as_of_ns + 20 * 5 * SECOND_NS
    facts = dataclasses.replace(
        VIEW.derivatives, next_funding_ns=np.array([0, VIEW.as_of_ns + 30 * SECOND_NS])
    )
    settles = single(scanned(NAME, dataclasses.replace(VIEW, derivatives=facts)))
    assert settles.expires_ns == VIEW.as_of_ns + 30 * SECOND_NS


def test_inputs_are_named_with_their_leg_and_age() -> None:
    row = single(scanned(NAME, later(VIEW, 4.0)))
    ages = {item.name: item for item in row.inputs}
    assert list(ages) == ["bars.4h", "quote.first", "quote.second", "funding.second"]
    assert ages["bars.4h"].age_ms == 4_000.0
    assert ages["funding.second"].age_ms == 1_000.0
    assert ages["quote.first"].greatest_age_ms == 5_000.0


def test_risk_counts_the_residual_and_one_missed_hedge() -> None:
    row = single(scanned(NAME, VIEW))
    # Nothing ever moved apart here, so what remains is the missed hedge: half a percent of the notional.
    assert row.risk_facts["es99_frac"] == pytest.approx(0.005)
    assert row.risk_facts["loss_usd"] == pytest.approx(0.005 * 30_000.0)
    assert row.risk_facts["loss_frac_of_capital"] == pytest.approx(0.005 / (4 / 3 + 35e-4), rel=1e-6)
    assert row.risk_level == "low"


def test_an_absent_stop_has_its_reason() -> None:
    row = single(scanned(NAME, VIEW))
    assert row.stop is None
    assert row.stop_reason is not None
    assert row.stop_reason.startswith("the basis has not moved")
    assert (row.direction, row.targets) == ("neutral", ())
    assert row.level_unit is not None
    assert row.level_unit.startswith("basis points of basis")


def test_nobody_is_told_that_sizes_are_illustrative_and_two_venues_that_they_are_two() -> None:
    row = single(scanned(NAME, interval_trap(), Account()))
    assert any("illustrative" in warning for warning in row.warnings)
    assert any("two venues" in warning for warning in row.warnings)
    assert row.rank_score is None
    own = single(scanned(NAME, VIEW))
    assert not any("two venues" in warning for warning in own.warnings)


def test_a_better_fee_tier_raises_the_score() -> None:
    tier = FeeTier("bybit", "spot", "VIP", 1.0, 4.0, assumed=False, source="venue", read_on="")
    better = msgspec.structs.replace(RICH, fees={"bybit:spot": tier})
    plain, cheap = (single(scanned(NAME, VIEW, account)) for account in (RICH, better))
    assert plain.rank_score is not None
    assert cheap.rank_score is not None
    assert cheap.edge_bps == pytest.approx(91.0 + 12.0)
    assert cheap.rank_score > plain.rank_score
