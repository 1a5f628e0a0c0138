"""Jobs of evidence through a real PostgreSQL: asked for by one process, run by another."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
import pytest

from sextant.cli import exits
from sextant.cli.evidence_work import ask_others, queue_of, run_jobs
from sextant.cli.evidencing import Order, report_of
from sextant.cli.report import Report
from sextant.errors import ConfigError, InputError
from sextant.kit.blobs import Blobs
from sextant.scans.evidence_jobs import EvidenceJob, offered, plan_evidence, run_job, unfinished
from support.commands import run
from support.packs import one_file
from support.postgres import postgresql

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql() as url:
        yield url


@asynccontextmanager
async def working(database: str) -> AsyncIterator[None]:
    """One process that runs jobs until the block ends."""
    stopping = asyncio.Event()
    async with queue_of(database) as (_, queue):
        serving = asyncio.ensure_future(run_jobs(queue, 1, stopping))
        try:
            yield
        finally:
            stopping.set()
            async with asyncio.timeout(60):
                await serving


async def test_jobs_asked_for_are_run_elsewhere_and_those_that_are_done_are_not_asked_for(
    server: str, tmp_path: Path
) -> None:
    store = Blobs(tmp_path / "store")
    jobs = offered(store, plan_evidence(one_file(tmp_path, 500), 5.0, "test", 6 * 500))
    run_job(jobs[0])
    told: list[EvidenceJob] = []
    async with working(server), asyncio.timeout(60):
        await ask_others(server, store, unfinished(store, jobs), told.append)
    assert sorted(job.number for job in told) == [job.number for job in jobs[1:]]
    assert unfinished(store, jobs) == []


async def test_a_job_that_cannot_be_run_ends_the_waiting_with_its_reason(server: str, tmp_path: Path) -> None:
    store = Blobs(tmp_path / "store")
    jobs = offered(store, plan_evidence(one_file(tmp_path, 500), 5.0, "test"))
    one_file(tmp_path, 501)
    async with working(server), asyncio.timeout(60):
        with pytest.raises(InputError, match="has changed since"):
            await ask_others(server, store, jobs, lambda _: None)


async def test_a_database_that_is_a_file_is_no_queue_of_several_processes() -> None:
    with pytest.raises(ConfigError, match="postgresql"):
        async with queue_of("sqlite+aiosqlite:///x.db"):
            pass


@contextmanager
def sextant(*words: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SEXTANT_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "sextant", *words],
        env=environ | {"SEXTANT_DATA_DIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=60)


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_worker_that_is_killed_loses_nothing_and_leaves_no_process_behind(
    server: str, tmp_path: Path
) -> None:
    pack, keep = one_file(tmp_path, 1_500), tmp_path / "keep"
    asked = ("evidence", "--data", str(pack), "--json")
    served = ("evidence", "work", "--database", server, "--jobs", "1")
    with sextant(*asked, "--keep", str(keep), "--database", server, folder=tmp_path) as asking:
        with sextant(*served, folder=tmp_path) as killed:
            wait_until(lambda: bool(children_of(killed.pid)))
            children = children_of(killed.pid)
            killed.send_signal(signal.SIGKILL)
            killed.wait()
            wait_until(lambda: not any(map(is_running, children)))
        with sextant(*served, folder=tmp_path) as other:
            told, _ = asking.communicate(timeout=100)
            other.send_signal(signal.SIGTERM)
            assert other.wait(timeout=60) == 0
    alone = report_of(Order((str(pack),)))
    assert msgspec.json.decode(told, type=Report) == alone
    assert alone.packs[0].instruments == 12


def test_a_database_without_a_place_for_results_is_refused(server: str, tmp_path: Path) -> None:
    done = run("evidence", "--data", "x.parquet", "--database", server, folder=tmp_path)
    assert done.returncode == exits.INPUT
    assert "--keep" in done.stderr
