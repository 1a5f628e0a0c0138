from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest

from sextant.model.view import View
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Need
from sextant.strategies.couple_compose import leg_gates, missing_of_legs
from sextant.strategies.gates import Admission, limits_of
from sextant.strategies.inputs import Missing
from support.carries import BPS, Carried, carrying, constant, spot_carry
from support.couple_runs import evaluated, without_history
from support.markets import quoted_earlier, without_bars_of

VIEW = spot_carry(days=60)
LEGS = np.array([[0, 1]])
BOTH = Admission(("spot", "perpetual"))
FUNDED = np.array([False, True])
NEEDS = (
    Need("bars", "4h", 60, 21_600.0),
    Need("quotes", None, 1, 5.0),
    Need("funding", None, 30, 120.0),
)


def test_each_leg_meets_the_common_gates_of_its_own_kind() -> None:
    gates = {gate.name: gate for gate in leg_gates(Columns(VIEW), "4h", LEGS, BOTH)}
    assert list(gates) == [
        f"{name}.{side}"
        for name in ("status", "volume_24h_usd", "spread_bps")
        for side in ("first", "second")
    ]
    assert limits_of(gates["volume_24h_usd.first"]).tolist() == [1e6]
    assert limits_of(gates["volume_24h_usd.second"]).tolist() == [5e6]
    assert limits_of(gates["spread_bps.first"]).tolist() == [30.0]
    assert limits_of(gates["spread_bps.second"]).tolist() == [15.0]
    assert gates["volume_24h_usd.first"].values.shape == (360, 1)


def test_only_the_asked_rows_are_kept() -> None:
    gates = leg_gates(Columns(VIEW), "4h", LEGS, BOTH, rows=7)
    assert {gate.values.shape[0] for gate in gates} == {1, 7}


def test_the_first_need_that_either_leg_lacks_is_named() -> None:
    def lacks(view: View = VIEW) -> Missing:
        return missing_of_legs(Columns(view), NEEDS, LEGS, FUNDED)[0]

    assert lacks() is None
    assert lacks(without_bars_of(VIEW, 1)) == ("bars.4h", 0.0, 60.0, "rows")
    assert lacks(quoted_earlier(VIEW, 6.0)) == ("quote.age_ms", 6_000.0, 5_000.0, "ms")
    assert lacks(without_history(VIEW)) == ("funding.settled", 0.0, 30.0, "settlements")


def test_spot_is_not_asked_for_funding() -> None:
    spots = carrying((Carried("bybit", "spot"), Carried("binance", "spot")), rows=80)
    assert missing_of_legs(Columns(spots), NEEDS, LEGS, np.array([False, False])) == (None,)


def test_a_halted_leg_is_told_and_nothing_else_of_the_couple() -> None:
    halted = msgspec.structs.replace(VIEW.instruments[1], status="halted")
    view = dataclasses.replace(VIEW, instruments=(VIEW.instruments[0], halted))
    gates = {gate.name: gate.values[-1, 0] for gate in evaluated("ai_funding_arbitrage", view).gates}
    assert (gates["status.first"], gates["status.second"]) == (1.0, 0.0)


def test_the_rates_of_the_second_leg_are_those_of_its_own_interval() -> None:
    legs = (
        Carried("bybit", "perpetual", interval_h=1, rate=BPS, settled=constant(BPS, 60, 1)),
        Carried("binance", "perpetual", interval_h=8, rate=BPS, settled=constant(BPS, 60, 8)),
    )
    verdict = evaluated("ai_funding_arbitrage", carrying(legs, rows=360))
    # binance stands first in the order of names: buying it pays 21 settlements, selling bybit receives 168.
    assert verdict.facts["expected_bps"][-1, 0] == pytest.approx(168.0 - 21.0)
    assert verdict.signals.direction[-1, 0] == 1
