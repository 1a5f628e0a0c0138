"""Indicators against TA-Lib, a second implementation: on FX, on random columns and on recorded bars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import talib

from sextant.indicators.catalog import compute, indicators
from sextant.model.bar import Floats
from sextant.model.view import Flags
from support import indicators as market

FIRST = 29_000_160
SMA = talib.MA_Type.SMA  # type: ignore[attr-defined]  # its stub does not export the name
Column = dict[str, Floats]


@dataclass(frozen=True)
class Peer:
    """The same indicator in TA-Lib: one array for each of ``outputs``, and how far apart the two may be.

    ``flat`` tells the rows on which the two differ on purpose: a window without movement or volume.
    """

    name: str
    outputs: tuple[str, ...]
    call: Callable[[Column], tuple[Floats, ...]]
    tolerance: float
    flat: Callable[[Column], Flags] | None = None
    params: dict[str, Any] = field(default_factory=dict)


def still(x: Floats, rows: int) -> Flags:
    """Whether none of the last rows + 1 values differs from the one before it."""
    moved = np.concatenate(([0.0], np.abs(np.diff(x))))
    return np.array([not moved[max(0, t - rows + 1) : t + 1].any() for t in range(len(x))])


def nothing_traded(volume: Floats, rows: int, least: float) -> Flags:
    """Whether less than ``least`` was traded in a window."""
    return np.array([volume[max(0, t - rows + 1) : t + 1].sum() < least for t in range(len(volume))])


def hlc(bars: Column) -> tuple[Floats, Floats, Floats]:
    return bars["high"], bars["low"], bars["close"]


def vwap(bars: Column) -> tuple[Floats]:
    """TA-Lib's, begun anew at each UTC midnight; FIRST is one."""
    fields = ("high", "low", "close", "volume")
    days = range(0, len(bars["close"]), 1440)
    return (np.concatenate([talib.VWAP(*(bars[name][a : a + 1440] for name in fields)) for a in days]),)


PEERS = (
    Peer("sma", ("sma",), lambda b: (talib.SMA(b["close"], 20),), 1e-12),
    Peer("sma", ("sma",), lambda b: (talib.SMA(b["close"], 50),), 1e-12, params={"window": 50}),
    Peer("ema", ("ema",), lambda b: (talib.EMA(b["close"], 20),), 1e-15),
    Peer("macd", ("macd", "signal", "histogram"), lambda b: talib.MACD(b["close"], 12, 26, 9), 1e-12),
    Peer(
        "adx",
        ("plus_di", "minus_di", "adx"),
        lambda b: (talib.PLUS_DI(*hlc(b), 14), talib.MINUS_DI(*hlc(b), 14), talib.ADX(*hlc(b), 14)),
        1e-12,
    ),
    Peer(
        "efficiency_ratio",
        ("efficiency_ratio",),
        lambda b: (talib.ER(b["close"], 20),),
        1e-12,
        flat=lambda b: still(b["close"], 20),
    ),
    Peer("donchian", ("upper", "middle", "lower"), lambda b: talib.DONCHIAN(b["high"], b["low"], 20), 0.0),
    Peer("rsi", ("rsi",), lambda b: (talib.RSI(b["close"], 14),), 1e-12),
    Peer(
        "stochastic_rsi",
        ("k", "d"),
        lambda b: talib.STOCHRSI(b["close"], 14, 14, 3, SMA),
        1e-10,
    ),
    Peer("awesome_oscillator", ("awesome_oscillator",), lambda b: (talib.AO(b["high"], b["low"]),), 1e-10),
    Peer("cci", ("cci",), lambda b: (talib.CCI(*hlc(b), 20),), 1e-12),
    Peer("williams_r", ("williams_r",), lambda b: (talib.WILLR(*hlc(b), 14),), 1e-12),
    Peer("rate_of_change", ("rate_of_change",), lambda b: (talib.ROC(b["close"], 10),), 1e-12),
    Peer(
        "money_flow_index",
        ("money_flow_index",),
        lambda b: (talib.MFI(*hlc(b), b["volume"], 14),),
        1e-12,
        flat=lambda b: nothing_traded(b["volume"] * b["close"], 14, 1.1),
    ),
    Peer("atr", ("atr", "natr"), lambda b: (talib.ATR(*hlc(b), 14), talib.NATR(*hlc(b), 14)), 1e-12),
    Peer(
        "bollinger",
        ("upper", "middle", "lower"),
        lambda b: talib.BBANDS(b["close"], 20, 2.0, 2.0, SMA),
        1e-12,
    ),
    Peer("keltner", ("upper", "middle", "lower"), lambda b: talib.KC(*hlc(b), 20, 10, 2.0), 1e-12),
    Peer(
        "on_balance_volume",
        ("on_balance_volume",),
        lambda b: (talib.OBV(b["close"], b["volume"]),),
        0.0,
    ),
    Peer(
        "accumulation_distribution",
        ("accumulation_distribution",),
        lambda b: (talib.AD(*hlc(b), b["volume"]),),
        1e-12,
    ),
    Peer(
        "chaikin_money_flow", ("chaikin_money_flow",), lambda b: (talib.CMF(*hlc(b), b["volume"], 20),), 1e-12
    ),
    Peer("vwap", ("vwap",), vwap, 1e-12, flat=lambda b: nothing_traded(b["volume"], len(b["volume"]), 1e-9)),
    Peer("rsi", ("rsi",), lambda b: (talib.RSI(b["close"], 30),), 1e-12, params={"window": 30}),
    Peer("atr", ("atr",), lambda b: (talib.ATR(*hlc(b), 50),), 1e-12, params={"window": 50}),
    Peer("adx", ("adx",), lambda b: (talib.ADX(*hlc(b), 25),), 1e-12, params={"window": 25}),
    Peer("cci", ("cci",), lambda b: (talib.CCI(*hlc(b), 40),), 1e-12, params={"window": 40}),
    Peer(
        "efficiency_ratio",
        ("efficiency_ratio",),
        lambda b: (talib.ER(b["close"], 50),),
        1e-12,
        flat=lambda b: still(b["close"], 50),
        params={"window": 50},
    ),
    Peer(
        "money_flow_index",
        ("money_flow_index",),
        lambda b: (talib.MFI(*hlc(b), b["volume"], 40),),
        1e-12,
        params={"window": 40},
    ),
    Peer(
        "bollinger",
        ("upper", "middle", "lower"),
        lambda b: talib.BBANDS(b["close"], 50, 3.0, 3.0, SMA),
        1e-12,
        params={"window": 50, "width": 3.0},
    ),
    Peer(
        "chaikin_money_flow",
        ("chaikin_money_flow",),
        lambda b: (talib.CMF(*hlc(b), b["volume"], 40),),
        1e-12,
        params={"window": 40},
    ),
)

every = pytest.mark.parametrize("peer", PEERS, ids=[f"{peer.name}{peer.params or ''}" for peer in PEERS])


def compare(peer: Peer, bars: market.Columns) -> None:
    ours = compute(peer.name, bars, bar_index=FIRST, **peer.params)
    for s in range(bars["close"].shape[1]):
        column = {name: np.ascontiguousarray(x[:, s]) for name, x in bars.items()}
        skip = peer.flat(column) if peer.flat else np.zeros(len(column["close"]), dtype=np.bool_)
        for output, theirs in zip(peer.outputs, peer.call(column), strict=True):
            x = ours[output][:, s]
            assert np.array_equal(np.isnan(x), np.isnan(theirs)), f"{output} of column {s}: other warm-up"
            known = ~np.isnan(theirs) & ~skip
            largest = np.max(np.abs(theirs[known]), initial=0.0)
            apart = np.max(np.abs(x[known] - theirs[known]), initial=0.0)
            assert apart <= peer.tolerance * largest, f"{output} of column {s}: {apart} apart"


@every
def test_equals_talib_on_the_fixture(peer: Peer) -> None:
    compare(peer, market.fx())


@every
def test_equals_talib_on_a_thousand_random_columns(peer: Peer) -> None:
    compare(peer, market.walk(180, 1000, 3))


@pytest.mark.data
@every
def test_equals_talib_on_recorded_minutes(peer: Peer, recorded: market.Columns) -> None:
    compare(peer, recorded)


@pytest.mark.data
@pytest.mark.parametrize("name", list(indicators()))
def test_recorded_minutes_keep_the_declared_range(name: str, recorded: market.Columns) -> None:
    indicator = indicators()[name]
    constants = {key: market.CONSTANTS[key] for key in indicator.constants}
    found = compute(name, recorded, bar_index=FIRST, **constants)
    warmups = indicator.warmups(indicator.values(**constants))
    for out in indicator.outputs:
        x = found[out.name]
        assert np.isnan(x[: warmups[out.name]]).all()
        assert (x[warmups[out.name] :] >= out.low).all()
        assert (x[warmups[out.name] :] <= out.high).all()


@pytest.fixture(scope="module")
def recorded(data_dir: Path) -> market.Columns:
    """3,000 one-minute bars of eight perpetuals."""
    table = pq.read_table(data_dir / "ohlcv" / "binance_usdm_1m_8symbols_2025.parquet")
    names = table.column("symbol").to_numpy(zero_copy_only=False)
    wide: market.Columns = {}
    for name in ("open", "high", "low", "close", "volume"):
        x = table.column(name).to_numpy().astype(np.float64)
        wide[name] = np.column_stack([x[names == one][:3000] for one in np.unique(names)])
    wide["buy"] = wide["volume"] / 2
    return market.complete(wide)
