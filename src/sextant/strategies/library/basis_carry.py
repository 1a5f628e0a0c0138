"""A dated future is sold above spot, or bought below a perpetual, and held until it settles at the index.

Levered buyers pay a premium for time, and at expiry it is gone. What is earned is contractual; it is at risk only when one
must leave early, when margin runs out before expiry, or when the settlement index is not the price of the spot leg.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.model.account import Account
from sextant.model.bar import Floats, Integers
from sextant.model.instrument import Instrument, is_dollar
from sextant.model.times import DAY_NS, INTERVAL_NS, SECOND_NS, Interval
from sextant.model.view import View
from sextant.strategies import rolling
from sextant.strategies.columns import Columns
from sextant.strategies.compose import silent, skipped
from sextant.strategies.contract import Gate, Need, Param, Strategy, Verdict
from sextant.strategies.couple_compose import CoupleSpoken, compose_couples
from sextant.strategies.couple_margins import historic_rows, margins, shortable
from sextant.strategies.couple_propose import judge_couples
from sextant.strategies.couples import (
    Couple,
    CoupleSet,
    Economics,
    Model,
    couples_of_base,
    no_past,
)
from sextant.strategies.fees import delivery_bps, fee_tier
from sextant.strategies.funding import funding_of
from sextant.strategies.gates import Admission

INTERVAL: Final[Interval] = "4h"
DAY_ROWS: Final = 6
MONTH_ROWS: Final = 180
YEAR_DAYS: Final = 365.0
DATED: Final = Admission(("spot", "perpetual", "future"))

NEEDS: Final = (
    Need("bars", INTERVAL, 60, 1.5 * 4 * 3600.0),
    Need("quotes", None, 1, 5.0),
    Need("funding", None, 30, 120.0),
)


def _wanted(first: Instrument, second: Instrument) -> bool:
    dollars = is_dollar(first.quote) and is_dollar(second.quote)
    return dollars and second.kind == "future" and first.kind in ("spot", "perpetual")


@dataclass(frozen=True, eq=False)
class _Terms:
    """What is known of C couples; float64 (C,) unless stated."""

    couples: tuple[Couple, ...]
    legs: Integers
    basis: Floats
    """(T, C): premium of the future over the first leg at the closes."""
    days: Floats
    """(T, C): to expiry."""
    quoted_bps: Floats
    """Premium by the quotes."""
    first_mid: Floats
    carry_bps: Floats
    """Funding that one unit of the long first leg is expected to receive until expiry; 0 for spot."""


def evaluate(view: View, params: Mapping[str, float], columns: Columns) -> Verdict:
    """What each dated future would earn against the other instruments of its base until it settles."""
    couples, legs = couples_of_base(view.instruments, _wanted)
    if not couples:
        return skipped(INTERVAL, view, "no dated future with spot or a perpetual of its base")
    unheard = silent(INTERVAL, view, DATED)
    if unheard is not None:
        return unheard
    terms = _terms(view, columns, couples, legs)
    direction = np.sign(terms.basis)
    d = direction[-1]
    sigma_day = columns.volatility(INTERVAL, 7.0 * DAY_ROWS) * np.sqrt(DAY_ROWS)
    asked = (params["leverage_cap"], params["margin_sigmas"])
    leverage, room = margins(view, legs, sigma_day, asked)
    gross = d * (terms.quoted_bps + terms.carry_bps)
    gates = (
        shortable(couples, direction),
        Gate("days", terms.days, params["days_low"], 1, "days"),
        Gate("days_cap", terms.days, params["days_high"], -1, "days"),
        Gate("margin_sigmas", room, params["margin_sigmas"], 1, "sigma", optional=True),
        Gate("quoted_bps", (d * terms.quoted_bps)[None, :], 0.0, 1, "bps", live_only=True),
    )
    spoken = CoupleSpoken(
        couples=_said(view, terms, gross, (gates, direction, sigma_day[-1][legs], leverage), params),
        direction=direction,
        strength=_strength(view, terms, gross, params),
        gates=gates,
        facts={"basis_bps": terms.basis * 1e4, "days": terms.days},
        params=params,
    )
    return compose_couples(columns, INTERVAL, NEEDS, spoken, DATED)


def _terms(view: View, columns: Columns, couples: tuple[Couple, ...], legs: Integers) -> _Terms:
    expiry_ns = np.array([couple.second.expiry_ns or 0 for couple in couples], dtype=np.int64)
    closes_ns = columns.frame(INTERVAL).open_ns + INTERVAL_NS[INTERVAL]
    close, mid = columns.frame(INTERVAL).close, columns.touch.mid
    left_s = (expiry_ns - view.as_of_ns) / SECOND_NS
    carry = np.zeros(len(couples))
    for number, (couple, column) in enumerate(zip(couples, legs[:, 0].tolist(), strict=True)):
        if couple.first.kind == "perpetual":
            forecast = funding_of(view, column, max(0.0, float(left_s[number])))
            carry[number] = np.nan if forecast is None else 0.0 - forecast.sum_frac * 1e4
    return _Terms(
        couples=couples,
        legs=legs,
        basis=close[:, legs[:, 1]] / close[:, legs[:, 0]] - 1.0,
        days=(expiry_ns[None, :] - closes_ns[:, None]) / DAY_NS,
        quoted_bps=(mid[legs[:, 1]] / mid[legs[:, 0]] - 1.0) * 1e4,
        first_mid=mid[legs[:, 0]],
        carry_bps=carry,
    )


def _fees_bps(view: View, legs: Integers) -> Floats:
    """First leg in and out, future in, and its settlement, at the entry tiers, (C,); NaN where one is unknown."""
    found = np.full(len(legs), np.nan)
    for number, (first, second) in enumerate(legs.tolist()):
        instruments = [view.instruments[column].instrument for column in (first, second)]
        hedge, dated = (fee_tier(Account(), instrument) for instrument in instruments)
        settled = delivery_bps(instruments[1])
        if hedge is not None and dated is not None and settled is not None:
            found[number] = 2.0 * hedge.taker_bps + dated.taker_bps + settled
    return found


def _strength(view: View, terms: _Terms, gross: Floats, params: Mapping[str, float]) -> Floats:
    """Return a year after fees over what is asked, on the last row; 0 above it, whose quotes are not recorded."""
    least = params["cash_yield"] + params["least_excess"]
    annual = (gross - _fees_bps(view, terms.legs)) / 1e4 * YEAR_DAYS / np.maximum(terms.days[-1], 1e-9)
    strength = np.zeros(terms.basis.shape)
    strength[-1] = np.maximum(np.nan_to_num(annual), 0.0) / least
    return strength


def _said(
    view: View,
    terms: _Terms,
    gross: Floats,
    read: tuple[tuple[Gate, ...], Floats, Floats, Floats],
    params: Mapping[str, float],
) -> CoupleSet:
    gates, direction, sigma_day, leverage = read
    count, legs, d = len(terms.couples), terms.legs, direction[-1]
    # The future settles at its index: what the first leg is away from it now is what it may be away from it then.
    apart = np.abs(view.derivatives.index[legs[:, 1]] / terms.first_mid - 1.0) * 1e4
    words = tuple(
        f"premium {premium:.1f} bps, gone at expiry in {days:.1f} days"
        + ("" if couple.first.kind == "spot" else f"; funding until then {carry:.1f} bps for a buyer")
        for couple, premium, days, carry in zip(
            terms.couples,
            terms.quoted_bps.tolist(),
            terms.days[-1].tolist(),
            terms.carry_bps.tolist(),
            strict=True,
        )
    )
    return CoupleSet(
        couples=terms.couples,
        legs=legs,
        ratio=np.ones(count),
        horizon_s=np.maximum(terms.days[-1], 0.0) * (DAY_NS / SECOND_NS),
        horizon_rows=round(params["days_high"] * DAY_ROWS),
        sigma_frac=np.nan_to_num(rolling.std_n(terms.basis, max(2, min(MONTH_ROWS, len(terms.basis))))[-1]),
        sigma_day=sigma_day,
        leverage=leverage,
        age_rows=historic_rows(gates, direction)[1],
        entry=d * terms.quoted_bps,
        stop=np.full(count, np.nan),
        target=np.zeros(count),
        level_unit="basis points of basis: the premium of the sold leg over the bought one",
        stop_reason="held to expiry, when the premium is gone by contract; leaving earlier is a choice",
        past=no_past,
        exits=("trade", "delivery"),
        economics=Economics(least_annual_frac=params["cash_yield"] + params["least_excess"]),
        model=Model(gross, apart, words, (None,) * count, np.zeros(count)),
        groups=tuple(couple.first.base for couple in terms.couples),
        same_asset=True,
    )


STRATEGY = Strategy(
    id="basis_carry",
    name="Basis Carry",
    category="derivatives",
    catalogue_risk="medium",
    tier="pro",
    min_capital_usd=3000.0,
    opportunity_type="basis_carry",
    unit="couple",
    lane="earn",
    evidence_kind="analytic",
    needs=NEEDS,
    params=(
        Param("days_low", 7.0, 1.0, 30.0, "days"),
        Param("days_high", 200.0, 60.0, 400.0, "days"),
        Param("margin_sigmas", 4.0, 3.0, 10.0, "sigma"),
        Param("leverage_cap", 3.0, 1.0, 3.0, "times"),
        Param("cash_yield", 0.0, 0.0, 0.2, "fraction a year"),
        Param("least_excess", 0.02, 0.005, 0.1, "fraction a year"),
    ),
    cost_class="light",
    evaluate=evaluate,
    judge=judge_couples,
    references=(
        "Schmeling, Schrimpf, Todorov 2023, Crypto Carry, BIS Working Papers 1087",
        "Venues' contract pages: settlement and delivery of dated futures",
    ),
    known_gaps=(
        "Of which prices a settlement index is made is not stated: its distance from the first leg now stands for later.",
        "Settlement fees are known for Bybit and Deribit only; elsewhere the cost is unknown and nothing is offered.",
        "Borrow rates have no source: spot is never sold short.",
    ),
)
