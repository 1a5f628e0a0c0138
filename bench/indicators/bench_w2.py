"""W2: fourteen indicators of 1,000 instruments x 1,440 minutes, and one new bar, beside TA-Lib and plain NumPy."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import talib

from harness import summary, tell, times_ms
from indicators import numpy_peer
from sextant.indicators.catalog import indicator
from sextant.indicators.contract import State, batch, begin, fold, step
from sextant.model.bar import Floats
from support.indicators import cut, walk

ROWS, COLUMNS, SEED = 1_440, 1_000, 7
MIDNIGHT = 29_000_160
TAIL_ROWS = 250
STEPS = 60
CONSTANTS = {"price_step": 0.01, "lot_size": 0.001}

PARTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("rsi", {}),
    ("ema", {"window": 12}),
    ("ema", {"window": 26}),
    ("macd", {}),
    ("atr", {}),
    ("adx", {}),
    ("on_balance_volume", {}),
    ("accumulation_distribution", {}),
    ("vwap", {}),
    ("bollinger", {}),
    ("stochastic_rsi", {}),
    ("cci", {}),
    ("money_flow_index", {}),
    ("williams_r", {}),
    ("volume_profile", CONSTANTS),
)

Bars = dict[str, Floats]


def ours(bars: Bars) -> list[dict[str, Floats]]:
    """All indicators of all rows."""
    found = []
    for name, params in PARTS:
        chosen = indicator(name)
        found.append(batch(chosen, bars, MIDNIGHT, chosen.values(**params)))
    return found


def talib_column(b: Bars, width: float) -> tuple[Any, ...]:
    """The same of one instrument; TA-Lib has no profile, so that is NumPy's."""
    high, low, close, volume = b["high"], b["low"], b["close"], b["volume"]
    bins = np.floor((high + low + close) / 3 / width).astype(np.int64)
    return (
        talib.RSI(close, 14),
        talib.EMA(close, 12),
        talib.EMA(close, 26),
        talib.MACD(close, 12, 26, 9),
        talib.ATR(high, low, close, 14),
        talib.ADX(high, low, close, 14),
        talib.OBV(close, volume),
        talib.AD(high, low, close, volume),
        talib.VWAP(high, low, close, volume),
        talib.BBANDS(close, 20, 2.0, 2.0),
        talib.STOCHRSI(close, 14, 14, 3),
        talib.CCI(high, low, close, 20),
        talib.MFI(high, low, close, volume, 14),
        talib.WILLR(high, low, close, 14),
        (bins.min() + np.bincount(bins - bins.min(), weights=volume).argmax() + 0.5) * width,
    )


def talib_all(columns: list[Bars], widths: Floats) -> list[tuple[Any, ...]]:
    return [talib_column(b, widths[s]) for s, b in enumerate(columns)]


def contiguous(bars: Bars) -> list[Bars]:
    """Each instrument's columns as arrays of their own, as TA-Lib likes them."""
    wide = {name: np.ascontiguousarray(x.T) for name, x in bars.items()}
    return [{name: x[s] for name, x in wide.items()} for s in range(COLUMNS)]


def check(found: list[dict[str, Floats]], columns: list[Bars], bars: Bars, widths: Floats) -> None:
    """Our last row equals TA-Lib's and NumPy's."""
    mine = [
        part.get(name, next(iter(part.values())))[-1] for part, (name, _) in zip(found, PARTS, strict=True)
    ]
    theirs = talib_all(columns, widths)
    for k, (name, _) in enumerate(PARTS):
        first = [
            one[k] if k == len(PARTS) - 1 else (one[k][0] if isinstance(one[k], tuple) else one[k])[-1]
            for one in theirs
        ]
        assert np.allclose(mine[k], first, rtol=1e-9, atol=1e-7), name
    peer = numpy_peer.everything(bars, widths)
    for part in found:
        for output, x in part.items():
            if output in peer and output != "d":
                last = peer[output] if peer[output].ndim == 1 else peer[output][-1]
                assert np.allclose(x[-1], last, rtol=1e-9, atol=1e-7), output


def new_bars(bars: Bars) -> list[float]:
    """Wall milliseconds of each of some new bars, all indicators by step."""
    states: list[tuple[Any, State, Any]] = []
    for name, params in PARTS:
        chosen = indicator(name)
        values = chosen.values(**params)
        state = begin(chosen, bars["close"].shape[1], values)
        fold(chosen, state, MIDNIGHT, cut(bars, slice(0, ROWS)), values)
        states.append((chosen, state, values))
    spent = []
    for t in range(ROWS, ROWS + STEPS):
        row = {name: x[t] for name, x in bars.items()}
        begun = time.perf_counter_ns()
        for chosen, state, values in states:
            step(chosen, state, MIDNIGHT + t, row, values)
        spent.append((time.perf_counter_ns() - begun) / 1e6)
    return spent


def first_calls() -> tuple[float, float]:
    """Seconds of the first call of all of them in a new process: compiling, and from the disk."""
    here = Path(__file__).resolve()
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "NUMBA_CACHE_DIR": folder}
        spent = []
        for _ in range(2):
            done = subprocess.run(  # noqa: S603  # this script with our own interpreter
                [sys.executable, str(here), "first"], env=env, check=True, capture_output=True, text=True
            )
            spent.append(float(done.stdout.split()[-1]))
    return spent[0], spent[1]


def main() -> None:
    whole = walk(ROWS + STEPS, COLUMNS, SEED)
    bars = cut({name: whole[name] for name in ("high", "low", "close", "volume")}, slice(0, ROWS))
    columns = contiguous(bars)
    found = ours(bars)
    widths = found[-1]["width"][-1]
    check(found, columns, bars, widths)
    del found
    tails = [{name: x[-TAIL_ROWS:].copy() for name, x in b.items()} for b in columns]
    mine, theirs = [], []
    for _ in range(7):  # taken in turns, so that a busy machine slows both
        mine += times_ms(lambda: ours(bars), runs=1, warm=0)
        theirs += times_ms(lambda: talib_all(columns, widths), runs=1, warm=0)
    batch_ms, talib_ms = summary(mine), summary(theirs)
    numpy_ms = summary(times_ms(lambda: numpy_peer.everything(bars, widths), runs=5))
    bar_ms = summary(new_bars({name: whole[name] for name in bars}))
    tail_ms = summary(times_ms(lambda: talib_all(tails, widths), runs=5))
    compiling, cached = first_calls()
    tell(
        "indicators.w2",
        {
            "batch_ms": batch_ms["median"],
            "batch_p95_ms": batch_ms["p95"],
            "batch_n": batch_ms["n"],
            "talib_batch_ms": talib_ms["median"],
            "talib_batch_p95_ms": talib_ms["p95"],
            "numpy_batch_ms": numpy_ms["median"],
            "batch_to_talib": batch_ms["median"] / talib_ms["median"],
            "batch_to_numpy": batch_ms["median"] / numpy_ms["median"],
            "bar_ms": bar_ms["median"],
            "bar_p95_ms": bar_ms["p95"],
            "bar_n": bar_ms["n"],
            "talib_bar_250_ms": tail_ms["median"],
            "bar_to_talib": bar_ms["median"] / tail_ms["median"],
            # No pandas-ta is in the registries for these versions; nobody wrote the fourteen in polars here.
            "pandas_ta_batch_ms": None,
            "polars_batch_ms": None,
            "first_call_compiling_s": compiling,
            "first_call_cached_s": cached,
        },
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["first"]:
        start = time.perf_counter()
        ours(walk(3, 2, SEED))
        print(time.perf_counter() - start)
    else:
        main()
