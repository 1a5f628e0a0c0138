"""A forced move has gone too far and has begun to turn: whoever provides liquidity to forced orders is paid for it.

Liquidations trade at any price, so the last part of such a move is noise and partly reverts. It loses when the move
had a reason: then the first rebound is sold again. Longs have earned a little in the past, shorts nothing.
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
from sextant.strategies.histories import forced_share, open_interest, state_of
from sextant.strategies.prices import usd_now

INTERVAL: Final[Interval] = "5m"
MOVE_ROWS: Final = 6  # half an hour
DAY_ROWS: Final = 288
INTEREST_AGE_S: Final = 600.0

NEEDS: Final = (
    Need("bars", INTERVAL, 400, 450.0),
    Need("quotes", None, 1, 15.0),
    Need("open_interest", None, 1, INTEREST_AGE_S, required=False),
    Need("liquidations", None, 1, 86_400.0, required=False),
)


@rolling.compiled
def _read(
    seen: tuple[Floats, Floats, Floats, Floats], params: tuple[float, float, float], said: tuple[Floats, ...]
) -> None:
    # The larger displacement of both sides decides the direction; one pass, since this is most of the work.
    close, lowest, highest, volatility = seen
    least, stop_share, target_share = params
    direction, displacement, extreme, rebound, strength, stop, target = said
    root = np.sqrt(float(MOVE_ROWS))
    for t in range(close.shape[0]):
        for s in range(close.shape[1]):
            start = close[t - MOVE_ROWS, s] if t >= MOVE_ROWS else np.nan
            sd = volatility[t - MOVE_ROWS, s] * root if t >= MOVE_ROWS else np.nan
            low, high = lowest[t, s], highest[t, s]
            target[t, s] = close[t, s] + target_share * (start - close[t, s])
            if np.isnan(start + low + high + sd + close[t, s]) or sd == 0.0:
                direction[t, s] = displacement[t, s] = extreme[t, s] = rebound[t, s] = np.nan
                strength[t, s] = stop[t, s] = np.nan
                continue
            fell = start / low >= high / start
            direction[t, s] = 1.0 if fell else -1.0
            extreme[t, s] = low if fell else high
            displacement[t, s] = np.log(start / low if fell else high / start) / sd
            whole = start - extreme[t, s]
            rebound[t, s] = (close[t, s] - extreme[t, s]) / whole if whole != 0.0 else np.nan
            strength[t, s] = displacement[t, s] / least
            stop[t, s] = extreme[t, s] - stop_share * whole


def evaluate(view: View, params: Mapping[str, float], columns: Columns) -> Verdict:
    """What a displacement of half an hour and its rebound say on every row of the 5m frame.

    Notes
    -----
    displacement = ln(extreme/c_6)/(sigma_6 sqrt 6) against the direction, extreme = lowest low or highest high of six
    rows, c_6 and sigma_6 = ewstd(r, 288) of the row before them; rebound = (c - extreme)/(c_6 - extreme).
    """
    unheard = silent(INTERVAL, view)
    if unheard is not None:
        return unheard
    # What is liquidated is counted in USD of now, which need not stand in these bars.
    histories = state_of(columns, "open_interest_history", "liquidations") + usd_now(view).tobytes()
    spoken = spoken_once(
        columns,
        INTERVAL,
        NEEDS,
        Source("liquidation_reversal", params, histories),
        lambda: _spoken(columns, params),
    )
    return compose(columns, INTERVAL, NEEDS, spoken)


def _spoken(columns: Columns, params: Mapping[str, float]) -> Spoken:
    """What closed bars, open interest and liquidations say."""
    bars = columns.frame(INTERVAL)
    close = bars.close
    lowest, highest = rolling.min_n(bars.low, MOVE_ROWS), rolling.max_n(bars.high, MOVE_ROWS)
    d, displacement, extreme, rebound, strength, stop, target = (np.empty(close.shape) for _ in range(7))
    _read(
        (close, lowest, highest, columns.volatility(INTERVAL, DAY_ROWS)),
        (params["displacement"], params["stop_share"], params["target_share"]),
        (d, displacement, extreme, rebound, strength, stop, target),
    )
    interest = np.log(open_interest(columns, INTERVAL, INTEREST_AGE_S))
    longs, shorts = forced_share(columns, INTERVAL, MOVE_ROWS, DAY_ROWS)
    closed, forced = interest - rolling.lag(interest, MOVE_ROWS), np.where(d > 0, longs, shorts)
    gates = (
        Gate("displacement", displacement, params["displacement"], 1, "sd"),
        Gate("activity", columns.activity(INTERVAL, MOVE_ROWS, DAY_ROWS), params["activity"], 1, "ratio"),
        Gate("rebound", rebound, params["rebound_low"], 1, "of the move"),
        Gate("rebound_cap", rebound, params["rebound_high"], -1, "of the move"),
        Gate("interest_closed", closed, params["interest_closed"], -1, "log change", optional=True),
        Gate("liquidations", forced, params["liquidations"], 1, "times", optional=True),
    )
    return Spoken(
        direction=d,
        strength=strength,
        stop=stop,
        target=target,
        gates=gates,
        horizon_rows=int(params["horizon_rows"]),
        facts={"extreme": extreme, "rebound": rebound, "sigma": columns.volatility(INTERVAL, DAY_ROWS)},
        params=params,
        settle_rows=4 * DAY_ROWS,
        limit=close if params["post_only"] >= 0.5 else None,
    )


STRATEGY = Strategy(
    id="liquidation_reversal",
    name="Liquidation Reversal",
    category="algorithmic",
    catalogue_risk="medium_high",
    tier="pro",
    min_capital_usd=3000.0,
    opportunity_type="liquidation_reversal",
    unit="instrument",
    lane="earn",
    evidence_kind="bars",
    needs=NEEDS,
    params=(
        Param("displacement", 4.0, 3.0, 8.0, "sd"),
        Param("activity", 4.0, 2.0, 8.0, "ratio"),
        Param("rebound_low", 0.35, 0.2, 0.5, "of the move"),
        Param("rebound_high", 0.60, 0.5, 0.8, "of the move"),
        Param("interest_closed", -0.03, -0.10, 0.0, "log change"),
        Param("liquidations", 5.0, 2.0, 20.0, "times the usual"),
        Param("stop_share", 0.10, 0.05, 0.5, "of the move"),
        Param("target_share", 0.5, 0.25, 1.0, "of the way back"),
        Param("payoff", 0.70, 0.4, 0.75, "hit fraction"),
        Param("horizon_rows", 24.0, 6.0, 96.0, "rows"),
        Param("post_only", 0.0, 0.0, 1.0, "0 or 1"),
    ),
    cost_class="light",
    evaluate=evaluate,
    references=(
        "Brunnermeier, Pedersen 2009, Market Liquidity and Funding Liquidity, Review of Financial Studies 22",
        "Nagel 2012, Evaporating Liquidity, Review of Financial Studies 25",
    ),
    known_gaps=(
        "Of liquidations the newest 1,000 of each instrument are known since the process began, of many venues none.",
        "The target is near and the stop far, so the share that must hit may be 0.70 instead of 0.60.",
        "Where a venue states no quote volume, turnover is volume x typical price.",
    ),
)
