"""The rows of scans: one per scan, one per strategy, one per event, step and opportunity.

Every change of a scan is one transaction; each event it tells raises the version by one, which is the id of
the newest event, so a reader of events and a reader of the row can never disagree. A change is
refused (``Conflict``) once the scan has ended or when somebody else moved it first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sextant.errors import Conflict, NotFound
from sextant.kit.db import DatabaseNow
from sextant.kit.hot_reads import HotQuery, HotReads, column
from sextant.kit.queue import WorkQueue
from sextant.scans.blobs import pack, unpack
from sextant.scans.records import (
    LEASE_NS,
    Found,
    Inputs,
    Lease,
    ScanError,
    ScanRequest,
    ScanStatus,
    Status,
    Step,
    StrategyReport,
    phase_event,
)
from sextant.scans.signals import CHANNEL, Signals, notice_of
from sextant.scans.tables import EVENTS, IDEMPOTENCY, OPPORTUNITIES, SCANS, STEPS, STRATEGIES

STATUS_COLUMNS: Final = tuple(column for column in SCANS.c if column.name in ScanStatus.__struct_fields__)
"""What a status is read from."""


def status_of(row: sa.Row[Any]) -> ScanStatus:
    """The status that a row of ``scans`` states."""
    facts: dict[str, Any] = {column.name: getattr(row, column.name) for column in STATUS_COLUMNS}
    facts["request"] = unpack(facts["request"], ScanRequest)
    facts["error"] = None if facts["error"] is None else unpack(facts["error"], ScanError)
    facts["unmatched"] = tuple(facts["unmatched"])
    facts["tiers"] = tuple(facts["tiers"])
    return ScanStatus(remaining_s=None, **facts)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What was answered to a user's request under an idempotency key."""

    user_id: str
    route: str
    key: str
    body_hash: str
    answer: bytes
    created_ns: int


class Change(msgspec.Struct, kw_only=True):
    """One transition of a scan, written in one transaction.

    ``facts`` are columns of the scan's row; ``events`` get the next versions in order; ``reports``
    carry (position, report, packed answers); ``owner`` is whose opportunities ``found`` are;
    ``ranks`` is the final order of opportunity ids.
    """

    facts: dict[str, Any] = {}
    events: list[tuple[str, dict[str, Any]]] = []
    steps: list[Step] = []
    reports: list[tuple[int, StrategyReport, bytes]] = []
    found: list[Found] = []
    owner: str = ""
    ranks: list[str] = []

    def then(self, later: Change) -> Change:
        """Both as one change, the other after it."""
        return Change(
            facts=self.facts | later.facts,
            events=[*self.events, *later.events],
            steps=[*self.steps, *later.steps],
            reports=[*self.reports, *later.reports],
            found=[*self.found, *later.found],
            owner=later.owner or self.owner,
            ranks=later.ranks or self.ranks,
        )


class HistoryFilter(msgspec.Struct, frozen=True):
    """Which scans of a history are wanted; None leaves a bound out. Times are of the start, ``until`` exclusive."""

    status: Status | None = None
    since_ns: int | None = None
    until_ns: int | None = None


def _ended(status: ScanStatus) -> bool:
    """Whether a state is final; nothing moves a scan out of it (``ScanRows.change``)."""
    return status.status != "scanning"


_STATUS: Final = HotQuery(
    sa.select(*STATUS_COLUMNS).where(SCANS.c.scan_id == sa.bindparam("scan_id")), status_of, _ended
)
"""The state of a scan, as every poll asks."""

_LATEST: Final = HotQuery(
    sa.select(*STATUS_COLUMNS)
    .where(SCANS.c.user_id == sa.bindparam("user_id"))
    .order_by(SCANS.c.started_ns.desc())
    .limit(1),
    status_of,
)

_NEWEST: Final = HotQuery(
    sa.select(*STATUS_COLUMNS)
    .where(SCANS.c.user_id == sa.bindparam("user_id"))
    .order_by(SCANS.c.started_ns.desc(), SCANS.c.scan_id.desc())
    .limit(sa.bindparam("most")),
    status_of,
)
"""The first page of a history, as the list of scans and every look at one's standing ask."""

_COUNT: Final = HotQuery(
    sa.select(sa.func.count().label("many")).where(SCANS.c.user_id == sa.bindparam("user_id")),
    column("many"),
)

_SPENT: Final = HotQuery(
    sa.select((SCANS.c.finished_ns - SCANS.c.started_ns).label("spent_ns"))
    .where(SCANS.c.status == "complete")
    .order_by(SCANS.c.started_ns.desc())
    .limit(sa.bindparam("most")),
    column("spent_ns"),
)


_UPDATE_STEP: Final = (
    sa.update(STEPS)
    .where(STEPS.c.scan_id == sa.bindparam("scan"), STEPS.c.number == sa.bindparam("which"))
    .values(step=sa.bindparam("step"))
)
_UPDATE_STRATEGY: Final = (
    sa.update(STRATEGIES)
    .where(STRATEGIES.c.scan_id == sa.bindparam("scan"), STRATEGIES.c.position == sa.bindparam("which"))
    .values(report=sa.bindparam("report"), coverage=sa.bindparam("coverage"))
)
_UPDATE_RANK: Final = (
    sa.update(OPPORTUNITIES)
    .where(OPPORTUNITIES.c.opportunity_id == sa.bindparam("which"))
    .values(rank=sa.bindparam("rank"))
)


class ScanRows:
    """Reads and moves the state of scans.

    Parameters
    ----------
    db
        An engine of ``kit.db``; its schema is migrated.
    queue
        Gets each new scan in the transaction that writes its row; None where nothing is to be run.
    signals
        Wakes whoever follows a scan in this process.
    """

    def __init__(
        self, db: AsyncEngine, queue: WorkQueue | None = None, signals: Signals | None = None
    ) -> None:
        self._db = db
        self._reads = HotReads(db)
        self._queue = queue
        self._signals = Signals() if signals is None else signals

    async def create(
        self,
        status: ScanStatus,
        reports: Sequence[StrategyReport],
        steps: Sequence[Step],
        answer: Answer | None,
        inputs: Inputs | None = None,
    ) -> None:
        """Commit a new scan with all its rows, and the answer given under an idempotency key if there is one.

        Parameters
        ----------
        inputs
            What any process needs to run it.

        Raises
        ------
        Conflict
            If the user has a running scan, or the key was used in the meantime.
        """
        row = {name: getattr(status, name) for name in ScanStatus.__struct_fields__ if name != "remaining_s"}
        row |= {
            "request": pack(status.request),
            "error": None,
            "unmatched": list(status.unmatched),
            "tiers": list(status.tiers),
            "recommendations": pack(()),
            "phase_ms": {},
            "inputs": None if inputs is None else pack(inputs),
            # Even the wait for the first holder ends: then a sweep asks again.
            "lease_until_ns": DatabaseNow() + LEASE_NS,
        }
        started = phase_event("started", "completed")
        try:
            async with self._db.begin() as connection:
                await connection.execute(sa.insert(SCANS).values(**row))
                await connection.execute(
                    sa.insert(STRATEGIES),
                    [
                        {"scan_id": status.scan_id, "position": i, "report": pack(r)}
                        for i, r in enumerate(reports)
                    ],
                )
                await _insert_steps(connection, status.scan_id, steps)
                await _insert_events(connection, status.scan_id, 1, status.started_ns, [started])
                if answer is not None:
                    await connection.execute(sa.insert(IDEMPOTENCY), msgspec.structs.asdict(answer))
                if self._queue is not None:
                    await self._queue.put(connection, status.scan_id)
        except sa.exc.IntegrityError:
            raise Conflict("Another scan of the same user is running.", reason="scan_running") from None
        if self._queue is not None:
            await self._queue.committed(status.scan_id)

    async def change(
        self, scan_id: str, version: int, time_ns: int, change: Change, lease: Lease | None = None
    ) -> int:
        """The new version of a scan after a transition from ``version``, committed.

        Parameters
        ----------
        lease
            The lease under which the scan is run; None ends it from outside, and with it whoever holds one.

        Raises
        ------
        Conflict
            If the scan has ended, its version is no longer ``version``, or the lease was lost.
        """
        after = version + len(change.events)
        holder = sa.true() if lease is None else SCANS.c.lease_token == lease.token
        async with self._db.begin() as connection:
            moved = await connection.execute(
                sa.update(SCANS)
                .where(SCANS.c.scan_id == scan_id, SCANS.c.version == version, SCANS.c.status == "scanning")
                .where(holder)
                .values(version=after, updated_ns=time_ns, **_leased(change, lease), **change.facts)
            )
            if moved.rowcount != 1:
                raise Conflict(
                    f"Scan {scan_id} is no longer running at version {version}.", reason="in_progress"
                )
            await _insert_events(connection, scan_id, version + 1, time_ns, change.events)
            if change.steps:
                # Of two states of one step the later is its state; a database may run the rows of one statement in any order.
                steps = {
                    step.number: {"scan": scan_id, "which": step.number, "step": pack(step)}
                    for step in change.steps
                }
                await connection.execute(_UPDATE_STEP, list(steps.values()))
            if change.reports:
                ended = [
                    {"scan": scan_id, "which": position, "report": pack(report), "coverage": coverage}
                    for position, report, coverage in change.reports
                ]
                await connection.execute(_UPDATE_STRATEGY, ended)
            await _insert_found(connection, scan_id, change.owner, change.found)
            if change.ranks:
                places = [{"which": which, "rank": place} for place, which in enumerate(change.ranks, 1)]
                await connection.execute(_UPDATE_RANK, places)
            if connection.dialect.name == "postgresql":
                notice = notice_of(scan_id, ended=lease is None)
                await connection.execute(sa.select(sa.func.pg_notify(CHANNEL, notice)))
        self._signals.tell(scan_id, ended=lease is None)
        return after

    async def known(self, scan_id: str) -> bool:
        """Whether there is such a scan."""
        query = sa.select(SCANS.c.scan_id).where(SCANS.c.scan_id == scan_id)
        async with self._db.connect() as connection:
            return (await connection.execute(query)).first() is not None

    async def remember(self, answer: Answer) -> bool:
        """Whether the answer was stored; false where another was stored under the same key before."""
        try:
            async with self._db.begin() as connection:
                await connection.execute(sa.insert(IDEMPOTENCY), msgspec.structs.asdict(answer))
        except sa.exc.IntegrityError:
            return False
        return True

    async def answer(self, user_id: str, route: str, key: str) -> tuple[str, bytes] | None:
        """The body hash and the answer stored under an idempotency key, or None."""
        where = (IDEMPOTENCY.c.user_id == user_id, IDEMPOTENCY.c.route == route, IDEMPOTENCY.c.key == key)
        async with self._db.connect() as connection:
            row = (
                await connection.execute(
                    sa.select(IDEMPOTENCY.c.body_hash, IDEMPOTENCY.c.answer).where(*where)
                )
            ).first()
        return None if row is None else (row.body_hash, row.answer)

    async def status(self, scan_id: str, user_id: str | None) -> ScanStatus:
        """The state of a scan; of this user only, unless ``user_id`` is None.

        Raises
        ------
        NotFound
            If there is no such scan, or it is somebody else's.
        """
        status = await self._reads.first(_STATUS, scan_id=scan_id)
        if status is None or user_id not in (None, status.user_id):
            raise NotFound(f"There is no scan '{scan_id}'.")
        return status

    async def latest(self, user_id: str) -> ScanStatus:
        """The newest scan of a user.

        Raises
        ------
        NotFound
            If the user never started one.
        """
        status = await self._reads.first(_LATEST, user_id=user_id)
        if status is None:
            raise NotFound("There is no scan 'latest'.")
        return status

    async def running(self, user_id: str) -> ScanStatus | None:
        """The running scan of a user, or None."""
        query = sa.select(*STATUS_COLUMNS).where(SCANS.c.user_id == user_id, SCANS.c.status == "scanning")
        async with self._db.connect() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else status_of(row)

    async def page(
        self,
        user_id: str | None,
        limit: int,
        before: tuple[int, str] | None = None,
        only: HistoryFilter | None = None,
    ) -> list[ScanStatus]:
        """Scans of one user, or of all, newest first, from after the scan with this start time and id."""
        if user_id is not None and before is None and only in (None, HistoryFilter()):
            return list(await self._reads.all(_NEWEST, user_id=user_id, most=limit))
        query = (
            sa.select(*STATUS_COLUMNS)
            .order_by(SCANS.c.started_ns.desc(), SCANS.c.scan_id.desc())
            .limit(limit)
        )
        if only is not None:
            query = query.where(*_matching(only))
        if user_id is not None:
            query = query.where(SCANS.c.user_id == user_id)
        if before is not None:
            query = query.where(sa.tuple_(SCANS.c.started_ns, SCANS.c.scan_id) < sa.tuple_(*before))
        return await self._many(query)

    async def count(self, user_id: str) -> int:
        """How many scans a user has started."""
        return int(await self._reads.first(_COUNT, user_id=user_id) or 0)

    async def durations_s(self, limit: int) -> list[float]:
        """Durations of the newest complete scans."""
        return [spent_ns / 1e9 for spent_ns in await self._reads.all(_SPENT, most=limit)]

    async def since(self, time_ns: int) -> list[ScanStatus]:
        """Scans started at or after a time, newest first."""
        return await self._many(
            sa.select(*STATUS_COLUMNS)
            .where(SCANS.c.started_ns >= time_ns)
            .order_by(SCANS.c.started_ns.desc())
        )

    async def _many(self, query: sa.Select[Any]) -> list[ScanStatus]:
        async with self._db.connect() as connection:
            return [status_of(row) for row in await connection.execute(query)]


def _leased(change: Change, lease: Lease | None) -> dict[str, Any]:
    """The lease columns after a change: a write of the holder renews, one from outside takes the lease away."""
    if lease is None:
        return {"lease_holder": None, "lease_token": SCANS.c.lease_token + 1}
    if change.facts.get("status", "scanning") != "scanning":
        return {"lease_holder": None}
    return {"lease_until_ns": DatabaseNow() + LEASE_NS}


def _matching(only: HistoryFilter) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = []
    if only.status is not None:
        where.append(SCANS.c.status == only.status)
    if only.since_ns is not None:
        where.append(SCANS.c.started_ns >= only.since_ns)
    if only.until_ns is not None:
        where.append(SCANS.c.started_ns < only.until_ns)
    return where


async def _insert_steps(connection: AsyncConnection, scan_id: str, steps: Iterable[Step]) -> None:
    await connection.execute(
        sa.insert(STEPS), [{"scan_id": scan_id, "number": s.number, "step": pack(s)} for s in steps]
    )


async def _insert_events(
    connection: AsyncConnection,
    scan_id: str,
    first: int,
    time_ns: int,
    events: Sequence[tuple[str, dict[str, Any]]],
) -> None:
    if events:
        rows = [
            {"scan_id": scan_id, "version": version, "kind": kind, "time_ns": time_ns, "body": pack(body)}
            for version, (kind, body) in enumerate(events, first)
        ]
        await connection.execute(sa.insert(EVENTS), rows)


async def _insert_found(
    connection: AsyncConnection, scan_id: str, owner: str, found: Sequence[Found]
) -> None:
    if found:
        rows = [
            {
                "opportunity_id": item.opportunity_id,
                "scan_id": scan_id,
                "user_id": owner,
                "opportunity_key": item.opportunity.opportunity_key,
                "rank": item.rank,
                "discovered_ns": item.discovered_ns,
                "body": pack(item.opportunity),
            }
            for item in found
        ]
        await connection.execute(sa.insert(OPPORTUNITIES), rows)
