"""Two processes on one PostgreSQL: what one does, the other tells; what one leaves, the other takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.errors import BudgetExceeded, Conflict
from sextant.kit.clock import SystemClock
from sextant.kit.db import migrate, open_engine
from sextant.kit.notices import Notices
from sextant.scans.ledger import Ledger, open_ledger
from sextant.scans.lifecycle import Origin, Scans
from sextant.scans.records import ScanRequest, ScanStatus
from sextant.scans.recovery import Recovery
from sextant.scans.signals import CHANNEL
from sextant.scans.store import HistoryFilter
from sextant.scans.tables import SCANS
from sextant.scans.worker import ScanWorker
from support.house import CALLER, market, three
from support.postgres import postgresql

pytestmark = pytest.mark.timeout(240)
PATIENCE_S: Final = (
    90.0  # a machine that runs other tests beside; what is promised in seconds is asserted by itself
)

ENDED: Final = HistoryFilter(status="complete")  # no first page, which would be read past the pool


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture
async def url(server: str) -> AsyncIterator[str]:
    db = open_engine(server)
    await migrate(db)
    yield server
    await migrate(db, "base")
    await db.dispose()


@dataclass
class Process:
    """What one process has: its own pool, its own signals, its own worker."""

    db: AsyncEngine
    ledger: Ledger
    scans: Scans
    worker: ScanWorker
    recovery: Recovery

    async def ended(self, scan_id: str) -> ScanStatus:
        async with asyncio.timeout(PATIENCE_S):
            async for _ in await self.scans.events("user-1", scan_id, 0):
                pass
        return await self.scans.status("user-1", scan_id)


@asynccontextmanager
async def process(url: str, *, working: bool) -> AsyncIterator[Process]:
    """One process, as ``sextant api`` (not working) or ``sextant work`` assembles it."""
    db, clock = open_engine(url), SystemClock()
    ledger = open_ledger(db)
    worker = ScanWorker(ledger, clock, three(), market)
    scans = Scans(ledger, worker, clock, lambda: Origin("replay", simulated=False, code_version="test"))
    recovery = Recovery(ledger, clock)
    hearing = Notices(db, clock, CHANNEL).hear(ledger.signals.hear, ledger.signals.hear_all)
    tasks = [asyncio.create_task(hearing), asyncio.create_task(recovery.watch())]
    tasks += [asyncio.create_task(worker.serve())] if working else []
    try:
        yield Process(db, ledger, scans, worker, recovery)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await db.dispose()


async def test_a_scan_accepted_by_one_process_is_run_by_another_and_told_by_a_third(url: str) -> None:
    async with process(url, working=False) as first, process(url, working=False) as third:
        accepted = await first.scans.discover(CALLER, ScanRequest())
        following = asyncio.create_task(third.ended(accepted.scan_id))
        async with process(url, working=True):
            status = await following
        assert (status.status, status.outcome) == ("complete", "ok")
        assert await first.scans.results("user-1", accepted.scan_id) == await third.scans.results(
            "user-1", accepted.scan_id
        )


async def test_a_stream_that_is_cut_resumes_at_another_process_with_each_event_once(url: str) -> None:
    async with process(url, working=False) as first, process(url, working=True) as second:
        accepted = await first.scans.discover(CALLER, ScanRequest())
        told: list[int] = []
        readers = [first, second]
        async with asyncio.timeout(PATIENCE_S):
            done = False
            while not done:
                reader = readers[
                    len(told) % 2
                ]  # every event is read at the other process than the one before
                after = told[-1] if told else 0
                async for event in await reader.scans.events("user-1", accepted.scan_id, after):
                    told.append(event.version)
                    done = event.kind == "done"
                    break
        assert told == list(range(1, len(told) + 1))
        assert len(told) == (await first.scans.status("user-1", accepted.scan_id)).version


async def test_each_scan_is_run_once_however_many_work(url: str) -> None:
    """faults.md P8."""
    async with (
        process(url, working=False) as front,
        process(url, working=True),
        process(url, working=True),
    ):
        ids = []
        for _ in range(6):
            accepted = await front.scans.discover(CALLER, ScanRequest())
            ids.append(accepted.scan_id)
            await front.ended(accepted.scan_id)
        async with front.db.connect() as connection:
            takes = (await connection.execute(sa.select(SCANS.c.lease_takes))).scalars().all()
        assert list(takes) == [1] * 6
        for scan_id in ids:
            events = await front.ledger.details.events(scan_id, 0)
            assert [event.kind for event in events].count("done") == 1


async def test_a_scan_that_is_cancelled_at_one_process_stops_at_the_other(url: str) -> None:
    async with process(url, working=False) as front:
        accepted = await front.scans.discover(CALLER, ScanRequest())
        taken = await front.ledger.leases.take(accepted.scan_id, "elsewhere")
        assert taken is not None
        async with process(url, working=False) as holder:
            ended = asyncio.Event()
            with holder.ledger.signals.holding(accepted.scan_id, ended):
                await asyncio.sleep(
                    0.2
                )  # until it listens; a notice that is missed is found by the next renewal
                await front.scans.cancel("user-1", accepted.scan_id)
                async with asyncio.timeout(5):
                    await ended.wait()
            assert not await holder.ledger.leases.renew(accepted.scan_id, taken.lease)


async def test_a_scan_whose_process_vanishes_is_in_other_hands_within_five_seconds(url: str) -> None:
    """api.md 2.3 rule 4, by real time: the lease runs out and another process runs the scan to its end."""
    async with process(url, working=False) as front:
        accepted = await front.scans.discover(CALLER, ScanRequest())
        assert await front.ledger.leases.take(accepted.scan_id, "vanished") is not None
        begun = asyncio.get_running_loop().time()
        async with process(url, working=True):
            while (await front.ledger.leases.waiting()) == []:  # another process's row
                if (await front.scans.status("user-1", accepted.scan_id)).version > 1:
                    break
                await asyncio.sleep(0.05)
            assert asyncio.get_running_loop().time() - begun < 5
            assert (await front.ended(accepted.scan_id)).status == "complete"


async def test_killed_backends_in_the_middle_of_a_scan_lose_nothing(url: str) -> None:
    """faults.md D7: connections die under a running scan; it ends whole, each event once."""
    async with process(url, working=False) as front, process(url, working=True) as working:
        for _ in range(3):
            accepted = await front.scans.discover(CALLER, ScanRequest())
            killer = open_engine(url)
            for _ in range(4):
                async with killer.begin() as connection:
                    await connection.exec_driver_sql(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
                    )
                await asyncio.sleep(0.02)
            await killer.dispose()
            status = await _ended_by_polls(working, accepted.scan_id)
            assert status.status in ("complete", "failed")
            if status.error is not None:
                assert status.error.reason in ("worker_lost", "database_unavailable")
            events = await working.ledger.details.events(accepted.scan_id, 0)
            assert [event.version for event in events] == list(range(1, status.version + 1))
            assert [event.kind for event in events].count("done") == 1


async def _ended_by_polls(place: Process, scan_id: str) -> ScanStatus:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                status = await place.scans.status("user-1", scan_id)
            except (sa.exc.DBAPIError, OSError):
                await asyncio.sleep(0.05)
                continue
            if status.status != "scanning":
                return status
            await asyncio.sleep(0.05)


async def test_a_full_pool_is_refused_within_its_wait_and_nothing_leaks(url: str) -> None:
    """faults.md D3: as many callers as there are connections hold them; the next is told so, then served."""
    async with process(url, working=False) as place:
        pool_size = place.db.sync_engine.pool.size()  # type: ignore[attr-defined]  # a queue pool
        held = [await place.db.connect() for _ in range(pool_size)]
        begun = asyncio.get_running_loop().time()
        with pytest.raises((sa.exc.TimeoutError, BudgetExceeded)):
            await place.scans.history("user-1", 10, only=ENDED)
        assert asyncio.get_running_loop().time() - begun < 2
        for connection in held:
            await connection.close()
        for _ in range(50):
            waiting = asyncio.create_task(place.scans.history("user-1", 10, only=ENDED))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait({waiting})
        assert await place.scans.history("user-1", 10, only=ENDED) == (0, [])


async def test_two_users_requests_race_for_one_running_scan_across_processes(url: str) -> None:
    async with process(url, working=False) as first, process(url, working=False) as second:
        answers = await asyncio.gather(
            *(place.scans.discover(CALLER, ScanRequest()) for place in (first, second) * 4),
            return_exceptions=True,
        )
        ids = {answer.scan_id for answer in answers if not isinstance(answer, BaseException)}
        assert len(ids) == 1
        assert all(isinstance(answer, Conflict) for answer in answers if isinstance(answer, BaseException))
