from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from sextant.model.opportunity import Transfer
from sextant.strategies.catalog import strategy
from sextant.strategies.costs import Pricing
from sextant.strategies.ground import Ground, ground_of
from sextant.strategies.orders import Order, order_of
from sextant.strategies.protect import Protection, opportunity_key, told
from support.portfolios import DAYS, account, balance, market, normal, pricing

VIEW = market({"BTC": normal(DAYS, 0.02, 1)})
WHO = account(balance(VIEW, "binance", "BTC", 600), balance(VIEW, "kraken", "USDT", 40_000))
PRICING: Pricing = pricing(VIEW, WHO)
SPOT, PERPETUAL = 0, 1


def _ground() -> Ground:
    ground = ground_of(PRICING)
    assert isinstance(ground, Ground)
    return ground


def _order(column: int, quantity: int) -> Order:
    order = order_of(PRICING, column, "sell", Decimal(quantity))
    assert order is not None
    return order


def _case(**changes: Any) -> Protection:
    ground = _ground()
    facts: dict[str, Any] = {
        "strategy": strategy("ai_risk_management"),
        "ground": ground,
        "name": "test",
        "orders": (_order(SPOT, 100),),
        "es_after_usd": ground.es_without("BTC", 10_000.0),
        "strength": 1.5,
        "horizon_s": 86_400.0,
        "gates": (),
        "reasons": ("because",),
    }
    return Protection(**facts | changes)


def test_it_promises_nothing_and_says_what_it_removes_and_costs() -> None:
    row = told(_case())
    assert (row.gross_bps, row.edge_bps, row.edge_usd, row.confidence) == (None, None, None, None)
    assert row.risk_facts["dES_usd"] == pytest.approx(_ground().es_usd / 6)
    assert row.risk_facts["cost_usd"] == pytest.approx(11.0)  # 10,000 USD at 10 and 1 bps, once
    lines = {line.item: line.usd for line in row.costs}
    assert lines["fee_entry"] == pytest.approx(-10.0)
    assert lines["fee_exit"] == 0.0
    assert lines["spread"] == pytest.approx(-1.0)
    assert sum(usd for usd in lines.values() if usd is not None) == pytest.approx(-11.0)
    assert row.entry == Decimal("99.99")
    assert row.stop is None
    assert row.stop_reason


def test_a_hedge_is_paid_twice_and_earns_its_funding() -> None:
    """10,000 USD of a perpetual: 5 and 1 bps twice are 12 USD, funding gives 7: 5 in all."""
    row = told(_case(orders=(_order(PERPETUAL, 100),), hedge=True, income_usd=7.0, leverage=4.0))
    lines = {line.item: line.usd for line in row.costs}
    assert lines["fee_entry"] == pytest.approx(-5.0)
    assert lines["fee_exit"] == pytest.approx(-5.0)
    assert lines["spread"] == pytest.approx(-2.0)
    assert lines["funding"] == 7.0
    assert row.risk_facts["cost_usd"] == pytest.approx(5.0)
    assert row.size.required_capital_usd == pytest.approx(2_505.0)
    # 10,000 x (0.5 % missed + 5 bps) = 55 of 2,505 USD are 2.2 %; leverage 4 is one level more.
    assert row.risk_level == "medium_high"
    assert row.risk_facts["loss_usd"] == pytest.approx(55.0)


def test_cheaper_protection_ranks_higher() -> None:
    cheap, dear = told(_case()), told(_case(income_usd=-50.0))
    assert cheap.rank_score is not None
    assert dear.rank_score is not None
    assert cheap.rank_score > dear.rank_score
    removed = cheap.risk_facts["dES_usd"]
    assert cheap.rank_score - dear.rank_score == pytest.approx(50.0 / removed)


def test_what_removes_no_shortfall_has_no_rank() -> None:
    assert told(_case(es_after_usd=_ground().es_usd)).rank_score is None


def test_an_unknown_withdrawal_fee_is_unknown_and_a_known_one_is_paid() -> None:
    move = Transfer("USDT", Decimal(1_000), "kraken", "binance", 1_000.0, None, None)
    row = told(_case(orders=(), transfer=move))
    assert row.legs == ()
    assert row.entry is None
    assert next(line for line in row.costs if line.item == "transfer").bps is None
    assert row.rank_score is None
    paid = told(_case(orders=(), transfer=msgspec.structs.replace(move, fee_usd=4.0, minutes=10.0)))
    assert next(line for line in paid.costs if line.item == "transfer").bps == pytest.approx(-40.0)
    assert paid.risk_facts["cost_usd"] == pytest.approx(4.0)


def test_the_same_protection_keeps_its_key() -> None:
    one, other = told(_case()), told(_case(strength=9.0, orders=(_order(SPOT, 50),)))
    assert one.opportunity_key == other.opportunity_key
    assert told(_case(orders=(_order(PERPETUAL, 100),))).opportunity_key != one.opportunity_key
    assert opportunity_key(strategy("ai_risk_management"), "other", one.legs) != one.opportunity_key


def test_its_inputs_have_ages() -> None:
    row = told(_case())
    assert [item.name for item in row.inputs] == ["portfolio", "bars.1d", "quote"]
    assert row.expires_ns == VIEW.as_of_ns + 300 * 10**9
