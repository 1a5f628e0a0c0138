"""What every strategy of underlyings must satisfy; strategies.md 1.10 for strategies that read chains."""

from __future__ import annotations

import dataclasses
import math

import msgspec
import numpy as np
import pytest

from sextant.model.account import Account, FeeTier
from sextant.model.opportunity import Disposition, Opportunity
from sextant.model.view import OPTION_FIELDS, View
from sextant.strategies.catalog import strategies
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Strategy
from sextant.strategies.costs import CostAssumptions, Pricing
from support.cards import UNPROVEN
from support.finite import numbers
from support.option_markets import EMITS, REFUSES, daily, market

ALL = [strategy for strategy in strategies().values() if strategy.unit == "underlying"]
IDS = [strategy.id for strategy in ALL]
RICH = Account(equity_usd=100_000.0, coverage_frac=1.0, free_usd={"deribit": 100_000.0})

each = pytest.mark.parametrize("strategy", ALL, ids=IDS)


def judged(
    strategy: Strategy, view: View, account: Account = RICH, **params: float
) -> tuple[list[Opportunity], list[Disposition]]:
    verdict = strategy.evaluate(view, strategy.defaults(**params), Columns(view))
    assert strategy.judge is not None
    assert verdict.skipped is None
    pricing = Pricing(view, account, CostAssumptions())
    rows, dispositions = strategy.judge(strategy, verdict, lambda *_: UNPROVEN, pricing)
    return rows, list(dispositions)


@each
def test_its_statement_is_complete(strategy: Strategy) -> None:
    assert strategy.references
    assert strategy.known_gaps
    assert strategy.evidence_kind == "analytic"
    assert {"chain"} <= {need.column for need in strategy.needs}
    assert len({param.name for param in strategy.params}) == len(strategy.params)


@each
def test_it_speaks_in_its_own_market_and_is_silent_in_another(strategy: Strategy) -> None:
    rows, dispositions = judged(strategy, EMITS[strategy.id]())
    assert len(rows) == 1
    assert dispositions[0].opportunity_key == rows[0].opportunity_key
    refusing, kind, stage = REFUSES[strategy.id]
    rows, dispositions = judged(strategy, refusing())
    assert not rows
    assert (dispositions[0].kind, dispositions[0].stage) == (kind, stage)
    assert dispositions[0].flips_if


@each
def test_without_options_it_is_skipped(strategy: Strategy) -> None:
    view = market(daily(0.0314))
    assert strategy.evaluate(view, strategy.defaults(), Columns(view)).skipped == "no option data"


@each
def test_an_empty_universe_gives_nothing(strategy: Strategy) -> None:
    view = dataclasses.replace(EMITS[strategy.id](), chains={})
    assert strategy.evaluate(view, strategy.defaults(), Columns(view)).skipped is not None


@each
def test_the_view_is_left_as_it_is_and_gives_the_same_bytes_again(strategy: Strategy) -> None:
    view = EMITS[strategy.id]()
    before = view.content_hash
    first = msgspec.json.encode(judged(strategy, view))
    assert msgspec.json.encode(judged(strategy, view)) == first
    assert dataclasses.replace(view).content_hash == before


@each
@pytest.mark.parametrize("account", [RICH, Account()], ids=["account", "nobody"])
def test_opportunities_add_up_and_can_be_ordered(strategy: Strategy, account: Account) -> None:
    view = EMITS[strategy.id]()
    (row,), _ = judged(strategy, view, account)
    for path, value in numbers(msgspec.to_builtins(row)):
        assert math.isfinite(value), path
    assert [line.item for line in row.costs] == [
        "gross", "fee_entry", "fee_exit", "spread", "slippage", "funding", "borrow", "transfer", "delivery",
    ]  # fmt: skip
    assert row.edge_bps is not None
    assert row.edge_bps > 0
    assert math.fsum(line.bps or 0.0 for line in row.costs) == pytest.approx(row.edge_bps, abs=1e-9)
    rules = {spec.instrument: spec for one in view.chains.values() for spec in one.instruments}
    rules |= {spec.instrument: spec for spec in view.instruments}
    for leg in row.legs:
        spec = rules[leg.instrument]
        assert leg.quantity > 0
        assert leg.quantity % spec.lot == 0
        assert leg.price % spec.tick == 0
    assert row.expires_ns >= row.as_of_ns >= row.first_seen_ns
    assert row.reasons
    assert all(reading.passed for reading in row.gates)


@each
def test_dearer_fees_never_raise_an_edge(strategy: Strategy) -> None:
    view = EMITS[strategy.id]()

    def paying(taker_bps: float) -> Account:
        tier = FeeTier(
            "deribit", "option", "test", taker_bps, taker_bps, assumed=False, source="test", read_on=""
        )
        return msgspec.structs.replace(RICH, fees={"deribit:option": tier})

    (cheap,), _ = judged(strategy, view, paying(1.0))
    rows, _ = judged(strategy, view, paying(2.0))
    assert cheap.edge_bps is not None
    for row in rows:
        assert row.edge_bps is not None
        assert row.edge_bps < cheap.edge_bps


@each
def test_both_bounds_of_every_parameter_run(strategy: Strategy) -> None:
    view = EMITS[strategy.id]()
    for param in strategy.params:
        for value in (param.low, param.high):
            _, dispositions = judged(strategy, view, RICH, **{param.name: value})
            assert len(dispositions) == view.size, (param.name, value)


@each
@pytest.mark.parametrize(
    "field", ["bid", "ask", "bid_size", "ask_size", "mark_iv", "open_interest", "forward", "index"]
)
def test_an_unknown_column_is_an_answer_and_never_an_exception(strategy: Strategy, field: str) -> None:
    view = EMITS[strategy.id]()
    changed = {}
    for name, one in view.chains.items():
        values = one.values.copy()
        values[OPTION_FIELDS.index(field)] = np.nan
        changed[name] = dataclasses.replace(one, values=values)
    rows, dispositions = judged(strategy, dataclasses.replace(view, chains=changed))
    assert len(dispositions) == view.size
    if field in ("bid", "ask", "forward", "index"):
        assert not rows
        assert dispositions[0].kind == "insufficient_data"


@each
def test_old_quotes_are_insufficient_and_say_how_old(strategy: Strategy) -> None:
    view = EMITS[strategy.id]()
    limit_s = next(need.greatest_age_s for need in strategy.needs if need.column == "chain")
    later = {
        name: dataclasses.replace(one, event_ns=one.event_ns - round((limit_s + 1) * 1e9))
        for name, one in view.chains.items()
    }
    rows, dispositions = judged(strategy, dataclasses.replace(view, chains=later))
    assert not rows
    assert dispositions[0].kind == "insufficient_data"
