"""Idiosyncratic overreaction that has begun to turn: payment for supplying liquidity.

Broad sell-offs go on, hence the residual to the common move. On large spot instruments no edge is expected
after fees; evidence decides, and maker tiers or thinner venues may differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.model.bar import Floats
from sextant.model.times import Interval
from sextant.model.view import View
from sextant.strategies import rolling
from sextant.strategies.columns import Columns
from sextant.strategies.compose import Source, Spoken, compose, silent, spoken_once
from sextant.strategies.contract import Gate, Need, Param, Strategy, Verdict

INTERVAL: Final[Interval] = "1h"
SLOW_ROWS: Final = 240
LEAST_INSTRUMENTS: Final = 5

NEEDS: Final = (Need("bars", INTERVAL, 300, 1.5 * 3600.0), Need("quotes", None, 1, 15.0))


@dataclass(frozen=True, eq=False)
class Residual:
    """The part of each deviation from the mean that the common move does not explain; float64 (T, S)."""

    deviation: Floats
    beta: Floats
    value: Floats
    spread: Floats


def residual(columns: Columns, rows: int) -> Residual:
    """The residual of ``ln c`` from its mean over ``rows`` rows, and its standard deviation over them.

    Notes
    -----
    m = cross-sectional median of r, M = cumsum m, beta = prior cov_240(r, m)/var_240(m), dev = ln c - mean(ln c),
    res = dev - beta (M - mean M), s_res^2 = var(ln c) - 2 beta cov(ln c, M) + beta^2 var(M).
    """

    def make() -> Residual:
        c, r = columns.log_close(INTERVAL), columns.log_return(INTERVAL)
        common = rolling.row_median(r, LEAST_INSTRUMENTS)
        level = rolling.running_sum(common)
        _, _, cov, _, var = rolling.moments_with(r, common, SLOW_ROWS)
        beta = rolling.lag(rolling.ratio(cov, var[:, None]), 1)
        mean_c, var_c, cov_c, mean_level, var_level = rolling.moments_with(c, level, rows)
        deviation = c - mean_c
        variance = var_c + beta * (beta * var_level[:, None] - 2.0 * cov_c)
        spread = np.sqrt(np.maximum(variance, 0.0))
        return Residual(deviation, beta, deviation - beta * (level - mean_level)[:, None], spread)

    return columns.once(("residual", INTERVAL, rows), make)


def half_life_rows(deviation: Floats) -> Floats:
    """Rows in which half a deviation is gone, float64 (T, S).

    Notes
    -----
    -ln 2/ln(1 + b), b = OLS slope (with constant) of the change of the deviation on its lag over 240 rows. A slope
    >= 0 shows no reversion within the window and counts as 240 rows; one <= -1 counts as 0.
    """
    before = rolling.lag(deviation, 1)
    _, _, var, cov, _ = rolling.moments(before, deviation - before, SLOW_ROWS)
    slope = rolling.ratio(cov, var)
    decays = (slope > -1.0) & (slope < 0.0)
    rows = -np.log(2.0) / np.log1p(np.where(decays, slope, -0.5))
    rows = np.where(slope >= 0.0, float(SLOW_ROWS), np.where(slope <= -1.0, 0.0, rows))
    result: Floats = np.where(np.isnan(slope), np.nan, np.minimum(rows, SLOW_ROWS))
    return result


def evaluate(view: View, params: Mapping[str, float], columns: Columns) -> Verdict:
    """What the residual says on every row of the 1h frame; z = res/s_res, direction against it."""
    unheard = silent(INTERVAL, view)
    if unheard is not None:
        return unheard
    spoken = spoken_once(
        columns, INTERVAL, NEEDS, Source("ai_spot_mean_reversion", params), lambda: _spoken(columns, params)
    )
    return compose(columns, INTERVAL, NEEDS, spoken)


def _spoken(columns: Columns, params: Mapping[str, float]) -> Spoken:
    """What closed bars say."""
    close = columns.frame(INTERVAL).close
    res = residual(columns, int(params["window"]))
    z = rolling.ratio(res.value, res.spread)
    size, d = np.abs(z), -np.sign(z)
    half_life = columns.once(("half_life", INTERVAL, params["window"]), lambda: half_life_rows(res.deviation))
    path = columns.indicator(INTERVAL, "efficiency_ratio", "efficiency_ratio", window=48)
    usual = rolling.lag(columns.volatility(INTERVAL, 48), 1)
    atr = columns.indicator(INTERVAL, "atr", "atr", window=14)
    atr_frac = atr / close
    gates = (
        Gate("z", size, params["z"], 1, "sd"),
        Gate("z_cap", size, params["z_cap"], -1, "sd"),
        Gate("turn", size - rolling.lag(size, 1), 0.0, -1, "sd"),
        Gate("idiosyncratic", rolling.ratio(res.value, res.deviation), params["idiosyncratic"], 1),
        Gate("range", path, params["range"], -1),
        Gate("half_life", half_life, params["half_life_low"], 1, "rows"),
        Gate("half_life_cap", half_life, params["half_life_high"], -1, "rows"),
        Gate("shock", rolling.ratio(np.abs(columns.log_return(INTERVAL)), usual), params["shock"], -1, "sd"),
    )
    return Spoken(
        direction=d,
        strength=size / params["z"],
        stop=close * (1.0 - d * np.maximum(2.0 * res.spread, 1.5 * atr_frac)),
        target=close * (1.0 + d * np.maximum((size - 0.5) * res.spread, atr_frac)),
        gates=gates,
        horizon_rows=int(params["horizon_rows"]),
        facts={
            "z": z,
            "beta": res.beta,
            "half_life_rows": half_life,
            "sigma": columns.volatility(INTERVAL, 48),
        },
        params=params,
        settle_rows=4 * 48,
    )


STRATEGY = Strategy(
    id="ai_spot_mean_reversion",
    name="AI Mean Reversion",
    category="spot",
    catalogue_risk="medium",
    tier="basic",
    min_capital_usd=1000.0,
    opportunity_type="mean_reversion",
    unit="instrument",
    lane="earn",
    evidence_kind="bars",
    compares=True,
    needs=NEEDS,
    params=(
        Param("window", 48.0, 24.0, 120.0, "rows"),
        Param("z", 2.0, 1.5, 4.0, "sd"),
        Param("z_cap", 5.0, 4.0, 8.0, "sd"),
        Param("idiosyncratic", 0.5, 0.2, 0.9, "fraction"),
        Param("range", 0.35, 0.1, 0.6, "fraction"),
        Param("half_life_low", 2.0, 1.0, 6.0, "rows"),
        Param("half_life_high", 24.0, 12.0, 96.0, "rows"),
        Param("shock", 4.0, 2.0, 8.0, "sd"),
        Param("horizon_rows", 24.0, 6.0, 72.0, "rows"),
    ),
    cost_class="medium",
    evaluate=evaluate,
    references=(
        "Lehmann 1990, Fads, Martingales, and Market Efficiency, Quarterly Journal of Economics 105",
        "Nagel 2012, Evaporating Liquidity, Review of Financial Studies 25",
    ),
    known_gaps=(
        "The common move is the median of the instruments of the view, not of the whole market.",
        "Evidence assumes market entries; a limit at the touch is not modelled.",
    ),
)
