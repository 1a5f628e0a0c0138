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
from sextant.model.times import DAY_NS, HOUR_NS, SECOND_NS, Interval
from sextant.model.view import Books, Derivatives, Quotes, Series, View, no_derivatives
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
    days
        To the expiry of a future.
    index
        Index of a derivative; NaN where the venue states none.
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
    days: float = 0.0
    index: float = float("nan")


def listed(one: Carried, as_of_ns: int) -> InstrumentSpec:
    """Its rules, with negligible steps and a largest leverage of 50."""
    rules = spec(one.base, "spot" if one.kind == "future" else one.kind, one.venue)
    if one.kind == "future":
        expiry_ns = as_of_ns + round(one.days * DAY_NS)
        dated = Instrument(one.venue, one.base, "USD", "future", expiry_ns=expiry_ns)
        rules = msgspec.structs.replace(rules, instrument=dated)
    return msgspec.structs.replace(
        rules,
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
    view = view_of(frame, tuple(listed(leg, as_of_ns) for leg in legs), quotes)
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
        "index": np.array([leg.index for leg in legs]),
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


def dated(future: float = 61_500.0, days: float = 90.0, index: float = float("nan")) -> View:
    """strategies.md 4, basis_carry MUST EMIT: spot at 60,000 and a future of 90 days at 61,500, spreads of 2 bps."""
    legs = (
        Carried("binance", "spot", price=60_000.0, spread_bps=2.0),
        Carried("deribit", "future", price=future, spread_bps=2.0, days=days, index=index),
    )
    return carrying(legs, rows=90)


def two_venues(bid: float = 100.60, ages_s: tuple[float, float] = (0.0, 0.0)) -> View:
    """strategies.md 4, venue_spot_arbitrage MUST EMIT: asked 100.00 at the one, bid 100.60 at the other.

    Ten units lie at each touch and the rest 5 bps further, so that twenty slip by 2.5 bps on either side.
    """
    legs = (
        Carried("binance", "spot", price=100.00 / 1.0001, spread_bps=2.0),
        Carried("bybit", "spot", price=bid / 0.9999, spread_bps=2.0),
    )
    view = carrying(legs, rows=1500, interval="1m")
    quotes = view.quotes
    books = Books(
        bid_price=np.column_stack((quotes.bid, quotes.bid * (1 - 5 * BPS))),
        bid_size=np.array([[10.0, 1e4], [10.0, 1e4]]),
        ask_price=np.column_stack((quotes.ask, quotes.ask * (1 + 5 * BPS))),
        ask_size=np.array([[10.0, 1e4], [10.0, 1e4]]),
        valid=np.array([True, True]),
        event_ns=np.full(2, view.as_of_ns),
    )
    seen = view.as_of_ns - (np.array(ages_s) * SECOND_NS).astype(np.int64)
    return frozen(dataclasses.replace(view, books=books, quotes=dataclasses.replace(quotes, event_ns=seen)))


EMITS = {
    "ai_funding_arbitrage": interval_trap,
    "ai_pairs_trading": pairs_market,
    "basis_carry": dated,
    "venue_spot_arbitrage": two_venues,
}
"""By strategy of couples: a market in which it must speak about its only couple."""

REFUSES = {
    "ai_funding_arbitrage": (spike, "negative_net_edge", "min_edge_bps"),
    "ai_pairs_trading": (drifting_pair, "gate_failed", "cointegration"),
    "basis_carry": (lambda: dated(60_200.0), "gate_failed", "edge_annual_frac"),
    "venue_spot_arbitrage": (lambda: two_venues(ages_s=(1.0, 9.0)), "insufficient_data", "quote.age_ms"),
}
"""By strategy: a market in which it must be silent, how its couple is disposed, and where."""
