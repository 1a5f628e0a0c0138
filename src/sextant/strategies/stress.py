"""The numbers of a portfolio's risk: quantiles and shortfalls, who carries them, and what a few bad days would cost."""

from __future__ import annotations

import math

import numpy as np

from sextant.model.instrument import STABLE_ASSETS
from sextant.strategies.ground import Ground
from sextant.strategies.tail import LEVELS, contributions, over_days, value_at_risk

FALL = 0.30
BITCOIN_FALL = 0.50
STABLE_PRICE = 0.90
DAYS = (1, 7)


def report(ground: Ground) -> dict[str, float]:
    """USD by name, positive where it is lost; drawdown as a fraction.

    Notes
    -----
    VaR and ES at 95, 97.5 and 99 % over one and seven days; the share of each asset in ES97.5 of a day; the largest
    drawdown of today's mix over the days that are known; and four stresses: everything 30 % lower; Bitcoin 50 % lower and
    the others by their betas (all 50 % lower where Bitcoin's days are not known); stablecoins at 0.90; the largest venue
    gone.
    """
    facts: dict[str, float] = {}
    exposure, holdings = ground.exposure, ground.holdings
    for days in DAYS:
        for level in LEVELS:
            name = f"{100 * level:g}_{days}d_usd"
            facts[f"es{name}"] = ground.es_of(exposure, level, days)
            if len(exposure):
                rows = ground.rows if days == 1 else over_days(ground.rows, days)
                facts[f"var{name}"] = max(value_at_risk(rows @ exposure, level), 0.0)
    if len(exposure):
        shares = contributions(ground.rows, exposure)
        facts |= {
            f"contribution_{asset}_usd": value
            for asset, value in zip(ground.modelled, shares.tolist(), strict=True)
        }
        facts["drawdown_frac"] = _drawdown(ground)
    net = math.fsum(holdings.exposure.values())
    stable = math.fsum(usd for asset, usd in holdings.cash.items() if asset in STABLE_ASSETS)
    facts["stress_all_usd"] = FALL * net
    facts["stress_bitcoin_usd"] = _bitcoin_falls(ground)
    facts["stress_stable_usd"] = (1.0 - STABLE_PRICE) * stable
    facts["stress_venue_usd"] = max(holdings.venues.values(), default=0.0)
    return facts


def _drawdown(ground: Ground) -> float:
    """Largest fall from a peak of equity, had today's exposure been held and kept at its size."""
    gains = ground.returns @ ground.exposure / ground.equity_usd
    path = np.concatenate(([0.0], np.cumsum(gains)))
    return float((np.maximum.accumulate(path) - path).max())


def _bitcoin_falls(ground: Ground) -> float:
    holdings = ground.holdings
    if "BTC" not in ground.modelled:
        return BITCOIN_FALL * math.fsum(holdings.exposure.values())
    bitcoin = ground.returns[:, ground.modelled.index("BTC")]
    variance = float(bitcoin.var())
    lost = 0.0
    for asset, usd in holdings.exposure.items():
        beta = 1.0
        if asset in ground.modelled:
            own = ground.returns[:, ground.modelled.index(asset)]
            beta = float(np.mean((own - own.mean()) * (bitcoin - bitcoin.mean()))) / variance
        lost += BITCOIN_FALL * beta * usd
    return lost
