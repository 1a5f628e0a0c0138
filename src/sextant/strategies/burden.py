"""What an account bears already, as it bears on one idea: its shortfall, and whether the idea adds to it or takes from it."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from sextant.strategies.costs import Pricing
from sextant.strategies.dispositions import Lack
from sextant.strategies.ground import Ground, ground_of
from sextant.strategies.ranking import NO_EXPOSURE, AccountRisk, added_risk_usd
from sextant.strategies.sizing import ES95_OF_SIGMA
from sextant.strategies.tail import LEAST_ROWS

_DAY_S: Final = 86_400.0
_SLIGHT: Final = (
    0.95  # of its own shortfall: an idea that adds more than this neither offsets nor doubles anything
)


def burden_of(pricing: Pricing, column: int, direction: int, horizon_s: float) -> AccountRisk:
    """The account's shortfall over the horizon of an idea, and the correlation of what is held with it.

    Parameters
    ----------
    column, direction
        What the idea trades, and which way.

    Notes
    -----
    Where the idea's instrument has fewer than 120 days in common with what is held, the two are taken to move together
    wholly, so that nothing is credited that is not known.
    """
    if not pricing.account.holds or "1d" not in pricing.view.bars:
        return NO_EXPOSURE
    ground: Ground | Lack = pricing.once("ground", lambda: ground_of(pricing))
    if not isinstance(ground, Ground) or not ground.modelled:
        return NO_EXPOSURE
    held = ground.rows @ ground.exposure
    es95 = ES95_OF_SIGMA * float(held.std(ddof=1)) * math.sqrt(horizon_s / _DAY_S)
    share = ground.es_usd / ground.budget_usd
    return AccountRisk(es95, _correlation(ground, column, direction), share)


def burden_words(burden: AccountRisk, sigma_frac: float, notional_usd: float) -> tuple[str, ...]:
    """One sentence where what is held changes what the idea adds."""
    if burden.es95_usd <= 0:
        return ()
    alone = ES95_OF_SIGMA * sigma_frac * notional_usd
    added = added_risk_usd(sigma_frac, notional_usd, burden)
    if alone <= 0 or added >= _SLIGHT * alone:
        return ()
    verb = "offsets part of" if burden.correlation < 0 else "spreads"
    words = f"It {verb} what you hold (correlation {burden.correlation:.2f}): "
    return (f"{words}it adds {added:.2f} USD of shortfall where alone it would add {alone:.2f}.",)


def _correlation(ground: Ground, column: int, direction: int) -> float:
    close = ground.pricing.view.bars["1d"].close[:, column]
    days = ground.days
    idea = direction * np.log(close[days] / close[days - 1])
    pnl = ground.returns @ ground.exposure
    known = np.isfinite(idea)
    if int(known.sum()) < LEAST_ROWS:
        return 1.0
    x, y = idea[known], pnl[known]
    spread = float(x.std() * y.std())
    return float(np.mean((x - x.mean()) * (y - y.mean()))) / spread if spread > 0 else 1.0
