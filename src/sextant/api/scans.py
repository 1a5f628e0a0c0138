"""Routes of scans: list, cancel, follow, and why each candidate is where it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec

from sextant.api.cursors import Cursors
from sextant.api.endpoint import Call, Endpoint, EventStream, NoBody, NoQuery
from sextant.api.opportunity_wire import opportunity
from sextant.api.problems import problem_of
from sextant.api.scan_schemas import (
    CoverageAnswer,
    CoverageQuery,
    ScanRow,
    ScansAnswer,
    ScansQuery,
    StatusBody,
)
from sextant.api.scan_wire import (
    BASE,
    candidate,
    execution_ms,
    filters,
    outcomes,
    results,
    scan_state,
    stamps,
    status_body,
    strategy_coverage,
)
from sextant.api.times import time_field
from sextant.errors import InputError, NotFound, SextantError
from sextant.kit.clock import Clock
from sextant.kit.ids import is_id
from sextant.kit.sse import StreamEnd, frame, stream
from sextant.model.times import iso_ms
from sextant.scans.coverage_pages import CoveragePage, Wanted
from sextant.scans.lifecycle import Scans
from sextant.scans.records import ScanEvent, ScanResults, ScanStatus
from sextant.scans.store import HistoryFilter

_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


def results_body(answer: ScanResults, now_ns: int | None = None) -> bytes:
    """The results body of the API as JSON; ages count from the scan's own time unless another is given."""
    status = answer.status
    if now_ns is None:
        now_ns = status.updated_ns if status.as_of_ns is None else status.as_of_ns
    return _ENCODER.encode(results(answer, now_ns))


def coverage_body(answer: ScanResults) -> bytes:
    """The strategies of the coverage body of the API as JSON."""
    return _ENCODER.encode([strategy_coverage(report) for report in answer.strategies])


class ScanRoutes:
    """Lists, cancels, follows and explains the caller's scans.

    Parameters
    ----------
    scans
        Front door of the room.
    cursors
        Signs pages.
    clock
        Gives ages, heartbeats and ends of streams.
    closing
        Set when the server stops.
    """

    def __init__(self, scans: Scans, cursors: Cursors, clock: Clock, closing: asyncio.Event) -> None:
        self._scans = scans
        self._cursors = cursors
        self._clock = clock
        self._closing = closing

    async def list(self, call: Call[NoBody, ScansQuery]) -> ScansAnswer:
        """A page of the caller's scans, newest first."""
        query = call.query
        bound = (call.user_id, "scans", query.status, query.since, query.until)
        before = None if query.cursor is None else self._cursors.read(query.cursor, *bound)
        only = HistoryFilter(
            query.status,
            time_field(query.since, "since"),
            time_field(query.until, "until"),
        )
        place = None if before is None else (int(before[0]), str(before[1]))
        _, page = await self._scans.history(call.user_id, query.limit + 1, place, only)
        return ScansAnswer(
            [_scan_row(status) for status in page[: query.limit]],
            next_cursor(self._cursors, page, query.limit, bound),
        )

    async def cancel(self, call: Call[NoBody, NoQuery]) -> StatusBody:
        """The scan after its end; one that had ended is told as it is."""
        status = await self._scans.cancel(call.user_id, scan_id_of(call))
        best = await self._scans.partial(status.scan_id) if status.found_count else ()
        return status_body(status, best, self._clock.now_ns())

    async def events(self, call: Call[NoBody, NoQuery]) -> EventStream:
        """The events of a scan after the last one the caller saw, until it has ended."""
        scan_id = scan_id_of(call)
        after = _last_event_id(call.headers.get("last-event-id"))
        status = await self._scans.status(call.user_id, scan_id)
        events = await self._scans.events(call.user_id, scan_id, after)
        end = StreamEnd(
            max(0.0, (call.identity.expires_ns - self._clock.now_ns()) / 1e9),
            self._closing,
            lambda error: _ENCODER.encode(_problem(error, call)),
        )
        return EventStream(stream(self._frames(events, status), self._clock, end))

    async def coverage(self, call: Call[NoBody, CoverageQuery]) -> CoverageAnswer:
        """Why each candidate is where it is, a page of candidates at a time."""
        scan_id, query = scan_id_of(call), call.query
        bound = (call.user_id, scan_id, query.strategy_id, query.instrument, query.disposition)
        start = 0 if query.cursor is None else int(self._cursors.read(query.cursor, *bound)[0])
        wanted = Wanted(strategy_id=query.strategy_id, instrument=query.instrument, kind=query.disposition)
        found = await self._scans.coverage_page(call.user_id, scan_id, wanted, start, query.limit)
        _check_strategy(found, query.strategy_id)
        status = found.status
        return CoverageAnswer(
            scan_id=scan_id,
            complete_coverage=status.complete_coverage,
            universe=status.universe_count,
            strategies=[
                strategy_coverage(report)
                for report in found.strategies
                if query.strategy_id in (None, report.strategy_id)
            ],
            candidates=[candidate(strategy_id, item) for strategy_id, item in found.candidates],
            next_cursor=self._cursors.make((start + query.limit,), *bound) if found.further else None,
            feed=status.feed,
            simulated=status.simulated,
            **stamps(status, self._clock.now_ns()),
        )

    def endpoints(self) -> Sequence[Endpoint]:
        """The rows of api.md 3.1 that this release has."""
        path = f"{BASE}/scans/{{scan_id}}"
        return (
            Endpoint(
                method="GET",
                path=f"{BASE}/scans",
                name="scans_list",
                summary="The caller's scans, newest first",
                access=("scan:read",),
                handler=self.list,
                query=ScansQuery,
                answer=ScansAnswer,
                proof=("A38",),
            ),
            Endpoint(
                method="POST",
                path=f"{path}/cancel",
                name="scans_cancel",
                summary="End a running scan; partial results are kept",
                access=("scan:run",),
                handler=self.cancel,
                answer=StatusBody,
                proof=("A04",),
            ),
            Endpoint(
                method="GET",
                path=f"{path}/events",
                name="scans_events",
                summary="Follow a scan as server-sent events",
                access=("scan:read",),
                handler=self.events,
                errors=(410,),
                proof=("A04", "A07", "A19"),
                policy_name="scan.poll",
                media_type="text/event-stream",
            ),
            Endpoint(
                method="GET",
                path=f"{path}/coverage",
                name="scans_coverage",
                summary="Why each candidate is where it is",
                access=("scan:read",),
                handler=self.coverage,
                query=CoverageQuery,
                answer=CoverageAnswer,
                errors=(410,),
                proof=("A08",),
            ),
        )

    async def _frames(self, events: AsyncIterator[ScanEvent], status: ScanStatus) -> AsyncIterator[bytes]:
        async for event in events:
            facts = {"scan_id": status.scan_id, "version": event.version}
            marks = {"feed": status.feed, "simulated": status.simulated}
            data = _ENCODER.encode(facts | _event_body(event, status, self._clock.now_ns()) | marks)
            yield frame(event.kind, data, event.version)


def next_cursor(
    cursors: Cursors, page: Sequence[ScanStatus], limit: int, bound: tuple[Any, ...]
) -> str | None:
    """The cursor behind the last scan shown, if one more was found."""
    if len(page) <= limit:
        return None
    last = page[limit - 1]
    return cursors.make((last.started_ns, last.scan_id), *bound)


def scan_id_of(call: Call[Any, Any]) -> str:
    """The scan id of the path, as :func:`checked_scan_id`."""
    return checked_scan_id(call.path["scan_id"])


def checked_scan_id(text: str) -> str:
    """The text, if it can be the id of a scan.

    Raises
    ------
    NotFound
        If it cannot.
    """
    if not is_id(text, "scan"):
        raise NotFound(f"There is no scan '{text}'.")
    return text


def _event_body(event: ScanEvent, status: ScanStatus, now_ns: int) -> dict[str, Any]:
    body = event.body
    if event.kind == "phase":
        return {name: body[name] for name in ("phase", "status", "duration_ms")} | {
            "timestamp": iso_ms(event.time_ns)
        }
    if event.kind == "strategy":
        told = {name: body[name] for name in ("strategy_id", "outcome", "reason", "opportunities")}
        return told | {"execution_time_ms": body["execution_ms"]}
    if event.kind == "opportunity":
        # A row is told as it was when it was found, so that a resumed stream repeats what the first one said.
        unranked = None if event.found is None else msgspec.structs.replace(event.found, rank=None)
        return dict(body) if unranked is None else msgspec.structs.asdict(opportunity(unranked, now_ns))
    if event.kind == "progress":
        ended, total = body["ended_strategies"], body["total_strategies"]
        done = {
            "strategies_completed": ended,
            "total_strategies": total,
            "opportunities_found_so_far": body["found_count"],
            "percentage": min(99, 100 * ended // max(1, total)),
        }
        return {"progress": done, "outcomes": body["outcomes"]}
    return {name: body[name] for name in ("status", "total_opportunities", "complete_coverage", "error")} | {
        "results_url": f"{BASE}/opportunities/results/{status.scan_id}"
    }


def _scan_row(status: ScanStatus) -> ScanRow:
    return ScanRow(
        scan_id=status.scan_id,
        status=status.status,
        outcome=status.outcome,
        scan_state=scan_state(status),
        started_at=iso_ms(status.started_ns),
        finished_at=None if status.finished_ns is None else iso_ms(status.finished_ns),
        execution_time_ms=execution_ms(status),
        total_opportunities=status.found_count,
        outcomes=outcomes(status),
        filters=filters(status.request, status.unmatched),
        feed=status.feed,
        simulated=status.simulated,
    )


def _check_strategy(found: CoveragePage, strategy_id: str | None) -> None:
    if strategy_id is not None and strategy_id not in {report.strategy_id for report in found.strategies}:
        raise InputError("The scan has no strategy of that id.", reason="not_a_choice", field="strategy_id")


def _last_event_id(text: str | None) -> int:
    if text is None or text == "":
        return 0
    if not text.isdecimal() or len(text) > 18:
        raise InputError(
            "Last-Event-ID is not the id of an event of this scan.",
            reason="out_of_range",
            field="Last-Event-ID",
        )
    return int(text)


def _problem(error: SextantError, call: Call[Any, Any]) -> msgspec.Struct:
    return problem_of(error, call.url_path, call.origin.request_id)
