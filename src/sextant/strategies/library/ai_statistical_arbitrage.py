"""Residuals of many instruments to their common factors revert; many hedged legs make a small edge usable.

It is not a ranking of those that fell most: unhedged, that is a bet on the common factor. It loses when what moved an
instrument alone was news and not noise, and when costs of many legs exceed what residuals give back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from sextant.model.bar import Floats
from sextant.model.times import Interval
from sextant.model.view import Flags, View
from sextant.strategies import rolling
from sextant.strategies.basket_propose import judge_basket
from sextant.strategies.columns import Columns
from sextant.strategies.compose import Source, Spoken, compose, silent, spoken_once
from sextant.strategies.contract import Gate, Need, Param, Strategy, Verdict
from sextant.strategies.gates import Admission, first_gates, limits_of
from sextant.strategies.residuals import FIT_ROWS, LEAST_POOL, WINDOW_ROWS, residuals_of

INTERVAL: Final[Interval] = "4h"
HORIZON_ROWS: Final = 60
WIDE_FRAC: Final = 0.9
"""Where barriers of price would stand: a leg of a basket is left by its residual and has none."""

LIQUID: Final = Admission(floor_usd=5e6)
NEEDS: Final = (Need("bars", INTERVAL, 500, 6 * 3600.0), Need("quotes", None, 1, 15.0))


def evaluate(view: View, params: Mapping[str, float], columns: Columns) -> Verdict:
    """How far residuals have strayed on every row of the 4h frame; direction against it."""
    unheard = silent(INTERVAL, view, LIQUID)
    if unheard is not None:
        return unheard
    spoken = spoken_once(
        columns, INTERVAL, NEEDS, Source("ai_statistical_arbitrage", params), lambda: _spoken(columns, params)
    )
    return compose(columns, INTERVAL, NEEDS, spoken)


def _spoken(columns: Columns, params: Mapping[str, float]) -> Spoken:
    """What closed bars say."""
    close = columns.frame(INTERVAL).close
    known = columns.once(
        ("residuals", INTERVAL),
        lambda: residuals_of(columns, INTERVAL, _makers(columns.view)),
        lasting=INTERVAL,
        spent=True,
    )
    size, d = np.abs(known.score), -np.sign(known.score)
    gates = (
        Gate("memory", known.keep, float(np.exp(-2.0 / FIT_ROWS)), -1, "of a residual"),
        Gate("memory_low", known.keep, 0.0, 1, "of a residual"),
        Gate("reversion", known.t_stat, params["reversion"], -1, "t"),
        Gate("explained", known.r2, params["explained"], 1, "R2"),
        Gate("score", size, params["score"], 1, "sd"),
        Gate("score_cap", size, params["score_cap"], -1, "sd"),
    )
    breadth = _breadth((*first_gates(columns, INTERVAL, LIQUID), *gates), d)
    back, lost = params["score_exit"], size >= params["score_lost"]
    return Spoken(
        direction=d,
        strength=size / params["score"],
        stop=close * (1.0 - WIDE_FRAC * d),
        target=close * (1.0 + WIDE_FRAC * d),
        gates=(*gates, Gate("basket_breadth", breadth, params["basket_breadth"], 1, "legs")),
        horizon_rows=HORIZON_ROWS,
        facts={"score": known.score, "spread": known.spread, "sigma": columns.volatility(INTERVAL, 42)},
        params=params,
        settle_rows=WINDOW_ROWS + 1,
        exit_flag=np.stack(((known.score >= -back) | lost, (known.score <= back) | lost), axis=-1),
        admission=LIQUID,
        hedge=known,
    )


def _makers(view: View) -> Flags:
    """Instruments the factors are made of: perpetuals where there are enough, else everything that is traded."""
    linear = [spec.instrument.kind == "perpetual" and spec.style == "linear" for spec in view.instruments]
    perpetuals = np.array(linear, dtype=np.bool_)
    return perpetuals if np.count_nonzero(perpetuals) >= LEAST_POOL else LIQUID.admits(view)


def _breadth(gates: tuple[Gate, ...], d: Floats) -> Floats:
    """Instruments that pass all historic gates on the side that has fewer of them, on every row, (T, S)."""
    passing = np.isfinite(d)
    for gate in gates:
        if not gate.live_only:
            rolling.fold_gate(gate.values, limits_of(gate), gate.sense, optional=gate.optional, into=passing)
    longs, shorts = (np.count_nonzero(passing & (d == side), axis=1) for side in (1.0, -1.0))
    fewer = np.minimum(longs, shorts).astype(np.float64)
    return np.broadcast_to(fewer[:, None], d.shape)


STRATEGY = Strategy(
    id="ai_statistical_arbitrage",
    name="AI Statistical Arbitrage",
    category="algorithmic",
    catalogue_risk="medium_high",
    tier="pro",
    min_capital_usd=3000.0,
    opportunity_type="statistical_arbitrage",
    unit="instrument",
    lane="earn",
    evidence_kind="bars",
    compares=True,
    needs=NEEDS,
    params=(
        Param("reversion", -2.0, -4.0, -1.0, "t"),
        Param("explained", 0.25, 0.0, 0.6, "R2"),
        Param("score", 1.5, 1.25, 3.0, "sd"),
        Param("score_cap", 4.0, 3.0, 6.0, "sd"),
        Param("score_exit", 0.5, 0.0, 1.0, "sd"),
        Param("score_lost", 5.0, 4.0, 8.0, "sd"),
        Param("basket_breadth", 3.0, 2.0, 8.0, "legs"),
    ),
    cost_class="heavy",
    evaluate=evaluate,
    references=(
        "Avellaneda, Lee 2010, Statistical Arbitrage in the US Equities Market, Quantitative Finance 10",
    ),
    known_gaps=(
        "With fewer than ten perpetuals the factors are made of spot instruments.",
        "Evidence is that of single legs against the factors; a basket's own calibration is not known.",
        "Residual returns are measured from the open after the signal to the open after the exit, factors by closes.",
    ),
    judge=judge_basket,
)
