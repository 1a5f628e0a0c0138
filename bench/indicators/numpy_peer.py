"""The indicators of W2 in plain NumPy, time-major: one vector operation over all instruments per row."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from sextant.model.bar import Floats

Bars = dict[str, Floats]


def wilder(x: Floats, n: int, skip: int) -> Floats:
    """Wilder's mean, seeded by the mean of n rows after ``skip`` rows."""
    out = np.full(x.shape, np.nan)
    v = x[skip : skip + n].mean(axis=0)
    out[skip + n - 1] = v
    for t in range(skip + n, len(x)):
        v = (v * (n - 1) + x[t]) / n
        out[t] = v
    return out


def ema(x: Floats, n: int, skip: int = 0) -> Floats:
    """Exponential mean, seeded by the mean of n rows after ``skip`` rows."""
    out = np.full(x.shape, np.nan)
    v = x[skip : skip + n].mean(axis=0)
    out[skip + n - 1] = v
    k = 2.0 / (n + 1)
    for t in range(skip + n, len(x)):
        v = v + k * (x[t] - v)
        out[t] = v
    return out


def rolled(x: Floats, n: int, how: str) -> Floats:
    """Sum, max or min of the last n rows."""
    out = np.full(x.shape, np.nan)
    out[n - 1 :] = getattr(sliding_window_view(x, n, axis=0), how)(axis=-1)
    return out


def rsi(close: Floats) -> Floats:
    moves = np.diff(close, axis=0, prepend=close[:1])
    gain, loss = wilder(np.maximum(moves, 0), 14, 1), wilder(np.maximum(-moves, 0), 14, 1)
    both = gain + loss
    return np.where(
        both > 0, 100 * gain / np.where(both > 0, both, 1), np.where(np.isnan(both), np.nan, 50.0)
    )


def true_range(bars: Bars) -> Floats:
    before = np.vstack((bars["close"][:1], bars["close"][:-1]))
    return np.maximum(bars["high"], before) - np.minimum(bars["low"], before)


def adx(bars: Bars) -> Floats:
    up = np.diff(bars["high"], axis=0, prepend=bars["high"][:1])
    down = -np.diff(bars["low"], axis=0, prepend=bars["low"][:1])
    parts = (
        np.where((up > down) & (up > 0), up, 0),
        np.where((down > up) & (down > 0), down, 0),
        true_range(bars),
    )
    sums = np.array([x[1:14].sum(axis=0) for x in parts])
    dx = np.full(up.shape, np.nan)
    for t in range(14, len(up)):
        sums = sums - sums / 14 + np.array([x[t] for x in parts])
        total = np.where(sums[0] + sums[1] > 0, sums[0] + sums[1], np.inf)
        dx[t] = 100 * np.abs(sums[0] - sums[1]) / total
    return wilder(dx, 14, 14)


def flow(bars: Bars) -> Floats:
    high, low, close = bars["high"], bars["low"], bars["close"]
    span = high - low
    return (
        np.where(span > 0, ((close - low) - (high - close)) / np.where(span > 0, span, 1), 0.0)
        * bars["volume"]
    )


def vwap(bars: Bars, typical: Floats) -> Floats:
    traded = np.cumsum(bars["volume"], axis=0)
    return np.where(
        traded > 0, np.cumsum(typical * bars["volume"], axis=0) / np.where(traded > 0, traded, 1), typical
    )


def money_flow(bars: Bars, typical: Floats) -> Floats:
    moves = np.diff(typical, axis=0, prepend=typical[:1])
    moves[np.abs(moves) <= 1e-12 * typical] = 0.0
    worth = typical * bars["volume"]
    up, down = (
        rolled(np.where(moves > 0, worth, 0), 14, "sum"),
        rolled(np.where(moves < 0, worth, 0), 14, "sum"),
    )
    up[13], down[13] = np.nan, np.nan
    return 100 * up / np.where(up + down > 0, up + down, np.nan)


def deviation(typical: Floats) -> Floats:
    windows = sliding_window_view(typical, 20, axis=0)
    mean = windows.mean(axis=-1)
    out = np.full(typical.shape, np.nan)
    out[19:] = (typical[19:] - mean) / (0.015 * np.abs(windows - mean[..., None]).mean(axis=-1))
    return out


def point_of_control(typical: Floats, volume: Floats, width: Floats) -> Floats:
    """Centre of the fullest bin of each column, (S,)."""
    found = np.empty(typical.shape[1])
    for s in range(typical.shape[1]):
        bins = np.floor(typical[:, s] / width[s]).astype(np.int64)
        found[s] = (bins.min() + np.bincount(bins - bins.min(), weights=volume[:, s]).argmax() + 0.5) * width[
            s
        ]
    return found


def everything(bars: Bars, width: Floats) -> dict[str, Floats]:
    """All indicators of W2 by name; the point of control of the last row only."""
    close, typical = bars["close"], (bars["high"] + bars["low"] + bars["close"]) / 3
    fast = ema(close, 12, 14) - ema(close, 26)
    strength = rsi(close)
    low, high = rolled(strength, 14, "min"), rolled(strength, 14, "max")
    mean = rolled(close, 20, "sum") / 20
    width_20 = np.full(close.shape, np.nan)
    width_20[19:] = sliding_window_view(close, 20, axis=0).std(axis=-1)
    top, bottom = rolled(bars["high"], 14, "max"), rolled(bars["low"], 14, "min")
    return {
        "rsi": strength,
        "ema_12": ema(close, 12),
        "ema_26": ema(close, 26),
        "macd": fast,
        "signal": ema(fast, 9, 25),
        "atr": wilder(true_range(bars), 14, 1),
        "adx": adx(bars),
        "on_balance_volume": np.cumsum(
            np.sign(np.diff(close, axis=0, prepend=close[:1] - 1)) * bars["volume"], axis=0
        ),
        "accumulation_distribution": np.cumsum(flow(bars), axis=0),
        "vwap": vwap(bars, typical),
        "upper": mean + 2 * width_20,
        "lower": mean - 2 * width_20,
        "d": rolled(100 * (strength - low) / (high - low), 3, "sum") / 3,
        "cci": deviation(typical),
        "money_flow_index": money_flow(bars, typical),
        "williams_r": -100 * (top - close) / (top - bottom),
        "poc": point_of_control(typical, bars["volume"], width),
    }
