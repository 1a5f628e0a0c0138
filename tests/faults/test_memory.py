"""A strategy that wants more memory than there is fails alone, with a reason; the scan and its process go on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).resolve().parent.parent
CHILD: Final = """
import asyncio, json, sys
from pathlib import Path
import numpy as np
from sextant.kit.memory import limit_memory
from sextant.scans.records import ScanRequest
from support.house import CALLER, house, misbehaving

def greedy(*_):
    return [np.ones(1 << 27) for _ in range(64)]  # 64 GB, a gigabyte at a time

async def main():
    async with house(Path(sys.argv[1]), misbehaving(evaluate=greedy)) as home:
        limit_memory(2048)
        accepted = await home.scans.discover(CALLER, ScanRequest())
        status = await home.ended(accepted.scan_id)
        results = await home.scans.results("user-1", accepted.scan_id)
        told = [(report.outcome, report.reason) for report in results.strategies]
        following = await home.scans.discover(CALLER, ScanRequest(strategy_ids=("ai_spot_mean_reversion",)))
        after = await home.ended(following.scan_id)
        print(json.dumps([status.status, status.outcome, told, after.status]))

asyncio.run(main())
"""


def test_a_strategy_that_eats_memory_fails_alone(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=TESTS,
        timeout=100,
        env={"PYTHONPATH": f"{TESTS}:{TESTS.parent / 'src'}", "PATH": "", "HOME": str(tmp_path)},
    )
    assert ended.returncode == 0, ended.stderr[-2_000:]
    status, outcome, told, after = json.loads(ended.stdout.splitlines()[-1])
    assert (status, outcome) == ("complete", "partial")
    assert told == [["failed", "out_of_memory"], ["empty", None], ["empty", None]]
    assert after == "complete"
