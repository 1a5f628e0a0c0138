"""Markets and accounts of portfolios whose answer is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
from scipy.special import ndtri

from sextant.model.account import Account
from sextant.model.balance import Balance, Position
from sextant.model.bar import Floats
from sextant.model.instrument import Instrument, Kind
from sextant.model.times import DAY_NS, INTERVAL_NS, SECOND_NS, Interval
from sextant.model.view import BarFrame, Quotes, Series, View, bar_frame
from sextant.strategies.costs import CostAssumptions, Pricing
from support.markets import frozen, view_of
from support.views import spec

Key = tuple[str, str, Kind]
"""Venue, base asset, kind."""

DAYS = 561
PRICE = 100.0
FIRST_OPEN_NS = 19_700 * DAY_NS


def normal(rows: int, sigma: float, seed: int) -> Floats:
    """Exactly the quantiles of a normal value, in a random order: its sample moments and tail are the normal's."""
    values: Floats = sigma * ndtri((np.arange(rows) + 0.5) / rows)
    return np.random.default_rng(seed).permutation(values)


def steady(rows: int, sigma: float, seed: int, block: int = 33) -> Floats:
    """The same quantiles in an order in which every ``block`` rows hold the whole spread: volatility stays what it is."""
    values, rng = normal(rows, sigma, seed), np.random.default_rng(seed + 1_000)
    values = np.sort(values)
    count = rows // block
    return np.concatenate([rng.permutation(values[k::count]) for k in range(count)])


def frame(returns: Sequence[Floats], interval: Interval = "1d", turnover: float = 1e9) -> BarFrame:
    """Bars whose last close is 100 and whose log returns are given, one column each; NaN where a column has no bar."""
    size, rows = len(returns), len(returns[0])
    close = np.empty((rows, size))
    for column, r in enumerate(returns):
        path = np.cumsum(np.nan_to_num(r))
        close[:, column] = np.where(np.isnan(r), np.nan, PRICE * np.exp(path - path[-1]))
    volume = np.full((rows, size), turnover)
    columns = {
        "open": close,
        "high": close * 1.01,
        "low": close / 1.01,
        "close": close,
        "quote_volume": volume,
        "volume": volume / PRICE,
    }
    open_ns = FIRST_OPEN_NS + np.arange(rows, dtype=np.int64) * INTERVAL_NS[interval]
    return bar_frame(interval, open_ns, columns)


def market(
    returns: Mapping[str, Floats],
    *,
    venues: Sequence[str] = ("binance",),
    turnover: float = 1e9,
    spot_only: Sequence[str] = (),
) -> View:
    """Spot and perpetual of each asset at each venue, all at 100 and 2 bps wide, on daily bars of given log returns."""
    kinds: tuple[Kind, ...] = ("spot", "perpetual")
    keys: list[Key] = [
        (venue, asset, kind)
        for venue in venues
        for asset in returns
        for kind in kinds
        if kind == "spot" or asset not in spot_only
    ]
    bars = frame([returns[asset] for _, asset, _ in keys], turnover=turnover)
    specs = tuple(
        msgspec.structs.replace(
            spec(asset, kind, venue), tick=Decimal("0.01"), lot=Decimal("0.001"), max_leverage=Decimal(50)
        )
        if kind == "perpetual"
        else msgspec.structs.replace(spec(asset, kind, venue), tick=Decimal("0.01"), lot=Decimal("0.001"))
        for venue, asset, kind in keys
    )
    return view_of(bars, specs)


def with_frame(view: View, interval: Interval, returns: Mapping[str, Floats]) -> View:
    """The same market with bars of another interval that end at the same time."""
    bars = frame([returns[item.instrument.base] for item in view.instruments], interval)
    end_ns = view.bars["1d"].last_close_ns or 0
    step = INTERVAL_NS[interval]
    open_ns = end_ns - step * np.arange(bars.rows, 0, -1, dtype=np.int64)
    moved = bar_frame(
        interval,
        open_ns,
        {name: getattr(bars, name) for name in ("open", "high", "low", "close", "quote_volume")},
    )
    return frozen(dataclasses.replace(view, bars={**view.bars, interval: moved}))


def requoted(view: View, prices: Mapping[Instrument, float]) -> View:
    """The same market with other mids; NaN takes a quote away."""
    mids = np.array([prices.get(item.instrument, PRICE) for item in view.instruments])
    half = mids * 1e-4
    times = np.where(np.isnan(mids), 0, view.as_of_ns).astype(np.int64)
    sizes = np.full(len(mids), 1e9)
    return frozen(
        dataclasses.replace(view, quotes=Quotes(mids - half, mids + half, sizes, sizes.copy(), times))
    )


def balance(view: View, venue: str, asset: str, total: float | str, **changes: Any) -> Balance:
    """A balance that is wholly free and that the venue does not value."""
    facts: dict[str, Any] = {
        "venue": venue,
        "asset": asset,
        "total": Decimal(str(total)),
        "free": max(Decimal(str(total)), Decimal(0)),
        "value_usd": None,
        "as_of_ns": view.as_of_ns,
        "source": "test",
        "reason": "the venue states no value",
    }
    return Balance(**facts | changes)


def position(
    view: View, base: str, quantity: float | str, venue: str = "binance", **changes: Any
) -> Position:
    """A perpetual position without a liquidation price."""
    facts: dict[str, Any] = {
        "instrument": Instrument(venue, base, "USDT", "perpetual"),
        "quantity": Decimal(str(quantity)),
        "entry_price": Decimal(100),
        "liquidation_price": None,
        "leverage": None,
        "margin_usd": None,
        "value_usd": None,
        "as_of_ns": view.as_of_ns,
        "source": "test",
        "reason": "the venue states no value",
    }
    return Position(**facts | changes)


def account(*balances: Balance, positions: tuple[Position, ...] = (), **changes: Any) -> Account:
    """An account of which every venue answered; its dollars are free."""
    free: dict[str, float] = {}
    for item in balances:
        dollars = float(item.free or 0) if item.asset in ("USDT", "USDC", "USD") else 0.0
        free[item.venue] = free.get(item.venue, 0.0) + dollars
    facts: dict[str, Any] = {
        "equity_usd": 100_000.0,
        "coverage_frac": 1.0,
        "free_usd": free,
        "balances": balances,
        "positions": positions,
    }
    return Account(**facts | changes)


def pricing(view: View, who: Account) -> Pricing:
    """What an account sees of a market without any assumption."""
    return Pricing(view, who, CostAssumptions())


def funded(view: View, rate: float, hours: int = 8) -> View:
    """The same market in which every perpetual pays one funding rate, now and in the past 200 settlements."""
    perpetual = np.array([item.instrument.kind == "perpetual" for item in view.instruments])
    step = hours * 3_600 * SECOND_NS
    facts = dataclasses.replace(
        view.derivatives,
        funding_rate=np.where(perpetual, rate, np.nan),
        funding_interval_s=np.where(perpetual, hours * 3_600.0, np.nan),
        next_funding_ns=np.where(perpetual, view.as_of_ns + step, 0),
        event_ns=np.where(perpetual, view.as_of_ns, 0),
    )
    times = view.as_of_ns - step * np.arange(199, -1, -1, dtype=np.int64)
    history = {
        item.instrument: Series(times, np.full(200, rate))
        for item in view.instruments
        if item.instrument.kind == "perpetual"
    }
    return frozen(dataclasses.replace(view, derivatives=facts, funding_history=history))
