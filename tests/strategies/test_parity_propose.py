from __future__ import annotations

import dataclasses
import math

import msgspec
import pytest

from sextant.model.account import Account, FeeTier
from sextant.model.opportunity import Disposition, Opportunity
from sextant.model.view import View
from sextant.strategies.columns import Columns
from sextant.strategies.costs import CostAssumptions, Pricing
from sextant.strategies.library.parity_violation import STRATEGY
from sextant.strategies.parity_propose import judge_parity
from support.cards import UNPROVEN
from support.option_markets import NAME, Quoted, chain, parity_market, with_chain

RICH = Account(equity_usd=100_000.0, coverage_frac=1.0, free_usd={"deribit": 100_000.0})


def judged(view: View, account: Account = RICH) -> tuple[list[Opportunity], list[Disposition]]:
    verdict = STRATEGY.evaluate(view, STRATEGY.defaults(), Columns(view))
    pricing = Pricing(view, account, CostAssumptions())
    rows, dispositions = judge_parity(STRATEGY, verdict, lambda *_: UNPROVEN, pricing)
    return rows, list(dispositions)


def test_the_pages_violation_is_worth_ten_basis_points() -> None:
    """25 bps less 3 + 3 for the options, 5 for the future and 1.5 + 2.5 for delivery."""
    (row,), dispositions = judged(parity_market())
    assert row.edge_bps == pytest.approx(10.0)
    assert row.edge_lcb_bps == row.edge_bps
    lines = {line.item: line.bps for line in row.costs}
    assert lines["fee_entry"] == pytest.approx(-11.0)
    assert lines["delivery"] == pytest.approx(-4.0)
    assert math.fsum(value or 0.0 for value in lines.values()) == pytest.approx(10.0, abs=1e-9)
    assert (row.grade, row.confidence, row.evidence.source) == ("analytic", None, "contract")
    assert {item.kind for item in dispositions} == {"opportunity"}


def test_its_future_is_sold_for_the_dollars_of_the_strike() -> None:
    (row,), _ = judged(parity_market())
    future = row.legs[-1]
    assert (future.side, future.role, future.instrument.kind) == ("sell", "hedge", "future")
    assert float(future.quantity) == pytest.approx(60_000 * float(row.size.quantity))
    assert float(future.price) == 60_000.0
    assert [leg.side for leg in row.legs[:-1]] == ["buy", "sell"]


def test_the_missed_hedge_is_what_the_budget_is_spent_on() -> None:
    """0.5 % of 100,000 is the loss of 0.5 % of 100,000; the position cap of a tenth binds first: 0.1 of 60,000."""
    (row,), _ = judged(parity_market())
    assert float(row.size.quantity) == 0.1
    assert row.size.risk_usd == pytest.approx(30.0)
    assert row.size.binding == "lot"


def test_five_basis_points_too_little_is_a_negative_edge() -> None:
    rows, dispositions = judged(parity_market(0.0260))
    assert not rows
    assert dispositions[0].kind == "negative_net_edge"
    assert dispositions[0].value == pytest.approx(-5.0)


def test_quotes_that_are_not_of_one_moment_are_insufficient() -> None:
    """The future is quoted now; options three seconds old are further apart than two."""
    rows, dispositions = judged(parity_market(age_s=3.0))
    assert not rows
    assert (dispositions[0].kind, dispositions[0].stage) == ("insufficient_data", "chain.age_ms")
    assert (dispositions[0].value, dispositions[0].limit) == (3_000.0, 2_000.0)


def test_without_a_future_or_a_second_strike_there_is_nothing_to_combine() -> None:
    view = with_chain(parity_market(), chain(Quoted(30, 0.4, [60_000.0])))
    rows, dispositions = judged(view)
    assert not rows
    assert (dispositions[0].kind, dispositions[0].stage) == ("insufficient_data", "chain.strikes")


def test_a_synthetic_without_its_futures_fee_is_unknown() -> None:
    view = parity_market()
    elsewhere = dataclasses.replace(
        view.chains[NAME],
        instruments=tuple(
            msgspec.structs.replace(
                spec, instrument=msgspec.structs.replace(spec.instrument, venue="nowhere")
            )
            for spec in view.chains[NAME].instruments
        ),
    )
    _, dispositions = judged(with_chain(view, elsewhere))
    assert dispositions[0].stage == "cost.fees"


def test_the_least_capital_and_the_smallest_order_are_asked_for() -> None:
    poor = msgspec.structs.replace(RICH, equity_usd=2_000.0)
    _, dispositions = judged(parity_market(), poor)
    assert dispositions[0].stage == "min_capital"
    tight = msgspec.structs.replace(RICH, equity_usd=4_000.0, free_usd={"deribit": 4_000.0})
    _, dispositions = judged(parity_market(), tight)
    assert dispositions[0].kind == "below_min_notional"


def test_an_accounts_own_fees_count() -> None:
    free = FeeTier("deribit", "option", "vip", 0.0, 0.0, assumed=False, source="account", read_on="")
    account = msgspec.structs.replace(RICH, fees={"deribit:option": free})
    (row,), _ = judged(parity_market(), account)
    assert row.edge_bps == pytest.approx(16.0)
    assert any("entry tier" in warning for warning in row.warnings)  # of the future


def test_without_an_account_the_smallest_order_is_shown() -> None:
    (row,), _ = judged(parity_market(), Account())
    assert (row.size.illustrative, row.rank_score) == (True, None)
