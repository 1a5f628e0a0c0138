"""Implied against forecast realised variance: options are bought where they cost less than movement, sold where more.

Buyers of insurance pay for it, after the widest spreads of all markets. It loses when the next weeks move unlike any of the
past, and short options lose at once. Without a recorded or live chain it says nothing: no surface is made up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, Literal

from sextant.model.view import View
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Need, Param, Strategy, Verdict
from sextant.strategies.dispositions import Economic
from sextant.strategies.option_ideas import Horizon, Proposal, speak
from sextant.strategies.option_propose import judge_options
from sextant.strategies.structures import OptionLeg, Shape, Structure

NEEDS: Final = (Need("bars", "1d", 400, 1.5 * 86_400.0), Need("chain", None, 1, 30.0))

HEDGED_FROM: Final = 0.1
"""Absolute delta of a vertical from which it is also looked at with a perpetual against it."""


def evaluate(view: View, params: Mapping[str, float], columns: Columns) -> Verdict:  # noqa: ARG001  # the contract's shape
    """What implied and forecast volatility say about straddles, strangles and credit verticals of every expiry."""
    return speak(columns, params, NEEDS, proposals)


def proposals(horizon: Horizon, params: Mapping[str, float]) -> Iterator[Proposal]:
    """Structures of one expiry: long ones if options are cheap, credit verticals if they are dear."""
    expiry = horizon.expiry
    iv = expiry.atm_iv(params["atm_width"])
    if iv is None:
        return
    ratio = iv / horizon.outlook.volatility
    cheap = Economic("vol_ratio", ratio, params["ratio_low"], -1)
    dear = Economic("vol_ratio", ratio, params["ratio_high"], 1)
    for structure in (_straddle(horizon, params), _strangle(horizon, params)):
        yield Proposal(structure, cheap, params["ratio_low"] / ratio)
    for right in (-1, 1):
        vertical = _vertical(horizon, params, 1 if right > 0 else -1)
        yield Proposal(vertical, dear, ratio / params["ratio_high"])
        hedged = None if vertical is None else _hedged(vertical, horizon)
        if hedged is not None:
            yield Proposal(hedged, dear, ratio / params["ratio_high"])


def _straddle(horizon: Horizon, params: Mapping[str, float]) -> Structure | None:
    expiry = horizon.expiry
    strike = expiry.at_the_money(params["atm_width"])
    call, put = (None, None) if strike is None else (expiry.find(strike, 1), expiry.find(strike, -1))
    if call is None or put is None:
        return None
    return Structure("long_straddle", (OptionLeg(expiry, call, 1), OptionLeg(expiry, put, 1)))


def _strangle(horizon: Horizon, params: Mapping[str, float]) -> Structure | None:
    expiry = horizon.expiry
    wing, tolerance = params["strangle_delta"], params["delta_tolerance"]
    call, put = (expiry.near_delta(wing, right, tolerance) for right in (1, -1))
    if call is None or put is None or not expiry.strike[put] < expiry.strike[call]:
        return None
    return Structure("long_strangle", (OptionLeg(expiry, call, 1), OptionLeg(expiry, put, 1)))


def _vertical(horizon: Horizon, params: Mapping[str, float], right: Literal[-1, 1]) -> Structure | None:
    """A short option and a long one further out of the money."""
    expiry, tolerance = horizon.expiry, params["delta_tolerance"]
    short = expiry.near_delta(params["short_delta"], right, tolerance)
    long = expiry.near_delta(params["wing_delta"], right, tolerance)
    if short is None or long is None or not right * (expiry.strike[long] - expiry.strike[short]) > 0:
        return None
    shape: Shape = "call_credit_vertical" if right > 0 else "put_credit_vertical"
    return Structure(shape, (OptionLeg(expiry, short, -1), OptionLeg(expiry, long, 1)))


def _hedged(vertical: Structure, horizon: Horizon) -> Structure | None:
    """The vertical with a perpetual against its delta; None where the delta is small or no perpetual is quoted."""
    delta = float(vertical.greeks.delta[0])
    if horizon.perpetual is None or not abs(delta) > HEDGED_FROM:
        return None
    return replace(vertical, hedge=replace(horizon.perpetual, units=-delta))


STRATEGY: Final = Strategy(
    id="ai_options_trade",
    name="AI Options Strategies",
    category="derivatives",
    catalogue_risk="high",
    tier="pro",
    min_capital_usd=5_000.0,
    opportunity_type="options",
    unit="underlying",
    lane="earn",
    evidence_kind="analytic",
    needs=NEEDS,
    params=(
        Param("ratio_low", 0.85, 0.7, 0.95, "x"),
        Param("ratio_high", 1.20, 1.05, 1.6, "x"),
        Param("days_low", 5.0, 1.0, 10.0, "d"),
        Param("days_high", 21.0, 10.0, 60.0, "d"),
        Param("strangle_delta", 0.25, 0.10, 0.40, "delta"),
        Param("short_delta", 0.25, 0.15, 0.40, "delta"),
        Param("wing_delta", 0.10, 0.03, 0.14, "delta"),
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
        "Garman, M., Klass, M. (1980). On the estimation of security price volatilities. Journal of Business 53.",
        "Barone-Adesi, G., Giannopoulos, K., Vosper, L. (1999). VaR without correlations. Journal of Futures Markets 19.",
    ),
    known_gaps=(
        "Positions are held to expiry; leaving when the ratio returns to 1 is not valued.",
        "The coarser tick of dearer options is not known, so four ticks are the finest ones.",
        "The fee of delivering daily options, which is none, is charged like any other.",
        "The margin that a venue asks for short options before expiry may exceed the largest loss.",
    ),
)
