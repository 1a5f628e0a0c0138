"""All strategies by id, in the order of the catalogue."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sextant.errors import ConfigError, NotFound
from sextant.kit.plugins import collect
from sextant.strategies.contract import Strategy

CATALOGUE_ORDER: Final = (
    "ai_spot_momentum_strategy",
    "ai_spot_mean_reversion",
    "ai_spot_breakout_strategy",
    "ai_scalping_strategy",
    "ai_pairs_trading",
    "ai_statistical_arbitrage",
    "ai_market_making",
    "ai_futures_trade",
    "ai_options_trade",
    "ai_complex_strategy",
    "ai_funding_arbitrage",
    "ai_hedge_position",
    "ai_risk_management",
    "ai_portfolio_optimization",
    "basis_carry",
    "venue_spot_arbitrage",
    "triangular_arbitrage",
    "liquidation_reversal",
    "volatility_squeeze",
    "parity_violation",
)
"""Ids in the order in which people see them; strategies that are not listed follow by name."""


@functools.cache
def strategies() -> Mapping[str, Strategy]:
    """All strategies of the library by id, in catalogue order.

    Raises
    ------
    ConfigError
        If a file of the library is broken or its strategy bears another name than the file.
    """
    return MappingProxyType(in_order(collect("sextant.strategies.library", "STRATEGY", Strategy)))


def in_order(found: Mapping[str, Strategy]) -> dict[str, Strategy]:
    """Strategies by module name, as they stand in the catalogue; others follow by name.

    Raises
    ------
    ConfigError
        If a strategy bears another name than its module.
    """
    for module, one in found.items():
        if one.id != module:
            raise ConfigError(f"Strategy file {module} defines the id '{one.id}'; they must be equal.")
    known = [name for name in CATALOGUE_ORDER if name in found]
    others = sorted(name for name in found if name not in CATALOGUE_ORDER)
    return {name: found[name] for name in (*known, *others)}


def strategy(name: str) -> Strategy:
    """The strategy of that id.

    Raises
    ------
    NotFound
        If there is none.
    """
    found = strategies().get(name)
    if found is None:
        raise NotFound(f"There is no strategy '{name}'.")
    return found
