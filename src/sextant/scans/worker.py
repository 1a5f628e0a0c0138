"""Runs accepted scans: one deadline each, strategies beside each other, every ending written as it happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from sextant.errors import BudgetExceeded, Conflict, MarketError, SextantError
from sextant.kit import log
from sextant.kit.clock import Clock, Deadline
from sextant.kit.db_faults import patiently
from sextant.kit.ids import new_id
from sextant.model.account import Account
from sextant.model.opportunity import Opportunity
from sextant.scans import transitions
from sextant.scans.blobs import pack_answers
from sextant.scans.budget import NOT_ENTITLED, STEP_NAMES, Planned, in_turn, step_number
from sextant.scans.crew import Crew
from sextant.scans.keeper import Archive, EvidenceKeeper, forgetful
from sextant.scans.leases import RENEW_S, Lapsed, Taken
from sextant.scans.ledger import Ledger
from sextant.scans.observing import Observer, Unobserved
from sextant.scans.pen import SETTLE_S, Pen, always
from sextant.scans.records import (
    SCAN_HARD_STOP_S,
    Found,
    Lease,
    PhaseName,
    Recommendation,
    ScanError,
    ScanRequest,
    ScanStatus,
    StrategyReport,
)
from sextant.scans.recovery import verdict_on
from sextant.scans.run import Asked, MarketPart, skipped_run
from sextant.scans.store import Change
from sextant.scans.universe import choose
from sextant.strategies.contract import Strategy
from sextant.strategies.ranking import ranked

SCANS_AT_ONCE: Final = 2  # two cores
STRATEGIES_AT_ONCE: Final = 2  # two cores; kernels release the interpreter lock
MARKET_S: Final = 6.0  # a market that is not known this long after a scan was offered is told as unavailable
OFFERED_KEPT: Final = 512  # scans that wait for a market; twice as many as may wait at all
TAKE_S: Final = 2.0  # a database that cannot be asked for this long is asked again by the queue
GRACE_S: Final = 5.0  # faults.md P2: of the 10 s of a stopping process, scans get the first half

_AWAY: Final = frozenset({"database_unavailable", "pool_exhausted", "disk_full"})
"""Reasons that are the database's and not the scan's."""

_LOG: Final = log.get("scans")


@dataclass
class _Job:
    """A scan being run: who writes its changes, and what it found.

    ``ended`` is set when somebody else ends it or takes it, ``over`` when nothing more is done about it here.
    """

    pen: Pen
    lease: Lease
    planned: tuple[Planned, ...]
    account: Account
    deadline: Deadline
    rows: list[tuple[str, Opportunity]] = field(default_factory=list)
    reports: dict[str, StrategyReport] = field(default_factory=dict)
    phase_ms: dict[PhaseName, float] = field(default_factory=dict)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def status(self) -> ScanStatus:
        """Its newest state."""
        return self.pen.status


def unseen(part: MarketPart) -> None:
    """Keep nothing of what a scan saw."""


class ScanWorker:
    """Runs scans in this process.

    Parameters
    ----------
    ledger
        Where scans are taken from, and every change is written.
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
        ledger: Ledger,
        clock: Clock,
        catalogue: Mapping[str, Strategy],
        market: Callable[[], MarketPart],
        archive: Archive = forgetful,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self.catalogue = catalogue
        self._market = market
        self._crew = Crew()
        self.keeper = EvidenceKeeper(self._crew, clock, catalogue, market, archive)
        self._slots = asyncio.Semaphore(STRATEGIES_AT_ONCE)
        self._stopping = asyncio.Event()
        self._grace_s = 0.0
        self._has_market = False
        self._offered_ns: dict[str, int] = {}
        self.name = new_id("worker")
        self.observer: Observer = Unobserved()
        self.precedence = self.keeper.precedence
        self.seen: Callable[[MarketPart], None] = unseen

    async def unmatched(self, request: ScanRequest) -> tuple[str, ...]:
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

    def stop(self) -> None:
        """Take no more scans; those that run have some seconds to end, then another process may have them."""
        self._grace_s = GRACE_S
        self._stopping.set()

    async def serve(self) -> None:
        """Run scans until stopped or cancelled."""
        keeping = asyncio.ensure_future(self.keeper.keep())
        serving = asyncio.ensure_future(self._ledger.queue.serve(self.run, SCANS_AT_ONCE, self._stopping))
        try:
            await asyncio.wait({keeping, serving}, return_when=asyncio.FIRST_COMPLETED)
            if keeping.done():
                keeping.result()  # it never ends by itself; its defect ends the service
            await serving
        finally:
            for task in (keeping, serving):
                task.cancel()
            await asyncio.wait({keeping, serving})
            self._crew.close()

    async def run(self, scan_id: str) -> bool:
        """Run a scan to its end; false where it must be asked for again because it is not ours to run yet.

        Notes
        -----
        A scan that nobody ended is asked for again even where the database failed, so that none is forgotten.
        """
        deadline = Deadline(self._clock, TAKE_S)
        try:
            taken = None
            if await self._may_look(scan_id, deadline):
                taken = await patiently(
                    self._clock, deadline, lambda _: self._ledger.leases.take(scan_id, self.name)
                )
            if taken is None:
                return not await patiently(
                    self._clock, deadline, lambda _: self._ledger.leases.is_running(scan_id)
                )
        except SextantError as error:
            _LOG.warning("scan.not_taken", scan_id=scan_id, reason=error.reason)
            return False
        job = self._job(taken)
        with (
            self._ledger.signals.holding(scan_id, job.ended),
            self.observer.scanning(),
            self.precedence.first(),
        ):
            keeping = asyncio.ensure_future(self._keep_lease(job))
            try:
                await self._supervise(job, taken)
            finally:
                job.over.set()
                await keeping
        return True

    async def _may_look(self, scan_id: str, deadline: Deadline) -> bool:
        """Whether a scan may be taken: the market is known, or was waited for long enough.

        Until then the scan is left to processes that know theirs; one that has just started would only fail it.
        """
        if self._has_market:
            return True
        try:
            await self._crew.run(lambda _: self._market(), None, deadline, "view")
        except MarketError:
            now_ns = self._clock.monotonic_ns()
            begun_ns = self._offered_ns.setdefault(scan_id, now_ns)
            while len(self._offered_ns) > OFFERED_KEPT:
                self._offered_ns.pop(next(iter(self._offered_ns)))
            return now_ns - begun_ns >= MARKET_S * 1e9
        self._has_market = True
        self._offered_ns.clear()
        return True

    def _job(self, taken: Taken) -> _Job:
        status, inputs = taken.status, taken.inputs
        chosen = () if inputs is None else inputs.planned
        planned = tuple(
            Planned(self.catalogue[name], skip) for name, skip in chosen if name in self.catalogue
        )
        spent_s = max(0.0, (self._clock.now_ns() - status.started_ns) / 1e9)
        deadline = Deadline(self._clock, max(0.0, SCAN_HARD_STOP_S - spent_s))
        return _Job(
            pen=Pen(self._ledger, self._clock, status, taken.lease, deadline),
            lease=taken.lease,
            planned=planned,
            account=Account() if inputs is None else inputs.account,
            deadline=deadline,
        )

    async def _keep_lease(self, job: _Job) -> None:
        """Renew the lease until the scan is over or the lease is lost, or this process stops and has waited.

        It is told that the scan is over and never cancelled, for the reason that ``Crew.run`` gives.
        """
        stopping = asyncio.ensure_future(self._stopping.wait())
        over = asyncio.ensure_future(job.over.wait())
        left_s: float | None = None
        try:
            while True:
                waited_for = {over} if stopping.done() else {over, stopping}
                pause_s = RENEW_S if left_s is None else min(RENEW_S, left_s)
                await asyncio.wait(waited_for, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
                if over.done():
                    return
                if stopping.done():
                    left_s = self._grace_s if left_s is None else left_s - pause_s
                if (left_s is not None and left_s <= 0) or not await self._renewed(job):
                    job.ended.set()
                    return
        finally:
            stopping.cancel()
            over.cancel()

    async def _renewed(self, job: _Job) -> bool:
        """Whether the lease still stands, as far as is known: the database may be back before it runs out."""
        leases, scan_id = self._ledger.leases, job.status.scan_id
        deadline = Deadline(self._clock, RENEW_S)
        try:
            return await patiently(self._clock, deadline, lambda _: leases.renew(scan_id, job.lease))
        except (SextantError, SQLAlchemyError):
            return True

    async def _supervise(self, job: _Job, taken: Taken) -> None:
        """Whatever happens to a scan, its row says so."""
        refused = self._refusal(job, taken)
        try:
            if refused is not None:
                await self._fail(job, refused)
            else:
                await self._run(job)
        except Conflict:
            await self._let_go(job)  # ended by its owner, taken by another process, or this one stops
        except BudgetExceeded as error:
            reason = error.reason if error.reason in _AWAY else "budget_exceeded"
            await self._fail(job, ScanError(error.code, str(reason), error.message))
        except MarketError as error:
            await self._fail(job, ScanError(error.code, "view_unavailable", error.message))
        except SextantError as error:
            await self._fail(job, ScanError(error.code, error.reason or error.code, error.message))
        except Exception:  # noqa: BLE001  # supervisor: recorded with its trace, re-labelled for the caller
            _LOG.exception("scan.failed", scan_id=job.status.scan_id)
            await self._fail(job, ScanError("internal", "internal", "The scan met a defect; it is recorded."))

    def _refusal(self, job: _Job, taken: Taken) -> ScanError | None:
        """Why a scan that was taken cannot be run here, or None."""
        if taken.takes > 1 and (
            lost := verdict_on(Lapsed(taken.status, taken.takes - 1), self._clock.now_ns())
        ):
            return lost
        if taken.inputs is None:
            return ScanError(
                "internal", "worker_lost", "The release that accepted the scan kept no inputs of it."
            )
        if len(job.planned) != len(taken.inputs.planned):
            return ScanError(
                "internal", "worker_lost", "The scan names strategies that this release has not."
            )
        return None

    async def _let_go(self, job: _Job) -> None:
        """Give back a scan that still runs; one that was ended or taken from us is left alone."""
        with suppress(SextantError):
            deadline = Deadline(self._clock, SETTLE_S)
            await patiently(
                self._clock, deadline, lambda _: self._ledger.leases.release(job.status.scan_id, job.lease)
            )

    async def _run(self, job: _Job) -> None:
        asked = await self._prepare(job)
        begun_ns = self._clock.monotonic_ns()
        try:
            async with asyncio.TaskGroup() as group:
                for position, planned in in_turn(job.planned):
                    group.create_task(self._strategy(job, position, planned, asked, group))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None  # the others only followed the first
        job.phase_ms["strategies_scan"] = self._since_ms(begun_ns)
        await self._finish(job)
        self.seen(asked.part)

    async def _prepare(self, job: _Job) -> Asked:
        """The frozen view and the universe of the request."""
        now_ns = self._clock.now_ns()
        done = [transitions.step(number, STEP_NAMES[number], "completed", now_ns) for number in (2, 3)]
        begun = transitions.step(5, STEP_NAMES[5], "starting", now_ns)
        job.phase_ms["portfolio_fetch"] = 0.0  # the account came with the request
        left: tuple[PhaseName, float] = ("portfolio_fetch", 0.0)
        account = transitions.entered("portfolio_fetch", "The account is known.")
        view = transitions.entered("asset_discovery", "The view is taken.", left=left, steps=[*done, begun])
        # A scan that lost its process has entered some phases already.
        entered = {"started": (account, view), "portfolio_fetch": (view,)}.get(job.status.phase, ())
        if entered:
            await job.pen.write(*map(always, entered))
        begun_ns = self._clock.monotonic_ns()
        asked, view_hash = await self._crew.run(self._look, job, job.deadline, "asset_discovery", job.ended)
        spent_ms = job.phase_ms["asset_discovery"] = self._since_ms(begun_ns)
        now_ns = self._clock.now_ns()
        change = transitions.view_taken(asked.part.view.as_of_ns, view_hash, asked.universe, spent_ms)
        # Whoever accepted the scan may not have known the market; from now on its row says what the view says.
        change.facts |= {"feed": asked.part.view.feed, "simulated": asked.part.view.simulated}
        change.facts["unmatched"] = list(asked.universe.unmatched)
        change.steps = [
            transitions.step(number, STEP_NAMES[number], "completed", now_ns, execution_ms=spent_ms)
            for number in (4, 5)
        ]
        await job.pen.write(always(change))
        return asked

    def _look(self, job: _Job) -> tuple[Asked, str]:
        part = self._market()
        universe = choose(part.view, job.status.request, part.turnover_usd)
        return Asked(part, universe, job.account, job.status.request), part.view.content_hash

    async def _strategy(
        self, job: _Job, position: int, planned: Planned, asked: Asked, group: asyncio.TaskGroup
    ) -> None:
        """One strategy from its turn to its row; nothing it does can harm the others.

        It does not wait until its beginning is written: whoever follows the scan is told beside it.
        """
        number = step_number(planned.id, self.catalogue)
        name = f"Strategy: {planned.strategy.name}"
        begun_ns = self._clock.monotonic_ns()
        if planned.skip is not None:
            run = skipped_run(planned.strategy, planned.skip, "not_entitled", asked)
        else:
            async with self._slots:
                begun_ns = self._clock.monotonic_ns()
                begun = transitions.step(number, name, "starting", self._clock.now_ns())
                group.create_task(job.pen.write(always(Change(steps=[begun]))))
                run = await self._crew.guarded(planned.strategy, asked, job.deadline, job.ended)
        spent_ms = self._since_ms(begun_ns)
        coverage = await asyncio.to_thread(pack_answers, run.dispositions)
        now_ns = self._clock.now_ns()
        report = msgspec.structs.replace(run.report, execution_ms=spent_ms)
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

        def ended(status: ScanStatus) -> Change:
            change = transitions.strategy_ended(status, position, report, coverage, found)
            change.steps = [step]
            return change

        await job.pen.write(ended)
        job.reports[planned.id] = report
        job.rows += [(item.opportunity_id, item.opportunity) for item in found]
        self.observer.evaluated(planned.id, str(report.outcome), (report.execution_ms or 0.0) / 1_000)

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
            await self._end(job, transitions.failed(job.status, error, now_ns))
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
        await self._end(job, change)

    async def _fail(self, job: _Job, error: ScanError) -> None:
        now_ns = self._clock.now_ns()
        try:
            await self._end(job, transitions.failed(job.status, error, now_ns))
        except Conflict:
            return  # somebody else has ended it
        except SextantError as failure:
            _LOG.warning("scan.not_settled", scan_id=job.status.scan_id, reason=failure.reason)

    async def _end(self, job: _Job, change: Change) -> None:
        """Write the last change of a scan, and tell how it went."""
        await job.pen.write(always(change))
        whole = len(job.reports) == len(job.planned) and not any(
            report.outcome in ("late", "failed") for report in job.reports.values()
        )
        seconds = (job.status.updated_ns - job.status.started_ns) / 1e9
        self.observer.scanned(str(change.facts["outcome"]), seconds, whole=whole)

    def _since_ms(self, begun_ns: int) -> float:
        return (self._clock.monotonic_ns() - begun_ns) / 1e6


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
