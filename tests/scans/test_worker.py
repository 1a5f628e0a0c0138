from __future__ import annotations

import asyncio
import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from sextant.errors import Stale
from sextant.scans import crew as crew_module
from sextant.scans import worker as worker_module
from sextant.scans.records import ScanRequest
from sextant.scans.run import MarketPart
from support.house import CALLER, MOMENTUM, VIEW, house, market, misbehaving, three

_SECOND = "ai_spot_mean_reversion"


async def test_a_strategy_that_raises_fails_alone_and_says_what_it_met(tmp_path: Path) -> None:
    def broken(*_: object) -> Any:
        raise ZeroDivisionError

    async with house(tmp_path, misbehaving(evaluate=broken)) as home:
        accepted = await home.scans.discover(CALLER, ScanRequest())
        status = await home.ended(accepted.scan_id)
        results = await home.scans.results("user-1", accepted.scan_id)
        failed = results.strategies[0]
        assert (status.status, status.outcome, status.complete_coverage) == ("complete", "partial", False)
        assert (failed.outcome, failed.reason) == ("failed", "ZeroDivisionError")
        assert failed.dispositions["failed"] == failed.candidates == VIEW.size
        assert [report.outcome for report in results.strategies[1:]] == ["empty", "empty"]


async def test_a_strategy_that_returns_garbage_fails_alone(tmp_path: Path) -> None:
    async with house(tmp_path, misbehaving(evaluate=lambda *_: "garbage")) as home:
        accepted = await home.scans.discover(CALLER, ScanRequest())
        status = await home.ended(accepted.scan_id)
        assert (status.outcome, status.outcomes["failed"]) == ("partial", 1)


async def test_a_strategy_past_its_stop_is_late_and_the_others_keep_their_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    def stuck(*_: object) -> Any:
        gate.wait(30)

    monkeypatch.setattr(crew_module, "STRATEGY_HARD_STOP_S", 3.0)  # what the others take on a busy machine
    async with house(tmp_path, misbehaving(evaluate=stuck)) as home:
        accepted = await home.scans.discover(CALLER, ScanRequest())
        status = await home.ended(accepted.scan_id)
        gate.set()
        results = await home.scans.results("user-1", accepted.scan_id)
        assert (status.status, status.outcome) == ("complete", "partial")
        assert [report.outcome for report in results.strategies] == ["late", "empty", "empty"]
        assert results.strategies[0].dispositions["late"] == VIEW.size


async def test_a_scan_without_a_market_fails_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "MARKET_S", 0.0)

    def nothing() -> MarketPart:
        raise Stale("No instrument is known yet.")

    async with house(tmp_path, market=nothing) as home:
        accepted = await home.scans.discover(CALLER, ScanRequest(instruments=("BTC",)))
        status = await home.ended(accepted.scan_id)
        assert status.error is not None
        assert (status.status, status.error.reason, status.error.detail) == (
            "failed",
            "view_unavailable",
            "No instrument is known yet.",
        )


class Told:
    """Who is told how scans and strategies ended."""

    def __init__(self) -> None:
        self.strategies: list[tuple[str, str]] = []
        self.scans: list[tuple[str, bool]] = []

    def scanning(self) -> AbstractContextManager[None]:
        return nullcontext()

    def evaluated(self, strategy: str, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        self.strategies.append((strategy, outcome))

    def scanned(self, outcome: str, seconds: float, *, whole: bool) -> None:
        assert seconds >= 0
        self.scans.append((outcome, whole))


async def test_an_observer_is_told_each_ending_once(tmp_path: Path) -> None:
    def broken(*_: object) -> Any:
        raise ValueError("a defect")

    told = Told()
    async with house(tmp_path, misbehaving(evaluate=broken)) as home:
        home.worker.observer = told
        accepted = await home.scans.discover(CALLER, ScanRequest())
        status = await home.ended(accepted.scan_id)
        results = await home.scans.results("user-1", accepted.scan_id)
    assert sorted(told.strategies) == sorted((row.strategy_id, row.outcome) for row in results.strategies)
    assert told.scans == [(status.outcome, False)]


async def test_a_process_without_a_market_leaves_scans_until_it_has_one(tmp_path: Path) -> None:
    asked = 0

    def late() -> MarketPart:
        nonlocal asked
        asked += 1
        if asked < 4:
            raise Stale("No instrument is known yet.")
        return market()

    async with house(tmp_path, market=late) as home:
        accepted = await home.scans.discover(CALLER, ScanRequest())
        status = await home.ended(accepted.scan_id)
        assert (status.status, status.outcome) == ("complete", "ok")


async def test_a_stopping_process_lets_its_scan_end_and_takes_no_other(tmp_path: Path) -> None:
    gate = threading.Event()
    begun = threading.Event()
    whole = three()[MOMENTUM].evaluate

    def slow(*facts: Any) -> Any:
        begun.set()
        gate.wait(30)
        return whole(*facts)

    async with house(tmp_path, misbehaving(evaluate=slow), working=False) as home:
        accepted = await home.scans.discover(CALLER, ScanRequest())
        serving = asyncio.create_task(home.worker.serve())
        await asyncio.to_thread(begun.wait, 10)
        home.worker.stop()
        gate.set()
        async with asyncio.timeout(20):
            await serving
        assert (await home.scans.status("user-1", accepted.scan_id)).status == "complete"
        following = await home.scans.discover(CALLER, ScanRequest())
        assert await home.ledger.leases.waiting() == [following.scan_id]


async def test_a_stopped_process_gives_back_a_scan_that_does_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "GRACE_S", 0.0)
    gate = threading.Event()
    begun = threading.Event()

    def stuck(*_: object) -> Any:
        begun.set()
        gate.wait(30)

    async with house(tmp_path, misbehaving(evaluate=stuck), working=False) as home:
        accepted = await home.scans.discover(CALLER, ScanRequest())
        serving = asyncio.create_task(home.worker.serve())
        await asyncio.to_thread(begun.wait, 10)
        home.worker.stop()
        async with asyncio.timeout(20):
            await serving
        gate.set()
        assert await home.ledger.leases.waiting() == [accepted.scan_id]
        assert (await home.scans.status("user-1", accepted.scan_id)).status == "scanning"
