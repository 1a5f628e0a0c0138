"""The fixtures of strategies.md 3.8 with the numbers stated there; tolerance 2 % or half of the last digit."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest

from sextant.model.account import Account
from sextant.model.view import View
from sextant.strategies.catalog import strategy
from sextant.strategies.columns import Columns
from support.bar_markets import funded, futures_market, with_interest
from support.judging import RICH, run
from support.markets import specs_of
from support.said import away_frac, failed, said

FUTURES = "ai_futures_trade"


def with_facts(view: View, **facts: float) -> View:
    """The market with other facts of its one perpetual."""
    columns = {name: np.full(view.size, value) for name, value in facts.items()}
    return dataclasses.replace(view, derivatives=dataclasses.replace(view.derivatives, **columns))


def test_a_trend_that_new_positions_confirm_is_a_long() -> None:
    view = futures_market()
    verdict, gates = said(FUTURES, view)
    assert failed(gates) == []
    assert verdict.signals.direction[-1, 0] == 1
    assert gates["trend"].value == pytest.approx(0.52, abs=0.005)
    assert gates["agreement"].value == 4
    assert gates["participation"].value == pytest.approx(24 * 0.002, rel=1e-9)
    assert gates["flow"].value == pytest.approx(0.1)
    assert gates["crowding"].value == pytest.approx(0.5)
    assert away_frac(verdict, view)[0] == pytest.approx(0.024, rel=0.02)
    assert away_frac(verdict, view)[1] == pytest.approx(0.024 * 1.5, rel=0.02)


def test_the_same_fall_is_a_short() -> None:
    verdict, gates = said(FUTURES, futures_market(sign=-1.0))
    assert failed(gates) == []
    assert verdict.signals.direction[-1, 0] == -1
    assert gates["flow"].value == pytest.approx(0.1)


def test_a_trend_while_positions_are_closed_is_refused() -> None:
    verdict, gates = said(FUTURES, futures_market(-0.002))
    assert failed(gates) == ["participation"]
    assert gates["participation"].value == pytest.approx(-0.048, rel=1e-9)
    assert gates["participation"].threshold == 0.02
    assert verdict.signals.direction[-1, 0] == 1


def test_leverage_sets_the_margin_and_keeps_liquidation_away() -> None:
    (row,), _ = run(FUTURES, futures_market())
    leg = row.legs[0]
    assert (leg.side, leg.leverage, row.direction) == ("buy", 3.0, "long")
    assert leg.margin_usd == pytest.approx(leg.notional_usd / 3.0)
    assert row.entry is not None
    # 1/3 of margin less 1/50, the most that the venue may keep at its largest leverage of 50.
    price = row.risk_facts["liquidation_price"]
    assert price == pytest.approx(float(row.entry) * (1.0 - (1.0 / 3.0 - 0.02)), rel=1e-3)
    readings = {reading.gate: reading for reading in row.gates}
    assert readings["liquidation_stops"].value == pytest.approx(0.3133 / 0.024, rel=0.02)
    assert readings["liquidation_sigmas"].passed


def test_the_profile_caps_leverage_and_leverage_never_changes_the_quantity() -> None:
    rows = {}
    for profile in ("conservative", "balanced", "aggressive"):
        account = msgspec.structs.replace(RICH, profile=profile)
        (rows[profile],), _ = run(FUTURES, futures_market(), account=account)
    assert [row.legs[0].leverage for row in rows.values()] == [1.0, 3.0, 5.0]
    plain, bold = rows["conservative"], rows["aggressive"]
    # The risk budget is four times as large, and the quantity with it: 0.25 % and 1 % of equity over the same stop.
    assert float(bold.size.quantity / plain.size.quantity) == pytest.approx(4.0, rel=1e-6)


def test_funding_over_the_horizon_is_charged_and_may_not_eat_the_target() -> None:
    (row,), _ = run(FUTURES, futures_market())
    lines = {line.item: line.bps for line in row.costs}
    # 48 hours of 8-hourly settlements at 1 bp, the next in an hour: at 1, 9, 17, 25, 33 and 41 hours.
    assert lines["funding"] == pytest.approx(-6.0)
    _, gates = said(FUTURES, futures_market())
    assert gates["funding_share"].value == pytest.approx(6.0 / 360.0, rel=0.03)
    dear = with_interest(funded(futures_market(), rate=20e-4), lambda hours: 0.002 * hours)
    _, gates = said(FUTURES, dear)
    assert failed(gates) == ["funding_share"]
    assert gates["funding_share"].value == pytest.approx(120.0 / 360.0, rel=0.03)


def test_a_crowded_market_is_refused() -> None:
    view = futures_market()
    instrument = view.instruments[0].instrument
    series = view.funding_history[instrument]
    rising = dataclasses.replace(series, value=np.linspace(-1e-4, 1e-4, 90))
    crowded = dataclasses.replace(view, funding_history={instrument: rising})
    _, gates = said(FUTURES, crowded)
    assert failed(gates) == ["crowding"]
    assert gates["crowding"].value == pytest.approx(89.5 / 90)


def test_a_mark_far_from_its_index_is_refused() -> None:
    view = futures_market()
    _, gates = said(FUTURES, with_facts(view, index=float(view.derivatives.mark[0]) / 1.006))
    assert failed(gates) == ["basis"]
    assert gates["basis"].value == pytest.approx(0.006)


def test_what_is_missing_is_named_and_never_guessed() -> None:
    view = futures_market()
    cases = {
        "open_interest": dataclasses.replace(view, open_interest_history={}),
        "funding": with_facts(view, funding_rate=np.nan),
        "funding.settled": dataclasses.replace(
            view, funding_history={key: dataclasses.replace(one, time_ns=one.time_ns[-29:], value=one.value[-29:])
                                   for key, one in view.funding_history.items()}
        ),
        "gate.basis": with_facts(view, index=np.nan),
        "instrument.max_leverage": dataclasses.replace(view, instruments=specs_of(1, "perpetual")),
    }  # fmt: skip
    for stage, market in cases.items():
        rows, (answer,) = run(FUTURES, market)
        assert not rows
        assert (answer.kind, answer.stage) == ("insufficient_data", stage)


def test_a_market_without_perpetuals_skips_it() -> None:
    view = dataclasses.replace(futures_market(), instruments=specs_of(1))
    plugin = strategy(FUTURES)
    verdict = plugin.evaluate(view, plugin.defaults(), Columns(view))
    assert verdict.skipped == "no perpetual instruments"


def test_rows_without_open_interest_of_the_day_before_cannot_signal() -> None:
    # Seven days less five minutes of points: rows up to the sixth day before the last may look a day back.
    verdict, _ = said(FUTURES, futures_market())
    participation = next(gate for gate in verdict.gates if gate.name == "participation").values[:, 0]
    assert np.flatnonzero(np.isfinite(participation))[0] == 700 - 1 - 143


def test_an_account_under_the_strategys_least_is_refused() -> None:
    poor = Account(equity_usd=4_999.0, coverage_frac=1.0, free_usd={"binance": 4_999.0})
    rows, (answer,) = run(FUTURES, futures_market(), account=poor)
    assert not rows
    assert (answer.kind, answer.stage) == ("gate_failed", "min_capital")
