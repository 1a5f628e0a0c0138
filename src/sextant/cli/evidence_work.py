"""Jobs of evidence given to other processes through a PostgreSQL, and the process that runs them."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.cli.evidence_pool import pool_of, processes_of
from sextant.cli.settings import configuration
from sextant.errors import ConfigError, InputError, SextantError
from sextant.kit import log
from sextant.kit.blobs import Blobs
from sextant.kit.clock import Clock, SystemClock
from sextant.kit.db import migrate, open_engine
from sextant.kit.queue import WorkQueue
from sextant.scans.evidence_jobs import EvidenceJob, run_job

QUEUE: Final = "evidence"
LOOK_S: Final = 0.5  # results are looked for this often
AGAIN_S: Final = (
    30.0  # jobs without a result are asked for again this often; those that wait or run are not doubled
)

_LOG: Final = log.get("evidence")


def _why(job: EvidenceJob) -> str:
    """The name under which it is kept why a job cannot be run."""
    return f"{job.name}.failed"


@asynccontextmanager
async def queue_of(database: str) -> AsyncIterator[tuple[AsyncEngine, WorkQueue]]:
    """The jobs of a shared database, with its schema at this release.

    Raises
    ------
    ConfigError
        If it is no PostgreSQL.
    """
    if not database.startswith("postgresql"):
        raise ConfigError("--database must be a postgresql+asyncpg://... that several processes share.")
    db = open_engine(database)
    try:
        await migrate(db)
        yield db, WorkQueue(db, QUEUE)
    finally:
        await db.dispose()


async def ask_others(
    database: str,
    store: Blobs,
    jobs: Sequence[EvidenceJob],
    ended: Callable[[EvidenceJob], None],
    clock: Clock | None = None,
) -> None:
    """Wait until other processes have put the results of all jobs into the store.

    Raises
    ------
    InputError
        If a job cannot be run; says why.
    """
    clock = clock or SystemClock()
    left = list(jobs)
    for job in left:
        if store.has(_why(job)):
            store.put(_why(job), b"")  # it may be run now
    async with queue_of(database) as (_, queue):
        asked_ns = -1
        while left:
            now_ns = clock.monotonic_ns()
            if asked_ns < 0 or now_ns - asked_ns > AGAIN_S * 1e9:
                asked_ns = now_ns
                for job in left:
                    await queue.again(msgspec.json.encode(job).decode())
            for job in [job for job in left if store.has(job.name)]:
                left.remove(job)
                ended(job)
            for job in left:
                why = store.get(_why(job))
                if why:
                    raise InputError(f"Job {job.name} cannot be run: {why.decode()}", reason="failed")
            if left:
                await clock.sleep(LOOK_S)


async def serve_jobs(database: str, jobs: int | None) -> None:
    """Run jobs until the process is asked to stop; those that run are ended first."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    processes = processes_of(jobs)
    log.configure(configuration().log_format, configuration().level)
    async with queue_of(database) as (_, queue):
        sys.stderr.write(f"Sextant computes evidence in {processes} processes\n")
        await run_jobs(queue, processes, stopping)


async def run_jobs(queue: WorkQueue, processes: int, stopping: asyncio.Event) -> None:
    """Run jobs of a queue until told to stop, each in a process of its own so that this one always answers."""
    pool = pool_of(processes)
    loop = asyncio.get_running_loop()

    async def handle(words: str) -> bool:
        nonlocal pool
        job = msgspec.json.decode(words, type=EvidenceJob)
        mine = pool
        try:
            await loop.run_in_executor(mine, run_job, job)
        except BrokenProcessPool:
            _LOG.warning("evidence.process_killed", job=job.name)
            if pool is mine:
                pool = pool_of(processes)
            return False
        except SextantError as error:
            _LOG.warning("evidence.failed", job=job.name, reason=error.reason, message=error.message)
            Blobs(job.store).put(_why(job), error.message.encode())
        return True

    try:
        await queue.serve(handle, processes, stopping)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
