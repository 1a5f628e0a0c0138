"""Markets whose answer is known, for the strategies of bars beyond the three spot ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from decimal import Decimal

import msgspec
import numpy as np

from sextant.model.bar import Floats
from sextant.model.times import HOUR_NS, INTERVAL_NS, MINUTE_NS
from sextant.model.view import Books, Series, View, bar_frame
from support.evidence import noise_of
from support.markets import (
    FIRST_OPEN_NS,
    alternating,
    bars_of,
    closes_of,
    framed,
    frozen,
    quoted,
    specs_of,
    view_of,
)


def with_taker_share(columns: dict[str, Floats], share: Floats | float) -> dict[str, Floats]:
    """The columns in which takers bought this share of the volume of each bar."""
    return columns | {"taker_buy_volume": columns["volume"] * share}


def funded(view: View, rate: float = 1e-4, settlements: int = 90) -> View:
    """The market whose perpetuals all settled this rate every 8 hours, the next time in an hour; mark = index = close."""
    size, last = view.size, next(iter(view.bars.values())).close[-1].copy()
    facts = dataclasses.replace(
        view.derivatives,
        mark=last,
        index=last.copy(),
        funding_rate=np.full(size, rate),
        funding_interval_s=np.full(size, 28_800.0),
        next_funding_ns=np.full(size, view.as_of_ns + HOUR_NS),
        event_ns=np.full(size, view.as_of_ns),
    )
    times = view.as_of_ns - 7 * HOUR_NS - 8 * HOUR_NS * np.arange(settlements - 1, -1, -1)
    history = {spec.instrument: Series(times, np.full(settlements, rate)) for spec in view.instruments}
    return frozen(dataclasses.replace(view, derivatives=facts, funding_history=history))


def with_interest(view: View, log_interest: Callable[[Floats], Floats], points: int = 2_016) -> View:
    """The market with 5-minute points of open interest: ``exp`` of a function of the hours until now, <= 0."""
    times = view.as_of_ns - 5 * MINUTE_NS * np.arange(points - 1, -1, -1)
    hours = (times - view.as_of_ns) / HOUR_NS
    series = Series(times, 1e6 * np.exp(log_interest(hours)))
    return dataclasses.replace(
        view, open_interest_history={spec.instrument: series for spec in view.instruments}
    )


def futures_market(interest_per_hour: float = 0.002, sign: float = 1.0) -> View:
    """strategies.md 3.8, MUST EMIT (0.002) and MUST NOT (-0.002): a trend of 44 hours that new positions confirm."""
    steps = alternating(700, 0.004)
    steps[-44:] += 0.001
    columns = with_taker_share(bars_of(closes_of([sign * steps])), 0.5 + sign * 0.05)
    specs = tuple(
        msgspec.structs.replace(spec, max_leverage=Decimal(50)) for spec in specs_of(1, "perpetual")
    )
    view = funded(view_of(framed("1h", columns), specs))
    return with_interest(view, lambda hours: interest_per_hour * hours)


def squeeze_market(last_volume: float = 3.0) -> View:
    """strategies.md 4, volatility_squeeze, MUST EMIT (3.0) and MUST NOT (1.0): 199 quiet rows of 4h, then +1 %."""
    steps = alternating(200, 0.0005)
    steps[-1] = 0.01
    return view_of(framed("4h", _narrow(closes_of([steps]), last_volume)))


def reversal_market(last_step: float | None = None, interest: float = -0.05) -> View:
    """strategies.md 4, liquidation_reversal: three falls of 1.5 % on 6 times the volume, then a rebound.

    MUST EMIT (None: +0.7, +0.6, +0.4 %) and MUST NOT (0.0005: +0.05 % three times).
    """
    steps = alternating(500, 0.001)
    rebound = (0.007, 0.006, 0.004) if last_step is None else (last_step,) * 3
    steps[-6:] = (-0.015, -0.015, -0.015, *rebound)
    columns = _narrow(closes_of([steps]), 1.0)
    columns["quote_volume"][-6:] *= 6.0
    columns["volume"] = columns["quote_volume"] / columns["close"]
    view = funded(view_of(framed("5m", columns), specs_of(1, "perpetual")))
    return with_interest(view, lambda hours: interest * np.clip(hours + 0.5, 0.0, 0.5) / 0.5)


def _narrow(close: Floats, last_volume: float) -> dict[str, Floats]:
    """Bars of these closes with wicks of 0.05 % whose last row trades a multiple of the volume."""
    columns = bars_of(close)
    columns["high"] = np.maximum(columns["open"], close) * 1.0005
    columns["low"] = np.minimum(columns["open"], close) / 1.0005
    columns["quote_volume"][-1] *= last_volume
    columns["volume"] = columns["quote_volume"] / close
    return columns


def scalping_market(scale: float = 1.0, spread_bps: float = 2.0) -> View:
    """strategies.md 3.4, MUST EMIT (1.0, 2.0) and MUST NOT (0.12, 1.1): 597 minutes of noise, then three of buying."""
    rows = 600
    steps = alternating(rows, 25e-4)
    steps[-3:] = (20e-4, 22.5e-4, 17.5e-4)
    share = np.where(np.arange(rows) % 4 < 2, 0.55, 0.45)
    share[-3:] = 0.9
    columns = bars_of(closes_of([scale * steps]))
    columns["quote_volume"][-3:] *= 3.0
    columns["volume"] = columns["quote_volume"] / columns["close"]
    frame = framed("1m", with_taker_share(columns, share[:, None]))
    as_of_ns = frame.last_close_ns or 0
    last = frame.close[-1]
    view = funded(view_of(frame, specs_of(1, "perpetual"), quoted(last, as_of_ns, spread_bps)))
    stated = dataclasses.replace(view.derivatives, turnover_24h=np.array([1.44e9]))
    return booked(dataclasses.replace(view, derivatives=stated), bid_size=60_000.0, ask_size=40_000.0)


def booked(view: View, bid_size: float, ask_size: float, levels: int = 10) -> View:
    """The market with books of equal levels half a basis point apart, beginning at the quotes."""
    steps = 1.0 + 0.5e-4 * np.arange(levels)
    shape = (view.size, levels)
    books = Books(
        bid_price=view.quotes.bid[:, None] / steps,
        bid_size=np.full(shape, bid_size),
        ask_price=view.quotes.ask[:, None] * steps,
        ask_size=np.full(shape, ask_size),
        valid=np.ones(view.size, dtype=np.bool_),
        event_ns=np.full(view.size, view.as_of_ns),
    )
    return frozen(dataclasses.replace(view, books=books))


def residual_market(keep: float = 0.8, *, planted: bool = True, first: int = 0) -> View:
    """strategies.md 3.6, MUST EMIT (0.8, planted) and MUST NOT (1.0, not planted): 40 perpetuals on one factor.

    The last row closes on the grid on which the factors are refitted; the instrument ``first`` changes places with 0.
    """
    rows = 700
    shocks = 0.004 * noise_of([6_000 + 100 * column for column in range(40)], rows)
    x = np.empty((rows, 40))
    level = np.zeros(40)
    for row in range(rows):
        level = keep * level + shocks[row]
        x[row] = level
    if planted:
        for column, sign in ((3, -1.0), (11, -1.0), (19, -1.0), (7, 1.0), (23, 1.0), (31, 1.0)):
            x[rows - 121, column] = sign * 0.02
            x[-4:, column] = sign * 0.02 * np.array((0.25, 0.5, 0.75, 1.0))
    factor = 0.008 * noise_of([5_000], rows)
    steps = np.linspace(0.6, 1.4, 40) * factor + np.diff(x, axis=0, prepend=0.0)
    order = np.arange(40)
    order[[0, first]] = order[[first, 0]]
    columns = bars_of(closes_of(steps[:, order].T))
    open_ns = FIRST_OPEN_NS + (2 + np.arange(rows, dtype=np.int64)) * INTERVAL_NS["4h"]
    return funded(view_of(bar_frame("4h", open_ns, columns), specs_of(40, "perpetual")))


EMITS: dict[str, Callable[[], View]] = {
    "ai_scalping_strategy": scalping_market,
    "ai_statistical_arbitrage": residual_market,
    "ai_futures_trade": futures_market,
    "liquidation_reversal": reversal_market,
    "volatility_squeeze": squeeze_market,
}
"""By strategy: a market in which it must speak about column 0."""

REFUSES: dict[str, tuple[Callable[[], View], str]] = {
    "ai_scalping_strategy": (lambda: scalping_market(0.12, 1.1), "move_to_cost"),
    "ai_statistical_arbitrage": (
        lambda: residual_market(1.0, planted=False, first=26),
        "basket_breadth",
    ),
    "ai_futures_trade": (lambda: futures_market(-0.002), "participation"),
    "liquidation_reversal": (lambda: reversal_market(0.0005), "rebound"),
    "volatility_squeeze": (lambda: squeeze_market(1.0), "volume"),
}
"""By strategy: a market in which it must be silent about column 0, and the gate that decides."""
