"""How a strategy ended in a person's newest scans."""

from __future__ import annotations

from pathlib import Path

from sextant.scans.records import ScanRequest
from sextant.scans.strategy_runs import StrategyRuns
from support.house import CALLER, MOMENTUM, house, misbehaving


async def test_runs_are_counted_by_outcome_and_the_newest_is_told(tmp_path: Path) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    async with house(tmp_path, misbehaving(evaluate=broken)) as home:
        ids = []
        for _ in range(2):
            accepted = await home.scans.discover(CALLER, ScanRequest())
            await home.ended(accepted.scan_id)
            ids.append(accepted.scan_id)
        runs = StrategyRuns(home.db)
        found = await runs.of("user-1", MOMENTUM)
        assert (found.count, found.outcomes) == (2, {"failed": 2})
        assert found.last is not None
        assert (found.last.scan_id, found.last.report.reason) == (ids[-1], "ZeroDivisionError")
        other = await runs.of("user-1", "ai_spot_mean_reversion")
        assert (other.count, other.outcomes) == (2, {"empty": 2})
        nobody = await runs.of("user-2", MOMENTUM)
        assert (nobody.count, nobody.outcomes, nobody.last) == (0, {}, None)
