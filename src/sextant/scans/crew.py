"""Plug-ins run off the event loop: each within its deadline, whatever it does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from sextant.errors import BudgetExceeded, Conflict, SextantError
from sextant.kit import log
from sextant.kit.clock import Deadline
from sextant.scans.records import STRATEGY_HARD_STOP_S
from sextant.scans.run import Asked, StrategyRun, run_strategy, skipped_run
from sextant.strategies.contract import Strategy

THREADS: Final = 8  # a strategy past its stop keeps its thread until it ends; the others still have room
AT_ONCE: Final = max(2, os.cpu_count() or 1)
"""How many of the threads work at a time, as a rule: each more would only make the event loop wait for the interpreter."""
TURN_S: Final = 1.0
"""How long work waits for its turn; then it begins beside the others, which may be asleep or stuck. Shorter, and the
longest strategy of a scan, which decides when it ends, would share its processor with six others."""
COMPUTING: Final = "strategy"  # how the names of these threads begin
OUT_OF_MEMORY: Final = "out_of_memory"

_LOG: Final = log.get("scans")
_In = TypeVar("_In")
_Out = TypeVar("_Out")


class Crew:
    """The threads of a process in which strategies are evaluated."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=COMPUTING)
        self._turns = asyncio.Semaphore(AT_ONCE)

    def close(self) -> None:
        """Begin nothing more; what runs is left to its own end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def guarded(
        self, strategy: Strategy, asked: Asked, deadline: Deadline, ended: asyncio.Event | None = None
    ) -> StrategyRun:
        """Whatever a plug-in does: late and broken runs become outcomes with a reason."""

        def work(_: object) -> StrategyRun:
            return run_strategy(strategy, asked)

        try:
            return await self.run(work, None, deadline.shorter(STRATEGY_HARD_STOP_S), strategy.id, ended)
        except Conflict:
            raise
        except BudgetExceeded:
            return skipped_run(strategy, "deadline", "late", asked)
        except SextantError as error:
            return skipped_run(strategy, error.reason or error.code, "failed", asked)
        except MemoryError:
            _LOG.error("strategy.out_of_memory", strategy=strategy.id)
            return skipped_run(strategy, OUT_OF_MEMORY, "failed", asked)
        except Exception as error:  # noqa: BLE001  # supervisor: recorded with its trace, re-labelled for the caller
            _LOG.exception("strategy.failed", strategy=strategy.id)
            return skipped_run(strategy, type(error).__name__, "failed", asked)

    async def run(
        self,
        work: Callable[[_In], _Out],
        given: _In,
        deadline: Deadline,
        stage: str,
        ended: asyncio.Event | None = None,
    ) -> _Out:
        """The result of ``work(given)``, made off the event loop, within the deadline.

        A scan that is ended from outside stops waiting here; it is never cancelled inside a transaction, which
        would leave the database's write lock behind.

        Raises
        ------
        BudgetExceeded
            If the deadline came first.
        Conflict
            If the scan was ended from outside.
        """
        async with self._turn():
            deadline.check(stage)
            running = asyncio.get_running_loop().run_in_executor(self._threads, work, given)
            running.add_done_callback(_forgotten)
            stopped = asyncio.ensure_future((ended or asyncio.Event()).wait())
            try:
                await asyncio.wait(
                    (running, stopped), timeout=deadline.remaining_s(), return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                stopped.cancel()
        if running.done():
            return running.result()
        if ended is not None and ended.is_set():
            raise Conflict(f"The scan was ended during '{stage}'.", reason="in_progress")
        raise BudgetExceeded(
            f"'{stage}' did not end within {deadline.seconds:g} s.", reason="deadline", stage=stage
        )

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Hold one of the turns, or begin without one where none came free in time."""
        try:
            async with asyncio.timeout(TURN_S):
                await self._turns.acquire()
        except TimeoutError:
            yield
            return
        try:
            yield
        finally:
            self._turns.release()


def _forgotten(running: asyncio.Future[Any]) -> None:
    """Take note of how abandoned work ended, so that the loop does not call it lost."""
    if not running.cancelled():
        running.exception()
