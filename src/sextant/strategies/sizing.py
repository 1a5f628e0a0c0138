"""How much: the smallest of what risk, Kelly, capital, capacity and the position cap allow, rounded down to lots."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Final, Literal

from sextant.model.account import Account
from sextant.model.account import Profile as ProfileName
from sextant.model.instrument import InstrumentSpec

ILLUSTRATIVE_USD: Final = 1_000.0
"""Equity for which sizes are shown when no account is connected."""

THIN_USD: Final = 5e6
"""24 h turnover under which stops are expected to slip further and risk is one level higher."""

ES95_OF_SIGMA: Final = 2.063  # expected shortfall 95 % of a normal value
ES99_OF_SIGMA: Final = 2.665  # expected shortfall 99 %
UNPROVEN_SHARE: Final = 0.25
MISSED_HEDGE_FRAC: Final = 0.005
"""Loss that one order filled without the others is taken to bring, share of the notional: strategies.md 1.8."""

_TICK_NOISE: Final = Decimal("1e-13")  # a price that was a multiple of its tick before it became binary

Binding = Literal["kelly", "risk", "capital", "capacity", "position_cap", "lot"]


@dataclass(frozen=True)
class Profile:
    """The numbers behind a risk profile; fractions of equity, and factors."""

    risk_frac: float
    kelly_frac: float
    price_of_risk: float
    leverage_cap: float
    position_cap_frac: float
    es_budget_frac: float


PROFILES: Final[dict[ProfileName, Profile]] = {
    "conservative": Profile(0.0025, 0.15, 0.10, 1.0, 0.05, 0.03),
    "balanced": Profile(0.0050, 0.25, 0.05, 3.0, 0.10, 0.05),
    "aggressive": Profile(0.0100, 0.35, 0.03, 5.0, 0.20, 0.08),
    "beast_mode": Profile(0.0150, 0.50, 0.02, 10.0, 0.25, 0.12),
}


@dataclass(frozen=True)
class Means:
    """What an account can bring to one venue, USD."""

    equity_usd: float
    free_usd: float
    profile: Profile
    illustrative: bool


def means_of(account: Account, venue: str) -> Means:
    """The means of an account at a venue; without an account 1,000 USD, marked illustrative."""
    profile = PROFILES[account.profile]
    if account.equity_usd is None:
        return Means(ILLUSTRATIVE_USD, ILLUSTRATIVE_USD, profile, illustrative=True)
    return Means(account.equity_usd, account.free_usd.get(venue, 0.0), profile, illustrative=False)


@dataclass(frozen=True)
class Idea:
    """What decides the size of an idea; all fractions of its notional.

    Parameters
    ----------
    stop_frac
        Distance of the stop; None without a stop.
    es99_frac
        Expected shortfall 99 % over the horizon.
    exit_cost_frac
        Costs of leaving.
    volume_24h_usd
        Turnover of the executed instrument.
    capacity_usd
        Largest size with an edge, or, unproven, the largest that can be priced.
    edge_lcb_frac, variance_frac
        Lower bound of the edge, and variance of net event returns; None when unproven.
    """

    stop_frac: float | None
    es99_frac: float
    exit_cost_frac: float
    volume_24h_usd: float
    capacity_usd: float
    edge_lcb_frac: float | None
    variance_frac: float | None


def gap_of(volume_24h_usd: float) -> float:
    """How much further than its distance a stop is expected to fill, a factor."""
    return 2.5 if volume_24h_usd < THIN_USD else 1.5


def size_usd(idea: Idea, means: Means) -> tuple[float, Binding]:
    """The notional and what bound it.

    Notes
    -----
    Kelly binds only where the lower bound of the edge is above 0. Below, the mean may be positive but is not
    shown to be, and the idea gets what an unproven one gets: a quarter of the risk budget.
    """
    profile = means.profile
    proven = idea.edge_lcb_frac is not None and idea.edge_lcb_frac > 0 and bool(idea.variance_frac)
    budget = means.equity_usd * profile.risk_frac * (1.0 if proven else UNPROVEN_SHARE)
    if idea.stop_frac is None:
        loss_frac = idea.es99_frac
    else:
        loss_frac = idea.stop_frac * gap_of(idea.volume_24h_usd) + idea.exit_cost_frac
    limits: list[tuple[float, Binding]] = [
        (budget / loss_frac, "risk"),
        (means.free_usd, "capital"),
        (idea.capacity_usd / 2.0, "capacity"),
        (profile.position_cap_frac * means.equity_usd, "position_cap"),
    ]
    if proven and idea.edge_lcb_frac is not None and idea.variance_frac is not None:
        kelly = means.equity_usd * profile.kelly_frac * idea.edge_lcb_frac / idea.variance_frac
        limits.append((kelly, "kelly"))
    return min(limits)


def quantity_of(notional: float, price: float, usd: float, spec: InstrumentSpec) -> Decimal:
    """The quantity in base units that a notional buys, rounded down to the lot.

    Parameters
    ----------
    notional
        USD.
    price, usd
        Quote units per base unit, USD per quote unit.
    """
    lots = (Decimal(notional) / (Decimal(price) * Decimal(usd)) / spec.lot).to_integral_value(ROUND_FLOOR)
    return lots * spec.lot


def least_usd(spec: InstrumentSpec, price: float, usd: float) -> float:
    """The smallest order the venue takes, USD: its least notional, and never less than one lot."""
    least = 0.0 if spec.min_notional is None else float(spec.min_notional) * usd
    return max(least, float(spec.lot) * price * usd)


def on_tick(price: float, spec: InstrumentSpec, toward: Literal["down", "up", "near"] = "near") -> Decimal:
    """A price as a multiple of the tick, at least one."""
    rounding = {"down": ROUND_FLOOR, "up": ROUND_CEILING, "near": ROUND_HALF_EVEN}[toward]
    exact = Decimal(price) / spec.tick
    nearest = exact.to_integral_value(ROUND_HALF_EVEN)
    on_one = abs(exact - nearest) <= _TICK_NOISE * abs(nearest)
    ticks = nearest if on_one else exact.to_integral_value(rounding)
    return max(ticks, Decimal(1)) * spec.tick
