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

from sextant.indicators.catalog import compute
from sextant.model.bar import Floats
from support import indicators as market

FIRST = 29_000_160
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
    flat: Callable[[Column], Floats] | None = None
    params: dict[str, Any] = field(default_factory=dict)


def still(x: Floats, rows: int) -> Floats:
    """Whether none of the last rows + 1 values differs from the one before it."""
    moved = np.concatenate(([0.0], np.abs(np.diff(x))))
    return np.array([not moved[max(0, t - rows + 1) : t + 1].any() for t in range(len(x))], dtype=np.float64)


PEERS = (
    Peer("sma", ("sma",), lambda b: (talib.SMA(b["close"], 20),), 1e-12),
    Peer("sma", ("sma",), lambda b: (talib.SMA(b["close"], 50),), 1e-12, params={"window": 50}),
    Peer("ema", ("ema",), lambda b: (talib.EMA(b["close"], 20),), 1e-15),
    Peer(
        "adx",
        ("plus_di", "minus_di", "adx"),
        lambda b: (
            talib.PLUS_DI(b["high"], b["low"], b["close"], 14),
            talib.MINUS_DI(b["high"], b["low"], b["close"], 14),
            talib.ADX(b["high"], b["low"], b["close"], 14),
        ),
        1e-12,
    ),
    Peer(
        "efficiency_ratio",
        ("efficiency_ratio",),
        lambda b: (talib.ER(b["close"], 20),),
        1e-12,
        flat=lambda b: still(b["close"], 20),
    ),
    Peer("rsi", ("rsi",), lambda b: (talib.RSI(b["close"], 14),), 1e-12),
    Peer(
        "atr",
        ("atr", "natr"),
        lambda b: (
            talib.ATR(b["high"], b["low"], b["close"], 14),
            talib.NATR(b["high"], b["low"], b["close"], 14),
        ),
        1e-12,
    ),
)

every = pytest.mark.parametrize("peer", PEERS, ids=[f"{peer.name}{peer.params or ''}" for peer in PEERS])


def compare(peer: Peer, bars: market.Columns) -> None:
    ours = compute(peer.name, bars, bar_index=FIRST, **peer.params)
    for s in range(bars["close"].shape[1]):
        column = {name: np.ascontiguousarray(x[:, s]) for name, x in bars.items()}
        skip = peer.flat(column) > 0 if peer.flat else np.zeros(len(column["close"]), dtype=np.bool_)
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
