"""The variance view with cut tails, and the term structure: condors, butterflies and calendars.

What is sold is insured by what is bought further away, so the loss is known. Four legs pay four spreads and about 12 bps of
the underlying in fees: few pass, by design.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Final

from sextant.model.view import View
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Need, Param, Strategy, Verdict
from sextant.strategies.dispositions import Economic
from sextant.strategies.expiries import Expiry
from sextant.strategies.option_ideas import Horizon, Proposal, speak
from sextant.strategies.option_propose import judge_options
from sextant.strategies.structures import OptionLeg, Structure

NEEDS: Final = (Need("bars", "1d", 400, 1.5 * 86_400.0), Need("chain", None, 1, 30.0))


def evaluate(view: View, params: Mapping[str, float], columns: Columns) -> Verdict:  # noqa: ARG001  # the contract's shape
    """What implied and forecast volatility, and the next expiry, say about structures of three and four legs."""
    return speak(columns, params, NEEDS, proposals)


def proposals(horizon: Horizon, params: Mapping[str, float]) -> Iterator[Proposal]:
    """Condor, iron butterfly and butterfly where options are dear; a calendar where the near ones are dear against the next."""
    iv = horizon.expiry.atm_iv(params["atm_width"])
    if iv is None:
        return
    ratio, credit = iv / horizon.outlook.volatility, params["profit_frac"]
    dear = Economic("vol_ratio", ratio, params["ratio_high"], 1)
    strength = ratio / params["ratio_high"]
    yield Proposal(_condor(horizon.expiry, params), dear, strength, credit)
    yield Proposal(_iron_butterfly(horizon.expiry, params), dear, strength, credit)
    mild = Economic("vol_ratio", ratio, params["ratio_butterfly"], 1)
    yield Proposal(_butterfly(horizon.expiry, params), mild, ratio / params["ratio_butterfly"])
    if horizon.later:
        yield from _calendar(horizon, iv, params)


def _condor(expiry: Expiry, params: Mapping[str, float]) -> Structure | None:
    tolerance = params["delta_tolerance"]
    short = [expiry.near_delta(params["short_delta"], right, tolerance) for right in (-1, 1)]
    long = [expiry.near_delta(params["wing_delta"], right, tolerance) for right in (-1, 1)]
    places = (long[0], short[0], short[1], long[1])
    if not _rising(expiry, places):
        return None
    return Structure(
        "iron_condor",
        tuple(
            OptionLeg(expiry, at, many)
            for at, many in zip(places, (1, -1, -1, 1), strict=True)
            if at is not None
        ),
    )


def _iron_butterfly(expiry: Expiry, params: Mapping[str, float]) -> Structure | None:
    strike, tolerance = expiry.at_the_money(params["atm_width"]), params["delta_tolerance"]
    if strike is None:
        return None
    low, high = (expiry.near_delta(params["butterfly_wing_delta"], right, tolerance) for right in (-1, 1))
    put, call = expiry.find(strike, -1), expiry.find(strike, 1)
    if low is None or high is None or put is None or call is None:
        return None
    if not expiry.strike[low] < strike < expiry.strike[high]:
        return None
    legs = ((low, 1), (put, -1), (call, -1), (high, 1))
    return Structure("iron_butterfly", tuple(OptionLeg(expiry, at, many) for at, many in legs))


def _butterfly(expiry: Expiry, params: Mapping[str, float]) -> Structure | None:
    """Calls alone: one bought on either side of two sold at the money."""
    strike, tolerance = expiry.at_the_money(params["atm_width"]), params["delta_tolerance"]
    wing = params["wide_wing_delta"]
    if strike is None:
        return None
    middle = expiry.find(strike, 1)
    high = expiry.near_delta(wing, 1, tolerance)
    low = expiry.near_delta(1.0 - wing, 1, tolerance)
    places = (low, middle, high)
    if not _rising(expiry, places):
        return None
    return Structure(
        "butterfly",
        tuple(
            OptionLeg(expiry, at, many) for at, many in zip(places, (1, -2, 1), strict=True) if at is not None
        ),
    )


def _rising(expiry: Expiry, places: tuple[int | None, ...]) -> bool:
    """Whether all options were found and their strikes rise."""
    found = [float(expiry.strike[at]) for at in places if at is not None]
    return len(found) == len(places) and all(low < high for low, high in itertools.pairwise(found))


def _calendar(horizon: Horizon, iv: float, params: Mapping[str, float]) -> Iterator[Proposal]:
    """The near option sold at the money and the same strike of the next expiry bought.

    Notes
    -----
    forward_vol^2 = (iv2^2 T2 - iv1^2 T1) / (T2 - T1); where it is not above 0 the next expiry is too cheap to be believed.
    """
    near, far = horizon.expiry, horizon.later[0]
    later = far.atm_iv(params["atm_width"])
    strike = near.at_the_money(params["atm_width"])
    if later is None:
        return
    squared = (later**2 * far.years - iv**2 * near.years) / (far.years - near.years)
    if not squared > 0:
        return
    ratio = iv / math.sqrt(squared)
    gate = Economic("term_ratio", ratio, params["ratio_calendar"], 1)
    structure = None
    if strike is not None:
        sold, bought = near.find(strike, 1), far.find(strike, 1)
        if sold is not None and bought is not None and math.isfinite(float(far.iv[bought])):
            structure = Structure("calendar_spread", (OptionLeg(near, sold, -1), OptionLeg(far, bought, 1)))
    yield Proposal(structure, gate, ratio / params["ratio_calendar"])


STRATEGY: Final = Strategy(
    id="ai_complex_strategy",
    name="AI Complex Derivatives",
    category="derivatives",
    catalogue_risk="high",
    tier="pro",
    min_capital_usd=5_000.0,
    opportunity_type="complex_derivative",
    unit="underlying",
    lane="earn",
    evidence_kind="analytic",
    needs=NEEDS,
    params=(
        Param("ratio_high", 1.20, 1.05, 1.6, "x"),
        Param("ratio_butterfly", 1.10, 1.0, 1.6, "x"),
        Param("ratio_calendar", 1.15, 1.0, 1.6, "x"),
        Param("profit_frac", 0.55, 0.3, 0.9, "of scenarios"),
        Param("days_low", 5.0, 1.0, 10.0, "d"),
        Param("days_high", 21.0, 10.0, 60.0, "d"),
        Param("short_delta", 0.20, 0.15, 0.40, "delta"),
        Param("wing_delta", 0.08, 0.03, 0.14, "delta"),
        Param("butterfly_wing_delta", 0.20, 0.05, 0.35, "delta"),
        Param("wide_wing_delta", 0.25, 0.05, 0.40, "delta"),
        Param("delta_tolerance", 0.10, 0.02, 0.15, "delta"),
        Param("atm_width", 0.02, 0.005, 0.05, "of the forward"),
        Param("leg_spread", 0.15, 0.05, 0.5, "of mid"),
        Param("open_interest", 25.0, 0.0, 1_000.0, "contracts"),
    ),
    cost_class="heavy",
    evaluate=evaluate,
    judge=judge_options,
    references=(
        "Black, F. (1976). The pricing of commodity contracts. Journal of Financial Economics 3.",
        "Corsi, F. (2009). A simple approximate long-memory model of realized volatility. J. of Financial Econometrics 7.",
    ),
    known_gaps=(
        "Positions are held to the near expiry; leaving earlier is not valued.",
        "A calendar's far option is valued at its present volatility when the near one expires.",
    ),
)
