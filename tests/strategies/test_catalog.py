from __future__ import annotations

import dataclasses

import pytest

from sextant.errors import ConfigError, InputError, NotFound
from sextant.strategies.catalog import in_order, strategies, strategy


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


def test_strategies_outside_the_catalogue_follow_by_name() -> None:
    momentum = strategy("ai_spot_momentum_strategy")
    found = {name: dataclasses.replace(momentum, id=name) for name in ("zebra", "apple", momentum.id)}
    assert list(in_order(found)) == [momentum.id, "apple", "zebra"]


def test_a_strategy_that_bears_another_name_than_its_file_is_refused() -> None:
    with pytest.raises(ConfigError, match="apple"):
        in_order({"apple": strategy("ai_spot_momentum_strategy")})
