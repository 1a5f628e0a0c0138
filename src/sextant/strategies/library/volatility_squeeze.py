"""A long quiet spell ends on volume: volatility clusters, and what leaves a squeeze tends to run.

Narrow bands mean that both sides wait; the close that leaves them on turnover shows which side no longer does. It
loses on false starts, and one sample of the past shows no edge beyond its error.
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

INTERVAL: Final[Interval] = "4h"
BAND_ROWS: Final = 20
BAND_SD: Final = 2.0
CHANNEL_ATR: Final = 1.5

NEEDS: Final = (Need("bars", INTERVAL, 120, 6 * 3600.0), Need("quotes", None, 1, 15.0))


def squeezed(close: Floats, average: Floats, atr: Floats) -> Floats:
    """1 where the band of two standard deviations lies inside the channel of 1.5 atr, else 0; NaN where unknown.

    Parameters
    ----------
    close, average, atr
        float64 (T, S): close, its exponential average and the average true range, both over 20 rows.
    """
    inside = np.empty(close.shape)
    _inside((rolling.mean_n(close, BAND_ROWS), rolling.std_n(close, BAND_ROWS), average, atr), inside)
    return inside


@rolling.compiled
def _inside(seen: tuple[Floats, Floats, Floats, Floats], inside: Floats) -> None:
    middle, deviation, average, atr = seen
    for t in range(inside.shape[0]):
        for s in range(inside.shape[1]):
            width, channel = BAND_SD * deviation[t, s], CHANNEL_ATR * atr[t, s]
            fits = (
                middle[t, s] + width < average[t, s] + channel
                and middle[t, s] - width > average[t, s] - channel
            )
            unknown = np.isnan(width + average[t, s] + channel)
            inside[t, s] = np.nan if unknown else (1.0 if fits else 0.0)


def evaluate(view: View, params: Mapping[str, float], columns: Columns) -> Verdict:
    """What the end of a squeeze says on every row of the 4h frame."""
    unheard = silent(INTERVAL, view)
    if unheard is not None:
        return unheard
    spoken = spoken_once(
        columns, INTERVAL, NEEDS, Source("volatility_squeeze", params), lambda: _spoken(columns, params)
    )
    return compose(columns, INTERVAL, NEEDS, spoken)


def _spoken(columns: Columns, params: Mapping[str, float]) -> Spoken:
    """What closed bars say."""
    close = columns.frame(INTERVAL).close
    average = columns.indicator(INTERVAL, "ema", "ema", window=BAND_ROWS)
    atr = columns.indicator(INTERVAL, "atr", "atr", window=BAND_ROWS)
    quiet = squeezed(close, average, atr)
    lasted = rolling.run_length(np.where(quiet == 1.0, 1.0, np.nan)).astype(np.float64)
    run = rolling.lag(np.where(np.isnan(quiet), np.nan, lasted), 1)
    away = close - average
    d = np.sign(away)
    gates = (
        Gate("run", run, params["run"], 1, "rows"),
        Gate("released", quiet, 0.0, -1),
        Gate("thrust", rolling.ratio(np.abs(away), atr), params["thrust"], 1, "atr"),
        Gate("volume", columns.activity(INTERVAL, 1, 48), params["volume"], 1),
    )
    stop, target = rolling.levels(close, d, atr, params["stop_atr"], params["target_atr"])
    return Spoken(
        direction=d,
        strength=run / params["run"],
        stop=stop,
        target=target,
        gates=gates,
        horizon_rows=int(params["horizon_rows"]),
        facts={"run_rows": run, "atr": atr, "sigma": columns.volatility(INTERVAL, 42)},
        params=params,
        settle_rows=4 * BAND_ROWS,
    )


STRATEGY = Strategy(
    id="volatility_squeeze",
    name="Volatility Squeeze",
    category="algorithmic",
    catalogue_risk="medium_high",
    tier="pro",
    min_capital_usd=3000.0,
    opportunity_type="volatility_squeeze",
    unit="instrument",
    lane="earn",
    evidence_kind="bars",
    needs=NEEDS,
    params=(
        Param("run", 6.0, 4.0, 20.0, "rows"),
        Param("thrust", 0.5, 0.25, 1.5, "atr"),
        Param("volume", 1.3, 1.0, 3.0, "ratio"),
        Param("stop_atr", 1.5, 0.75, 3.0, "atr"),
        Param("target_atr", 3.0, 1.5, 6.0, "atr"),
        Param("horizon_rows", 30.0, 6.0, 90.0, "rows"),
    ),
    cost_class="light",
    evaluate=evaluate,
    references=(
        "Bollinger 2001, Bollinger on Bollinger Bands, on the squeeze",
        "Mandelbrot 1963, The Variation of Certain Speculative Prices, Journal of Business 36, on clusters of volatility",
    ),
    known_gaps=("Where a venue states no quote volume, turnover is volume x typical price.",),
)
