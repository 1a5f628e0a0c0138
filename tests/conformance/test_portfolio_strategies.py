"""What every strategy of a whole portfolio must satisfy, whoever wrote it; strategies.md 1.10."""

from __future__ import annotations

import dataclasses
import math
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

from sextant.model.account import Account, FeeTier
from sextant.model.bar import Floats
from sextant.model.opportunity import Disposition, Opportunity
from sextant.model.scorecard import Scorecard
from sextant.model.view import View, no_quotes
from sextant.scans.records import ScanRequest
from sextant.scans.run import Asked, EvidenceShelf, MarketPart, StrategyRun, run_strategy
from sextant.scans.universe import choose
from sextant.strategies.catalog import CATALOGUE_ORDER, strategies
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Strategy
from sextant.strategies.costs import CostAssumptions, Pricing
from support.finite import numbers
from support.markets import frozen, known_at, quoted_earlier, reordered, without_bars_of
from support.portfolios import DAYS, account, balance, funded, market, normal, position, with_frame

ALL = [strategy for strategy in strategies().values() if strategy.unit == "portfolio"]
IDS = [strategy.id for strategy in ALL]
LINES = (
    "gross", "fee_entry", "fee_exit", "spread", "slippage", "funding", "borrow", "transfer", "delivery",
)  # fmt: skip

each = pytest.mark.parametrize("strategy", ALL, ids=IDS)


def _returns(rows: int, sigma: float, seed: int) -> dict[str, Floats]:
    common = normal(rows, sigma, seed)
    names = ("BTC", "ETH", "SOL", "XRP", "ADA")
    return {name: common + normal(rows, 0.5 * sigma, seed + i) for i, name in enumerate(names, 1)}


@pytest.fixture(scope="module")
def view() -> View:
    """Five assets that move together by 6 % a day, spot and perpetual at two venues, with 4h bars and funding."""
    base = market(_returns(DAYS, 0.06, 1), venues=("binance", "kraken"))
    return funded(with_frame(base, "4h", _returns(1_000, 0.024, 50)), 5e-5)


def holder(view: View, **changes: Any) -> Account:
    """An account over several of its limits, with a position, a debt and some dust."""
    lots = (
        balance(view, "binance", "BTC", 500), balance(view, "binance", "ETH", 100), balance(view, "binance", "SOL", 50),
        balance(view, "binance", "XRP", "-2"), balance(view, "binance", "ADA", "0.000001"),
        balance(view, "binance", "USDT", 25_000), balance(view, "kraken", "USDC", 10_000),
    )  # fmt: skip
    held = (position(view, "ADA", 30, liquidation_price=Decimal(95)),)
    return account(*lots, **{"positions": held} | changes)


def scanned(strategy: Strategy, view: View, who: Account) -> StrategyRun:
    part = MarketPart(view, CostAssumptions(), EvidenceShelf())
    wanted = ScanRequest()
    run = run_strategy(strategy, Asked(part, choose(view, wanted, part.turnover_usd), who, wanted))
    assert sum(run.report.dispositions.values()) == run.report.candidates == len(run.dispositions)
    assert len({item.unit for item in run.dispositions}) == len(run.dispositions)
    keys = {item.opportunity_key for item in run.dispositions if item.kind == "opportunity"}
    assert keys == {row.opportunity_key for row in run.opportunities}
    return run


def judged(strategy: Strategy, view: View, who: Account, **params: float) -> list[Disposition]:
    def no_cards(*_: object) -> Scorecard:
        raise AssertionError("a portfolio has no cards of single instruments")

    verdict = strategy.evaluate(view, strategy.defaults(**params), Columns(view))
    assert strategy.judge is not None
    return list(strategy.judge(strategy, verdict, no_cards, Pricing(view, who, CostAssumptions()))[1])


def sound(row: Opportunity, view: View) -> None:
    """An opportunity that can be shown, added up and ordered."""
    for path, value in numbers(msgspec.to_builtins(row)):
        assert math.isfinite(value), path
    assert tuple(line.item for line in row.costs) == LINES
    assert (row.edge_bps, row.gross_bps, row.confidence) == (None, None, None)
    assert row.lane == "protect"
    assert row.legs or row.transfer is not None
    for leg in row.legs:
        spec = view.instruments[view.column_of[leg.instrument]]
        assert leg.quantity > 0
        assert leg.quantity % spec.lot == 0
        assert leg.price % spec.tick == 0
        assert leg.notional_usd >= float(spec.min_notional or 0)
    assert row.expires_ns >= row.as_of_ns >= row.first_seen_ns
    assert row.reasons
    assert all(reading.passed for reading in row.gates)
    known = math.fsum(line.usd or 0.0 for line in row.costs)
    assert known == pytest.approx(-row.risk_facts["cost_usd"], abs=1e-6)


@each
def test_its_statement_is_complete(strategy: Strategy) -> None:
    assert strategy.references
    assert strategy.judge is not None
    assert (strategy.lane, strategy.evidence_kind) == ("protect", "portfolio")
    names = [param.name for param in strategy.params]
    assert len(set(names)) == len(names)
    assert strategy.id in CATALOGUE_ORDER
    assert {"bars", "quotes"} <= {need.column for need in strategy.needs}


@each
def test_what_it_says_is_sound(strategy: Strategy, view: View) -> None:
    for profile in ("conservative", "balanced", "aggressive", "beast_mode"):
        for row in scanned(strategy, view, holder(view, profile=profile)).opportunities:
            sound(row, view)


def test_together_they_speak_of_a_portfolio_over_its_limits(view: View) -> None:
    spoken = {strategy.id for strategy in ALL if scanned(strategy, view, holder(view)).opportunities}
    assert {"ai_risk_management", "ai_hedge_position"} <= spoken


@each
def test_the_view_is_left_as_it_is_and_gives_the_same_bytes(strategy: Strategy, view: View) -> None:
    before = view.content_hash
    first, second = (scanned(strategy, view, holder(view)) for _ in range(2))
    assert msgspec.json.encode((first.opportunities, list(first.dispositions))) == msgspec.json.encode(
        (second.opportunities, list(second.dispositions))
    )
    assert dataclasses.replace(view).content_hash == before


@each
def test_the_order_of_instruments_and_balances_does_not_matter(strategy: Strategy, view: View) -> None:
    order = np.random.default_rng(3).permutation(view.size).tolist()
    facts = {
        name: column[order] if isinstance(column, np.ndarray) else column
        for name, column in vars(view.derivatives).items()
    }
    moved = frozen(
        dataclasses.replace(
            reordered(view, order), derivatives=dataclasses.replace(view.derivatives, **facts)
        )
    )
    who = holder(view)
    turned = msgspec.structs.replace(who, balances=who.balances[::-1])
    plain, other = scanned(strategy, view, who), scanned(strategy, moved, turned)
    assert {item.unit: item.kind for item in other.dispositions} == {
        item.unit: item.kind for item in plain.dispositions
    }
    legs = {
        row.opportunity_key: [(leg.instrument, leg.quantity) for leg in row.legs]
        for row in plain.opportunities
    }
    assert {
        row.opportunity_key: [(leg.instrument, leg.quantity) for leg in row.legs]
        for row in other.opportunities
    } == legs


@each
def test_dearer_fees_never_make_protection_cheaper(strategy: Strategy, view: View) -> None:
    def paying(taker_bps: float) -> Account:
        fees = {
            f"{venue}:{kind}": FeeTier(
                venue, kind, "test", taker_bps, taker_bps, assumed=False, source="test", read_on=""
            )
            for venue in ("binance", "kraken")
            for kind in ("spot", "perpetual")
        }
        return holder(view, fees=fees)

    cheap = {row.opportunity_key: row for row in scanned(strategy, view, paying(1.0)).opportunities}
    for row in scanned(strategy, view, paying(20.0)).opportunities:
        twin = cheap.get(row.opportunity_key)
        if twin is not None and row.legs:
            paid, less = (
                each_row.risk_facts["cost_usd"] / each_row.size.notional_usd for each_row in (row, twin)
            )
            assert paid > less


@each
def test_both_bounds_of_every_parameter_run(strategy: Strategy, view: View) -> None:
    for param in strategy.params:
        for value in (param.low, param.high):
            assert judged(strategy, view, holder(view), **{param.name: value}), (param.name, value)


@each
def test_without_quotes_nothing_is_priced_and_nothing_is_proposed(strategy: Strategy, view: View) -> None:
    blind = frozen(dataclasses.replace(view, quotes=no_quotes(view.size)))
    run = scanned(strategy, blind, holder(view))
    assert run.opportunities == ()
    assert {item.kind for item in run.dispositions} <= {"insufficient_data", "gate_failed"}


@each
@pytest.mark.parametrize("age_s", [16.0, 121.0])
def test_stale_quotes_carry_no_order(strategy: Strategy, view: View, age_s: float) -> None:
    for row in scanned(strategy, quoted_earlier(view, age_s), holder(view)).opportunities:
        assert not row.legs


@each
def test_missing_bars_of_one_instrument_are_survived(strategy: Strategy, view: View) -> None:
    for column in range(view.size):
        for row in scanned(strategy, without_bars_of(view, column), holder(view)).opportunities:
            sound(row, view)


@each
def test_short_histories_are_insufficient(strategy: Strategy, view: View) -> None:
    frame = view.bars["1d"]
    run = scanned(strategy, known_at(view, int(frame.open_ns[50])), holder(view))
    assert run.opportunities == ()
    assert scanned(strategy, known_at(view, 0), holder(view)).report.outcome == "skipped"


@each
def test_an_empty_universe_and_an_unknown_asset_are_survived(strategy: Strategy, view: View) -> None:
    assert scanned(strategy, reordered(view, []), holder(view)).opportunities == ()
    stranger = account(balance(view, "binance", "XYZ", 10), balance(view, "binance", "USDT", 100_000))
    assert scanned(strategy, view, stranger).opportunities == ()


@each
def test_any_account_is_answered(strategy: Strategy, view: View) -> None:
    """Twenty accounts of random holdings, debts, dust, nothing and values that only the venue states."""
    rng = np.random.default_rng(9)
    for _ in range(20):
        lots = [
            balance(
                view,
                str(rng.choice(["binance", "kraken", "bybit"])),
                str(rng.choice(["BTC", "ETH", "SOL", "XRP", "ADA", "USDT", "USDC", "EUR", "XYZ"])),
                f"{rng.choice([-1.0, 0.0, 1e-9, 1.0, 1e3]) * rng.uniform():.12f}",
                **({"value_usd": 5.0, "reason": None} if rng.uniform() < 0.2 else {}),
            )
            for _ in range(rng.integers(1, 7))
        ]
        held = tuple(
            position(view, str(rng.choice(["BTC", "ETH", "ADA"])), f"{rng.uniform(-500, 500):.3f}")
            for _ in range(rng.integers(0, 3))
        )
        equity = None if rng.uniform() < 0.3 else 50_000.0
        for row in scanned(strategy, view, account(*lots, positions=held, equity_usd=equity)).opportunities:
            sound(row, view)
