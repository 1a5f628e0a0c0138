"""Runs accepted scans: one deadline each, strategies beside each other, every ending written as it happens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import msgspec

from sextant.errors import BudgetExceeded, Conflict, MarketError, SextantError
from sextant.evidence.events import EventTable
from sextant.kit import log
from sextant.kit.clock import Clock, Deadline
from sextant.kit.ids import new_id
from sextant.model.account import Account
from sextant.model.opportunity import Opportunity
from sextant.scans import transitions
from sextant.scans.budget import NOT_ENTITLED, STEP_NAMES, Planned, step_number
from sextant.scans.records import (
    SCAN_HARD_STOP_S,
    STRATEGY_HARD_STOP_S,
    Found,
    PhaseName,
    Recommendation,
    ScanError,
    ScanRequest,
    ScanStatus,
    StrategyReport,
)
from sextant.scans.run import Asked, MarketPart, StrategyRun, run_strategy, skipped_run
from sextant.scans.store import Change, ScanRows
from sextant.scans.universe import choose
from sextant.strategies.contract import Strategy
from sextant.strategies.ranking import ranked

WAITING_SCANS: Final = 256  # accepted and not yet begun; beyond it a scan is refused, never forgotten
SCANS_AT_ONCE: Final = 2  # two cores
STRATEGIES_AT_ONCE: Final = 2  # two cores; kernels release the interpreter lock
THREADS: Final = 8  # a strategy past its stop keeps its thread until it ends; the others still have room
KEEP_EVERY_S: Final = 5.0  # how often it is seen whether a bar has closed; the shortest is a minute
WATCH_S: Final = 1.0  # how long a reader waits before it asks the rows again; other processes do not signal

_CARRIED: Final = frozenset({"phase", "ended_strategies", "found_count", "outcomes", "message"})

_LOG: Final = log.get("scans")
_In = TypeVar("_In")
_Out = TypeVar("_Out")


Archive = Callable[[EventTable], Awaitable[EventTable]]


async def forgetful(table: EventTable) -> EventTable:
    """The table as it is: an archive that keeps nothing."""
    return table


@dataclass
class _Job:
    """A scan being run: its newest status, what it found, and the lock that orders its changes."""

    status: ScanStatus
    planned: tuple[Planned, ...]
    account: Account
    deadline: Deadline
    rows: list[tuple[str, Opportunity]] = field(default_factory=list)
    reports: dict[str, StrategyReport] = field(default_factory=dict)
    phase_ms: dict[PhaseName, float] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class ScanWorker:
    """Runs scans in this process.

    Parameters
    ----------
    rows
        Where every change is written.
    clock
        Gives times and deadlines.
    catalogue
        The strategies there are.
    market
        Gives the newest market part; raises ``MarketError`` while there is none. Called off the event loop.
    archive
        Keeps past events and gives them back with those that are older than the bars.
    """

    def __init__(
        self,
        rows: ScanRows,
        clock: Clock,
        catalogue: Mapping[str, Strategy],
        market: Callable[[], MarketPart],
        archive: Archive = forgetful,
    ) -> None:
        self._rows = rows
        self._clock = clock
        self.catalogue = catalogue
        self._market = market
        self._archive = archive
        self._queue: asyncio.Queue[_Job] = asyncio.Queue(WAITING_SCANS)
        self._jobs: dict[str, _Job] = {}
        self._signals: dict[str, asyncio.Event] = {}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="strategy")
        self._slots = asyncio.Semaphore(STRATEGIES_AT_ONCE)

    def unmatched(self, request: ScanRequest) -> tuple[str, ...]:
        """Entries of a request that name nothing in the market.

        Raises
        ------
        InputError
            If the request names instruments and none of them exists.
        """
        if not request.instruments:
            return ()
        try:
            part = self._market()
        except MarketError:
            return ()  # nothing is known yet; the scan itself will say so
        return choose(part.view, request, part.turnover_usd).unmatched

    def enqueue(self, status: ScanStatus, planned: tuple[Planned, ...], account: Account) -> None:
        """Take a committed scan.

        Raises
        ------
        BudgetExceeded
            If too many scans wait.
        """
        try:
            self._queue.put_nowait(_Job(status, planned, account, Deadline(self._clock, SCAN_HARD_STOP_S)))
        except asyncio.QueueFull:
            raise BudgetExceeded(f"{WAITING_SCANS} scans wait already.", reason="pool_exhausted") from None

    def abandon(self, scan_id: str) -> None:
        """Stop working on a scan that was ended from outside."""
        job = self._jobs.get(scan_id)
        if job is not None:
            job.ended.set()
        self._tell(scan_id)

    def changes(self, scan_id: str) -> Callable[[], Awaitable[None]]:
        """A wait that ends with the next change of a scan seen here, or after a second."""
        signal = self._signals.setdefault(scan_id, asyncio.Event())

        async def wait() -> None:
            with suppress(TimeoutError):
                await asyncio.wait_for(signal.wait(), WATCH_S)

        return wait

    async def recover(self) -> int:
        """How many scans of a process that died were ended; what they had found stays readable."""
        lost = await self._rows.unfinished()
        for status in lost:
            error = ScanError(
                "internal", "worker_lost", "The process that ran the scan ended before the scan did."
            )
            now_ns = self._clock.now_ns()
            with suppress(Conflict):
                await self._rows.change(
                    status.scan_id, status.version, now_ns, transitions.failed(status, error, now_ns)
                )
        return len(lost)

    async def serve(self) -> None:
        """Run scans until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_evidence())
                for _ in range(SCANS_AT_ONCE):
                    group.create_task(self._serve_one())
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _serve_one(self) -> None:
        while True:
            job = await self._queue.get()
            self._jobs[job.status.scan_id] = job
            try:
                await self._supervise(job)
            finally:
                del self._jobs[job.status.scan_id]

    async def _supervise(self, job: _Job) -> None:
        """Whatever happens to a scan, its row says so."""
        try:
            await self._run(job)
        except Conflict:
            return  # the scan was ended by its owner, whose word is final
        except BudgetExceeded as error:
            await self._fail(job, ScanError(error.code, "budget_exceeded", error.message))
        except MarketError as error:
            await self._fail(job, ScanError(error.code, "view_unavailable", error.message))
        except SextantError as error:
            await self._fail(job, ScanError(error.code, error.reason or error.code, error.message))
        except Exception:  # noqa: BLE001  # supervisor: recorded with its trace, re-labelled for the caller
            _LOG.exception("scan.failed", scan_id=job.status.scan_id)
            await self._fail(job, ScanError("internal", "internal", "The scan met a defect; it is recorded."))

    async def _run(self, job: _Job) -> None:
        asked = await self._prepare(job)
        begun_ns = self._clock.monotonic_ns()
        try:
            async with asyncio.TaskGroup() as group:
                for position, planned in enumerate(job.planned):
                    group.create_task(self._strategy(job, position, planned, asked))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None  # the others only followed the first
        job.phase_ms["strategies_scan"] = self._since_ms(begun_ns)
        await self._finish(job)

    async def _prepare(self, job: _Job) -> Asked:
        """The frozen view and the universe of the request."""
        now_ns = self._clock.now_ns()
        done = [transitions.step(number, STEP_NAMES[number], "completed", now_ns) for number in (2, 3)]
        begun = transitions.step(5, STEP_NAMES[5], "starting", now_ns)
        job.phase_ms["portfolio_fetch"] = 0.0  # the account came with the request
        await self._write(job, transitions.entered("portfolio_fetch", "The account is known."))
        left: tuple[PhaseName, float] = ("portfolio_fetch", 0.0)
        entered = transitions.entered(
            "asset_discovery", "The view is taken.", left=left, steps=[*done, begun]
        )
        await self._write(job, entered)
        begun_ns = self._clock.monotonic_ns()
        asked, view_hash = await self._in_thread(self._look, job, job.deadline, "asset_discovery", job.ended)
        spent_ms = job.phase_ms["asset_discovery"] = self._since_ms(begun_ns)
        now_ns = self._clock.now_ns()
        change = transitions.view_taken(asked.part.view.as_of_ns, view_hash, asked.universe, spent_ms)
        change.steps = [
            transitions.step(number, STEP_NAMES[number], "completed", now_ns, execution_ms=spent_ms)
            for number in (4, 5)
        ]
        await self._write(job, change)
        return asked

    def _look(self, job: _Job) -> tuple[Asked, str]:
        part = self._market()
        universe = choose(part.view, job.status.request, part.turnover_usd)
        return Asked(part, universe, job.account, job.status.request), part.view.content_hash

    async def _strategy(self, job: _Job, position: int, planned: Planned, asked: Asked) -> None:
        """One strategy from its turn to its row; nothing it does can harm the others."""
        number = step_number(planned.id, self.catalogue)
        name = f"Strategy: {planned.strategy.name}"
        begun_ns = self._clock.monotonic_ns()
        if planned.skip is not None:
            run = skipped_run(planned.strategy, planned.skip, "not_entitled", asked)
        else:
            async with self._slots:
                begun_ns = self._clock.monotonic_ns()
                begun = transitions.step(number, name, "starting", self._clock.now_ns())
                await self._write(job, Change(steps=[begun]))
                run = await self._guarded(planned.strategy, asked, job.deadline, job.ended)
        now_ns = self._clock.now_ns()
        report = msgspec.structs.replace(run.report, execution_ms=self._since_ms(begun_ns))
        found = [Found(new_id("opp"), None, now_ns, row) for row in run.opportunities]
        failed = report.outcome in ("late", "failed")
        step = transitions.step(
            number,
            name,
            "failed" if failed else "completed",
            now_ns,
            execution_ms=report.execution_ms,
            error=report.reason if failed else None,
            error_type=report.outcome if failed else None,
        )
        async with job.lock:
            change = transitions.strategy_ended(job.status, position, report, run.dispositions, found)
            change.steps = [step]
            await self._write_locked(job, change)
            job.reports[planned.id] = report
            job.rows += [(item.opportunity_id, item.opportunity) for item in found]

    async def _guarded(
        self, strategy: Strategy, asked: Asked, deadline: Deadline, ended: asyncio.Event | None = None
    ) -> StrategyRun:
        """Whatever a plug-in does: late and broken runs become outcomes with a reason."""

        def work(_: object) -> StrategyRun:
            return run_strategy(strategy, asked)

        try:
            return await self._in_thread(
                work, None, deadline.shorter(STRATEGY_HARD_STOP_S), strategy.id, ended
            )
        except Conflict:
            raise
        except BudgetExceeded:
            return skipped_run(strategy, "deadline", "late", asked)
        except SextantError as error:
            return skipped_run(strategy, error.reason or error.code, "failed", asked)
        except Exception as error:  # noqa: BLE001  # supervisor: recorded with its trace, re-labelled for the caller
            _LOG.exception("strategy.failed", strategy=strategy.id)
            return skipped_run(strategy, type(error).__name__, "failed", asked)

    async def _keep_evidence(self) -> None:
        """Score the past once per closed bar, off every scan's path, so that a scan only reads it."""
        known: tuple[bytes, ...] = ()
        while True:
            with suppress(MarketError, BudgetExceeded):
                deadline = Deadline(self._clock, STRATEGY_HARD_STOP_S)
                part = await self._in_thread(lambda _: self._market(), None, deadline, "view")
                newest = tuple(frame.content_digest for _, frame in sorted(part.view.bars.items()))
                if newest != known:
                    await self._score_all(part)
                    known = newest
            await self._clock.sleep(KEEP_EVERY_S)

    async def _score_all(self, part: MarketPart) -> None:
        """Compute the past of every strategy; what it saw before the view's bars is added from the archive."""
        everything = ScanRequest()
        asked = Asked(part, choose(part.view, everything, part.turnover_usd), Account(), everything)
        for strategy in self.catalogue.values():
            run = await self._guarded(strategy, asked, Deadline(self._clock, STRATEGY_HARD_STOP_S))
            if run.report.outcome in ("ok", "empty"):
                verdict = part.verdict(strategy)
                part.enrich(strategy, verdict, await self._archive(part.events(strategy, verdict)))

    async def _in_thread(
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
        """
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

    async def _finish(self, job: _Job) -> None:
        """Rank what was found and end the scan."""
        reports = [job.reports[planned.id] for planned in job.planned]
        outcome = transitions.outcome_of(reports)
        now_ns = self._clock.now_ns()
        if outcome in ("late", "failed"):
            error = ScanError(
                "internal",
                "budget_exceeded" if outcome == "late" else "failed",
                "No strategy ended by itself.",
            )
            await self._write(job, transitions.failed(job.status, error, now_ns))
            return
        order = ranked([row for _, row in job.rows])
        ids = {row.opportunity_key + row.strategy_id: opportunity_id for opportunity_id, row in job.rows}
        closing = transitions.Closing(
            outcome=outcome,
            ranks=tuple(ids[row.opportunity_key + row.strategy_id] for row in order),
            recommendations=_recommend(job),
            phase_ms=job.phase_ms,
        )
        change = transitions.completed(job.status, now_ns, closing)
        change.steps = [
            transitions.step(number, STEP_NAMES[number], "completed", now_ns) for number in range(6, 15)
        ]
        await self._write(job, change)

    async def _fail(self, job: _Job, error: ScanError) -> None:
        now_ns = self._clock.now_ns()
        with suppress(Conflict):
            await self._write(job, transitions.failed(job.status, error, now_ns))

    async def _write(self, job: _Job, change: Change) -> None:
        async with job.lock:
            await self._write_locked(job, change)

    async def _write_locked(self, job: _Job, change: Change) -> None:
        status = job.status
        now_ns = self._clock.now_ns()
        version = await self._rows.change(status.scan_id, status.version, now_ns, change)
        known = {name: value for name, value in change.facts.items() if name in _CARRIED}
        job.status = msgspec.structs.replace(status, version=version, updated_ns=now_ns, **known)
        self._tell(status.scan_id)

    def _tell(self, scan_id: str) -> None:
        signal = self._signals.pop(scan_id, None)
        if signal is not None:
            signal.set()

    def _since_ms(self, begun_ns: int) -> float:
        return (self._clock.monotonic_ns() - begun_ns) / 1e6


def _forgotten(running: asyncio.Future[Any]) -> None:
    """Take note of how abandoned work ended, so that the loop does not call it lost."""
    if not running.cancelled():
        running.exception()


def _recommend(job: _Job) -> tuple[Recommendation, ...]:
    """Up to three strategies of this plan that are not granted to the caller, in catalogue order."""
    if not job.status.request.recommendations:
        return ()
    closed = [planned.strategy for planned in job.planned if planned.skip == NOT_ENTITLED]
    return tuple(
        Recommendation(
            strategy.id, strategy.name, f"Not granted to you; it looks for {strategy.opportunity_type}."
        )
        for strategy in closed[:3]
    )
