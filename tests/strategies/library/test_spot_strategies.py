"""The fixtures of strategies.md 3.1 to 3.3 with the numbers stated there; tolerance 2 % or half of the last digit."""

from __future__ import annotations

import numpy as np
import pytest

from sextant.strategies.gates import historic_pass
from support.markets import (
    aimless_market,
    breakout_market,
    broad_fall_market,
    momentum_market,
    reversion_market,
)
from support.said import away_frac, failed, said

MOMENTUM = "ai_spot_momentum_strategy"
REVERSION = "ai_spot_mean_reversion"
BREAKOUT = "ai_spot_breakout_strategy"


def test_momentum_says_long_when_four_horizons_have_turned_up() -> None:
    view = momentum_market()
    verdict, gates = said(MOMENTUM, view)
    assert verdict.signals.direction[-1, 0] == 1
    assert failed(gates) == []
    assert gates["trend"].value == pytest.approx(0.64, rel=0.02)
    assert gates["agreement"].value == 4
    assert gates["efficiency"].value == pytest.approx(0.27, rel=0.02)
    assert gates["extension"].value == pytest.approx(1.6, rel=0.02)
    assert away_frac(verdict, view) == pytest.approx((0.024, 0.039), rel=0.02)
    assert verdict.signals.strength[-1, 0] == pytest.approx(0.64 / 0.50, rel=0.02)
    assert verdict.signals.horizon_rows == 30


def test_momentum_is_silent_in_a_market_without_direction() -> None:
    _, gates = said(MOMENTUM, aimless_market())
    assert failed(gates)[0] == "trend"
    assert gates["trend"].value == pytest.approx(0.0, abs=1e-9)
    assert gates["trend"].threshold == 0.50


def test_momentum_leaves_a_long_when_the_trend_is_below_zero_and_a_short_above() -> None:
    verdict, _ = said(MOMENTUM, momentum_market())
    trend = verdict.facts["trend"]
    np.testing.assert_array_equal(verdict.signals.exit_flag[..., 0], trend < 0)
    np.testing.assert_array_equal(verdict.signals.exit_flag[..., 1], trend > 0)


def test_reversion_says_long_after_a_fall_of_its_own_that_has_begun_to_turn() -> None:
    view = reversion_market()
    verdict, gates = said(REVERSION, view)
    assert verdict.signals.direction[-1, 0] == 1
    assert failed(gates) == []
    z = verdict.facts["z"][:, 0]
    assert z[-1] == pytest.approx(-2.36, rel=0.02)
    assert z[-2] == pytest.approx(-2.65, rel=0.02)
    assert gates["half_life"].value == pytest.approx(4.6, rel=0.02)
    assert gates["range"].value == pytest.approx(0.12, abs=0.01)
    assert verdict.facts["beta"][-1, 0] == pytest.approx(0.78, rel=0.02)
    assert away_frac(verdict, view)[0] == pytest.approx(0.029, rel=0.02)


def test_reversion_is_silent_when_everything_fell() -> None:
    verdict, gates = said(REVERSION, broad_fall_market())
    assert verdict.facts["z"][-1, 0] == pytest.approx(-1.43, rel=0.02)
    assert failed(gates) == ["z"]
    assert gates["z"].distance == pytest.approx(0.57 / 2.0, rel=0.02)


def test_breakout_says_long_when_a_close_leaves_a_tested_range_on_volume() -> None:
    view = breakout_market()
    verdict, gates = said(BREAKOUT, view)
    assert verdict.signals.direction[-1, 0] == 1
    assert failed(gates) == []
    assert gates["beyond"].value == pytest.approx(0.40, rel=0.02)
    assert gates["volume"].value == pytest.approx(4.0, rel=0.02)
    assert gates["close_location"].value == pytest.approx(0.98, rel=0.02)
    assert gates["width"].value == pytest.approx(4.8, rel=0.02)
    assert away_frac(verdict, view) == pytest.approx((0.0105, 0.0302), rel=0.02)
    assert historic_pass(verdict)[-1, 0]


def test_breakout_is_silent_on_ordinary_volume() -> None:
    verdict, gates = said(BREAKOUT, breakout_market(1e6))
    assert failed(gates) == ["volume"]
    assert gates["volume"].value == pytest.approx(1.0, rel=0.02)
    assert gates["volume"].threshold == 1.8
    assert gates["volume"].distance == pytest.approx(0.44, rel=0.02)
    assert not historic_pass(verdict)[-1, 0]


def test_breakout_leaves_after_a_close_half_a_range_back_inside_its_own_level() -> None:
    verdict, _ = said(BREAKOUT, breakout_market())
    level, atr = verdict.facts["level"][-1, 0], verdict.facts["atr"][-1, 0]
    assert verdict.signals.exit_close is not None
    assert verdict.signals.exit_close[-1, 0] == pytest.approx(level - 0.5 * atr, rel=1e-12)


def test_breakout_accepts_unknown_taker_volume_and_refuses_sellers_behind_a_rise() -> None:
    view = breakout_market()
    _, gates = said(BREAKOUT, view)
    assert gates["taker"].value is None
    assert gates["taker"].passed
    bars = view.bars["1h"]
    bars.taker_buy_volume.flags.writeable = True
    bars.taker_buy_volume[:] = 0.4 * bars.volume
    _, gates = said(BREAKOUT, view)
    assert gates["taker"].value == pytest.approx(-0.1)
    assert failed(gates) == ["taker"]
