"""Scans from request to end on a real database and a real market."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sextant.errors import Conflict, InputError, NotFound, Stale
from sextant.kit.clock import ManualClock, SystemClock
from sextant.model.account import Account
from sextant.model.view import View
from sextant.scans import worker as worker_module
from sextant.scans.diagnostics import ScanDiagnostics
from sextant.scans.lifecycle import Caller, Origin, Scans
from sextant.scans.records import ScanEvent, ScanRequest, ScanStatus
from sextant.scans.run import EvidenceShelf, MarketPart
from sextant.scans.store import Change, ScanDetails, ScanRows
from sextant.scans.worker import ScanWorker
from sextant.strategies.catalog import strategies
from sextant.strategies.contract import Strategy
from sextant.strategies.prices import CostAssumptions
from support import scans as make
from support.database import sqlite
from support.markets import bars_of, framed, frozen, momentum_market


def _with_hours(view: View) -> View:
    """The view with hourly bars that move evenly between its four-hourly closes."""
    logs = np.log(view.bars["4h"].close)
    rows = np.arange(4 * len(logs)) / 4
    hours = np.column_stack(
        [np.interp(rows, np.arange(len(logs)) + 0.75, logs[:, s]) for s in range(logs.shape[1])]
    )
    return frozen(dataclasses.replace(view, bars={**view.bars, "1h": framed("1h", bars_of(np.exp(hours)))}))


_VIEW = _with_hours(momentum_market())
_CALLER = Caller("user-1", frozenset(strategies()), Account())
_MOMENTUM = "ai_spot_momentum_strategy"
_SECOND = "ai_spot_mean_reversion"


@dataclasses.dataclass
class _House:
    scans: Scans
    rows: ScanRows
    details: ScanDetails
    worker: ScanWorker
    diagnostics: ScanDiagnostics

    async def ended(self, scan_id: str) -> ScanStatus:
        async with asyncio.timeout(20):
            async for _ in await self.scans.events("user-1", scan_id, 0):
                pass
        return await self.scans.status("user-1", scan_id)


def _market() -> MarketPart:
    return MarketPart(_VIEW, CostAssumptions(), EvidenceShelf())


@asynccontextmanager
async def _house(
    folder: Path,
    catalogue: Mapping[str, Strategy] | None = None,
    market: Callable[[], MarketPart] = _market,
    *,
    working: bool = True,
) -> AsyncIterator[_House]:
    clock = SystemClock()
    async with sqlite(folder) as db:
        rows, details = ScanRows(db), ScanDetails(db)
        worker = ScanWorker(rows, clock, catalogue or strategies(), market)
        scans = Scans(
            rows, details, worker, clock, lambda: Origin("replay", simulated=False, code_version="test")
        )
        serving = asyncio.create_task(worker.serve()) if working else None
        try:
            yield _House(scans, rows, details, worker, ScanDiagnostics(rows, details, clock))
        finally:
            if serving is not None:
                serving.cancel()
                await asyncio.gather(serving, return_exceptions=True)


def _misbehaving(**replaced: Any) -> dict[str, Strategy]:
    """The catalogue with one strategy whose evaluate does something else."""
    catalogue = dict(strategies())
    catalogue[_MOMENTUM] = dataclasses.replace(catalogue[_MOMENTUM], **replaced)
    return catalogue


async def test_a_scan_ends_complete_with_ranked_opportunities(tmp_path: Path) -> None:
    async with _house(tmp_path) as house:
        accepted = await house.scans.discover(_CALLER, ScanRequest())
        status = await house.ended(accepted.scan_id)
        results = await house.scans.results("user-1", accepted.scan_id)
        assert (status.status, status.outcome, status.percentage) == ("complete", "ok", 100)
        assert status.view_hash == _VIEW.content_hash
        assert [item.rank for item in results.found] == list(range(1, status.found_count + 1))
        assert status.found_count >= 1
        assert sum(report.candidates for report in results.strategies) == 3 * _VIEW.size


async def test_the_id_answers_before_anything_has_run(tmp_path: Path) -> None:
    async with _house(tmp_path, working=False) as house:
        accepted = await house.scans.discover(_CALLER, ScanRequest())
        status = await house.scans.status("user-1", accepted.scan_id)
        assert (status.status, status.version, status.phase) == ("scanning", 1, "started")


async def test_equal_filters_join_the_running_scan_and_others_conflict(tmp_path: Path) -> None:
    async with _house(tmp_path, working=False) as house:
        first = await house.scans.discover(_CALLER, ScanRequest())
        again = await house.scans.discover(_CALLER, ScanRequest())
        assert (again.scan_id, again.joined) == (first.scan_id, True)
        with pytest.raises(Conflict, match=first.scan_id):
            await house.scans.discover(_CALLER, ScanRequest(min_grade="A"))


async def test_force_ends_the_running_scan_as_superseded(tmp_path: Path) -> None:
    async with _house(tmp_path, working=False) as house:
        first = await house.scans.discover(_CALLER, ScanRequest())
        second = await house.scans.discover(_CALLER, ScanRequest(min_grade="A"), force=True)
        ended = await house.scans.status("user-1", first.scan_id)
        assert second.scan_id != first.scan_id
        assert ended.error is not None
        assert (ended.status, ended.error.reason) == ("failed", "superseded")


async def test_parallel_requests_of_one_user_start_one_scan(tmp_path: Path) -> None:
    async with _house(tmp_path, working=False) as house:
        answers = await asyncio.gather(*(house.scans.discover(_CALLER, ScanRequest()) for _ in range(12)))
        assert len({answer.scan_id for answer in answers}) == 1
        assert sum(not answer.joined for answer in answers) == 1


async def test_a_repeated_key_gives_the_first_answer_and_another_body_is_refused(tmp_path: Path) -> None:
    async with _house(tmp_path) as house:
        first = await house.scans.discover(_CALLER, ScanRequest(), key="key-12345")
        await house.ended(first.scan_id)
        again = await house.scans.discover(_CALLER, ScanRequest(), key="key-12345")
        assert (again.scan_id, again.replayed) == (first.scan_id, True)
        with pytest.raises(InputError) as refused:
            await house.scans.discover(_CALLER, ScanRequest(min_grade="A"), key="key-12345")
        assert refused.value.reason == "idempotency_mismatch"


async def test_events_are_each_told_once_in_order_and_resume_anywhere(tmp_path: Path) -> None:
    async with _house(tmp_path) as house:
        accepted = await house.scans.discover(_CALLER, ScanRequest())
        told = [event async for event in await house.scans.events("user-1", accepted.scan_id, 0)]
        assert [event.version for event in told] == list(range(1, len(told) + 1))
        assert told[-1].kind == "done"
        assert sum(event.kind == "strategy" for event in told) == 3
        assert all(event.found is not None for event in told if event.kind == "opportunity")
        for after in range(len(told)):
            rest: list[ScanEvent] = [
                event async for event in await house.scans.events("user-1", accepted.scan_id, after)
            ]
            assert [event.version for event in rest] == [event.version for event in told[after:]]


async def test_progress_never_falls_while_a_scan_runs(tmp_path: Path) -> None:
    async with _house(tmp_path) as house:
        accepted = await house.scans.discover(_CALLER, ScanRequest())
        seen: list[tuple[int, int, int, int]] = []
        while not seen or (await house.scans.status("user-1", accepted.scan_id)).status == "scanning":
            status = await house.scans.status("user-1", accepted.scan_id)
            seen.append((status.version, status.ended_strategies, status.found_count, status.percentage))
            await asyncio.sleep(0)
        for earlier, later in itertools.pairwise(seen):
            assert all(a <= b for a, b in zip(earlier, later, strict=True))


async def test_foreign_scans_do_not_exist(tmp_path: Path) -> None:
    async with _house(tmp_path, working=False) as house:
        accepted = await house.scans.discover(_CALLER, ScanRequest())
        for ask in (house.scans.status, house.scans.results, house.scans.coverage, house.scans.cancel):
            with pytest.raises(NotFound):
                await ask("user-2", accepted.scan_id)
        with pytest.raises(NotFound):
            await house.scans.events("user-2", accepted.scan_id, 0)


async def test_a_cancelled_scan_stays_cancelled(tmp_path: Path) -> None:
    gate = threading.Event()

    def slow(*_: object) -> Any:
        gate.wait(10)
        raise AssertionError

    async with _house(tmp_path, _misbehaving(evaluate=slow)) as house:
        accepted = await house.scans.discover(_CALLER, ScanRequest())
        cancelled = await house.scans.cancel("user-1", accepted.scan_id)
        gate.set()
        assert cancelled.error is not None
        assert (cancelled.status, cancelled.error.reason) == ("failed", "cancelled")
        assert (await house.scans.cancel("user-1", accepted.scan_id)).version == cancelled.version
        following = await house.scans.discover(_CALLER, ScanRequest(strategy_ids=(_SECOND,)))
        assert (await house.ended(following.scan_id)).status == "complete"
        assert (await house.scans.status("user-1", accepted.scan_id)).version == cancelled.version


async def test_a_strategy_that_raises_fails_alone_and_says_what_it_met(tmp_path: Path) -> None:
    def broken(*_: object) -> Any:
        raise ZeroDivisionError

    async with _house(tmp_path, _misbehaving(evaluate=broken)) as house:
        accepted = await house.scans.discover(_CALLER, ScanRequest())
        status = await house.ended(accepted.scan_id)
        results = await house.scans.results("user-1", accepted.scan_id)
        failed = results.strategies[0]
        assert (status.status, status.outcome, status.complete_coverage) == ("complete", "partial", False)
        assert (failed.outcome, failed.reason) == ("failed", "ZeroDivisionError")
        assert failed.dispositions["failed"] == failed.candidates == _VIEW.size
        assert [report.outcome for report in results.strategies[1:]] == ["empty", "empty"]


async def test_a_strategy_that_returns_garbage_fails_alone(tmp_path: Path) -> None:
    async with _house(tmp_path, _misbehaving(evaluate=lambda *_: "garbage")) as house:
        accepted = await house.scans.discover(_CALLER, ScanRequest())
        status = await house.ended(accepted.scan_id)
        assert (status.outcome, status.outcomes["failed"]) == ("partial", 1)


async def test_a_strategy_past_its_stop_is_late_and_the_others_keep_their_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    def stuck(*_: object) -> Any:
        gate.wait(10)

    monkeypatch.setattr(worker_module, "STRATEGY_HARD_STOP_S", 0.2)
    async with _house(tmp_path, _misbehaving(evaluate=stuck)) as house:
        accepted = await house.scans.discover(_CALLER, ScanRequest())
        status = await house.ended(accepted.scan_id)
        gate.set()
        results = await house.scans.results("user-1", accepted.scan_id)
        assert (status.status, status.outcome) == ("complete", "partial")
        assert [report.outcome for report in results.strategies] == ["late", "empty", "empty"]
        assert results.strategies[0].dispositions["late"] == _VIEW.size


async def test_a_scan_without_a_market_fails_and_says_why(tmp_path: Path) -> None:
    def nothing() -> MarketPart:
        raise Stale("No instrument is known yet.")

    async with _house(tmp_path, market=nothing) as house:
        accepted = await house.scans.discover(_CALLER, ScanRequest(instruments=("BTC",)))
        status = await house.ended(accepted.scan_id)
        assert status.error is not None
        assert (status.status, status.error.reason, status.error.detail) == (
            "failed",
            "view_unavailable",
            "No instrument is known yet.",
        )


async def test_scans_of_a_lost_process_end_and_keep_what_they_found(tmp_path: Path) -> None:
    async with _house(tmp_path, working=False) as house:
        accepted = await house.scans.discover(_CALLER, ScanRequest())
    async with _house(tmp_path) as house:
        assert await house.worker.recover() == 1
        status = await house.scans.status("user-1", accepted.scan_id)
        assert status.error is not None
        assert (status.status, status.error.reason) == ("failed", "worker_lost")
        assert await house.worker.recover() == 0
        following = await house.scans.discover(_CALLER, ScanRequest())
        assert (await house.ended(following.scan_id)).status == "complete"


async def test_phases_and_steps_tell_the_whole_life_of_a_scan(tmp_path: Path) -> None:
    async with _house(tmp_path) as house:
        accepted = await house.scans.discover(_CALLER, ScanRequest())
        await house.ended(accepted.scan_id)
        life = await house.diagnostics.lifecycle(accepted.scan_id, "user-1")
        steps = await house.diagnostics.steps(accepted.scan_id, "user-1")
        metrics = await house.diagnostics.metrics()
        assert [phase.phase for phase in life.phases] == [
            "started",
            "portfolio_fetch",
            "asset_discovery",
            "strategies_scan",
            "completed",
        ]
        assert {phase.status for phase in life.phases} == {"completed"}
        assert life.stuck_s is None
        assert len(steps.steps) == 14 + 3
        assert {step.status for step in steps.steps} == {"completed"}
        assert (metrics.day.total_scans, metrics.day.successful_scans) == (1, 1)


async def test_a_scan_that_does_not_move_for_fifteen_seconds_is_stuck(tmp_path: Path) -> None:
    clock = ManualClock(now_ns=10**18)
    async with sqlite(tmp_path) as db:
        rows = ScanRows(db)
        diagnostics = ScanDiagnostics(rows, ScanDetails(db), clock)
        accepted = make.status(started_ns=10**18, updated_ns=10**18)
        await rows.create(accepted, make.reports(), make.steps(), None)
        clock.advance(14.9)
        assert (await diagnostics.lifecycle(accepted.scan_id, None)).stuck_s is None
        clock.advance(0.1)
        assert (await diagnostics.lifecycle(accepted.scan_id, None)).stuck_s == pytest.approx(15.0)
        await rows.change(accepted.scan_id, 1, clock.now_ns(), Change())
        assert (await diagnostics.lifecycle(accepted.scan_id, None)).stuck_s is None
