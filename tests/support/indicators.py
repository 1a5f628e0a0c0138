"""Market columns for tests of indicators: the fixture FX of the specification, random walks and odd markets."""

from __future__ import annotations

import numpy as np

from sextant.indicators.contract import Indicator
from sextant.model.bar import Floats

Columns = dict[str, Floats]

CONSTANTS = {"price_step": 0.01, "lot_size": 0.001}
"""Constants of an instrument, for the indicators that need them."""


def fx() -> Columns:
    """The 120 bars of the specification, (120, 1)."""
    t = np.arange(120)
    k = (7 * t) % 40
    y = np.where(k <= 20, k, 40 - k)
    close = 100 + y / 4 + ((13 * t**2 + 7 * t) % 11 - 5) / 20
    open_ = np.concatenate(([100.0], close[:-1]))
    high = np.maximum(open_, close) + (1 + (5 * t) % 7) / 20
    low = np.minimum(open_, close) - (1 + (3 * t) % 5) / 20
    volume = (10 + (11 * t) % 17).astype(np.float64)
    buy = volume * (1 + (3 * t) % 7) / 8
    return complete({"open": open_, "high": high, "low": low, "close": close, "volume": volume, "buy": buy})


def complete(bars: Columns) -> Columns:
    """All columns an indicator may ask for, made from open, high, low, close, volume and bought volume."""
    wide = {name: np.ascontiguousarray(np.atleast_2d(x.T).T) for name, x in bars.items()}
    buy = wide.pop("buy")
    volume, close = wide["volume"], wide["close"]
    sell = volume - buy
    flow = {
        "taker_buy_volume": buy,
        "quote_volume": volume * close,
        "buy_turnover": buy * close,
        "sell_turnover": sell * close,
        "buy_count": np.floor(buy * 3),
        "sell_count": np.floor(sell * 3),
        "large_buy": np.where(buy > 0.6 * volume, buy * close, 0.0),
        "large_sell": np.where(sell > 0.6 * volume, sell * close, 0.0),
    }
    derivatives = {
        "mark": close * (1.0 + 0.001 * (buy - sell) / (volume + 1.0)),
        "index": close,
        "funding_rate": 0.0001 * (buy - sell) / (volume + 1.0),
        "funding_interval_s": np.where(np.isnan(close), close, 28_800.0),
        "open_interest": 1_000.0 + np.abs(close - 100.0) * 20.0,
        "long_share": 0.5 + 0.2 * (buy - sell) / (volume + 1.0),
        "bid": close - 0.005,
        "ask": close + 0.005,
        "bid_usd_25": 1_000.0 + volume * close,
        "ask_usd_25": 1_000.0 + buy * close,
        **{f"bid_size_{level}": buy + level for level in range(25)},
        **{f"ask_size_{level}": sell + 2.0 * level for level in range(25)},
        **{f"bid_price_{level}": close - 0.005 - 0.01 * level for level in range(25)},
        **{f"ask_price_{level}": close + 0.005 + 0.01 * level for level in range(25)},
        **{f"bid_traded_{level}": sell / 10.0 for level in range(10)},
        **{f"ask_traded_{level}": buy / 10.0 for level in range(10)},
        "root_long": np.sqrt(np.maximum(sell - buy, 0.0)),
        "root_short": np.sqrt(np.maximum(buy - sell, 0.0)),
    }
    return {**wide, **flow, **derivatives}


def walk(rows: int, columns: int, seed: int) -> Columns:
    """Random walks around 100 whose bars obey low <= open, close <= high; every tenth bar is still."""
    rng = np.random.default_rng(seed)
    still = rng.random((rows, columns)) < 0.1
    moves = np.where(still, 0.0, rng.normal(0.0, 0.004, (rows, columns)))
    close = np.round(100 * np.exp(np.cumsum(moves, axis=0)), 4)
    open_ = np.vstack((np.full((min(rows, 1), columns), 100.0), close[:-1]))
    wick = np.where(still, 0.0, np.round(rng.random((rows, columns)) * 0.3, 4))
    high = np.maximum(open_, close) + wick
    low = np.minimum(open_, close) - wick[::-1] * ~still
    volume = np.where(still, 0.0, np.round(rng.gamma(2.0, 40.0, (rows, columns)), 3))
    buy = np.round(volume * rng.random((rows, columns)), 3)
    return complete({"open": open_, "high": high, "low": low, "close": close, "volume": volume, "buy": buy})


def constant(rows: int, columns: int) -> Columns:
    """A market that does not move and does not trade."""
    price, nothing = np.full((rows, columns), 42.5), np.zeros((rows, columns))
    return complete(
        {"open": price, "high": price, "low": price, "close": price, "volume": nothing, "buy": nothing}
    )


def quiet(rows: int, columns: int) -> Columns:
    """A market whose price moves and whose volume is 0."""
    bars = {name: x.copy() for name, x in walk(rows, columns, 11).items()}
    zero = np.zeros((rows, columns))
    return complete(
        {**{name: bars[name] for name in ("open", "high", "low", "close")}, "volume": zero, "buy": zero}
    )


def spike(rows: int, columns: int) -> Columns:
    """A market whose price and volume are a thousandfold for one bar in the middle."""
    bars = {name: x.copy() for name, x in walk(rows, columns, 12).items()}
    for x in bars.values():
        x[rows // 2] *= 1000
    return bars


def gappy(rows: int, columns: int, seed: int = 13) -> Columns:
    """A market of which single bars and one run of bars were not received."""
    bars = {name: x.copy() for name, x in walk(rows, columns, seed).items()}
    holes = np.random.default_rng(seed).random((rows, columns)) < 0.004
    holes[rows // 3 : rows // 3 + 4] = True
    for x in bars.values():
        x[holes] = np.nan
    return bars


def needed(indicator: Indicator, bars: Columns) -> Columns:
    """The columns an indicator reads, read-only."""
    found = {name: bars[name].copy() for name in indicator.inputs}
    for x in found.values():
        x.flags.writeable = False
    return found


def cut(bars: Columns, rows: slice, columns: slice = slice(None)) -> Columns:
    """Some rows and columns of all columns."""
    return {name: np.ascontiguousarray(x[rows, columns]) for name, x in bars.items()}
