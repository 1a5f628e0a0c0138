"""Markets of couples: perpetuals with funding, dated futures, and instruments of two venues."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from sextant.model.bar import Floats
from sextant.model.instrument import Instrument, InstrumentSpec, Kind
from sextant.model.times import HOUR_NS, SECOND_NS, Interval
from sextant.model.view import Derivatives, Quotes, Series, View, no_derivatives
from support.markets import TINY, autoregression, bars_of, framed, frozen, noise, view_of
from support.views import spec

BPS = 1e-4


@dataclass(frozen=True)
class Carried:
    """An instrument of a market of couples.

    Parameters
    ----------
    interval_h
        Hours between settlements; 0 for what settles nothing.
    rate
        Estimate of the next rate, fraction.
    settled
        Past rates, the newest settled at the end of the bars; None for no history.
    """

    venue: str
    kind: Kind
    price: float = 100.0
    spread_bps: float = 1.0
    interval_h: int = 0
    rate: float = float("nan")
    settled: Floats | None = None
    base: str = "BTC"
    interest_usd: float = 1e9


def listed(one: Carried) -> InstrumentSpec:
    """Its rules, with negligible steps and a largest leverage of 50."""
    return msgspec.structs.replace(
        spec(one.base, one.kind, one.venue),
        tick=TINY,
        lot=TINY,
        funding_interval_s=one.interval_h * 3600 or None,
        max_leverage=None if one.kind == "spot" else Decimal(50),
    )


def carrying(
    legs: Sequence[Carried], rows: int, interval: Interval = "4h", prices: Floats | None = None
) -> View:
    """Constant prices, or given closes (T, S), over ``rows`` bars, quotes around them, and the funding of each leg."""
    close = np.ones((rows, 1)) * np.array([leg.price for leg in legs]) if prices is None else prices
    frame = framed(interval, bars_of(close, quote_volume=2e7))
    as_of_ns = frame.last_close_ns or 0
    spreads = np.array([leg.spread_bps for leg in legs])
    last = frame.close[-1]
    sizes = np.full(len(legs), 1e9)
    half = last * spreads / 2e4
    quotes = Quotes(last - half, last + half, sizes, sizes.copy(), np.full(len(legs), as_of_ns))
    view = view_of(frame, tuple(listed(leg) for leg in legs), quotes)
    history = {
        spec.instrument: Series(
            as_of_ns - np.arange(len(leg.settled))[::-1] * leg.interval_h * HOUR_NS, leg.settled
        )
        for spec, leg in zip(view.instruments, legs, strict=True)
        if leg.settled is not None
    }
    return frozen(
        dataclasses.replace(view, derivatives=facts_of(legs, last, as_of_ns), funding_history=history)
    )


def facts_of(legs: Sequence[Carried], last: Floats, as_of_ns: int) -> Derivatives:
    """Funding and open interest as they stand; the next settlement is one interval away."""
    empty = no_derivatives(len(legs))
    perpetual = np.array([leg.kind == "perpetual" for leg in legs])
    hours = np.array([float(leg.interval_h) for leg in legs])
    changes: dict[str, Any] = {
        "funding_rate": np.array([leg.rate for leg in legs]),
        "funding_interval_s": np.where(perpetual, hours * 3600.0, np.nan),
        "next_funding_ns": np.where(perpetual, as_of_ns + (hours * HOUR_NS).astype(np.int64), 0),
        "open_interest": np.where(perpetual, np.array([leg.interest_usd for leg in legs]) / last, np.nan),
        "event_ns": np.where(perpetual, as_of_ns - SECOND_NS, 0),
    }
    return dataclasses.replace(empty, **changes)


def constant(rate: float, days: int, interval_h: int) -> Floats:
    """A history of one rate."""
    return np.full(days * 24 // interval_h, rate)


def interval_trap() -> View:
    """strategies.md 3.11, MUST EMIT: both settle 1 bp, the one every hour and the other every eight hours."""
    days = 250
    return carrying(
        (
            Carried("bybit", "perpetual", interval_h=1, rate=BPS, settled=constant(BPS, days, 1)),
            Carried("binance", "perpetual", interval_h=8, rate=BPS, settled=constant(BPS, days, 8)),
        ),
        rows=days * 6,
    )


def spot_carry(rate: float = 6 * BPS, days: int = 250) -> View:
    """strategies.md 3.11, MUST EMIT: spot against a perpetual that pays 6 bps every eight hours; costs are 35 bps."""
    return carrying(
        (
            Carried("bybit", "spot", spread_bps=2.0),
            Carried(
                "bybit",
                "perpetual",
                spread_bps=2.0,
                interval_h=8,
                rate=rate,
                settled=constant(rate, days, 8),
            ),
        ),
        rows=days * 6,
    )


def spike() -> View:
    """strategies.md 3.11, MUST NOT: the estimate is ten times the level it has always come back to."""
    days = 250
    waves = np.where(np.arange(days * 3) // 4 % 2 == 0, 1.2, 0.8) * BPS  # period 8: lag-1 autocorrelation 0.5
    return carrying(
        (
            Carried("bybit", "spot", spread_bps=2.0),
            Carried(
                "bybit",
                "perpetual",
                price=100.0 * (1 - 9 * BPS),
                spread_bps=2.0,
                interval_h=8,
                rate=10 * BPS,
                settled=waves,
            ),
        ),
        rows=days * 6,
    )


def perpetual_of(venue: str, base: str = "BTC") -> Instrument:
    """A perpetual against USDT."""
    return spec(base, "perpetual", venue).instrument


def paired(x: Floats, y: Floats) -> View:
    """Two perpetuals C000 (y) and C001 (x) of given log prices, 20 million USD traded each bar, funding of 1 bp."""
    legs = tuple(
        Carried(
            "binance",
            "perpetual",
            spread_bps=2.0,
            interval_h=8,
            rate=BPS,
            settled=constant(BPS, 40, 8),
            base=base,
        )
        for base in ("C000", "C001")
    )
    return carrying(legs, rows=len(x), prices=100.0 * np.exp(np.column_stack((y, x))))


def pairs_market(seed: int = 100, keep: float = 0.9, rows: int = 1000) -> View:
    """strategies.md 3.5, MUST EMIT: y hangs on x, and its last close lies 2.4 sd under its line."""
    x = np.cumsum(0.01 * noise(seed, rows))
    y = 0.5 + 1.2 * x + autoregression(2 * seed, rows, keep, 0.006)
    first = 996 - 540  # the last refit of these rows lies on row 996
    line = np.polynomial.Polynomial.fit(x[first:996], y[first:996], 1)
    sd = float((y[first:996] - line(x[first:996])).std(ddof=1))
    y[-1] = float(line(x[-1])) - 2.4 * sd
    return paired(x, y)


def drifting_pair(rows: int = 1000) -> View:
    """strategies.md 3.5, MUST NOT: what is left of y wanders."""
    x = np.cumsum(0.01 * noise(100, rows))
    return paired(x, 0.5 + 1.2 * x + np.cumsum(0.006 * noise(300, rows)))


EMITS = {"ai_funding_arbitrage": interval_trap, "ai_pairs_trading": pairs_market}
"""By strategy of couples: a market in which it must speak about its only couple."""

REFUSES = {
    "ai_funding_arbitrage": (spike, "negative_net_edge", "min_edge_bps"),
    "ai_pairs_trading": (drifting_pair, "gate_failed", "cointegration"),
}
"""By strategy: a market in which it must be silent, how its couple is disposed, and where."""
