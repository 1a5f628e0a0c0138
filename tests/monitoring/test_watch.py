from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.kit.clock import ManualClock
from sextant.kit.health import Health, LoopLag, Reading
from sextant.kit.metrics import Metrics
from sextant.monitoring.incidents import Incidents
from sextant.monitoring.machine import Machine
from sextant.monitoring.records import UpstreamReading
from sextant.monitoring.store import IncidentRows
from sextant.monitoring.watch import Watch


@dataclass
class Made:
    """A watch with what it looks at."""

    clock: ManualClock
    metrics: Metrics
    watch: Watch
    states: dict[str, Reading]


@pytest.fixture
async def made(db: AsyncEngine, tmp_path: Path) -> Made:
    clock = ManualClock(1_772_366_400_000_000_000)
    metrics = Metrics(clock)
    states = {"database": Reading("healthy"), "feeds": Reading("healthy")}

    async def database() -> Reading:
        return states["database"]

    async def feeds() -> Reading:
        return states["feeds"]

    health = Health(clock, {"database": database, "feeds": feeds})
    machine = Machine(tmp_path, tmp_path / "none")
    incidents = Incidents(IncidentRows(db), clock)
    return Made(clock, metrics, Watch(metrics, (health, LoopLag(clock)), machine, incidents, clock), states)


async def test_an_alert_keeps_its_beginning_and_clears(made: Made) -> None:
    assert await made.watch.look() == []
    assert made.watch.status() == "operational"
    made.metrics.queried("select scans", 1.5, failed=False)
    [first] = await made.watch.look()
    made.clock.advance(30)
    [again] = await made.watch.look()
    assert again.since_ns == first.since_ns
    assert again.last_ns - first.last_ns == 30_000_000_000
    assert made.watch.status() == "degraded"
    made.states["database"] = Reading("unhealthy", "No answer.")
    made.clock.advance(2)
    worst, _ = await made.watch.look()
    assert (worst.finding.cause, made.watch.status()) == ("health.database", "critical")
    made.states["database"] = Reading("healthy")
    made.clock.advance(400)
    assert await made.watch.look() == []
    told = await made.watch.incidents.page(10)
    assert {(row.cause, row.closed_ns is None) for row in told} == {
        ("database.query", False),
        ("health.database", False),
    }


async def test_what_is_still_coming_up_after_a_start_is_told_at_once_and_an_incident_only_later(
    made: Made,
) -> None:
    made.states["feeds"] = Reading("degraded", "Connecting.")
    assert [alert.finding.cause for alert in await made.watch.look()] == ["feed.stale"]
    assert (made.watch.status(), set(made.watch.incidents.open_causes())) == ("degraded", set())
    made.states["database"] = Reading("unhealthy", "No answer.")
    made.clock.advance(2)
    await made.watch.look()
    assert made.watch.incidents.open_causes() == {"health.database"}
    made.clock.advance(28)
    await made.watch.look()
    assert made.watch.incidents.open_causes() == {"health.database", "feed.stale"}


async def test_scans_that_do_not_move_are_told_and_cleared(made: Made) -> None:
    still: list[float] = [3.0, 16.0]

    async def read() -> Sequence[float]:
        return still

    made.watch.attach(still_scans=read)
    [alert] = await made.watch.look()
    assert (alert.finding.cause, alert.finding.observed, made.watch.scans()) == ("scan.stuck", 16.0, 2)
    still[:] = [1.0]
    assert await made.watch.look() == []


async def test_a_database_that_is_away_does_not_stop_the_looking(made: Made) -> None:
    async def read() -> Sequence[float]:
        raise OperationalError("SELECT", {}, OSError("gone"))

    made.watch.attach(still_scans=read)
    assert await made.watch.look() == []
    assert made.watch.still_s() == ()


async def test_a_venue_that_wants_silence_is_told(made: Made) -> None:
    made.watch.attach(lambda: UpstreamReading(venue="bybit", blocked_s=30.0, blocked_reason="418"))
    [alert] = await made.watch.look()
    assert alert.finding.cause == "venue.ban:bybit"
    assert made.watch.upstreams()[0].blocked_reason == "418"


async def test_an_objective_burns_as_fast_as_it_is_missed(made: Made) -> None:
    for number in range(100):
        made.metrics.scanned("ok", 31.0 if number < 2 else 1.0, whole=True)
    rows = {row.name: row for row in made.watch.objectives(300)}
    latency = rows["scan-latency"]
    assert latency.achieved == pytest.approx(0.98)
    assert latency.burn_1h == pytest.approx(2.0), "two of a hundred bad where one is allowed"
    assert rows["scan-complete"].achieved == 1.0
    assert (rows["db"].achieved, rows["db"].burn_6h) == (None, None)


async def test_freshness_of_feeds_is_counted_at_each_look(made: Made) -> None:
    await made.watch.look()
    made.states["feeds"] = Reading("degraded", "No event for 40 s.")
    made.clock.advance(2)
    await made.watch.look()
    rows = {row.name: row for row in made.watch.objectives(300)}
    assert rows["feed-freshness"].achieved == 0.5


async def test_who_asks_often_does_not_make_anybody_look_more_often(made: Made) -> None:
    assert await made.watch.recent() == []
    made.metrics.queried("select scans", 1.5)
    assert await made.watch.recent() == []
    made.clock.advance(1)
    assert len(await made.watch.recent()) == 1
