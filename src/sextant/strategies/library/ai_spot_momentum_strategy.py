"""Trend that four horizons agree on: returns over days to weeks continue.

Slow information and flows make returns persist; costs are small against moves of several average true
ranges. It loses in chop and in reversals after crowding; longs have earned more than shorts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

import numpy as np

from sextant.model.times import Interval
from sextant.model.view import View
from sextant.strategies import rolling
from sextant.strategies.columns import Columns
from sextant.strategies.compose import Source, Spoken, compose, silent, spoken_once
from sextant.strategies.contract import Gate, Need, Param, Strategy, Verdict
from sextant.strategies.trend import trend_of

INTERVAL: Final[Interval] = "4h"
HORIZONS: Final = (6, 18, 42, 84)  # rows: 1 day, 3 days, 1 week, 2 weeks
SLOW_ROWS: Final = 42
YEAR_ROWS: Final = 2190  # 365 days of six bars

NEEDS: Final = (Need("bars", INTERVAL, 200, 6 * 3600.0), Need("quotes", None, 1, 15.0))


def evaluate(view: View, params: Mapping[str, float], columns: Columns) -> Verdict:
    """What the trend (:func:`~sextant.strategies.trend.trend_of`) says on every row of the 4h frame."""
    unheard = silent(INTERVAL, view)
    if unheard is not None:
        return unheard
    spoken = spoken_once(
        columns,
        INTERVAL,
        NEEDS,
        Source("ai_spot_momentum_strategy", params),
        lambda: _spoken(columns, params),
    )
    d, atr = spoken.direction[-1], spoken.facts["atr"][-1]
    ran = d * rolling.ratio(columns.touch.mid - columns.frame(INTERVAL).close[-1], atr)
    quote_ran = Gate("quote_ran", ran[None, :], 1.0, -1, "atr", live_only=True)
    spoken = dataclasses.replace(spoken, gates=(*spoken.gates, quote_ran))
    return compose(columns, INTERVAL, NEEDS, spoken)


def _spoken(columns: Columns, params: Mapping[str, float]) -> Spoken:
    """What closed bars say; how far the quote has run comes later."""
    close = columns.frame(INTERVAL).close
    shared = trend_of(columns, INTERVAL, HORIZONS, SLOW_ROWS)
    trend, sigma, d = shared.value, shared.sigma, shared.direction
    atr = columns.indicator(INTERVAL, "atr", "atr", window=14)
    average = columns.indicator(INTERVAL, "ema", "ema", window=20)
    path = columns.indicator(INTERVAL, "efficiency_ratio", "efficiency_ratio", window=SLOW_ROWS)
    stretch = d * rolling.ratio(close - average, atr)
    turnover = columns.turnover(INTERVAL)
    active = rolling.ratio(rolling.mean_n(turnover, 6), rolling.mean_n(turnover, SLOW_ROWS))
    gates = (
        Gate("trend", np.abs(trend), params["trend"], 1),
        Gate("agreement", shared.agreement, params["agreement"], 1, "horizons"),
        Gate("efficiency", path, params["efficiency"], 1),
        Gate("extension", stretch, params["extension"], -1, "atr"),
        Gate("activity", active, params["activity"], 1),
        Gate("volatility", sigma * np.sqrt(YEAR_ROWS), params["volatility"], -1, "per year"),
    )
    stop, target = rolling.levels(close, d, atr, params["stop_atr"], params["target_atr"])
    return Spoken(
        direction=d,
        strength=np.abs(trend) / params["trend"],
        stop=stop,
        target=target,
        gates=gates,
        horizon_rows=int(params["horizon_rows"]),
        facts={"trend": trend, "sigma": sigma, "atr": atr},
        params=params,
        settle_rows=4 * SLOW_ROWS,
        exit_flag=np.stack((trend < 0, trend > 0), axis=-1),
    )


STRATEGY = Strategy(
    id="ai_spot_momentum_strategy",
    name="AI Momentum Trading",
    category="spot",
    catalogue_risk="medium",
    tier="free",
    min_capital_usd=1000.0,
    opportunity_type="spot_momentum",
    unit="instrument",
    lane="earn",
    evidence_kind="bars",
    needs=NEEDS,
    params=(
        Param("trend", 0.50, 0.3, 0.9, "fraction"),
        Param("agreement", 3.0, 2.0, 4.0, "horizons"),
        Param("efficiency", 0.25, 0.1, 0.6, "fraction"),
        Param("extension", 3.0, 1.5, 5.0, "atr"),
        Param("activity", 0.8, 0.5, 1.5, "ratio"),
        Param("volatility", 2.5, 1.0, 5.0, "per year"),
        Param("stop_atr", 2.5, 1.5, 4.0, "atr"),
        Param("target_atr", 4.0, 2.0, 8.0, "atr"),
        Param("horizon_rows", 30.0, 6.0, 90.0, "rows"),
    ),
    cost_class="light",
    evaluate=evaluate,
    references=(
        "Moskowitz, Ooi, Pedersen 2012, Time Series Momentum, J. Financial Economics 104",
        "Liu, Tsyvinski 2021, Risks and Returns of Cryptocurrency, Review of Financial Studies 34",
    ),
    known_gaps=("Where a venue states no quote volume, turnover is volume x typical price.",),
)
