"""Funding is received while the price is hedged: the perpetual that is paid is held against spot or another perpetual.

Levered longs pay for their leverage, and whoever carries the other side earns it. It loses when the rate reverts before
the four fills are earned, when the basis widens, when one leg is liquidated, or when a venue fails.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.model.account import Account
from sextant.model.bar import Floats, Integers
from sextant.model.instrument import Instrument, is_dollar
from sextant.model.times import DAY_NS, INTERVAL_NS, SECOND_NS, Interval
from sextant.model.view import Flags, View
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
    Each,
    Economics,
    Model,
    PastSignals,
    WhenAsked,
    couples_of_base,
    leaving,
    signals_of,
)
from sextant.strategies.fees import fee_tier
from sextant.strategies.funding import FundingForecast, accrued, funding_of, received_bps
from sextant.strategies.gates import Admission, lean
from sextant.strategies.histories import state_of
from sextant.strategies.settled import settled_on

INTERVAL: Final[Interval] = "4h"
DAY_ROWS: Final = 6
MONTH_ROWS: Final = 180
LEAST_ERRORS: Final = 30
SPANS: Final = 9
HEDGED: Final = Admission(("spot", "perpetual"))

NEEDS: Final = (
    Need("bars", INTERVAL, 60, 1.5 * 4 * 3600.0),
    Need("quotes", None, 1, 5.0),
    Need("funding", None, 30, 120.0),
)


def _wanted(first: Instrument, second: Instrument) -> bool:
    if not (is_dollar(first.quote) and is_dollar(second.quote) and second.kind == "perpetual"):
        return False
    return first.kind == "spot" or (first.kind == "perpetual" and str(first) < str(second))


@dataclass(frozen=True, eq=False)
class _Carry:
    """What the past says about each couple on every row; float64 (T, C), fractions of the notional."""

    expected: Floats
    """Funding forecast over the horizon for buying the first and selling the second."""
    direction: Floats
    basis: Floats
    """Premium of the second instrument over the first."""
    basis_sd: Floats


def evaluate(view: View, params: Mapping[str, float], columns: Columns) -> Verdict:
    """What holding each couple of one base asset would earn in funding, on every row of the 4h frame.

    Notes
    -----
    A row forecasts with the last settled rate in the place of the estimate; today's estimate, whose past is not recorded,
    decides the gross and must agree in sign.
    """
    couples, legs = columns.once(
        ("carried",),
        lambda: couples_of_base(view.instruments, _wanted),
        lasting=INTERVAL if INTERVAL in view.bars else None,
    )
    if not couples:
        return skipped(INTERVAL, view, "no perpetual with a second instrument of its base")
    unheard = silent(INTERVAL, view, HEDGED)
    if unheard is not None:
        return unheard
    # Of the derivatives, the past reads the intervals alone.
    state = state_of(columns, "funding_history") + view.derivatives.funding_interval_s.tobytes()
    known = columns.once(
        ("carry", tuple(sorted(params.items()))),
        lambda: _known(columns, (couples, legs), params),
        lasting=INTERVAL,
        state=state,
    )
    carry = known.carry
    now = _now(view, columns, legs, carry, params)
    rows = -1 if columns.lasts else 0  # later views read no row but the last
    d, expected = carry.direction[rows:], carry.expected[rows:]
    strength = np.maximum(d * expected * 1e4 - known.fees_bps, 0.0) / params["strong_bps"]
    strength[-1] = np.maximum(now.gross_bps - known.fees_bps, 0.0) / params["strong_bps"]
    shorts, *others = known.gates
    interest = _least_interest(view, columns, legs)[None, :]
    spoken = CoupleSpoken(
        couples=_said((couples, legs), known, now, params),
        direction=d,
        strength=np.nan_to_num(strength),
        gates=(
            shorts,
            Gate("open_interest_usd", interest, params["open_interest_usd"], 1, "USD", live_only=True),
            *others,
            Gate("estimate_bps", now.agrees[None, :], 0.0, 1, "bps", live_only=True),
        ),
        facts={"expected_bps": d * expected * 1e4, "basis_bps": d * carry.basis[rows:] * 1e4},
        params=params,
        past=len(carry.direction) - len(d),
    )
    return compose_couples(columns, INTERVAL, NEEDS, spoken, HEDGED)


@dataclass(frozen=True, eq=False)
class _Known:
    """What closed bars and settlements say of each couple; float64 (C,) unless stated."""

    carry: _Carry
    gates: tuple[Gate, ...]
    """Those that have a history: first whether the first instrument can be sold, then the others in declared order."""
    passing: Flags
    """(T, C): where all of them pass."""
    ages: Integers
    """Rows for which they have, by now."""
    fees_bps: Floats
    """Four fills at the entry tier of the venues."""
    error_frac: Floats
    """Standard deviation of what came less what was expected; NaN with too few pasts."""
    leverage: Floats
    sigma_day: Floats
    """(C, 2)."""


def _known(
    columns: Columns, asked: tuple[tuple[Couple, ...], Integers], params: Mapping[str, float]
) -> _Known:
    (couples, legs), view = asked, columns.view
    rows = round(params["horizon_days"] * DAY_ROWS)
    carry, realised, settled, steady = _carry(view, columns, legs, rows)
    d = carry.direction
    sigma_day = columns.volatility(INTERVAL, 7.0 * DAY_ROWS) * np.sqrt(DAY_ROWS)
    leverage, room = margins(view, legs, sigma_day, (params["leverage_cap"], params["liquidation_sigmas"]))
    gates = (
        shortable(couples, d),
        Gate("settlements", settled, params["settlements"], 1),
        Gate("persistence", steady, params["persistence"], 1, "of 9"),
        Gate("basis_entry", d * carry.basis * 1e4, params["basis_entry"], 1, "bps"),
        Gate("liquidation_sigmas", room, params["liquidation_sigmas"], 1, "sigma", optional=True),
    )
    passing, ages = historic_rows(gates, d)
    return _Known(
        carry=carry,
        gates=tuple(map(lean, gates)) if columns.lasts else gates,
        passing=passing,
        ages=ages,
        fees_bps=_entry_fees(view)[legs].sum(axis=1) * 2.0,
        error_frac=_errors(carry, realised, rows),
        leverage=leverage,
        sigma_day=sigma_day[-1][legs],
    )


@dataclass(frozen=True, eq=False)
class _Now:
    """What is known of each couple now, float64 (C,) unless stated."""

    gross_bps: Floats
    agrees: Floats
    """Carry forecast from today's estimates, in the direction of the past, basis points."""
    basis_bps: Floats
    accrued: Each[tuple[Floats, Floats] | None]
    words: Each[str]


def _carry(view: View, columns: Columns, legs: Integers, rows: int) -> tuple[_Carry, Floats, Floats, Floats]:
    """The carry of each row; and (T, C) what came of it, settlements of the perpetual that has fewer, and how many spans agree."""
    pays = np.array([not _is_spot(view, column) for column in range(view.size)], dtype=np.bool_)
    known = settled_on(view, INTERVAL, np.flatnonzero(pays), rows)
    place = np.where(pays, np.cumsum(pays) - 1, -1)[legs]

    def apart(values: Floats) -> Floats:
        # Spot settles nothing and lacks nothing.
        sold = np.where(place[:, 1] < 0, 0.0, values[:, place[:, 1]])
        return np.ascontiguousarray(sold - np.where(place[:, 0] < 0, 0.0, values[:, place[:, 0]]))

    counts = [np.where(place[:, side] < 0, np.inf, known.count[:, place[:, side]]) for side in (0, 1)]
    expected = apart(known.expected)
    direction = np.sign(expected)
    close = columns.log_close(INTERVAL)
    basis = close[:, legs[:, 1]] - close[:, legs[:, 0]]
    carry = _Carry(expected, direction, basis, rolling.std_n(basis, MONTH_ROWS))
    steady = _steady(apart(known.total), direction, _span_rows(view, legs))
    return carry, apart(known.realised), np.minimum(*counts), steady


def _span_rows(view: View, legs: Integers) -> Integers:
    """Rows of the longer funding interval of each couple, at least one."""
    step_s = INTERVAL_NS[INTERVAL] / SECOND_NS
    longest = np.nan_to_num(view.derivatives.funding_interval_s)[legs].max(axis=1, initial=0.0)
    spans: Integers = np.maximum(1, np.rint(longest / step_s)).astype(np.int64)
    return spans


def _steady(total: Floats, direction: Floats, spans: Integers) -> Floats:
    """How many of the last nine spans paid in the direction, float64 (T, C); NaN where one of them is unknown."""
    out = np.full(total.shape, np.nan)
    _count_steady((total, direction), spans, out)
    return out


@rolling.compiled
def _count_steady(said: tuple[Floats, Floats], spans: Integers, out: Floats) -> None:
    total, direction = said
    for t in range(total.shape[0]):
        for c in range(total.shape[1]):
            span, votes = spans[c], 0.0
            if t < SPANS * span or np.isnan(direction[t, c]):
                continue
            for back in range(SPANS):
                paid = total[t - back * span, c] - total[t - (back + 1) * span, c]
                if np.isnan(paid):
                    votes = np.nan
                elif np.sign(paid) == direction[t, c]:
                    votes += 1.0
            out[t, c] = votes


def _least_interest(view: View, columns: Columns, legs: Integers) -> Floats:
    """Open interest of the perpetual that has less, USD; NaN where one is unknown."""
    spot = np.array([spec.instrument.kind == "spot" for spec in view.instruments])
    usd = np.where(spot, np.inf, view.derivatives.open_interest * columns.touch.mid)
    least: Floats = usd[legs].min(axis=1)
    return least


def _now(view: View, columns: Columns, legs: Integers, carry: _Carry, params: Mapping[str, float]) -> _Now:
    d = np.nan_to_num(carry.direction[-1])
    horizon_s = params["horizon_days"] * DAY_NS / SECOND_NS
    mid = columns.touch.mid
    basis_bps = d * (mid[legs[:, 1]] / mid[legs[:, 0]] - 1.0) * 1e4
    forecasts = {column: funding_of(view, column, horizon_s) for column in np.unique(legs).tolist()}

    def paying(couple: int) -> list[tuple[int, float]]:
        first, second = legs[couple].tolist()
        sides = ((first, -float(d[couple])), (second, float(d[couple])))
        return [(column, side) for column, side in sides if not _is_spot(view, column)]

    def path(couple: int) -> tuple[Floats, Floats] | None:
        known = paying(couple)
        if any(forecasts[column] is None for column, _ in known):
            return None
        return _joined([accrued(view, column, forecasts[column], side) for column, side in known])

    def words(couple: int) -> str:
        told = [_told(view, column, forecasts[column]) for column, _ in paying(couple)]
        return f"{'; '.join(told)}; basis {basis_bps[couple]:.1f} bps, taken to close"

    paths = WhenAsked(path)
    income = _income(view, (legs, d), forecasts, paths)
    return _Now(income + basis_bps, income, basis_bps, paths, WhenAsked(words))


def _income(
    view: View,
    asked: tuple[Integers, Floats],
    forecasts: Mapping[int, FundingForecast | None],
    paths: Each[tuple[Floats, Floats] | None],
) -> Floats:
    """What each couple is expected to receive, basis points, (C,): by its path where two legs pay, else at once."""
    legs, d = asked
    spot = np.array([_is_spot(view, column) for column in range(view.size)], dtype=np.bool_)
    income: Floats = d * received_bps(view, forecasts)[legs[:, 1]]
    # A sum of nothing has no sign of its own.
    for couple in np.flatnonzero(~spot[legs[:, 0]] | (income == 0)).tolist():
        path = paths[couple]
        income[couple] = np.nan if path is None else path[1][-1] if len(path[1]) else 0.0
    return income


def _is_spot(view: View, column: int) -> bool:
    return view.instruments[column].instrument.kind == "spot"


def _told(view: View, column: int, forecast: FundingForecast | None) -> str:
    assert forecast is not None  # noqa: S101  # the caller looked
    marked = "" if forecast.settled_count >= 30 else ", phi set for want of settlements"
    return (
        f"{view.instruments[column].instrument} settles {forecast.count} times, its rate reverting to "
        f"{forecast.mean_frac * 1e4:.2f} bps with phi {forecast.phi:.2f}{marked}"
    )


def _joined(paths: list[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """Payments of several legs in the order of their times, added up, basis points."""
    times = np.concatenate([path[0] for path in paths])
    each = np.concatenate([np.diff(path[1], prepend=0.0) for path in paths]) * 1e4
    order = np.argsort(times, kind="stable")
    # Whatever settles in the same instant is seen together.
    last = np.append(np.diff(times[order]) > 0, True) if len(order) else np.zeros(0, dtype=np.bool_)
    return times[order][last], np.cumsum(each[order])[last]


def _entry_fees(view: View) -> Floats:
    """Taker fee of each instrument at the entry tier of its venue, basis points; NaN where unknown."""
    tiers = [fee_tier(Account(), spec.instrument) for spec in view.instruments]
    return np.array([np.nan if tier is None else tier.taker_bps for tier in tiers], dtype=np.float64)


def _errors(carry: _Carry, realised: Floats, rows: int) -> Floats:
    """Standard deviation of what came less what was expected, float64 (C,); NaN with fewer than thirty pasts.

    Notes
    -----
    What is expected is the forecast and a closed basis; the error is what came of the one and what was left of the other.
    """
    later = np.full(carry.basis.shape, np.nan)
    later[: max(0, len(later) - rows)] = carry.basis[rows:]
    errors = realised - carry.expected - later
    enough = np.isfinite(errors).sum(axis=0) >= LEAST_ERRORS
    spread = np.full(errors.shape[1], np.nan)
    if enough.any():
        spread[enough] = np.nanstd(errors[:, enough], axis=0, ddof=1)
    return spread


def _said(
    asked: tuple[tuple[Couple, ...], Integers], known: _Known, now: _Now, params: Mapping[str, float]
) -> CoupleSet:
    couples, legs = asked
    rows, count = round(params["horizon_days"] * DAY_ROWS), len(couples)
    basis_sd, spread = known.carry.basis_sd[-1], known.error_frac
    stop = np.where(basis_sd > 0, now.basis_bps + params["basis_exit_sd"] * basis_sd * 1e4, np.nan)
    said = CoupleSet(
        couples=couples,
        legs=legs,
        ratio=np.ones(count),
        horizon_s=np.full(count, params["horizon_days"] * DAY_NS / SECOND_NS),
        horizon_rows=rows,
        sigma_frac=np.nan_to_num(np.where(np.isfinite(spread), spread, basis_sd)),
        sigma_day=known.sigma_day,
        leverage=known.leverage,
        age_rows=known.ages,
        entry=now.basis_bps,
        stop=stop,
        target=np.full(count, np.nan),
        level_unit="basis points of basis: the premium of the sold leg over the bought one",
        stop_reason="the basis has not moved in 30 days; the position ends with its horizon or its carry",
        past=lambda: _past(said, known, params),
        economics=Economics(
            break_even_share=params["break_even_share"],
            least_annual_frac=params["cash_yield"] + params["least_excess"],
        ),
        model=Model(
            gross_bps=now.gross_bps,
            error_bps=spread * 1e4,
            words=now.words,
            accrued=now.accrued,
            burden_bps=np.maximum(0.0, np.nan_to_num(-now.basis_bps)),
        ),
        groups=tuple(couple.first.base for couple in couples),
        same_asset=True,
    )
    return said


def _past(said: CoupleSet, known: _Known, params: Mapping[str, float]) -> PastSignals:
    """Rows that would have been offered: all gates passed, and the carry earned entry fees in time."""
    carry, fees_bps = known.carry, known.fees_bps
    d = carry.direction
    earned = d * carry.expected * 1e4
    burden = np.maximum(0.0, -d * carry.basis * 1e4)
    worth = (
        earned * params["break_even_share"] >= fees_bps + burden
    )  # NaN compares as False: unknown is not offered
    passing = known.passing & worth & np.isfinite(carry.basis)
    past = signals_of(passing, said, d, np.maximum(earned - fees_bps, 0.0) / params["strong_bps"])
    row, couple = past.row, past.couple
    width = params["basis_exit_sd"] * carry.basis_sd[row, couple]
    level = -past.direction * carry.basis[row, couple] - width
    leave = np.full(len(row), -1, dtype=np.int64)
    for ahead in range(said.horizon_rows, 0, -1):
        at = row + ahead
        inside = at < len(d)
        rest = past.direction * carry.expected[np.where(inside, at, 0), couple] * 1e4
        left = rest * (said.horizon_rows - ahead) / said.horizon_rows < -0.5 * fees_bps[couple]
        leave = np.where(inside & left, at, leave)
    return leaving(dataclasses.replace(past, stop=np.where(width > 0, level, np.nan)), leave)


STRATEGY = Strategy(
    id="ai_funding_arbitrage",
    name="AI Funding Arbitrage",
    category="derivatives",
    catalogue_risk="high",
    tier="pro",
    min_capital_usd=5000.0,
    opportunity_type="funding_arbitrage",
    unit="couple",
    lane="earn",
    evidence_kind="funding",
    needs=NEEDS,
    params=(
        Param("horizon_days", 7.0, 1.0, 30.0, "days"),
        Param("settlements", 30.0, 30.0, 90.0, "settlements"),
        Param("persistence", 6.0, 5.0, 9.0, "of 9"),
        Param("open_interest_usd", 5e6, 1e6, 1e8, "USD"),
        Param("basis_entry", -10.0, -50.0, 0.0, "bps"),
        Param("basis_exit_sd", 3.0, 2.0, 6.0, "sd"),
        Param("break_even_share", 0.5, 0.1, 1.0, "fraction"),
        Param("liquidation_sigmas", 5.0, 3.0, 10.0, "sigma"),
        Param("leverage_cap", 3.0, 1.0, 3.0, "times"),
        Param("cash_yield", 0.0, 0.0, 0.2, "fraction a year"),
        Param("least_excess", 0.02, 0.0, 0.1, "fraction a year"),
        Param("strong_bps", 10.0, 5.0, 50.0, "bps"),
    ),
    cost_class="light",
    evaluate=evaluate,
    judge=judge_couples,
    references=(
        "Ackerer, Hugonnier, Jermann 2023, Perpetual Futures Pricing",
        "He, Manela, Ross, von Wachter 2022, Fundamentals of Perpetual Futures",
    ),
    known_gaps=(
        "Past estimates of the next rate are not recorded: past rows forecast with the last settled rate instead.",
        "Venues' caps of the funding rate are not in the instrument rules, so a rate at its cap is not treated apart.",
        "Borrow rates have no source: spot is never sold short.",
        "Past events are pooled over all couples, not by tiers of liquidity.",
        "Bases that a venue lists in thousands (1000PEPE) are not coupled with their single-unit spot.",
    ),
)
