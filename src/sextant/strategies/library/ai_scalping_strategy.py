"""Aggressive flow continues for minutes: follow it where the likely move is several times its cost.

It rarely survives fees: on large perpetuals ten minutes move by a few round trips at most. The cost gate therefore
stands first and is usually the answer. It loses whenever the flow was one large order that has been filled.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

import numpy as np

from sextant.model.account import Account
from sextant.model.bar import Floats
from sextant.model.times import Interval
from sextant.model.view import View
from sextant.strategies import rolling
from sextant.strategies.columns import Columns
from sextant.strategies.compose import Source, Spoken, compose, silent, spoken_once
from sextant.strategies.contract import Gate, Need, Param, Strategy, Verdict
from sextant.strategies.costs import Pricing
from sextant.strategies.depth import depth_usd, imbalance
from sextant.strategies.gates import Admission, turnover_so_far

INTERVAL: Final[Interval] = "1m"
FLOW_ROWS: Final = 3
USUAL_ROWS: Final = 240
SLOW_ROWS: Final = 60
HORIZON_ROWS: Final = 10
BOOK_LEVELS: Final = 5
DEPTH_BPS: Final = 10.0
BUSY: Final = Admission(floor_usd=5e7, spread_cap_bps=4.0)

NEEDS: Final = (
    Need("bars", INTERVAL, 300, 90.0),
    Need("quotes", None, 1, 5.0),
    Need("books", None, 1, 2.0),
)


def evaluate(view: View, params: Mapping[str, float], columns: Columns) -> Verdict:
    """What the flow of the last three minutes says on every row of the 1m frame.

    Notes
    -----
    imb = sum_3(2 taker_buy - volume)/sum_3(volume), z = imb/std_240(imb), sH = ewstd(r, 60) sqrt(10) in basis points.
    """
    unheard = silent(INTERVAL, view)
    if unheard is not None:
        return unheard
    spoken = spoken_once(
        columns, INTERVAL, NEEDS, Source("ai_scalping_strategy", params), lambda: _spoken(columns, params)
    )
    move = spoken.facts["sigma"] * np.sqrt(HORIZON_ROWS)
    entry_tier = Pricing(view, Account(), columns.assumptions)
    cost_bps = entry_tier.resting_bps if params["post_only"] >= 0.5 else entry_tier.round_trip_bps
    gates = (
        Gate("move_to_cost", rolling.ratio(move * 1e4, cost_bps), params["move_to_cost"], 1),
        *spoken.gates,
        *_live_gates(columns, params, spoken.direction[-1], move[-1]),
    )
    largest_usd = depth_usd(view, DEPTH_BPS) / params["depth_times"]
    spoken = dataclasses.replace(spoken, gates=gates, largest_usd=largest_usd)
    return compose(columns, INTERVAL, NEEDS, spoken)


def _spoken(columns: Columns, params: Mapping[str, float]) -> Spoken:
    """What closed bars say; costs, book and spread come later."""
    bars = columns.frame(INTERVAL)
    close, shape = bars.close, bars.close.shape
    rows = -1 if columns.lasts else 0  # of what is shown, the last row is kept
    flow, d, z, response, strength, stop, target = (np.empty(shape) for _ in range(7))
    _flow(bars.taker_buy_volume, bars.volume, flow)
    sigma = columns.volatility(INTERVAL, SLOW_ROWS)
    _say(
        (flow, rolling.std_n(flow, USUAL_ROWS), columns.log_close(INTERVAL), close, sigma),
        (params["flow"], params["stop_move"], params["target_move"]),
        (d, z, response, strength, stop, target),
    )
    gates = (
        Gate("flow", z, params["flow"], 1, "sd"),
        Gate("activity", columns.activity(INTERVAL, FLOW_ROWS, USUAL_ROWS), params["activity"], 1),
        Gate("response", response, params["response_low"], 1, "sd"),
        Gate("response_cap", response, params["response_high"], -1, "sd"),
    )
    return Spoken(
        direction=d,
        strength=strength,
        stop=stop,
        target=target,
        gates=gates,
        horizon_rows=HORIZON_ROWS,
        facts={"z": z[rows:] * d[rows:], "response": response, "sigma": sigma},
        read_later=("sigma",),
        params=params,
        settle_rows=USUAL_ROWS + FLOW_ROWS,
        admission=BUSY,
        limit=close if params["post_only"] >= 0.5 else None,
    )


@rolling.compiled
def _flow(bought: Floats, traded: Floats, out: Floats) -> None:
    # Exact sums of three rows: minutes without a trade give 0, where a running sum may keep a rounding.
    out[: FLOW_ROWS - 1] = np.nan
    for t in range(FLOW_ROWS - 1, out.shape[0]):
        takers, all_trades = bought[t - FLOW_ROWS + 1 : t + 1], traded[t - FLOW_ROWS + 1 : t + 1]
        for s in range(out.shape[1]):
            net, whole = 2.0 * takers[-1, s] - all_trades[-1, s], all_trades[-1, s]
            for back in range(2, FLOW_ROWS + 1):
                net += 2.0 * takers[-back, s] - all_trades[-back, s]
                whole += all_trades[-back, s]
            out[t, s] = np.nan if whole == 0.0 else net / whole


@rolling.compiled
def _say(seen: tuple[Floats, ...], params: tuple[float, float, float], said: tuple[Floats, ...]) -> None:
    # One pass: most of the work would be to write and read what stands between.
    flow, usual, log_close, close, sigma = seen
    least, stop_move, target_move = params
    direction, size, response, strength, stop, target = said
    reached, moved = np.sqrt(float(FLOW_ROWS)), np.sqrt(float(HORIZON_ROWS))
    for t in range(flow.shape[0]):
        before = log_close[max(t - FLOW_ROWS, 0)]
        for s in range(flow.shape[1]):
            d = np.sign(flow[t, s])
            z = np.nan if usual[t, s] == 0.0 else abs(flow[t, s] / usual[t, s])
            way, move = sigma[t, s] * reached, sigma[t, s] * moved
            answered = np.nan if way == 0.0 else d * (log_close[t, s] - before[s]) / way
            direction[t, s], size[t, s], strength[t, s] = d, z, z / least
            response[t, s] = np.nan if t < FLOW_ROWS else answered
            stop[t, s] = close[t, s] * (1.0 - d * stop_move * move)
            target[t, s] = close[t, s] * (1.0 + d * target_move * move)


def _live_gates(columns: Columns, params: Mapping[str, float], d: Floats, move: Floats) -> tuple[Gate, ...]:
    """What has no history: rank by turnover, the waiting side of the book, and the spread as a share of the move."""
    volume = turnover_so_far(columns, INTERVAL)[-1]
    rank = np.where(np.isnan(volume), np.nan, 1.0 + np.sum(volume[None, :] > volume[:, None], axis=1))
    waiting = d * imbalance(columns.view.books, BOOK_LEVELS)
    share = rolling.ratio(columns.touch.spread_bps, move * 1e4)
    return (
        Gate("volume_rank", rank[None, :], params["volume_rank"], -1, live_only=True),
        Gate("book_imbalance", waiting[None, :], params["book_imbalance"], 1, live_only=True),
        Gate(
            "spread_share", share[None, :], params["spread_share"], -1, "fraction of the move", live_only=True
        ),
    )


STRATEGY = Strategy(
    id="ai_scalping_strategy",
    name="AI Scalping",
    category="algorithmic",
    catalogue_risk="medium_high",
    tier="pro",
    min_capital_usd=3000.0,
    opportunity_type="scalping",
    unit="instrument",
    lane="earn",
    evidence_kind="bars",
    needs=NEEDS,
    params=(
        Param("move_to_cost", 3.0, 2.0, 6.0, "ratio"),
        Param("flow", 2.0, 1.0, 4.0, "sd"),
        Param("activity", 2.0, 1.0, 4.0, "ratio"),
        Param("response_low", 0.5, 0.0, 1.0, "sd"),
        Param("response_high", 3.0, 1.5, 5.0, "sd"),
        Param("volume_rank", 50.0, 10.0, 1000.0, "instruments"),
        Param("book_imbalance", 0.1, -1.0, 0.5, "fraction"),
        Param("spread_share", 0.25, 0.1, 0.5, "fraction of the move"),
        Param("depth_times", 20.0, 5.0, 50.0, "sizes"),
        Param("stop_move", 0.8, 0.4, 2.0, "moves"),
        Param("target_move", 1.4, 0.7, 3.0, "moves"),
        Param("post_only", 0.0, 0.0, 1.0, "0 or 1"),
    ),
    cost_class="medium",
    evaluate=evaluate,
    references=(
        "Cont, Kukanov, Stoikov 2014, The Price Impact of Order Book Events, J. Fin. Econometrics 12",
    ),
    known_gaps=(
        "The cost gate reads entry-tier fees and today's spread on every row, so that all users share one answer.",
        "Post-only entries are judged at the last close instead of the touch, which past bars do not show.",
        "Depth bounds the size to a twentieth of what rests within 10 bps instead of failing a gate.",
    ),
    life_s=60.0,
)
