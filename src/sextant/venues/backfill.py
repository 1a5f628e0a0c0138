"""A venue's history, fetched once at the start: the most useful first, within the venue's budget of requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, Literal, TypeVar

import numpy as np

from sextant.errors import SextantError, Throttled
from sextant.kit import log
from sextant.kit.clock import Clock, Deadline
from sextant.kit.http import Answer
from sextant.kit.precedence import Precedence
from sextant.kit.rate_limit import CallBudget
from sextant.model.bar import BAR_FIELDS, BarBlock, Floats
from sextant.model.events import DerivativesUpdate, Event, FundingSettled, OpenInterestPoint
from sextant.model.instrument import Instrument
from sextant.model.times import INTERVAL_NS, Interval
from sextant.venues.asking import Asks
from sextant.venues.port import Listing, Request, Venue

Subject = Literal["bars", "funding", "open_interest", "account_ratio"]

READ_S: Final = 10.0
WORKERS: Final = 16  # reads in flight; at 100 ms an answer this reaches the budget of 100 a second
PAGES: Final = 40  # of one subject of one instrument, whatever is asked
BURST: Final = 20

_log = log.get("venues")

P = TypeVar("P", FundingSettled, OpenInterestPoint, DerivativesUpdate)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much history is wanted of each instrument.

    Parameters
    ----------
    bars
        Rows by interval, in the order to fetch: long frames first, because a thousand of their rows say most
        about an instrument, then the base frame.
    funding, open_interest, account_ratio
        Rows of each; 0 for none. Fetched between the long frames and the others, because one read each is enough
        for most.
    """

    bars: Mapping[Interval, int] = field(
        default_factory=lambda: {"4h": 1000, "1h": 1000, "1m": 3000, "5m": 1000, "30m": 1000, "1d": 1000}
    )
    funding: int = 200
    open_interest: int = 400
    account_ratio: int = 500


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of history: ``rows`` of a subject of an instrument; the interval is None except for bars."""

    listing: Listing
    subject: Subject
    interval: Interval | None
    rows: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a back-fill is: tasks done, failed and in all, and reads made."""

    done: int
    failed: int
    total: int
    reads: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A piece of history that could not be had, and why; it stays absent until it is asked again."""

    task: Task
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class _Pager(Generic[P]):
    rows: int
    request: Callable[[Listing, int, int], Request]
    parse: Callable[[bytes, int, Instrument], list[P]]


def tasks(venue: Venue, listings: Sequence[Listing], plan: Plan) -> Iterator[Task]:
    """Every task of a plan in the order to do it: by subject, then by instrument as given."""
    long = [interval for interval in plan.bars if interval in ("4h", "1h")]
    rest = [interval for interval in plan.bars if interval not in long]
    subjects: list[tuple[Subject, Interval | None, int]] = [
        *(("bars", interval, plan.bars[interval]) for interval in long),
        ("funding", None, plan.funding),
        ("open_interest", None, plan.open_interest),
        ("account_ratio", None, plan.account_ratio),
        *(("bars", interval, plan.bars[interval]) for interval in rest),
    ]
    can = venue.capabilities
    offered = {"funding": can.funding, "open_interest": can.open_interest, "account_ratio": can.account_ratio}
    for subject, interval, rows in subjects:
        for listing in listings:
            wanted = (
                interval in can.intervals and listing.instrument.kind != "option"
                if subject == "bars"
                else offered[subject] and listing.instrument.kind == "perpetual"
            )
            if wanted and rows > 0:
                yield Task(listing, subject, interval, rows)


class Backfill:
    """Fetches history; a piece that fails is recorded and the rest goes on.

    Parameters
    ----------
    venue
        Whose history.
    client
        Opened client of its REST interface; repeats passing failures by itself.
    clock
        Of deadlines, budget and the time until which history is wanted.
    emit
        Takes the events of one finished piece, oldest first.
    progress
        Called after every piece.
    """

    def __init__(
        self,
        venue: Venue,
        client: Asks,
        clock: Clock,
        emit: Callable[[list[Event]], None],
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._venue = venue
        self._client = client
        self._clock = clock
        self._emit = emit
        self._progress = progress
        self._precedence = Precedence()
        self._budget = CallBudget(clock, venue.limits.requests_per_s, BURST)
        self._reads = 0
        self._done = 0
        self._failures: list[Failure] = []

    def behind(self, precedence: Precedence) -> None:
        """Begin each piece only when nothing goes before it; before ``run``."""
        self._precedence = precedence

    async def run(
        self, listings: Sequence[Listing], deadline: Deadline, plan: Plan | None = None
    ) -> tuple[Failure, ...]:
        """What could not be had; everything else has been emitted.

        Parameters
        ----------
        listings
            Whose history, the most important first.
        deadline
            Of the whole; what is not begun by then fails with reason ``budget_exceeded``.
        plan
            How much; the default feeds every indicator.
        """
        todo = list(tasks(self._venue, listings, plan or Plan()))
        queue = iter(todo)

        async def work() -> None:
            for task in queue:  # one iterator for all workers: each takes the next task in order
                await self._precedence.give_way()
                await self._do(task, deadline)
                self._progress(Progress(self._done, len(self._failures), len(todo), self._reads))

        async with asyncio.TaskGroup() as group:
            for _ in range(min(WORKERS, len(todo))):
                group.create_task(work())
        if self._failures:
            _log.warning("backfill.incomplete", failed=len(self._failures), total=len(todo))
        return tuple(self._failures)

    async def _do(self, task: Task, deadline: Deadline) -> None:
        try:
            deadline.check("backfill")
            events = await self._fetch(task, deadline)
        except SextantError as error:
            self._failures.append(Failure(task, error.code, error.message))
        else:
            if events:
                self._emit(events)
        self._done += 1

    async def _fetch(self, task: Task, deadline: Deadline) -> list[Event]:
        history = self._venue.history
        if task.subject == "bars":
            return await self._bars(task, deadline)
        if task.subject == "funding":
            return await self._points(
                task, deadline, _Pager(history.funding_rows, history.funding_request, history.parse_funding)
            )
        if task.subject == "open_interest":
            return await self._points(
                task,
                deadline,
                _Pager(
                    history.open_interest_rows, history.open_interest_request, history.parse_open_interest
                ),
            )
        return await self._points(
            task,
            deadline,
            _Pager(history.account_ratio_rows, history.account_ratio_request, history.parse_account_ratio),
        )

    async def _bars(self, task: Task, deadline: Deadline) -> list[Event]:
        history, interval = self._venue.history, task.interval
        if interval is None:
            return []
        blocks: list[BarBlock] = []
        missing, end_ns = task.rows, self._clock.now_ns()
        for page in range(PAGES):
            # The bar still forming takes one row of the first page.
            asked = min(history.bars_rows, missing + (page == 0))
            request = history.bars_request(task.listing, interval, end_ns, asked)
            answer = await self._read(request, deadline)
            block = history.parse_bars(answer.body, answer.receive_ns, task.listing.instrument, interval)
            got = len(block.open_ns)
            if got:
                blocks.append(block)
                missing -= got
                end_ns = int(block.open_ns[0]) - INTERVAL_NS[interval]
            if missing <= 0 or got < asked - (page == 0):
                break  # enough, or the instrument is younger
        return [_joined(blocks[::-1])] if blocks else []

    async def _points(self, task: Task, deadline: Deadline, pager: _Pager[P]) -> list[Event]:
        points: dict[int, P] = {}
        end_ns = self._clock.now_ns()
        for _ in range(PAGES):
            asked = min(pager.rows, task.rows - len(points))
            answer = await self._read(pager.request(task.listing, end_ns, asked), deadline)
            page = pager.parse(answer.body, answer.receive_ns, task.listing.instrument)
            before = len(points)
            points.update((point.event_ns, point) for point in page)
            if len(points) >= task.rows or len(page) < asked or len(points) == before:
                break
            end_ns = page[0].event_ns - 1_000_000  # venues count in milliseconds
        return [points[event_ns] for event_ns in sorted(points)]

    async def _read(self, request: Request, deadline: Deadline) -> Answer:
        """One answer; a venue that asks for silence is waited for, once for all workers."""
        while True:
            await self._budget.spend()
            self._reads += 1
            try:
                return await self._client.get(request.path, request.query, deadline.shorter(READ_S))
            except Throttled as error:
                if error.retry_after_s >= deadline.remaining_s():
                    raise
                await self._clock.sleep(error.retry_after_s)


def _joined(blocks: Sequence[BarBlock]) -> BarBlock:
    """Blocks of one instrument, in rising time, as one."""
    if len(blocks) == 1:
        return blocks[0]
    columns: dict[str, Floats] = {
        name: np.concatenate([getattr(block, name) for block in blocks]) for name in BAR_FIELDS
    }
    last = blocks[-1]
    return BarBlock(
        interval=last.interval,
        instruments=last.instruments,
        open_ns=np.concatenate([block.open_ns for block in blocks]),
        event_ns=last.event_ns,
        receive_ns=last.receive_ns,
        **columns,
    )
