from __future__ import annotations

import pytest

from sextant.strategies.risk import Exposure, risk_of


def exposure(**changes: float | None) -> Exposure:
    facts: dict[str, float | None] = {
        "notional_usd": 1_000.0,
        "required_usd": 1_000.0,
        "stop_frac": 0.01,
        "cost_frac": 0.002,
        "es99_frac": 0.5,
        "leverage": 1.0,
        "volume_24h_usd": 1e8,
    }
    return Exposure(**(facts | changes))  # type: ignore[arg-type]  # names are those above


@pytest.mark.parametrize(
    ("stop_frac", "level"),
    [(0.01, "low"), (0.03, "medium"), (0.06, "medium_high"), (0.2, "high"), (0.33, "very_high")],
)
def test_the_level_is_the_loss_at_the_stop_over_the_capital_tied_up(stop_frac: float, level: str) -> None:
    # (1.5 stop + 0.002): 1.7 %, 4.7 %, 9.2 %, 30.2 %, 49.7 %.
    found, facts = risk_of(exposure(stop_frac=stop_frac))
    assert found == level
    assert facts["loss_frac_of_capital"] == pytest.approx(1.5 * stop_frac + 0.002)


def test_a_stop_beyond_what_the_horizon_can_lose_does_not_count() -> None:
    found, facts = risk_of(exposure(stop_frac=0.3, es99_frac=0.05))
    assert found == "medium"
    assert facts["loss_usd"] == pytest.approx(50.0)
    assert risk_of(exposure(stop_frac=None, es99_frac=0.05))[0] == "medium"


def test_leverage_and_thin_trading_raise_the_level_by_one_each_and_two_at_most() -> None:
    assert risk_of(exposure(leverage=3.0))[0] == "low"
    assert risk_of(exposure(leverage=3.1))[0] == "medium"
    assert risk_of(exposure(volume_24h_usd=4e6, stop_frac=0.005))[0] == "medium"
    assert risk_of(exposure(volume_24h_usd=4e6, stop_frac=0.005, leverage=5.0))[0] == "medium_high"
    assert risk_of(exposure(volume_24h_usd=4e6, stop_frac=0.4, leverage=5.0))[0] == "very_high"
