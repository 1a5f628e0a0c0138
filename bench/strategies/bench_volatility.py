"""W3 (c): implied volatilities of 2,000 options, with py_vollib beside them and equal answers."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from harness import peer, summary, tell
from sextant.strategies.black import implied, price

OPTIONS, RUNS = 2_000, 51


def main() -> None:
    chance = np.random.default_rng(1)
    forward = chance.uniform(20_000.0, 80_000.0, OPTIONS)
    years = chance.uniform(2.0, 365.0, OPTIONS) / 365.0
    iv = chance.uniform(0.2, 1.5, OPTIONS)
    # Strikes as they are listed: within two and a half standard deviations.
    strike = forward * np.exp(iv * np.sqrt(years) * chance.uniform(-2.5, 2.5, OPTIONS))
    right = np.where(chance.random(OPTIONS) < 0.5, 1, -1)
    value = price(forward, strike, iv, years, right)
    found = implied(value, forward, strike, years, right)
    spent = []
    for _ in range(RUNS):
        begun = time.process_time()
        implied(value, forward, strike, years, right)
        spent.append((time.process_time() - begun) * 1e3)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "options.npz"
        np.savez(path, value=value, forward=forward, strike=strike, years=years, right=right)
        theirs = peer("w3_volatility.py", path)
    ours_ms = summary(spent)["median"]
    vectorised = None if theirs is None else theirs["vectorised_ms"]
    tell(
        "strategies.volatility",
        {
            "implied_2000_ms": ours_ms,
            "implied_2000_p95_ms": summary(spent)["p95"],
            "greatest_error": float(np.abs(found - iv).max()),
            "py_vollib_ms": None if theirs is None else theirs["one_by_one_ms"],
            "py_vollib_vectorized_ms": vectorised,
            "to_py_vollib": None if theirs is None else ours_ms / theirs["one_by_one_ms"],
            "to_py_vollib_vectorized": None if vectorised is None else ours_ms / vectorised,
            "greatest_difference": None
            if theirs is None
            else float(np.abs(found - np.array(theirs["iv"])).max()),
        },
    )


if __name__ == "__main__":
    main()
