from __future__ import annotations

import pytest

from sextant.errors import InputError, NotFound
from sextant.strategies.catalog import strategies, strategy


def test_the_spot_strategies_lead_the_catalogue() -> None:
    assert list(strategies())[:3] == [
        "ai_spot_momentum_strategy",
        "ai_spot_mean_reversion",
        "ai_spot_breakout_strategy",
    ]
    rows = [(item.name, item.tier, item.min_capital_usd) for item in strategies().values()][:3]
    assert rows == [
        ("AI Momentum Trading", "free", 1000.0),
        ("AI Mean Reversion", "basic", 1000.0),
        ("AI Breakout Trading", "basic", 1000.0),
    ]


def test_an_unknown_strategy_is_not_found() -> None:
    assert strategy("ai_spot_mean_reversion").name == "AI Mean Reversion"
    with pytest.raises(NotFound):
        strategy("ai_crystal_ball")


def test_parameters_outside_their_bounds_are_refused_by_name() -> None:
    momentum = strategy("ai_spot_momentum_strategy")
    assert momentum.defaults(trend=0.4)["trend"] == 0.4
    with pytest.raises(InputError, match="trend"):
        momentum.defaults(trend=0.95)
    with pytest.raises(InputError, match="hope"):
        momentum.defaults(hope=1.0)
