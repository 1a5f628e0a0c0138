"""All-pairs Engle-Granger over 100 instruments (W3 b), both ways and with half-lives, with statsmodels beside it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from statsmodels.tsa.stattools import coint

from harness import summary, tell, times_ms
from sextant.strategies.cointegration import fit

ROWS, COUNT, PEER_PAIRS = 540, 100, 40


def main() -> None:
    chance = np.random.default_rng(1)
    logs = np.cumsum(chance.normal(0.0, 0.01, (ROWS, COUNT)), axis=0)
    i, j = np.triu_indices(COUNT, 1)
    legs = np.column_stack((i, j))
    spent = summary(times_ms(lambda: fit(logs, legs, 0, ROWS)))
    found = fit(logs, legs, 0, ROWS)
    begun, worst = time.perf_counter(), 0.0
    for pair in range(PEER_PAIRS):
        first, second = logs[:, i[pair]], logs[:, j[pair]]
        ways = [
            coint(y, x, trend="c", maxlag=1, autolag=None)[0] for y, x in ((first, second), (second, first))
        ]
        worst = max(worst, abs(min(ways) - float(found.t[pair])))
    peer_ms = (time.perf_counter() - begun) * 1e3 / PEER_PAIRS * len(legs)
    tell(
        "strategies.couples",
        {
            "all_pairs_100_ms": spent["median"],
            "all_pairs_100_p95_ms": spent["p95"],
            "statsmodels_ms": peer_ms,
            "times_faster": peer_ms / spent["median"],
            "greatest_difference_of_t": worst,
        },
    )


if __name__ == "__main__":
    main()
