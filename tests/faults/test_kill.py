"""kill -9 in the middle of a scan: nothing acknowledged is lost, and every scan ends."""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from support.demo import ANSWERS, Demo

KILLS = int(os.environ.get("KILLS", "3"))  # `make kill` asks for more
SETTLE_S = 10.0  # api.md 2.3 rule 4
NEWEST = 20  # acknowledged scans that are looked at again after each death


@pytest.mark.timeout(0 if KILLS > 10 else 300)
def test_an_acknowledged_scan_survives_the_death_of_its_process(tmp_path: Path) -> None:
    dice = random.Random(7)  # noqa: S311  # repeatable moments of death, no secret
    demo = Demo(tmp_path, instruments=12).start()
    acknowledged: list[str] = []
    ends: Counter[str] = Counter()
    slowest_s = 0.0
    try:
        for _ in range(KILLS):
            accepted = demo.ask("POST", "/api/v1/opportunities/discover", {"force_refresh": True})
            assert accepted.status == 200
            acknowledged.append(accepted.body["scan_id"])
            time.sleep(dice.uniform(0.0, 0.15))
            demo.kill()
            demo.start(ANSWERS)
            begun = time.monotonic()
            for scan_id in acknowledged[-NEWEST:]:
                while True:
                    status = demo.ask("GET", f"/api/v1/opportunities/status/{scan_id}")
                    assert status.status == 200, scan_id
                    if status.body["status"] != "scanning":
                        break
                    assert time.monotonic() - begun < SETTLE_S, scan_id
                    time.sleep(0.1)
                slowest_s = max(slowest_s, time.monotonic() - begun)
                results = demo.ask("GET", f"/api/v1/opportunities/results/{scan_id}")
                if status.body["status"] == "failed":
                    assert status.body["error"]["reason"] in ("worker_lost", "superseded")
                assert results.status == 200
                assert len(results.body["opportunities"]) == results.body["total_opportunities"]
            ends[status.body["status"]] += 1
        following = demo.ask("POST", "/api/v1/opportunities/discover")
        assert following.status == 200
        sys.stderr.write(f"{KILLS} kills, ends {dict(ends)}, slowest settled after {slowest_s:.1f} s\n")
    finally:
        demo.kill()
