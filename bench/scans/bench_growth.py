"""Growth of W2 and W3: what 125, 250, 500 and 1,000 instruments and one to eight users cost, and the exponent of each figure.

Milliseconds of the processor, the least of some runs. Each size is measured in a process of its own: memory once taken is
not given back. W1 grows in ``bench/market/bench_universe.py``.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from math import log
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import msgspec
import numpy as np

from harness import tell
from indicators import bench_w2
from scans import bench_w3
from sextant.model.account import Account
from sextant.scans.offline import Question, scan
from sextant.scans.records import ScanRequest
from sextant.scans.run import EvidenceShelf, MarketPart
from sextant.strategies.catalog import strategies
from sextant.strategies.prices import CostAssumptions
from support.indicators import cut, walk

SIZES = (125, 250, 500, 1_000)
USERS = (1, 2, 4, 8)
RUNS = 3


def batches(size: int) -> dict[str, float]:
    """All indicators of a day of minutes, and of one new bar."""
    whole = walk(bench_w2.ROWS + bench_w2.STEPS, size, bench_w2.SEED)
    names = ("high", "low", "close", "volume")
    bars = cut({name: whole[name] for name in names}, slice(0, bench_w2.ROWS))
    bench_w2.ours(bars)  # compiles
    return {
        "indicators_ms": min(bench_w3.cpu_ms(lambda: bench_w2.ours(bars))[0] for _ in range(RUNS)),
        "indicators_bar_ms": float(np.median(bench_w2.new_bars({name: whole[name] for name in names}))),
    }


def scans(size: int) -> dict[str, float]:
    """A scan from raw bars, after one more minute, and of further users of the same view."""
    view = bench_w3.made_view(size // 2)
    rows = bench_w3.ROWS + bench_w3.WARM + 1
    minutes = bench_w3.frame("1m", np.random.default_rng(8), rows, size // 2)
    question = Question(ScanRequest(), Account(equity_usd=50_000.0), strategies(), "bench")
    assumptions = CostAssumptions()

    def spent(part: MarketPart, equity_usd: float = 50_000.0) -> float:
        asked = dataclasses.replace(question, account=Account(equity_usd=equity_usd))
        return bench_w3.cpu_ms(lambda: scan(part, asked))[0]

    spent(MarketPart(view, assumptions, EvidenceShelf()))  # compiles
    shelf = EvidenceShelf()
    cold = min(spent(MarketPart(view, assumptions, EvidenceShelf())) for _ in range(RUNS - 1))
    spent(MarketPart(view, assumptions, shelf))
    bench_w3.kept(MarketPart(view, assumptions, shelf))
    bars = []
    for number in range(1, RUNS + 1):
        part = MarketPart(bench_w3.with_minute(view, minutes, number), assumptions, shelf)
        bars.append(spent(part))
        bench_w3.kept(part)
    part = MarketPart(bench_w3.younger(view, 600), assumptions, shelf)
    spent(part)
    found = {"cold_ms": cold, "new_bar_ms": min(bars)}
    asked = 0
    for users in USERS:
        accounts = range(asked, asked + users)
        found[f"users_{users}_ms"] = sum(spent(part, 9_000.0 + number) for number in accounts)
        asked += users
    return found


def exponent(found: dict[int, dict[str, float]], name: str) -> float:
    """The power of the number of instruments with which a figure grows, from the smallest size to the largest."""
    small, large = found[SIZES[0]][name], found[SIZES[-1]][name]
    return log(large / small) / log(SIZES[-1] / SIZES[0])


def main() -> None:
    if len(sys.argv) > 1:
        size = int(sys.argv[1])
        sys.stdout.write(msgspec.json.encode(batches(size) | scans(size)).decode() + "\n")
        return
    found: dict[int, dict[str, float]] = {}
    for size in SIZES:
        done = subprocess.run([sys.executable, __file__, str(size)], capture_output=True, check=True)  # noqa: S603  # ourselves
        found[size] = msgspec.json.decode(done.stdout.splitlines()[-1])
    users = found[SIZES[-1]]
    tell(
        "scans.growth",
        {
            **{f"n{size}.{name}": value for size, row in found.items() for name, value in row.items()},
            **{f"growth.{name}": exponent(found, name) for name in found[SIZES[0]]},
            "growth.users": log(users[f"users_{USERS[-1]}_ms"] / users[f"users_{USERS[0]}_ms"])
            / log(USERS[-1] / USERS[0]),
        },
    )


if __name__ == "__main__":
    main()
