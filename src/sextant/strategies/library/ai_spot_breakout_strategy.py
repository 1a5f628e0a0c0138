"""The close leaves a tested range on volume: stops and resting orders lie beyond it.

Volume separates information from noise. About one in three pays, profit comes from the tail, false breaks
are the cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from sextant.model.times import Interval
from sextant.model.view import View
from sextant.strategies import rolling
from sextant.strategies.columns import Columns
from sextant.strategies.compose import Spoken, compose, silent
from sextant.strategies.contract import Gate, Need, Param, Strategy, Verdict

INTERVAL: Final[Interval] = "1h"

NEEDS: Final = (Need("bars", INTERVAL, 130, 1.5 * 3600.0), Need("quotes", None, 1, 15.0))


def evaluate(view: View, params: Mapping[str, float], columns: Columns) -> Verdict:
    """What the range of the previous rows says about the close of every row of the 1h frame.

    Notes
    -----
    hi, lo = extremes of the previous ``window`` rows, this row excluded. Readings of rows inside the range are taken
    towards the nearer level, so that a near miss shows how far it is.
    """
    unheard = silent(INTERVAL, view)
    if unheard is not None:
        return unheard
    bars, window = columns.frame(INTERVAL), int(params["window"])
    close = bars.close
    hi = columns.once(("hi", INTERVAL, window), lambda: rolling.prior(rolling.max_n, bars.high, window))
    lo = columns.once(("lo", INTERVAL, window), lambda: rolling.prior(rolling.min_n, bars.low, window))
    atr = columns.indicator(INTERVAL, "atr", "atr", window=14)
    up = close - hi >= lo - close
    side = np.where(np.isnan(hi + lo + close), np.nan, np.where(up, 1.0, -1.0))
    level = np.where(up, hi, lo)
    outside = side * (close - level)
    d = np.where(outside > 0, side, np.where(np.isnan(side), np.nan, 0.0))
    active = columns.activity(INTERVAL, 1, 48)
    place = rolling.ratio(close - bars.low, bars.high - bars.low)
    beyond = rolling.ratio(outside, atr)
    width = rolling.ratio(hi - lo, atr)
    was_inside = (rolling.lag(close, 1) <= rolling.lag(hi, 1)) & (rolling.lag(close, 1) >= rolling.lag(lo, 1))
    known = ~np.isnan(rolling.lag(close + hi + lo, 1))
    taken = side * (rolling.ratio(bars.taker_buy_volume, bars.volume) - 0.5)
    gates = (
        Gate("beyond", beyond, params["beyond"], 1, "atr"),
        Gate("beyond_cap", beyond, params["beyond_cap"], -1, "atr"),
        Gate("volume", active, params["volume"], 1),
        Gate("close_location", np.where(side > 0, place, 1.0 - place), params["close_location"], 1),
        Gate("width", width, params["width_low"], 1, "atr"),
        Gate("width_cap", width, params["width_high"], -1, "atr"),
        Gate("first", np.where(known, was_inside.astype(np.float64), np.nan), 1.0, 1),
        Gate("taker", taken, 0.0, 1, optional=True),
    )
    stop = level - d * params["stop_atr"] * atr
    reach = np.maximum(np.minimum(hi - lo, 4.0 * atr), 2.0 * np.abs(close - stop))
    spoken = Spoken(
        direction=d,
        strength=active / params["volume"],
        stop=stop,
        target=close + d * reach,
        gates=gates,
        horizon_rows=int(params["horizon_rows"]),
        facts={"level": level, "atr": atr, "sigma": columns.volatility(INTERVAL, 48)},
        params=params,
        settle_rows=4 * 14,
        exit_close=level - d * params["back_inside_atr"] * atr,
    )
    return compose(columns, INTERVAL, NEEDS, spoken)


STRATEGY = Strategy(
    id="ai_spot_breakout_strategy",
    name="AI Breakout Trading",
    category="spot",
    catalogue_risk="medium",
    tier="basic",
    min_capital_usd=1000.0,
    opportunity_type="breakout",
    unit="instrument",
    lane="earn",
    evidence_kind="bars",
    needs=NEEDS,
    params=(
        Param("window", 72.0, 24.0, 240.0, "rows"),
        Param("beyond", 0.10, 0.0, 0.5, "atr"),
        Param("beyond_cap", 1.0, 0.6, 2.0, "atr"),
        Param("volume", 1.8, 1.2, 4.0, "ratio"),
        Param("close_location", 0.6, 0.5, 0.9, "fraction"),
        Param("width_low", 3.0, 1.0, 6.0, "atr"),
        Param("width_high", 14.0, 8.0, 30.0, "atr"),
        Param("stop_atr", 1.0, 0.5, 2.0, "atr"),
        Param("back_inside_atr", 0.5, 0.25, 1.0, "atr"),
        Param("horizon_rows", 24.0, 6.0, 72.0, "rows"),
    ),
    cost_class="light",
    evaluate=evaluate,
    references=("Brock, Lakonishok, LeBaron 1992, Simple Technical Trading Rules, Journal of Finance 47",),
    known_gaps=(
        "The exit on a close back inside is measured from the level and range of the triggering row.",
        "Where a venue states no quote volume, turnover is volume x typical price.",
    ),
)
