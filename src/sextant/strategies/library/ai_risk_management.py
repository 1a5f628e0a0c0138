"""A portfolio over a limit is brought back under it by the smallest step: losses that end an account come from few causes.

It earns nothing; it costs what the step costs, and it is silent while every limit holds.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Final

import msgspec

from sextant.model.account import Profile
from sextant.model.opportunity import Disposition, GateReading, Opportunity
from sextant.model.times import DAY_NS, SECOND_NS
from sextant.model.view import View
from sextant.strategies.checks import Check, Fix, checks_of, es_after
from sextant.strategies.contract import Judged, Need, Param, Strategy, Verdict
from sextant.strategies.costs import Pricing
from sextant.strategies.dispositions import Economic, Named, economic, found, insufficient
from sextant.strategies.ground import Ground, ground_of, unspoken
from sextant.strategies.orders import ENOUGH
from sextant.strategies.protect import Protection, told
from sextant.strategies.stress import report

NEEDS: Final = (Need("bars", "1d", 500, 1.5 * 86_400.0), Need("quotes", None, 1, 15.0))

_LIMITS: Final[Mapping[str, tuple[float, float, float, float, str]]] = {
    # check: conservative, balanced, aggressive, greatest, unit; beast_mode has the limits of aggressive
    "one_asset": (0.25, 0.40, 0.60, 1.0, "fraction"),
    "one_venue": (0.50, 0.70, 0.85, 1.0, "fraction"),
    "one_stablecoin": (0.60, 0.80, 1.00, 1.0, "fraction"),
    "stablecoin_price": (50.0, 50.0, 50.0, 500.0, "bps"),
    "gross_exposure": (1.5, 3.0, 5.0, 10.0, "ratio"),
    "liquidation_distance": (5.0, 4.0, 3.0, 10.0, "sigma"),
    "days_to_exit": (1.0, 2.0, 5.0, 30.0, "days"),
    "correlated": (0.60, 0.80, 1.00, 5.0, "fraction"),
}
_NAMES: Final = ("conservative", "balanced", "aggressive")
_COLUMN: Final[Mapping[Profile, str]] = {
    "conservative": "conservative",
    "balanced": "balanced",
    "aggressive": "aggressive",
    "beast_mode": "aggressive",
}


def evaluate(view: View, params: Mapping[str, float], _: object) -> Verdict:
    """Nothing about single instruments; the portfolio is judged for each account."""
    return dataclasses.replace(unspoken(view), params=params)


def judge(strategy: Strategy, verdict: Verdict, _: object, pricing: Pricing) -> Judged:
    """One disposition for each check, and one opportunity for each breach that can be mended."""
    ground = ground_of(pricing)
    if not isinstance(ground, Ground):
        return [], [insufficient(Named("portfolio"), ground)]
    column = _COLUMN[pricing.account.profile]
    limits = {name: verdict.params[f"{name}_{column}"] for name in _LIMITS}
    rows: list[Opportunity] = []
    dispositions: list[Disposition] = []
    facts: dict[str, float] | None = None
    for check in checks_of(ground, limits):
        answer = _answered(strategy, ground, check, verdict.params["aim_frac"])
        if isinstance(answer, Protection):
            facts = report(ground) if facts is None else facts
            row = told(answer)
            row = msgspec.structs.replace(row, risk_facts=facts | row.risk_facts)
            rows.append(row)
            unit = Named(check.title, tuple(leg.instrument for leg in row.legs))
            dispositions.append(found(unit, row.opportunity_key, row.gates))
        else:
            dispositions.append(answer)
    return rows, dispositions


def _answered(strategy: Strategy, ground: Ground, check: Check, aim: float) -> Protection | Disposition:
    unit = Named(check.title)
    if math.isnan(check.value):
        return insufficient(unit, (f"{check.name}.{check.subject}", 0.0, 1.0, "values"))
    capital = Economic("min_capital", ground.equity_usd, strategy.min_capital_usd, 1, "USD")
    breach = Economic("breach", check.breach, 1.0, 1)
    for gate, before in ((capital, ()), (breach, (capital.reading,))):
        if not gate.reading.passed:
            return economic(unit, gate, before)
    readings = (capital.reading, breach.reading)
    fix = check.fix(aim)
    if not fix.orders and fix.transfer is None:
        stuck = economic(unit, Economic("mendable", 0.0, 1.0, 1), readings)
        return msgspec.structs.replace(stuck, flips_if=f"there is no longer {fix.lacking}")
    return _protection(strategy, ground, check, fix, readings)


def _protection(
    strategy: Strategy, ground: Ground, check: Check, fix: Fix, readings: tuple[GateReading, ...]
) -> Protection:
    done = (
        fix.transfer.value_usd if fix.transfer is not None else math.fsum(o.notional_usd for o in fix.orders)
    )
    sense = "at least" if check.falls else "at most"
    reasons: tuple[str, ...] = (
        f"{check.name} of {check.subject} is {check.value:.4g} {check.unit}, {sense} {check.limit:.4g} is allowed.",
        f"The step is {check.mitigation} of {done:.0f} USD.",
        f"It aims at {100 * strategy.defaults()['aim_frac']:.0f} % of the limit and is the smallest that does.",
    )
    short = fix.wanted_usd > 0 and done < ENOUGH * fix.wanted_usd
    warnings = (
        (f"Only {done:.0f} of {fix.wanted_usd:.0f} USD can be done with what lies free.",) if short else ()
    )
    if fix.transfer is not None:
        move = fix.transfer
        reasons = (
            *reasons,
            f"Move {move.quantity:f} {move.asset} from {move.from_venue} to {move.to_venue}; only you can do it.",
        )
        warnings = (
            *warnings,
            f"The withdrawal fee and the duration at {move.from_venue} are not known here; the venue shows them.",
        )
    return Protection(
        strategy=strategy,
        ground=ground,
        name=f"{check.name}:{check.subject}:{check.mitigation}",
        orders=fix.orders,
        es_after_usd=es_after(ground, fix.orders),
        strength=min(check.breach, 1e3),
        horizon_s=DAY_NS / SECOND_NS,
        gates=readings,
        reasons=reasons,
        transfer=fix.transfer,
        warnings=warnings,
    )


def _limit_params() -> tuple[Param, ...]:
    return tuple(
        Param(f"{check}_{name}", limit, 0.1 * min(limits), greatest, unit)
        for check, (*limits, greatest, unit) in _LIMITS.items()
        for name, limit in zip(_NAMES, limits, strict=True)
    )


STRATEGY = Strategy(
    id="ai_risk_management",
    name="AI Risk Manager",
    category="portfolio",
    catalogue_risk="low",
    tier="free",
    min_capital_usd=500.0,
    opportunity_type="risk_mitigation",
    unit="portfolio",
    lane="protect",
    evidence_kind="portfolio",
    needs=NEEDS,
    params=(Param("aim_frac", 0.95, 0.5, 1.0, "fraction"), *_limit_params()),
    cost_class="light",
    evaluate=evaluate,
    judge=judge,
    references=(
        "Acerbi, Tasche 2002, On the Coherence of Expected Shortfall, Journal of Banking & Finance 26",
        "Kupiec 1995, Techniques for Verifying the Accuracy of Risk Measurement Models, Journal of Derivatives 3",
    ),
    known_gaps=(
        "Withdrawal fees and durations have no source yet: a transfer is shown with an unknown cost and no rank.",
        "Losses are taken as linear in the log return, which is a little too much for longs and too little for shorts.",
    ),
)
