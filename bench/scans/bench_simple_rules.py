"""W3 (a): fourteen simple rules from raw bars of 1,000 instruments x 1,440 minutes, beside TA-Lib, NumPy and a loop over pandas."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from numpy.typing import NDArray

from harness import peer, summary, tell
from indicators import numpy_peer
from indicators.bench_w2 import COLUMNS, MIDNIGHT, PARTS, ROWS, SEED, Bars, contiguous, ours, talib_all
from sextant.model.bar import Floats
from support.indicators import walk

RUNS, LOOPED = 5, 50
NAMED = (
    "rsi",
    "fast",
    "slow",
    "macd",
    "atr",
    "adx",
    "obv",
    "ad",
    "vwap",
    "bands",
    "d",
    "cci",
    "mfi",
    "willr",
)


def rules(now: Mapping[str, Floats], close: Floats) -> NDArray[np.bool_]:
    """What each rule says of each instrument, bool (14, S)."""
    return np.array(
        [
            now["rsi"] < 30,
            now["rsi"] > 70,
            now["fast"] > now["slow"],
            now["macd"] > now["signal"],
            close < now["lower"],
            close > now["upper"],
            now["adx"] > 25,
            now["cci"] < -100,
            now["cci"] > 100,
            now["mfi"] < 20,
            now["willr"] < -80,
            now["d"] < 20,
            close > now["vwap"],
            now["atr"] / close > 0.002,
        ]
    )


def by_ours(bars: Bars) -> NDArray[np.bool_]:
    found = ours(bars)
    now: dict[str, Floats] = {}
    for (name, params), part in zip(PARTS, found, strict=True):
        own = {key: column[-1] for key, column in part.items()}
        if name == "ema":
            now["fast" if params["window"] == 12 else "slow"] = own["ema"]
        else:
            now |= own
    return rules(now | {"mfi": now["money_flow_index"], "willr": now["williams_r"]}, bars["close"][-1])


def by_numpy(bars: Bars, widths: Floats) -> NDArray[np.bool_]:
    every = numpy_peer.everything(bars, widths)
    now = {name: column[-1] if column.ndim == 2 else column for name, column in every.items()}
    close = bars["close"]
    now |= {"fast": every["ema_12"][-1], "slow": every["ema_26"][-1]}
    return rules(now | {"mfi": now["money_flow_index"], "willr": now["williams_r"]}, close[-1])


def by_talib(columns: list[Bars], widths: Floats) -> NDArray[np.bool_]:
    every = talib_all(columns, widths)
    now: dict[str, Floats] = {}
    for place, name in enumerate(NAMED):
        parts = [one[place] for one in every]
        if isinstance(parts[0], tuple):
            outputs = {"macd": ("macd", "signal"), "bands": ("upper", "middle", "lower"), "d": ("k", "d")}
            for number, output in enumerate(outputs.get(name, (name,))):
                now[output] = np.array([part[number][-1] for part in parts])
        else:
            now[name] = np.array([part[-1] for part in parts])
    return rules(now, np.array([b["close"][-1] for b in columns]))


def main() -> None:
    whole = walk(ROWS, COLUMNS, SEED)
    bars = {name: whole[name] for name in ("high", "low", "close", "volume")}
    columns = contiguous(bars)
    widths = ours(bars)[-1]["width"][-1]
    said = by_ours(bars)
    works: dict[str, Callable[[], NDArray[np.bool_]]] = {
        "ours": lambda: by_ours(bars),
        "talib": lambda: by_talib(columns, widths),
        "numpy": lambda: by_numpy(bars, widths),
    }
    spent: dict[str, list[float]] = {"ours": [], "talib": [], "numpy": []}
    for _ in range(RUNS):  # taken in turns, so that a busy machine slows all of them
        for name, work in works.items():
            begun = time.process_time()
            answer = work()
            spent[name].append((time.process_time() - begun) * 1e3)
            assert np.array_equal(answer, said), name
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bars.npz"
        few = {name: x[:, :LOOPED] for name, x in bars.items()}
        np.savez(path, first_minute=MIDNIGHT, **few)  # type: ignore[arg-type]  # its own flag could be among the names
        looped = peer("w3_rules.py", path)
    if looped is not None:
        assert np.array_equal(np.array(looped["told"]).T, said[:, :LOOPED])
    ours_ms, talib_ms, numpy_ms = (summary(spent[name])["median"] for name in ("ours", "talib", "numpy"))
    loop_ms = None if looped is None else looped["loop_ms"] * COLUMNS / LOOPED
    tell(
        "scans.simple_rules",
        {
            "ours_cpu_ms": ours_ms,
            "talib_numpy_cpu_ms": talib_ms,
            "numpy_cpu_ms": numpy_ms,
            "pandas_talib_loop_cpu_ms": loop_ms,
            "to_talib": ours_ms / talib_ms,
            "to_numpy": ours_ms / numpy_ms,
            "times_the_loop": None if loop_ms is None else loop_ms / ours_ms,
            "rules_that_hold": float(said.sum()),
        },
    )


if __name__ == "__main__":
    main()
