"""The close leaves a tested range on volume: stops and resting orders lie beyond it.

Volume separates information from noise. About one in three pays, profit comes from the tail, false breaks
are the cost.
"""

from __future__ import annotations

from collections.abc import Mapping
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

NEEDS: Final = (Need("bars", INTERVAL, 130, 1.5 * 3600.0), Need("quotes", None, 1, 15.0))


@rolling.compiled
def _read(inputs: tuple[Floats, ...], outputs: tuple[Floats, ...]) -> None:
    # Direction, nearer level, distance beyond it in atr, place of the close in its bar (1 = towards that
    # level), and whether the close before was inside its own range; one pass, since this is most of the work.
    close, high, low, hi, lo, atr = inputs
    direction, level, beyond, place, first = outputs
    for t in range(close.shape[0]):
        for s in range(close.shape[1]):
            c, top, bottom = close[t, s], hi[t, s], lo[t, s]
            side = 1.0 if c - top >= bottom - c else -1.0
            level[t, s] = top if side > 0 else bottom
            outside = side * (c - level[t, s])
            direction[t, s] = np.nan if np.isnan(top + bottom + c) else (side if outside > 0 else 0.0)
            beyond[t, s] = outside / atr[t, s] if atr[t, s] > 0 else np.nan
            span = high[t, s] - low[t, s]
            within = (c - low[t, s]) / span if span > 0 else np.nan
            place[t, s] = within if side > 0 else 1.0 - within
            first[t, s] = np.nan
            if t > 0 and not np.isnan(close[t - 1, s] + hi[t - 1, s] + lo[t - 1, s]):
                first[t, s] = 1.0 if lo[t - 1, s] <= close[t - 1, s] <= hi[t - 1, s] else 0.0


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
    spoken = spoken_once(
        columns,
        INTERVAL,
        NEEDS,
        Source("ai_spot_breakout_strategy", params),
        lambda: _spoken(columns, params),
    )
    return compose(columns, INTERVAL, NEEDS, spoken)


def _spoken(columns: Columns, params: Mapping[str, float]) -> Spoken:
    """What closed bars say."""
    bars, window = columns.frame(INTERVAL), int(params["window"])
    close = bars.close
    hi = columns.once(("hi", INTERVAL, window), lambda: rolling.prior(rolling.max_n, bars.high, window))
    lo = columns.once(("lo", INTERVAL, window), lambda: rolling.prior(rolling.min_n, bars.low, window))
    atr = columns.indicator(INTERVAL, "atr", "atr", window=14)
    d, level, beyond, place, first = (np.empty(close.shape) for _ in range(5))
    _read((close, bars.high, bars.low, hi, lo, atr), (d, level, beyond, place, first))
    active = columns.activity(INTERVAL, 1, 48)
    width = rolling.ratio(hi - lo, atr)
    taken = np.where(level == lo, -1.0, 1.0) * (rolling.ratio(bars.taker_buy_volume, bars.volume) - 0.5)
    gates = (
        Gate("beyond", beyond, params["beyond"], 1, "atr"),
        Gate("beyond_cap", beyond, params["beyond_cap"], -1, "atr"),
        Gate("volume", active, params["volume"], 1),
        Gate("close_location", place, params["close_location"], 1),
        Gate("width", width, params["width_low"], 1, "atr"),
        Gate("width_cap", width, params["width_high"], -1, "atr"),
        Gate("first", first, 1.0, 1),
        Gate("taker", taken, 0.0, 1, optional=True),
    )
    stop = level - d * params["stop_atr"] * atr
    reach = np.maximum(np.minimum(hi - lo, 4.0 * atr), 2.0 * np.abs(close - stop))
    return Spoken(
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
