"""Packs of bars on disk with all that recorded ones have: late listings, delistings, gaps, hours without a trade."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from sextant.model.times import HOUR_NS
from support.evidence import noise_of

START_NS = 1_704_067_200_000_000_000  # 2024-01-01T00:00Z
SYMBOLS = tuple(
    f"{base}USDT"
    for base in ("BTC", "ETH", "BTCST", "ADA", "SOL", "XRP", "LTC", "DOT", "EOS", "TRX", "UNI", "XLM")
)


def hours_of(symbols: tuple[str, ...], rows: int, seed: int = 1) -> pa.Table:
    """Hourly bars of a common move and an own one that reverts, with bursts of 2 % moves on six times the volume."""
    size = len(symbols)
    common, own = noise_of([seed], rows), noise_of([seed * 1_000 + column for column in range(size)], rows)
    level, x = np.zeros(size), np.empty((rows, size))
    for row in range(rows):
        level = 0.9 * level + 0.006 * own[row]
        x[row] = level
    steps = np.diff(x, axis=0, prepend=0.0) + 0.004 * common
    burst = (np.arange(rows)[:, None] + 13 * np.arange(size)) % 97 == 0
    steps += np.where(burst, 0.02 * np.sign(own), 0.0)
    close = np.round(100.0 * np.exp(np.cumsum(steps, axis=0)), 4)
    before = np.vstack((np.full(size, 100.0), close[:-1]))
    reach = 0.002 + 0.001 * np.abs(own)
    volume = np.round(np.where(burst, 6e4, 1e4) * (1.0 + 0.2 * np.abs(own)), 1)
    volume[100::200, 1] = 0.0
    held = np.ones((rows, size), dtype=np.bool_)
    held[: rows // 3, 2] = False
    held[rows * 3 // 4 :, 3] = False
    held[rows // 2 : rows // 2 + 5, 4] = False
    column, at = np.nonzero(held.T)
    fields = {
        "open": before,
        "high": np.round(np.maximum(before, close) * (1.0 + reach), 4),
        "low": np.round(np.minimum(before, close) * (1.0 - reach), 4),
        "close": close,
        "volume": volume,
    }
    return pa.table(
        {
            "symbol": [symbols[place] for place in column],
            "date": START_NS + (1 + at) * HOUR_NS,
            **{name: values[at, column] for name, values in fields.items()},
        }
    )


def one_file(folder: Path, rows: int = 1_700, symbols: tuple[str, ...] = SYMBOLS, seed: int = 1) -> Path:
    """All instruments in one file, three to a group of rows."""
    path = folder / "binance_spot_1h.parquet"
    pq.write_table(hours_of(symbols, rows, seed), path, row_group_size=3 * rows)
    return path


def in_folders(folder: Path, whole: pa.Table, split_ns: int) -> Path:
    """The same bars as files of two spans in a folder for each symbol."""
    root = folder / "binance_spot_1h"
    for symbol in sorted(set(whole.column("symbol").to_pylist())):
        own = whole.filter(pa.compute.equal(whole.column("symbol"), symbol)).drop_columns(["symbol"])
        for name, keep in (("1", pa.compute.less), ("2", pa.compute.greater_equal)):
            part = own.filter(keep(own.column("date"), split_ns))
            place = root / f"symbol={symbol}" / f"{name}.parquet"
            place.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(part, place)
    return root
