"""How much of a couple: the shared limits, with capital counted at the venues of both legs and quantities that match."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Final

from sextant.model.instrument import InstrumentSpec
from sextant.strategies.costs import Pricing
from sextant.strategies.couple_offer import Capital, CoupleOffer
from sextant.strategies.couples import CoupleSet, weights_of
from sextant.strategies.proof import CAUTION
from sextant.strategies.sizing import (
    ES99_OF_SIGMA,
    ILLUSTRATIVE_USD,
    MISSED_HEDGE_FRAC,
    PROFILES,
    Binding,
    Idea,
    Means,
    gap_of,
    least_usd,
    quantity_of,
    size_usd,
)

HEDGED_CAP: Final = 3.0
"""Position caps that a side of a hedged couple may reach."""


@dataclass(frozen=True)
class Filled:
    """Quantities on the lots of both legs.

    Parameters
    ----------
    quantity
        Base units of each leg.
    leg_usd
        Notional of each leg.
    notional_usd
        Reference notional: the larger of both legs.
    residual_frac
        What the rounding leaves unhedged, share of the reference notional.
    """

    quantity: tuple[Decimal, Decimal]
    leg_usd: tuple[float, float]
    notional_usd: float
    residual_frac: float


def loss_frac(offer: CoupleOffer) -> float:
    """Expected shortfall 99 % of the hedged return over the horizon, and one missed hedge."""
    return ES99_OF_SIGMA * offer.sigma_frac + MISSED_HEDGE_FRAC


def risk_frac(offer: CoupleOffer) -> float:
    """What a couple risks per reference notional: its stop with a gap and its exit, and never less than :func:`loss_frac`.

    Notes
    -----
    The stop of a spread can be a few basis points away; what a hedge that failed costs is not.
    """
    if offer.stop_frac is None:
        return loss_frac(offer)
    leaving = (offer.terms.fee_bps[1] + 0.5 * offer.terms.spread_bps) / 1e4
    return max(loss_frac(offer), offer.stop_frac * gap_of(offer.volume_24h_usd) + leaving)


def means_of_couple(pricing: Pricing, said: CoupleSet, couple: int, direction: int) -> tuple[Means, Capital]:
    """The means of an account for a couple; ``free_usd`` is the largest reference notional its capital carries.

    Notes
    -----
    A bought spot leg ties up its notional, a derivative its margin, both from what is free at their venue. A sold spot leg
    is delivered from the asset that lies at its venue. Without an account 1,000 USD stand for everything.
    """
    account = pricing.account
    profile = PROFILES[account.profile]
    hedged = dataclasses.replace(profile, position_cap_frac=HEDGED_CAP * profile.position_cap_frac)
    weights = weights_of(float(said.ratio[couple]))
    tied: list[float] = []
    leverage: list[float | None] = []
    needs: dict[str, float] = {}
    held = math.inf
    for place, weight in enumerate(weights):
        column = int(said.legs[couple, place])
        instrument = pricing.view.instruments[column].instrument
        times = None
        if instrument.kind != "spot":
            times = max(1.0, min(float(said.leverage[couple, place]), profile.leverage_cap))
        leverage.append(times)
        tied.append(weight / (times or 1.0))
        sold = (direction if place == 0 else -direction) < 0
        if instrument.kind == "spot" and sold:
            units = sum(
                float(balance.total if balance.free is None else balance.free)
                for balance in account.balances
                if (balance.venue, balance.asset) == (instrument.venue, instrument.base)
            )
            held = min(held, units * float(pricing.touch.mid[column] * pricing.usd[column]) / weight)
        else:
            needs[instrument.venue] = needs.get(instrument.venue, 0.0) + tied[-1]
    capital = Capital((tied[0], tied[1]), (leverage[0], leverage[1]))
    if account.equity_usd is None:
        largest = ILLUSTRATIVE_USD / math.fsum(tied)
        return Means(ILLUSTRATIVE_USD, largest, hedged, illustrative=True), capital
    largest = min(account.free_usd.get(venue, 0.0) / need for venue, need in needs.items())
    return Means(account.equity_usd, min(largest, held), hedged, illustrative=False), capital


def wanted_usd(offer: CoupleOffer, largest: float) -> tuple[float, Binding]:
    """The reference notional; Kelly is asked twice, because the edge falls with the size it allows."""
    terms = offer.terms

    def sized(lcb_bps: float | None) -> tuple[float, Binding]:
        idea = Idea(
            stop_frac=None,
            es99_frac=risk_frac(offer),
            exit_cost_frac=0.0,
            volume_24h_usd=offer.volume_24h_usd,
            capacity_usd=largest,
            edge_lcb_frac=None if lcb_bps is None else lcb_bps / 1e4,
            variance_frac=_variance(offer),
        )
        return size_usd(idea, offer.means)

    gross, error = offer.proof.gross_bps, offer.proof.error_bps
    if gross is None or error is None:
        return sized(None)
    cautious = gross - CAUTION * error
    first = sized(cautious - terms.fixed_bps)
    if first[0] <= 0:
        return first
    return min(first, sized(cautious - terms.cost_bps(min(first[0], largest))))


def _variance(offer: CoupleOffer) -> float:
    """Variance of the net return: of past events where they are known, else of the hedged return over the horizon."""
    known = offer.card.variance_frac
    return known or max(offer.sigma_frac, MISSED_HEDGE_FRAC) ** 2


def fill(offer: CoupleOffer, wanted: float) -> Filled:
    """Quantities of both legs for a reference notional, rounded down to lots and matched to each other.

    Notes
    -----
    Legs of one asset take the same quantity, a multiple of both lots. Otherwise the leg with the coarser lot is rounded
    first and the other follows what it became.
    """
    prices, specs = offer.mids, offer.specs
    if offer.said.same_asset:
        step = common_lot(specs[0].lot, specs[1].lot)
        lots = (Decimal(wanted) / Decimal(max(prices)) / step).to_integral_value(ROUND_FLOOR)
        quantity = lots * step
        return _filled((quantity, quantity), prices, weights=prices)  # equal quantities leave nothing open
    weights = weights_of(float(offer.said.ratio[offer.index]))
    first = _rounded(wanted, prices, specs, weights)
    reached = min(usd / weight for usd, weight in zip(first.leg_usd, weights, strict=True))
    return _rounded(reached * (1.0 + 1e-12), prices, specs, weights)


def common_lot(first: Decimal, second: Decimal) -> Decimal:
    """The smallest quantity that is a multiple of both lots.

    Examples
    --------
    >>> common_lot(Decimal("0.001"), Decimal("0.0025"))
    Decimal('0.0050')
    """
    exponents = [int(lot.as_tuple().exponent) for lot in (first, second)]
    unit = Decimal(1).scaleb(min(exponents))
    return math.lcm(int(first / unit), int(second / unit)) * unit


def least_of(offer: CoupleOffer, filled: Filled) -> tuple[float, float]:
    """Notional and the least order of the leg that is closest to it, USD: its venue's least, and one lot that both legs take."""
    specs, mids = offer.specs, offer.mids
    shared = float(common_lot(specs[0].lot, specs[1].lot)) if offer.said.same_asset else 0.0
    legs = [
        (usd, max(least_usd(spec, mid, 1.0), shared * mid))
        for usd, spec, mid in zip(filled.leg_usd, specs, mids, strict=True)
    ]
    return min(legs, key=lambda leg: leg[0] / leg[1] if leg[1] > 0 else math.inf)


def _rounded(
    wanted: float,
    prices: tuple[float, float],
    specs: tuple[InstrumentSpec, InstrumentSpec],
    weights: tuple[float, float],
) -> Filled:
    first, second = (
        quantity_of(wanted * weight, price, 1.0, spec)
        for weight, price, spec in zip(weights, prices, specs, strict=True)
    )
    return _filled((first, second), prices, weights)


def _filled(
    quantity: tuple[Decimal, Decimal], prices: tuple[float, float], weights: tuple[float, float]
) -> Filled:
    usd = (float(quantity[0]) * prices[0], float(quantity[1]) * prices[1])
    largest = max(usd)
    hedges = [leg / weight for leg, weight in zip(usd, weights, strict=True)]
    apart = abs(hedges[0] - hedges[1]) / max(hedges) if largest > 0 else 0.0
    return Filled(quantity, usd, largest, apart)
