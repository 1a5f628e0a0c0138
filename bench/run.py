"""Run every bench and hold its figures against ``budgets.toml``; a missed promise fails the run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent
LONGEST_S = 900  # a bench that takes longer is broken, not slow


def run(script: Path) -> dict[str, dict[str, float | None]]:
    """The figures that a bench script told, by bench."""
    print(f"\n==> {script.relative_to(ROOT)}", flush=True)
    done = subprocess.run(  # noqa: S603  # our own scripts, our own interpreter
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
        cwd=ROOT.parent,
        env={"OPENBLAS_NUM_THREADS": "1", **os.environ},  # as the command does: figures are those of one core
    )
    told: dict[str, dict[str, float | None]] = {}
    for line in done.stdout.splitlines():
        if line.startswith("BENCH "):
            facts = json.loads(line.removeprefix("BENCH "))
            told[facts["bench"]] = facts["figures"]
        else:
            print(line)
    if done.returncode:
        print(done.stderr)
        told[script.stem] = {"failed": float(done.returncode)}
    return told


def verdicts(
    figures: dict[str, dict[str, float | None]], budgets: list[dict[str, object]]
) -> list[tuple[bool | None, str]]:
    """For each budget whether it is kept (None where it could not be measured) and a line that says so."""
    rows: list[tuple[bool | None, str]] = []
    for budget in budgets:
        name = f"{budget['bench']}.{budget['figure']}"
        value = figures.get(str(budget["bench"]), {}).get(str(budget["figure"]))
        limit = float(str(budget.get("at_most", budget.get("at_least"))))
        word = "at most" if "at_most" in budget else "at least"
        if value is None:
            rows.append((None, f"{name}: not measured ({word} {limit:g})"))
            continue
        kept = value <= limit if "at_most" in budget else value >= limit
        rows.append((kept, f"{name}: {value:,.3f}, {word} {limit:g}"))
    return rows


def main() -> int:
    """Exit status 0 when every measured budget is kept and every bench ran."""
    wanted = sys.argv[1:]
    scripts = [path for path in sorted(ROOT.glob("*/bench_*.py")) if not wanted or path.parent.name in wanted]
    figures: dict[str, dict[str, float | None]] = {}
    for script in scripts:
        figures |= run(script)
    rooms = {script.parent.name for script in scripts}
    budgets = tomllib.loads((ROOT / "budgets.toml").read_text())["budget"]
    rows = verdicts(figures, [budget for budget in budgets if str(budget["bench"]).split(".")[0] in rooms])
    print("\nBudgets")
    for kept, line in rows:
        print(f"  {'?' if kept is None else 'ok' if kept else 'MISSED'}  {line}")
    failed = [name for name, values in figures.items() if "failed" in values]
    for name in failed:
        print(f"  FAILED  {name}")
    return 1 if failed or any(kept is False for kept, _ in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
