"""Jobs of evidence in processes of this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from threading import Thread
from typing import Final

from sextant.errors import BudgetExceeded, InputError
from sextant.scans.evidence_jobs import EvidenceJob, run_job

MOST_PROCESSES: Final = 256
MOST_DEATHS: Final = 3  # a job that ends its process so often would do so again


def processes_of(jobs: int | None) -> int:
    """How many processes are meant.

    Raises
    ------
    InputError
        If that is no such number.
    """
    if jobs is None:
        return os.cpu_count() or 1
    if not 1 <= jobs <= MOST_PROCESSES:
        raise InputError(f"--jobs is {jobs}; allowed are 1..{MOST_PROCESSES}.")
    return jobs


def pool_of(processes: int) -> ProcessPoolExecutor:
    """Fresh interpreters: they share no lock and no thread with this one, and end when it is killed."""
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_end_with_parent)


def _end_with_parent() -> None:
    Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """End this process with its parent, who cannot say so when it is killed."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def run_all(jobs: Sequence[EvidenceJob], processes: int, ended: Callable[[EvidenceJob], None]) -> None:
    """Run jobs until each has a result; a single one, or a single process, is this one.

    Parameters
    ----------
    ended
        Called with each job as it ends, in whatever order.

    Raises
    ------
    BudgetExceeded
        If processes are killed again and again.
    """
    if min(processes, len(jobs)) <= 1:
        for job in jobs:
            ended(run_job(job))
        return
    left, deaths = list(jobs), 0
    while left:
        with pool_of(min(processes, len(left))) as pool:
            waiting = [pool.submit(run_job, job) for job in left]
            try:
                for done in as_completed(waiting):
                    left.remove(done.result())
                    ended(done.result())
            except BrokenProcessPool as error:
                deaths += 1
                if deaths >= MOST_DEATHS:
                    raise BudgetExceeded(
                        f"Processes that compute evidence were killed {deaths} times; memory may be short: try --jobs 1.",
                        reason="killed",
                    ) from error
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
