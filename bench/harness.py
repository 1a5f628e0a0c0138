"""What every bench uses: repeated timing, the machine, and the line the runner reads."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"  # `make peers` makes it


def peer(script: str, *arguments: str | Path) -> dict[str, Any] | None:
    """What a script of ``bench/peers`` told in the peers' own environment; None where that is not installed."""
    if not PEERS_PYTHON.exists():
        return None
    done = subprocess.run(  # noqa: S603  # our own script, an interpreter of our own making
        [str(PEERS_PYTHON), str(ROOT / "bench" / "peers" / script), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def data_dir() -> Path | None:
    """The folder of recorded market data, or None where it is absent."""
    place = Path(os.environ.get("SEXTANT_DATA", ROOT.parent / "shared" / "data"))
    return place if (place / "README.md").is_file() else None


def times_ms(work: Callable[[], Any], runs: int = 7, warm: int = 1) -> list[float]:
    """Wall milliseconds of ``runs`` calls after ``warm`` calls that are not counted."""
    for _ in range(warm):
        work()
    spent = []
    for _ in range(runs):
        begun = time.perf_counter_ns()
        work()
        spent.append((time.perf_counter_ns() - begun) / 1e6)
    return spent


def summary(spent: list[float]) -> dict[str, float]:
    """Median, 95th percentile and count."""
    ordered = sorted(spent)
    return {
        "median": statistics.median(ordered),
        "p95": ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))],
        "n": float(len(ordered)),
    }


def tell(bench: str, figures: dict[str, float | None]) -> None:
    """Print the figures for a person and, in one line, for the runner; None is a peer that could not be measured."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{bench} ({machine})")
    for name, value in figures.items():
        print(f"  {name:<40} {'missing' if value is None else f'{value:,.3f}'}")
    print("BENCH " + json.dumps({"bench": bench, "figures": figures}))
