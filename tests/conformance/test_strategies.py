"""What every strategy must satisfy, whoever wrote it; strategies.md 1.10."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

from sextant.model.account import Account, FeeTier
from sextant.model.opportunity import Disposition, Opportunity
from sextant.model.scorecard import Scorecard
from sextant.model.times import INTERVAL_NS
from sextant.model.view import View
from sextant.strategies.catalog import CATALOGUE_ORDER, strategies
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Strategy, Verdict
from sextant.strategies.costs import CostAssumptions, Pricing
from sextant.strategies.propose import judge
from support import bar_markets
from support import markets as spot_markets
from support.cards import UNPROVEN, proven
from support.finite import numbers
from support.markets import (
    known_at,
    quoted_earlier,
    reordered,
    unquoted,
    without_bars_of,
)

EMITS = {**spot_markets.EMITS, **bar_markets.EMITS}
REFUSES = {**spot_markets.REFUSES, **bar_markets.REFUSES}
ALL = [strategy for strategy in strategies().values() if strategy.unit == "instrument"]
IDS = [strategy.id for strategy in ALL]
CUTS = 100
NOTHING = CostAssumptions()
RICH = Account(equity_usd=100_000.0, coverage_frac=1.0, free_usd={"binance": 100_000.0})

each = pytest.mark.parametrize("strategy", ALL, ids=IDS)


@pytest.fixture(scope="module")
def markets() -> dict[str, View]:
    """The market each strategy must speak in, built once."""
    return {name: EMITS[name]() for name in IDS}


def evaluate(strategy: Strategy, view: View, **params: float) -> Verdict:
    return strategy.evaluate(view, strategy.defaults(**params), Columns(view))


def judged(
    strategy: Strategy, view: View, card: Scorecard = UNPROVEN, account: Account = RICH
) -> tuple[list[Opportunity], list[Disposition]]:
    pricing = Pricing(view, account, NOTHING)
    rows, dispositions = judge(strategy, evaluate(strategy, view), lambda *_: card, pricing)
    return rows, list(dispositions)


def history(verdict: Verdict) -> dict[str, Any]:
    """All arrays of a verdict that have a past, by name."""
    signals = verdict.signals
    arrays: dict[str, Any] = {
        "direction": signals.direction,
        "strength": signals.strength,
        "stop": signals.stop,
        "target": signals.target,
        "exit_flag": signals.exit_flag,
    }
    if signals.exit_close is not None:
        arrays["exit_close"] = signals.exit_close
    arrays |= {f"gate {gate.name}": gate.values for gate in verdict.gates if not gate.live_only}
    return arrays | {f"fact {name}": column for name, column in verdict.facts.items()}


@each
def test_its_statement_is_complete(strategy: Strategy) -> None:
    assert strategy.references
    assert strategy.name
    assert strategy.min_capital_usd > 0
    names = [param.name for param in strategy.params]
    assert len(set(names)) == len(names)
    assert strategy.id in CATALOGUE_ORDER
    assert {"bars", "quotes"} <= {need.column for need in strategy.needs}


def test_strategies_are_listed_in_the_order_of_the_catalogue() -> None:
    assert [name for name in CATALOGUE_ORDER if name in IDS] == IDS


@each
def test_it_speaks_in_its_own_market(strategy: Strategy, markets: dict[str, View]) -> None:
    rows, dispositions = judged(strategy, markets[strategy.id])
    assert dispositions[0].kind == "opportunity"
    assert dispositions[0].opportunity_key in {row.opportunity_key for row in rows}


@each
def test_it_is_silent_in_a_market_without_its_cause(strategy: Strategy) -> None:
    market, gate = REFUSES[strategy.id]
    _, dispositions = judged(strategy, market())
    assert (dispositions[0].kind, dispositions[0].stage) == ("gate_failed", gate)
    assert dispositions[0].flips_if is not None
    assert dispositions[0].since_ns is not None


@each
def test_later_rows_never_change_earlier_ones(strategy: Strategy, markets: dict[str, View]) -> None:
    view = markets[strategy.id]
    whole = evaluate(strategy, view)
    frame = view.bars[whole.interval]
    for rows in np.random.default_rng(1).integers(1, frame.rows, size=CUTS):
        cut = evaluate(strategy, known_at(view, int(frame.open_ns[rows - 1]) + INTERVAL_NS[whole.interval]))
        for name, column in history(cut).items():
            np.testing.assert_array_equal(column, history(whole)[name][:rows], err_msg=f"{name} at {rows}")


@each
def test_the_view_is_left_as_it_is(strategy: Strategy, markets: dict[str, View]) -> None:
    view = markets[strategy.id]
    before = {
        (interval, name): column.tobytes()
        for interval, frame in view.bars.items()
        for name, column in vars(frame).items()
        if isinstance(column, np.ndarray)
    }
    judged(strategy, view)
    for (interval, name), data in before.items():
        assert getattr(view.bars[interval], name).tobytes() == data


@each
@pytest.mark.parametrize("card", [UNPROVEN, proven()], ids=["unproven", "proven"])
def test_the_same_view_gives_the_same_bytes(
    strategy: Strategy, card: Scorecard, markets: dict[str, View]
) -> None:
    view = markets[strategy.id]
    first, second = history(evaluate(strategy, view)), history(evaluate(strategy, view))
    assert {n: c.tobytes() for n, c in first.items()} == {n: c.tobytes() for n, c in second.items()}
    assert msgspec.json.encode(judged(strategy, view, card)) == msgspec.json.encode(
        judged(strategy, view, card)
    )


@each
def test_every_instrument_has_one_disposition(strategy: Strategy, markets: dict[str, View]) -> None:
    view = markets[strategy.id]
    _, dispositions = judged(strategy, view)
    assert [item.unit for item in dispositions] == [str(spec.instrument) for spec in view.instruments]


@each
@pytest.mark.parametrize("card", [UNPROVEN, proven()], ids=["unproven", "proven"])
@pytest.mark.parametrize("account", [RICH, Account()], ids=["account", "nobody"])
def test_opportunities_add_up_and_can_be_ordered(
    strategy: Strategy, card: Scorecard, account: Account, markets: dict[str, View]
) -> None:
    view = markets[strategy.id]
    rows, dispositions = judged(strategy, view, card, account)
    if not rows and account.equity_usd is None:
        # Many legs of an unproven idea may be too small for 1,000 USD, and then say so.
        assert dispositions[0].kind == "below_min_notional"
        return
    assert rows
    for row in rows:
        for path, value in numbers(msgspec.to_builtins(row)):
            assert math.isfinite(value), path
        lines = {line.item: line for line in row.costs}
        assert list(lines) == [
            "gross", "fee_entry", "fee_exit", "spread", "slippage", "funding", "borrow", "transfer", "delivery",
        ]  # fmt: skip
        total = math.fsum(line.bps for line in row.costs if line.bps is not None)
        if row.edge_bps is None:
            assert lines["gross"].bps is None
            assert row.grade == "unproven"
        else:
            assert total == pytest.approx(row.edge_bps, abs=1e-9)
            assert row.edge_bps > 0
        for leg in row.legs:
            spec = view.instruments[view.column_of[leg.instrument]]
            assert leg.quantity > 0
            assert leg.quantity % spec.lot == 0
            assert leg.price % spec.tick == 0
            assert leg.notional_usd >= float(spec.min_notional or 0)
        assert row.expires_ns >= row.as_of_ns >= row.first_seen_ns
        assert row.reasons
        assert all(reading.passed for reading in row.gates)


@each
def test_an_instrument_without_bars_is_insufficient_and_disturbs_nothing(
    strategy: Strategy, markets: dict[str, View]
) -> None:
    view = without_bars_of(markets[strategy.id], 0)
    _, dispositions = judged(strategy, view)
    assert dispositions[0].kind == "insufficient_data"
    assert dispositions[0].limit is not None
    assert len(dispositions) == view.size


@each
def test_one_row_is_insufficient(strategy: Strategy, markets: dict[str, View]) -> None:
    view = markets[strategy.id]
    first = min(int(frame.open_ns[0]) + INTERVAL_NS[frame.interval] for frame in view.bars.values())
    rows, dispositions = judged(strategy, known_at(view, first))
    assert not rows
    assert {item.kind for item in dispositions} == {"insufficient_data"}


@each
def test_no_bars_at_all_skip_it_with_a_reason(strategy: Strategy, markets: dict[str, View]) -> None:
    view = known_at(markets[strategy.id], 0)
    verdict = evaluate(strategy, view)
    assert verdict.skipped is not None
    rows, dispositions = judge(strategy, verdict, lambda *_: UNPROVEN, Pricing(view, RICH, NOTHING))
    assert not rows
    assert {item.kind for item in dispositions} == {"insufficient_data"}


@each
def test_an_empty_universe_gives_nothing(strategy: Strategy, markets: dict[str, View]) -> None:
    assert judged(strategy, reordered(markets[strategy.id], [])) == ([], [])


@each
def test_a_stale_quote_is_insufficient_and_says_how_old(strategy: Strategy, markets: dict[str, View]) -> None:
    limit_s = next(need.greatest_age_s for need in strategy.needs if need.column == "quotes")
    rows, dispositions = judged(strategy, quoted_earlier(markets[strategy.id], limit_s + 1.0))
    assert not rows
    answer = dispositions[0]
    assert (answer.kind, answer.stage) == ("insufficient_data", "quote.age_ms")
    assert answer.value == pytest.approx((limit_s + 1.0) * 1e3)
    assert answer.limit == pytest.approx(limit_s * 1e3)


@each
def test_a_replay_without_quotes_is_insufficient_unless_a_spread_is_assumed_and_then_says_so(
    strategy: Strategy, markets: dict[str, View]
) -> None:
    view = unquoted(markets[strategy.id])
    rows, dispositions = judged(strategy, view)
    assert not rows
    assert (dispositions[0].kind, dispositions[0].stage) == ("insufficient_data", "quotes")
    assumed = CostAssumptions(spread_bps_assumed=1.0)
    verdict = strategy.evaluate(view, strategy.defaults(), Columns(view, assumed))
    # A small account: without a touch all of a size slips, and slippage alone can break an unproven idea's payoff.
    small = Account(equity_usd=10_000.0, coverage_frac=1.0, free_usd={"binance": 10_000.0})
    rows, answers = judge(strategy, verdict, lambda *_: UNPROVEN, Pricing(view, small, assumed))
    assert answers[0].kind == "opportunity"
    for row in rows:
        spread = next(line for line in row.costs if line.item == "spread")
        assert spread.bps == pytest.approx(-1.0)
        assert spread.basis == "assumed 1 bps: the recording has no quotes"
        assert any("assumed to be 1 bps" in warning for warning in row.warnings)


@each
def test_the_order_of_instruments_does_not_matter(strategy: Strategy, markets: dict[str, View]) -> None:
    view = markets[strategy.id]
    order = np.random.default_rng(2).permutation(view.size).tolist()
    one, other = history(evaluate(strategy, view)), history(evaluate(strategy, reordered(view, order)))
    for name, column in one.items():
        np.testing.assert_array_equal(other[name], column[:, order], err_msg=name)
    rows, dispositions = judged(strategy, view, proven())
    moved_rows, moved = judged(strategy, reordered(view, order), proven())
    assert moved == [dispositions[column] for column in order]
    assert {row.opportunity_key: row for row in moved_rows} == {row.opportunity_key: row for row in rows}


@each
def test_dearer_fees_never_raise_an_edge(strategy: Strategy, markets: dict[str, View]) -> None:
    view = markets[strategy.id]

    def paying(taker_bps: float) -> Account:
        tier = FeeTier(
            "binance", "spot", "test", taker_bps, taker_bps, assumed=False, source="test", read_on=""
        )
        fees = {"binance:spot": tier, "binance:perpetual": msgspec.structs.replace(tier, kind="perpetual")}
        return msgspec.structs.replace(RICH, fees=fees)

    cheap, _ = judged(strategy, view, proven(), paying(10.0))
    dear = {row.opportunity_key: row for row in judged(strategy, view, proven(), paying(20.0))[0]}
    assert cheap
    for row in cheap:
        assert row.edge_bps is not None
        twin = dear.get(row.opportunity_key)
        if twin is not None and twin.edge_bps is not None:
            assert twin.edge_bps < row.edge_bps


@each
def test_both_bounds_of_every_parameter_run(strategy: Strategy, markets: dict[str, View]) -> None:
    view = markets[strategy.id]
    for param in strategy.params:
        for value in (param.low, param.high):
            verdict = evaluate(strategy, view, **{param.name: value})
            _, dispositions = judge(strategy, verdict, lambda *_: UNPROVEN, Pricing(view, RICH, NOTHING))
            assert len(dispositions) == view.size, (param.name, value)


@each
def test_strength_confidence_and_edge_do_not_move_the_risk_level(
    strategy: Strategy, markets: dict[str, View]
) -> None:
    view = markets[strategy.id]
    plain, _ = judged(strategy, view, proven())
    sure, _ = judged(strategy, view, proven(confidence=0.99, gross_mean_bps=300.0))
    assert [row.risk_level for row in plain] == [row.risk_level for row in sure]


@each
def test_a_lot_larger_than_the_size_is_below_the_least_order(
    strategy: Strategy, markets: dict[str, View]
) -> None:
    view = markets[strategy.id]
    coarse = tuple(msgspec.structs.replace(spec, lot=Decimal(10_000)) for spec in view.instruments)
    view = View(**{**{n: getattr(view, n) for n in View.__dataclass_fields__}, "instruments": coarse})
    rows, dispositions = judged(strategy, view)
    assert not rows
    assert dispositions[0].kind == "below_min_notional"
    assert dispositions[0].limit is not None
