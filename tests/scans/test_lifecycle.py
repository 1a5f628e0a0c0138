from __future__ import annotations

import asyncio
import itertools
import threading
from pathlib import Path
from typing import Any

import pytest

from sextant.errors import Conflict, InputError, NotFound
from sextant.scans.records import ScanEvent, ScanRequest
from support.house import CALLER, VIEW, house, misbehaving

_SECOND = "ai_spot_mean_reversion"


async def test_a_scan_ends_complete_with_ranked_opportunities(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        accepted = await home.scans.discover(CALLER, ScanRequest())
        status = await home.ended(accepted.scan_id)
        results = await home.scans.results("user-1", accepted.scan_id)
        assert (status.status, status.outcome, status.percentage) == ("complete", "ok", 100)
        assert status.view_hash == VIEW.content_hash
        assert [item.rank for item in results.found] == list(range(1, status.found_count + 1))
        assert status.found_count >= 1
        assert sum(report.candidates for report in results.strategies) == 3 * VIEW.size


async def test_the_id_answers_before_anything_has_run(tmp_path: Path) -> None:
    async with house(tmp_path, working=False) as home:
        accepted = await home.scans.discover(CALLER, ScanRequest())
        status = await home.scans.status("user-1", accepted.scan_id)
        assert (status.status, status.version, status.phase) == ("scanning", 1, "started")


async def test_equal_filters_join_the_running_scan_and_others_conflict(tmp_path: Path) -> None:
    async with house(tmp_path, working=False) as home:
        first = await home.scans.discover(CALLER, ScanRequest())
        again = await home.scans.discover(CALLER, ScanRequest())
        assert (again.scan_id, again.joined) == (first.scan_id, True)
        with pytest.raises(Conflict, match=first.scan_id):
            await home.scans.discover(CALLER, ScanRequest(min_grade="A"))


async def test_force_ends_the_running_scan_as_superseded(tmp_path: Path) -> None:
    async with house(tmp_path, working=False) as home:
        first = await home.scans.discover(CALLER, ScanRequest())
        second = await home.scans.discover(CALLER, ScanRequest(min_grade="A"), force=True)
        ended = await home.scans.status("user-1", first.scan_id)
        assert second.scan_id != first.scan_id
        assert ended.error is not None
        assert (ended.status, ended.error.reason) == ("failed", "superseded")


async def test_parallel_requests_of_one_user_start_one_scan(tmp_path: Path) -> None:
    async with house(tmp_path, working=False) as home:
        answers = await asyncio.gather(*(home.scans.discover(CALLER, ScanRequest()) for _ in range(12)))
        assert len({answer.scan_id for answer in answers}) == 1
        assert sum(not answer.joined for answer in answers) == 1


async def test_a_repeated_key_gives_the_first_answer_and_another_body_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        first = await home.scans.discover(CALLER, ScanRequest(), key="key-12345")
        await home.ended(first.scan_id)
        again = await home.scans.discover(CALLER, ScanRequest(), key="key-12345")
        assert (again.scan_id, again.replayed) == (first.scan_id, True)
        with pytest.raises(InputError) as refused:
            await home.scans.discover(CALLER, ScanRequest(min_grade="A"), key="key-12345")
        assert refused.value.reason == "idempotency_mismatch"


async def test_events_are_each_told_once_in_order_and_resume_anywhere(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        accepted = await home.scans.discover(CALLER, ScanRequest())
        told = [event async for event in await home.scans.events("user-1", accepted.scan_id, 0)]
        assert [event.version for event in told] == list(range(1, len(told) + 1))
        assert told[-1].kind == "done"
        assert sum(event.kind == "strategy" for event in told) == 3
        assert all(event.found is not None for event in told if event.kind == "opportunity")
        for after in range(len(told)):
            rest: list[ScanEvent] = [
                event async for event in await home.scans.events("user-1", accepted.scan_id, after)
            ]
            assert [event.version for event in rest] == [event.version for event in told[after:]]


async def test_progress_never_falls_while_a_scan_runs(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        accepted = await home.scans.discover(CALLER, ScanRequest())
        seen: list[tuple[int, int, int, int]] = []
        while not seen or (await home.scans.status("user-1", accepted.scan_id)).status == "scanning":
            status = await home.scans.status("user-1", accepted.scan_id)
            seen.append((status.version, status.ended_strategies, status.found_count, status.percentage))
            await asyncio.sleep(0)
        for earlier, later in itertools.pairwise(seen):
            assert all(a <= b for a, b in zip(earlier, later, strict=True))


async def test_foreign_scans_do_not_exist(tmp_path: Path) -> None:
    async with house(tmp_path, working=False) as home:
        accepted = await home.scans.discover(CALLER, ScanRequest())
        for ask in (home.scans.status, home.scans.results, home.scans.coverage, home.scans.cancel):
            with pytest.raises(NotFound):
                await ask("user-2", accepted.scan_id)
        with pytest.raises(NotFound):
            await home.scans.events("user-2", accepted.scan_id, 0)


async def test_a_cancelled_scan_stays_cancelled(tmp_path: Path) -> None:
    gate = threading.Event()

    def slow(*_: object) -> Any:
        gate.wait(10)
        raise AssertionError

    async with house(tmp_path, misbehaving(evaluate=slow)) as home:
        accepted = await home.scans.discover(CALLER, ScanRequest())
        cancelled = await home.scans.cancel("user-1", accepted.scan_id)
        gate.set()
        assert cancelled.error is not None
        assert (cancelled.status, cancelled.error.reason) == ("failed", "cancelled")
        assert (await home.scans.cancel("user-1", accepted.scan_id)).version == cancelled.version
        following = await home.scans.discover(CALLER, ScanRequest(strategy_ids=(_SECOND,)))
        assert (await home.ended(following.scan_id)).status == "complete"
        assert (await home.scans.status("user-1", accepted.scan_id)).version == cancelled.version
