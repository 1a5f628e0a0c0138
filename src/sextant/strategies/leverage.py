"""Leverage as financing: the margin of a position whose size its stop decides, and how far liquidation stays away."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from sextant.model.instrument import InstrumentSpec

STOPS_AWAY: Final = 3.0
"""Liquidation stays at least this many stops from the entry."""

SIGMAS_AWAY: Final = 4.0
"""And at least this many daily standard deviations."""


@dataclass(frozen=True)
class Leverage:
    """The leverage of a position and where it would be liquidated.

    Parameters
    ----------
    times
        Notional over margin, a whole number >= 1.
    liquidation_frac
        Distance of liquidation from the entry, fraction of the entry.
    """

    times: float
    liquidation_frac: float

    def liquidation_price(self, entry: float, direction: int) -> float:
        """Price at which an isolated linear position entered at ``entry`` is liquidated."""
        return entry * (1.0 - direction * self.liquidation_frac)


def leverage_of(spec: InstrumentSpec, profile_cap: float, stop_frac: float) -> Leverage | None:
    """The highest leverage that keeps liquidation three stops away; None where the venue states no limit.

    Parameters
    ----------
    profile_cap
        What the risk profile allows, >= 1.
    stop_frac
        Distance of the stop, fraction.

    Notes
    -----
    ``min(profile cap, venue cap, floor(1/(3 stop + mmr)))``, at least 1; liquidation of an isolated linear position at
    ``entry (1 - d (1/L - mmr))``. Margin tiers are not published with the rules, so the maintenance rate mmr is taken at
    its upper bound: a position opened at the largest leverage starts with 1/largest of margin, and none may start below
    its maintenance margin.

    References
    ----------
    Venues' liquidation pages, for example https://www.bybit.com/en/help-center/article/Liquidation-Price-USDT-Contract
    """
    if spec.max_leverage is None:
        return None
    largest = float(spec.max_leverage)
    maintenance = 1.0 / largest
    bound = math.floor(1.0 / (STOPS_AWAY * stop_frac + maintenance))
    times = float(max(1, math.floor(min(profile_cap, largest, bound))))
    return Leverage(times, 1.0 / times - maintenance)
