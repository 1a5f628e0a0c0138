"""Trend of a perpetual that new positions confirm and that is not yet crowded.

Open interest that grows with the move means new money; high funding means that it is crowded already. It loses in
chop and when leveraged latecomers are flushed out. Leverage is financing and never a source of edge: the stop decides
the quantity, leverage only the margin, and it keeps liquidation far away.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

import numpy as np

from sextant.model.times import INTERVAL_NS, SECOND_NS, Interval
from sextant.model.view import View
from sextant.strategies import rolling
from sextant.strategies.columns import Columns
from sextant.strategies.compose import Source, Spoken, compose, silent, spoken_once
from sextant.strategies.contract import Gate, Need, Param, Strategy, Verdict
from sextant.strategies.funding import funding_sums
from sextant.strategies.gates import Admission
from sextant.strategies.histories import open_interest, settled_rank, state_of
from sextant.strategies.trend import trend_of

INTERVAL: Final[Interval] = "1h"
HORIZONS: Final = (12, 24, 72, 168)  # rows: half a day, 1 day, 3 days, 1 week
SLOW_ROWS: Final = 72
DAY_ROWS: Final = 24
SETTLEMENTS: Final = 90  # a month of eight-hourly ones
LEAST_SETTLEMENTS: Final = 30
INTEREST_AGE_S: Final = 600.0
PERPETUALS: Final = Admission(("perpetual",))

NEEDS: Final = (
    Need("bars", INTERVAL, 700, 1.5 * 3600.0),
    Need("quotes", None, 1, 15.0),
    Need("funding", None, LEAST_SETTLEMENTS, 120.0),
    Need("open_interest", None, 2, INTEREST_AGE_S),
)


def evaluate(view: View, params: Mapping[str, float], columns: Columns) -> Verdict:
    """What the trend says on every row of the 1h frame, and whether open interest and funding let it."""
    unheard = silent(INTERVAL, view, PERPETUALS)
    if unheard is not None:
        return unheard
    histories = state_of(columns, "open_interest_history", "funding_history")
    spoken = spoken_once(
        columns,
        INTERVAL,
        NEEDS,
        Source("ai_futures_trade", params, histories),
        lambda: _spoken(columns, params),
    )
    spoken = dataclasses.replace(spoken, gates=(*spoken.gates, *_live_gates(columns, params, spoken)))
    return compose(columns, INTERVAL, NEEDS, spoken)


def _spoken(columns: Columns, params: Mapping[str, float]) -> Spoken:
    """What closed bars, open interest and settled funding say; the funding and basis of now come later."""
    bars, horizon_rows = columns.frame(INTERVAL), int(params["horizon_rows"])
    close = bars.close
    shared = trend_of(columns, INTERVAL, HORIZONS, SLOW_ROWS)
    trend, d = shared.value, shared.direction
    atr = columns.indicator(INTERVAL, "atr", "atr", window=14)
    bought = rolling.sum_n(2.0 * bars.taker_buy_volume - bars.volume, DAY_ROWS)
    flow = d * rolling.ratio(bought, rolling.sum_n(bars.volume, DAY_ROWS))
    interest = np.log(open_interest(columns, INTERVAL, INTEREST_AGE_S))
    rank = settled_rank(columns, INTERVAL, SETTLEMENTS, LEAST_SETTLEMENTS)
    gates = (
        Gate("trend", np.abs(trend), params["trend"], 1),
        Gate("agreement", shared.agreement, params["agreement"], 1, "horizons"),
        Gate("participation", interest - rolling.lag(interest, DAY_ROWS), params["participation"], 1),
        Gate("flow", flow, params["flow"], 1, optional=True),
        Gate("crowding", np.where(d < 0, 1.0 - rank, rank), params["crowding"], -1),
    )
    stop, target = rolling.levels(close, d, atr, params["stop_atr"], params["target_atr"])
    return Spoken(
        direction=d,
        strength=np.abs(trend) / params["trend"],
        stop=stop,
        target=target,
        gates=gates,
        horizon_rows=horizon_rows,
        facts={"trend": trend, "sigma": shared.sigma, "atr": atr},
        params=params,
        settle_rows=4 * SLOW_ROWS,
        exit_flag=np.stack((trend < 0, trend > 0), axis=-1),
        admission=PERPETUALS,
    )


def _live_gates(columns: Columns, params: Mapping[str, float], spoken: Spoken) -> tuple[Gate, ...]:
    """What has no history: the funding expected over the horizon as a share of the target, and the basis."""
    view, close = columns.view, columns.frame(INTERVAL).close[-1]
    target_frac = params["target_atr"] * spoken.facts["atr"][-1] / close
    horizon_s = spoken.horizon_rows * INTERVAL_NS[INTERVAL] / SECOND_NS
    expected = columns.once(("funding_sums", horizon_s), lambda: funding_sums(view, horizon_s))
    paid = spoken.direction[-1] * expected
    basis = np.abs(view.derivatives.mark / view.derivatives.index - 1.0)
    return (
        Gate("funding_share", (paid / target_frac)[None, :], params["funding_share"], -1, live_only=True),
        Gate("basis", basis[None, :], params["basis"], -1, live_only=True),
    )


STRATEGY = Strategy(
    id="ai_futures_trade",
    name="AI Futures Trading",
    category="derivatives",
    catalogue_risk="high",
    tier="pro",
    min_capital_usd=5000.0,
    opportunity_type="futures",
    unit="instrument",
    lane="earn",
    evidence_kind="bars",
    needs=NEEDS,
    params=(
        Param("trend", 0.50, 0.3, 0.9, "fraction"),
        Param("agreement", 3.0, 2.0, 4.0, "horizons"),
        Param("participation", 0.02, 0.0, 0.1, "log change in 24 h"),
        Param("flow", 0.0, -0.1, 0.2, "fraction"),
        Param("crowding", 0.90, 0.5, 1.0, "rank"),
        Param("funding_share", 0.25, 0.1, 0.5, "fraction of the target"),
        Param("basis", 0.005, 0.001, 0.02, "fraction"),
        Param("stop_atr", 3.0, 1.5, 5.0, "atr"),
        Param("target_atr", 4.5, 2.0, 9.0, "atr"),
        Param("horizon_rows", 48.0, 12.0, 168.0, "rows"),
    ),
    cost_class="medium",
    evaluate=evaluate,
    references=(
        "Moskowitz, Ooi, Pedersen 2012, Time Series Momentum, J. Financial Economics 104",
        "Bessembinder, Seguin 1993, Price Volatility, Trading Volume, and Market Depth, J. Fin. Quant. Analysis 28",
        "Venues' pages on liquidation prices of isolated linear positions",
    ),
    known_gaps=(
        "The ratio of long to short accounts has no history in the view and is not asked for.",
        "Evidence covers the open interest that was kept, a week of live points, and is often unproven.",
        "Liquidation is that of isolated linear contracts, maintenance margin at its upper bound.",
    ),
    levered=True,
)
