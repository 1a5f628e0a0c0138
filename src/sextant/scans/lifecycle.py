"""The front door of scans: accept, tell, cancel. Every id it returns is already durable."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from sextant.errors import BudgetExceeded, Conflict, InputError, Insufficient
from sextant.kit.clock import Clock, Deadline
from sextant.kit.db_faults import patiently
from sextant.kit.ids import new_id
from sextant.model.account import Account
from sextant.model.view import Feed
from sextant.scans.blobs import unpack
from sextant.scans.budget import Planned, plan, planned_steps
from sextant.scans.coverage_pages import CoveragePage, Wanted, page_of
from sextant.scans.diff import ScanDiff, Side, diff
from sextant.scans.ledger import Ledger
from sextant.scans.records import (
    Accepted,
    Coverage,
    Found,
    Inputs,
    Recommendation,
    ScanError,
    ScanEvent,
    ScanRequest,
    ScanResults,
    ScanStatus,
    StrategyReport,
)
from sextant.scans.signals import moved
from sextant.scans.store import Answer, HistoryFilter
from sextant.scans.transitions import failed
from sextant.strategies.contract import Strategy

IDEMPOTENCY_ROUTE: Final = "opportunities/discover"
PARTIAL_ROWS: Final = 10  # api.md 2.3: the ten best so far
DURATIONS_KEPT: Final = 50  # api.md 2.3 rule 6
USUAL_FOR_S: Final = 5.0  # the median of fifty scans moves slowly; polls within this time share it
WAITING_SCANS: Final = 256  # accepted and not yet begun; beyond it a scan is refused, never forgotten
WRITE_S: Final = 5.0  # how long a write is repeated while the database is away; the request has 15 s
_MOST_RACES: Final = 20  # a scan changes at most some tens of times; losing more often than this is a defect


class Caller(msgspec.Struct, frozen=True):
    """Who asks for a scan, with what is granted to them and the account it is run for."""

    user_id: str
    granted: frozenset[str]
    account: Account


class Origin(msgspec.Struct, frozen=True):
    """Where the facts of a scan come from, and which build runs it."""

    feed: Feed
    simulated: bool
    code_version: str


class Offer(Protocol):
    """What can be scanned: by which strategies, and which instruments are known."""

    catalogue: Mapping[str, Strategy]

    async def unmatched(self, request: ScanRequest) -> tuple[str, ...]:
        """Entries of a request that name nothing in the market; refused if none names anything."""
        ...


class Scans:
    """Accepts scans and answers every question about them from their rows.

    Parameters
    ----------
    ledger
        The books of scans; who serves its queue runs what is accepted.
    offer
        What can be scanned.
    clock
        Gives the times written to rows.
    origin
        Where facts come from and what code runs, as known when a scan is accepted.
    """

    def __init__(
        self,
        ledger: Ledger,
        offer: Offer,
        clock: Clock,
        origin: Callable[[], Origin],
    ) -> None:
        self._ledger = ledger
        self._rows = ledger.rows
        self._details = ledger.details
        self._offer = offer
        self._clock = clock
        self.catalogue = offer.catalogue
        self._origin = origin
        self._usual: tuple[int, float | None] | None = None

    @property
    def feed(self) -> tuple[Feed, bool]:
        """Where facts come from now, and whether they are simulated."""
        origin = self._origin()
        return origin.feed, origin.simulated

    async def discover(
        self, caller: Caller, request: ScanRequest, *, force: bool = False, key: str | None = None
    ) -> Accepted:
        """A scan that is committed and running, or the caller's running scan of equal filters.

        Parameters
        ----------
        force
            End the caller's running scan as superseded and start another.
        key
            Idempotency key: the same key and filters give the first answer again.

        Raises
        ------
        Conflict
            If a scan of other filters is running and ``force`` is false.
        InputError
            If a filter names nothing, or the key was used with other filters.
        """
        body_hash = hashlib.blake2b(msgspec.json.encode((request, force)), digest_size=16).hexdigest()
        planned = plan(request, caller.granted, self.catalogue)
        unmatched = await self._offer.unmatched(request)
        for _ in range(_MOST_RACES):
            if (
                key is not None
                and (earlier := await self._earlier(caller.user_id, key, body_hash)) is not None
            ):
                return earlier
            running = await self._rows.running(caller.user_id)
            if running is not None and force:
                await self._end(
                    running, ScanError("conflict", "superseded", "A newer scan of the same user replaced it.")
                )
            elif running is not None:
                joined = _joined(running, request)
                if key is None or await self._rows.remember(self._answer(caller, key, body_hash, joined)):
                    return joined
                continue  # another request stored the same key; its answer is the one to give
            status = self._first_status(caller, request, len(planned), unmatched)
            accepted = _accepted(status, await self._usual_s())
            answer = None if key is None else self._answer(caller, key, body_hash, accepted)
            if len(await self._ledger.leases.waiting()) >= WAITING_SCANS:
                raise BudgetExceeded(f"{WAITING_SCANS} scans wait already.", reason="pool_exhausted")
            try:
                await self._create(status, planned, caller.account, answer)
            except Conflict:
                continue  # another request of the same user won the race; look again
            return accepted
        raise Conflict("Too many scans of the same user start at once.", reason="scan_running")

    async def status(self, user_id: str | None, scan_id: str) -> ScanStatus:
        """The state of a scan; ``latest`` names the newest of the user.

        Raises
        ------
        NotFound
            If there is no such scan of this user; with ``user_id`` None, of anybody.
        """
        if scan_id == "latest" and user_id is not None:
            status = await self._rows.latest(user_id)
        else:
            status = await self._rows.status(scan_id, user_id)
        return await self._estimated(status)

    async def partial(self, scan_id: str) -> Sequence[Found]:
        """The ten best opportunities so far."""
        return await self._details.best(scan_id, PARTIAL_ROWS)

    async def results(self, user_id: str, scan_id: str) -> ScanResults:
        """What a scan found; while it runs, what it found so far.

        Raises
        ------
        NotFound
            If there is no such scan of this user.
        """
        told = await self._details.told(scan_id, user_id)
        return ScanResults(
            status=await self._estimated(told.status),
            found=await self._details.found(told.status.scan_id),
            strategies=told.reports,
            recommendations=unpack(told.recommendations, tuple[Recommendation, ...]),
            phase_ms=told.phase_ms,  # type: ignore[arg-type]  # keys are phase names, written by the worker
        )

    async def events(self, user_id: str, scan_id: str, after: int) -> AsyncIterator[ScanEvent]:
        """Events of a scan after a version, each once and in order, until it has ended.

        Raises
        ------
        NotFound
            If there is no such scan of this user; before the first event.
        """
        status = await self.status(user_id, scan_id)
        if after > status.version:
            raise InputError(
                f"Last-Event-ID {after} is beyond the newest event {status.version}.",
                reason="out_of_range",
                field="Last-Event-ID",
            )
        return self._follow(status.scan_id, after)

    async def coverage(self, user_id: str, scan_id: str) -> Coverage:
        """An outcome for each strategy and one disposition for each candidate.

        Raises
        ------
        NotFound
            If there is no such scan of this user.
        """
        status = await self.status(user_id, scan_id)
        rows = await self._details.coverage(status.scan_id)
        return Coverage(
            status=status,
            strategies=tuple(report for report, _ in rows),
            candidates=tuple((report.strategy_id, item) for report, items in rows for item in items),
        )

    async def coverage_page(
        self, user_id: str, scan_id: str, wanted: Wanted, start: int, limit: int
    ) -> CoveragePage:
        """The wanted candidates from ``start`` on, at most ``limit``, with the reports of all strategies.

        Raises
        ------
        NotFound
            If there is no such scan of this user.
        """
        status = await self.status(user_id, scan_id)
        rows = await self._details.packed_coverage(status.scan_id)
        candidates, further = await page_of(rows, wanted, start, limit)
        strategies = tuple(report for report, _ in rows)
        return CoveragePage(status=status, strategies=strategies, candidates=candidates, further=further)

    async def diff(self, user_id: str, first: str, second: str) -> ScanDiff:
        """What changed from one ended scan of a user to another, and why.

        Raises
        ------
        NotFound
            If either is no scan of this user.
        Insufficient
            If either is still running.
        """
        sides = [await self.coverage(user_id, scan_id) for scan_id in (first, second)]
        for side in sides:
            if side.status.status == "scanning":
                raise Insufficient(f"Scan {side.status.scan_id} has not ended yet.", reason="in_progress")
        a, b = [Side(await self._details.found(side.status.scan_id), side) for side in sides]
        return diff(a, b)

    async def opportunity(
        self, user_id: str, opportunity_id: str
    ) -> tuple[ScanStatus, Found, tuple[int, int] | None]:
        """The scan, the opportunity, and when and how often the same idea was found before.

        Raises
        ------
        NotFound
            If there is no such opportunity of this user.
        """
        scan_id, found = await self._details.opportunity(opportunity_id, user_id)
        status = await self._rows.status(scan_id, user_id)
        before = await self._details.seen_before(
            user_id, found.opportunity.opportunity_key, found.discovered_ns
        )
        return status, found, before

    async def cancel(self, user_id: str, scan_id: str) -> ScanStatus:
        """The scan, ended as cancelled if it was running; partial results are kept.

        Raises
        ------
        NotFound
            If there is no such scan of this user.
        """
        status = await self.status(user_id, scan_id)
        if status.status == "scanning":
            await self._end(status, ScanError("conflict", "cancelled", "The caller cancelled the scan."))
        return await self._rows.status(status.scan_id, user_id)

    async def history(
        self,
        user_id: str,
        limit: int,
        before: tuple[int, str] | None = None,
        only: HistoryFilter | None = None,
    ) -> tuple[int, list[ScanStatus]]:
        """How many scans a user has, and a page of those wanted, newest first."""
        return await self._rows.count(user_id), await self._rows.page(user_id, limit, before, only)

    async def _create(
        self, status: ScanStatus, planned: tuple[Planned, ...], account: Account, answer: Answer | None
    ) -> None:
        """Commit a scan, its rows and its place in the queue; one that was committed unseen is found again."""
        reports = [StrategyReport(strategy_id=item.id, name=item.strategy.name) for item in planned]
        steps = planned_steps(planned, self.catalogue, status.started_ns)
        inputs = Inputs(tuple((item.id, item.skip) for item in planned), account)

        async def attempt(again: bool) -> None:
            try:
                await self._rows.create(status, reports, steps, answer, inputs)
            except Conflict:
                if not (again and await self._rows.known(status.scan_id)):
                    raise

        await patiently(self._clock, Deadline(self._clock, WRITE_S), attempt)

    async def _earlier(self, user_id: str, key: str, body_hash: str) -> Accepted | None:
        """The answer already given under an idempotency key, or None."""
        stored = await self._rows.answer(user_id, IDEMPOTENCY_ROUTE, key)
        if stored is None:
            return None
        if stored[0] != body_hash:
            raise InputError(
                f"Idempotency-Key '{key}' was used with another body.",
                reason="idempotency_mismatch",
                field="Idempotency-Key",
            )
        return msgspec.structs.replace(msgspec.json.decode(stored[1], type=Accepted), replayed=True)

    def _answer(self, caller: Caller, key: str, body_hash: str, accepted: Accepted) -> Answer:
        return Answer(
            user_id=caller.user_id,
            route=IDEMPOTENCY_ROUTE,
            key=key,
            body_hash=body_hash,
            answer=msgspec.json.encode(accepted),
            created_ns=self._clock.now_ns(),
        )

    def _first_status(
        self, caller: Caller, request: ScanRequest, strategies: int, unmatched: tuple[str, ...]
    ) -> ScanStatus:
        origin = self._origin()
        now_ns = self._clock.now_ns()
        return ScanStatus(
            scan_id=new_id("scan"),
            user_id=caller.user_id,
            status="scanning",
            outcome=None,
            phase="started",
            version=1,
            message=f"Scan accepted: {strategies} strategies.",
            total_strategies=strategies,
            ended_strategies=0,
            found_count=0,
            outcomes={},
            started_ns=now_ns,
            updated_ns=now_ns,
            finished_ns=None,
            as_of_ns=None,
            view_hash=None,
            code_version=origin.code_version,
            feed=origin.feed,
            simulated=origin.simulated,
            request=request,
            unmatched=unmatched,
            error=None,
            remaining_s=None,
            universe_count=None,
            tiers=(),
        )

    async def _estimated(self, status: ScanStatus) -> ScanStatus:
        """A running scan with the seconds it may still take.

        Notes
        -----
        Of the three queries of a hot route (api.md 4) two are spent where there is something to show; the
        usual duration is read anew only while there is nothing.
        """
        if status.status != "scanning":
            return status
        if status.found_count and self._usual is not None:
            usual = self._usual[1]
        else:
            usual = None if status.found_count else await self._usual_s()
        spent = (self._clock.now_ns() - status.started_ns) / 1e9
        return msgspec.structs.replace(status, remaining_s=None if usual is None else max(0.0, usual - spent))

    async def _usual_s(self) -> float | None:
        """The median duration of the newest complete scans; None before the first."""
        now_ns = self._clock.monotonic_ns()
        if self._usual is None or now_ns - self._usual[0] > USUAL_FOR_S * 1e9:
            # Whoever asks meanwhile is told what was usual before; hundreds of polls shall not read it at once.
            self._usual = now_ns, None if self._usual is None else self._usual[1]
            durations = await self._rows.durations_s(DURATIONS_KEPT)
            self._usual = now_ns, statistics.median(durations) if durations else None
        return self._usual[1]

    async def _end(self, status: ScanStatus, error: ScanError) -> None:
        """End a running scan from outside; whoever moves it meanwhile is overtaken, an ended one is left alone."""
        for _ in range(_MOST_RACES):
            try:
                now_ns = self._clock.now_ns()
                await self._rows.change(status.scan_id, status.version, now_ns, failed(status, error, now_ns))
            except Conflict:
                status = await self._rows.status(status.scan_id, None)
                if status.status != "scanning":
                    return
            else:
                return
        raise Conflict(f"Scan {status.scan_id} moves too fast to be ended.", reason="in_progress")

    async def _follow(self, scan_id: str, after: int) -> AsyncIterator[ScanEvent]:
        found: dict[str, Found] = {}
        async with self._ledger.signals.watching(scan_id) as change:
            while True:
                change.clear()
                events = await self._details.events(scan_id, after)
                if any(
                    event.kind == "opportunity" and event.body["opportunity_id"] not in found
                    for event in events
                ):
                    found = {item.opportunity_id: item for item in await self._details.found(scan_id)}
                for event in events:
                    after = event.version
                    item = found.get(event.body.get("opportunity_id", ""))
                    yield msgspec.structs.replace(event, found=item) if item is not None else event
                    if event.kind == "done":
                        return
                if not events:
                    await moved(change)


def _accepted(status: ScanStatus, usual_s: float | None) -> Accepted:
    return Accepted(
        scan_id=status.scan_id,
        joined=False,
        replayed=False,
        total_strategies=status.total_strategies,
        ended_strategies=0,
        estimated_s=usual_s,
        request=status.request,
        unmatched=status.unmatched,
    )


def _joined(running: ScanStatus, request: ScanRequest) -> Accepted:
    """The answer to a request that equals the running scan.

    Raises
    ------
    Conflict
        If its filters differ.
    """
    if running.request != request:
        raise Conflict(
            f"Scan {running.scan_id} is running with other filters; wait, cancel it, or set force_refresh.",
            reason="scan_running",
            scan_id=running.scan_id,
        )
    return Accepted(
        scan_id=running.scan_id,
        joined=True,
        replayed=False,
        total_strategies=running.total_strategies,
        ended_strategies=running.ended_strategies,
        estimated_s=None,
        request=request,
        unmatched=running.unmatched,
    )
