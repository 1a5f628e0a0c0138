from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.kit.clock import ManualClock
from sextant.kit.db import METADATA
from sextant.monitoring.incidents import ABANDONED_S, KEPT_DAYS, QUIET_S, REQUESTS_SHOWN, Incidents
from sextant.monitoring.records import Alert, Finding, Severity
from sextant.monitoring.store import INCIDENTS, IncidentRows

NOON_NS = 1_772_366_400_000_000_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON_NS)


@pytest.fixture
def incidents(db: AsyncEngine, clock: ManualClock) -> Incidents:
    return Incidents(IncidentRows(db), clock)


def alert(cause: str = "database.query", severity: Severity = "warning") -> Alert:
    return Alert(Finding(cause, severity, "words", "metric", 1.5, 1.0), NOON_NS, NOON_NS)


async def test_a_cause_is_one_incident_from_its_first_to_its_last_sight(
    incidents: Incidents, clock: ManualClock
) -> None:
    for _ in range(5):
        incidents.follow([alert()])
        clock.advance(2)
    [lasting] = await incidents.page(10)
    assert (lasting.cause, lasting.severity, lasting.count, lasting.closed_ns) == (
        "database.query",
        "warning",
        5,
        None,
    )
    assert lasting.last_ns - lasting.opened_ns == 8_000_000_000
    incidents.follow([])
    [over] = await incidents.page(10)
    assert (over.incident_id, over.closed_ns) == (lasting.incident_id, clock.now_ns())
    incidents.follow([alert()])
    assert len(await incidents.page(10)) == 2, "the same cause again is another incident"


async def test_an_incident_that_grew_worse_stays_as_bad_as_it_was(incidents: Incidents) -> None:
    for severity in ("warning", "critical", "warning"):
        incidents.follow([alert(severity=severity)])
    [told] = await incidents.page(10)
    assert told.severity == "critical"


async def test_the_same_defect_is_one_incident_with_its_newest_requests(
    incidents: Incidents, clock: ManualClock
) -> None:
    ids = {incidents.failed("auth_me", ValueError("x"), f"req_{n}") for n in range(15)}
    assert len(ids) == 1
    assert incidents.failed("auth_me", KeyError("x"), "req_x") not in ids
    rows = {row.cause: row for row in await incidents.page(10)}
    assert rows["failure:auth_me:ValueError"].count == 15
    assert rows["failure:auth_me:ValueError"].affected == ("auth_me",)
    assert rows["failure:auth_me:ValueError"].request_ids == tuple(f"req_{n}" for n in range(5, 15))
    assert len(rows["failure:auth_me:ValueError"].request_ids) == REQUESTS_SHOWN
    incidents.follow([])
    assert len(incidents.open_causes()) == 2, "a defect is not over because nobody looked"
    clock.advance(QUIET_S)
    incidents.follow([])
    assert incidents.open_causes() == frozenset()


async def test_what_happens_without_the_database_is_written_when_it_is_back(
    incidents: Incidents, clock: ManualClock, db: AsyncEngine
) -> None:
    async with db.begin() as connection:
        await connection.run_sync(INCIDENTS.drop)
    incident_id = incidents.failed("auth_me", ValueError("x"), "req_1")
    incidents.follow([alert()])
    await incidents.keep()
    clock.advance(2)
    incidents.follow([])  # healed before anything could be written
    await incidents.keep()
    async with db.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    rows = {row.cause: row for row in await incidents.page(10)}
    assert rows["failure:auth_me:ValueError"].incident_id == incident_id
    assert rows["database.query"].closed_ns is not None


async def test_incidents_of_a_process_that_is_gone_are_closed_by_others(
    incidents: Incidents, clock: ManualClock, db: AsyncEngine
) -> None:
    gone = Incidents(IncidentRows(db), clock)
    gone.follow([alert("loop.lag")])
    await gone.keep()
    incidents.follow([alert()])
    for _ in range(int(ABANDONED_S / 60) + 1):
        clock.advance(60)
        incidents.follow([alert()])
        await incidents.keep()
    told = {row.cause: row.closed_ns is None for row in await incidents.page(10)}
    assert told == {"loop.lag": False, "database.query": True}


async def test_incidents_are_filtered_and_paged(incidents: Incidents, clock: ManualClock) -> None:
    for number in range(5):
        clock.advance(1)
        incidents.follow([alert(f"cause:{number}")])
    first = await incidents.page(2)
    rest = await incidents.page(9, before=(first[-1].opened_ns, first[-1].incident_id))
    assert [row.cause for row in first + rest] == [f"cause:{number}" for number in (4, 3, 2, 1, 0)]
    assert [row.cause for row in await incidents.page(9, is_open=True)] == ["cause:4"]
    assert len(await incidents.page(9, is_open=False)) == 4
    assert [row.cause for row in await incidents.page(9, since_ns=NOON_NS + 4_500_000_000)] == ["cause:4"]


async def test_old_incidents_are_forgotten_after_their_time(
    incidents: Incidents, clock: ManualClock, db: AsyncEngine
) -> None:
    incidents.follow([alert()])
    incidents.follow([])
    await incidents.keep()
    clock.advance((KEPT_DAYS + 2) * 86_400)
    await incidents.keep()
    async with db.connect() as connection:
        assert (await connection.execute(sa.select(sa.func.count()).select_from(INCIDENTS))).scalar() == 0
