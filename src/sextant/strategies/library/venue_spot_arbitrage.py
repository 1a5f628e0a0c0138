"""One asset is bought at the venue that asks less and sold at the venue that bids more, both at once.

Venues are joined only by those who trade between them, and a gap is their wage. It is gone when it is seen by many; it is
no gap at all when the two are not the same asset, or when one of them does not let it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from sextant.model.bar import Floats, Integers
from sextant.model.instrument import Instrument
from sextant.model.times import Interval
from sextant.model.view import View
from sextant.strategies import rolling
from sextant.strategies.columns import Columns
from sextant.strategies.compose import silent, skipped
from sextant.strategies.contract import Gate, Need, Param, Strategy, Verdict
from sextant.strategies.couple_compose import CoupleSpoken, compose_couples
from sextant.strategies.couple_propose import judge_couples
from sextant.strategies.couples import (
    Couple,
    CoupleSet,
    Economics,
    Model,
    couples_of_base,
    no_past,
)
from sextant.strategies.gates import Admission

INTERVAL: Final[Interval] = "1m"
GAP_ROWS: Final = 240
ROW_S: Final = 60.0
DAY_S: Final = 86_400.0
SPOT: Final = Admission(("spot",))

NEEDS: Final = (Need("bars", INTERVAL, GAP_ROWS, 1.5 * 60.0), Need("quotes", None, 1, 5.0))


def _wanted(first: Instrument, second: Instrument) -> bool:
    spots = first.kind == second.kind == "spot"
    return spots and first.quote == second.quote and first.venue < second.venue


def evaluate(view: View, params: Mapping[str, float], columns: Columns) -> Verdict:
    """Where an asset can be sold now for more than it is bought for, at the executable prices of two venues.

    Notes
    -----
    Both legs are filled from what lies at their venues; moving it back every ten trades is a stated cost. The past of the
    closes says only how long gaps have lasted: they are not executable prices, and no past signal is made of them.
    """
    couples, legs = couples_of_base(view.instruments, _wanted)
    if not couples:
        return skipped(INTERVAL, view, "no asset that two venues trade against the same quote")
    unheard = silent(INTERVAL, view, SPOT)
    if unheard is not None:
        return unheard
    touch = columns.touch
    bid, ask = touch.bid[legs], touch.ask[legs]
    forth, back = bid[:, 1] / ask[:, 0], bid[:, 0] / ask[:, 1]
    d = np.where(np.isnan(forth + back), np.nan, np.where(forth >= back, 1.0, -1.0))
    apart = d * (touch.mid[legs[:, 1]] / touch.mid[legs[:, 0]] - 1.0)
    executable = (np.maximum(forth, back) - 1.0) * 1e4
    skew_ms = np.abs(touch.age_ms[legs[:, 0]] - touch.age_ms[legs[:, 1]])
    lasting = _lasting_s(columns, legs)
    gates = (
        Gate(
            "quote_skew_ms",
            skew_ms[None, :],
            params["quote_skew_ms"],
            -1,
            "ms",
            live_only=True,
            optional=True,
        ),
        Gate("gap_cap", np.abs(apart)[None, :], params["gap_cap"], -1, live_only=True),
        Gate("half_life_s", lasting[None, :], 3.0 * params["latency_s"], 1, "s"),
    )
    spoken = CoupleSpoken(
        couples=_said(columns, (couples, legs), (apart, executable), params),
        direction=d[None, :],
        strength=np.maximum(np.nan_to_num(executable), 0.0)[None, :] / params["strong_bps"],
        gates=gates,
        facts={"executable_bps": executable[None, :]},
        params=params,
    )
    return compose_couples(columns, INTERVAL, NEEDS, spoken, SPOT)


def _lasting_s(columns: Columns, legs: Integers) -> Floats:
    """Seconds in which half of a gap between the closes has gone, (C,); 0 where gaps do not last a bar.

    Notes
    -----
    From the lag-1 autocorrelation of the gap about its mean, at most the rows looked at. A gap that never moved has not gone.
    """
    logs = columns.log_close(INTERVAL)[-GAP_ROWS:]
    gap = logs[:, legs[:, 1]] - logs[:, legs[:, 0]]
    centred = gap - gap.mean(axis=0)
    square = (centred[:-1] ** 2).sum(axis=0)
    b = rolling.ratio((centred[1:] * centred[:-1]).sum(axis=0), square)
    longest = len(gap) * ROW_S
    with np.errstate(divide="ignore", invalid="ignore"):
        lasting = np.where(b > 0, np.where(b < 1, -np.log(2.0) / np.log(b) * ROW_S, longest), 0.0)
    lasting = np.where(square > 0, np.minimum(lasting, longest), longest)
    return np.where(np.isnan(gap).any(axis=0), np.nan, lasting)


def _said(
    columns: Columns,
    asked: tuple[tuple[Couple, ...], Integers],
    gap: tuple[Floats, Floats],
    params: Mapping[str, float],
) -> CoupleSet:
    (couples, legs), (apart, executable) = asked, gap
    count = len(couples)
    nothing = np.full(count, np.nan)
    sigma_row = columns.volatility(INTERVAL, GAP_ROWS / 4.0)[-1]
    exposed = np.sqrt(params["latency_s"] / ROW_S) * np.nan_to_num(sigma_row[legs]).max(axis=1, initial=0.0)
    words = tuple(
        f"{value:.1f} bps between the ask of the one venue and the bid of the other, plus half of both spreads"
        for value in executable.tolist()
    )
    return CoupleSet(
        couples=couples,
        legs=legs,
        ratio=np.ones(count),
        horizon_s=np.full(count, ROW_S),
        horizon_rows=1,
        sigma_frac=exposed,
        sigma_day=sigma_row[legs] * np.sqrt(DAY_S / ROW_S),
        leverage=np.full((count, 2), np.nan),
        age_rows=np.zeros(count, dtype=np.int64),
        entry=apart * 1e4,
        stop=nothing,
        target=np.zeros(count),
        level_unit="basis points by which the venue that is sold at stands above the other",
        stop_reason="both legs are filled at once and nothing is held afterwards",
        past=no_past,
        exits=("kept", "kept"),
        economics=Economics(least_edge_bps=params["least_edge_bps"], least_size_usd=params["least_size_usd"]),
        model=Model(apart * 1e4, exposed * 1e4, words, (None,) * count, np.zeros(count)),
        groups=tuple(couple.first.base for couple in couples),
        same_asset=True,
        extra_bps=(
            params["restoring_bps"],
            f"assumed {params['restoring_bps']:g} bps a trade for moving the inventory back every ten trades",
        ),
    )


STRATEGY = Strategy(
    id="venue_spot_arbitrage",
    name="Venue Spot Arbitrage",
    category="spot",
    catalogue_risk="medium",
    tier="pro",
    min_capital_usd=3000.0,
    opportunity_type="spot_arbitrage",
    unit="couple",
    lane="earn",
    evidence_kind="analytic",
    needs=NEEDS,
    params=(
        Param("quote_skew_ms", 2_000.0, 200.0, 5_000.0, "ms"),
        Param("gap_cap", 0.05, 0.01, 0.1, "fraction"),
        Param("latency_s", 2.0, 0.1, 10.0, "s"),
        Param("restoring_bps", 8.0, 0.0, 50.0, "bps"),
        Param("least_edge_bps", 5.0, 0.0, 50.0, "bps"),
        Param("least_size_usd", 200.0, 10.0, 10_000.0, "USD"),
        Param("strong_bps", 30.0, 10.0, 100.0, "bps"),
    ),
    cost_class="light",
    evaluate=evaluate,
    judge=judge_couples,
    references=(
        "Makarov, Schoar 2020, Trading and Arbitrage in Cryptocurrency Markets, Journal of Financial Economics 135",
    ),
    known_gaps=(
        "Only what lies at both venues is traded: withdrawal fees, times and states have no source.",
        "Assets are the same when their codes are; networks are not stated. A gap above the cap is taken for two assets.",
        "The cost of moving inventory back is an assumption, shown as one.",
    ),
)
