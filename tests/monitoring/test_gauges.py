from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.kit.clock import ManualClock
from sextant.kit.health import Health, LoopLag, Reading
from sextant.kit.metrics import Metrics
from sextant.monitoring.gauges import add_gauges
from sextant.monitoring.incidents import Incidents
from sextant.monitoring.machine import Machine
from sextant.monitoring.records import SocketReading, UpstreamReading
from sextant.monitoring.store import IncidentRows
from sextant.monitoring.watch import Watch

NOON_NS = 1_772_366_400_000_000_000
SOCKET = SocketReading(
    name="bybit.linear.0", up=True, reason="", last_message_age_s=40.0, resyncs=3, drops=2, wire_errors=0
)


async def fine() -> Reading:
    return Reading("healthy")


async def test_every_figure_is_read_as_it_is_now(db: AsyncEngine, tmp_path: Path) -> None:
    clock = ManualClock(NOON_NS)
    metrics, lag = Metrics(clock), LoopLag(clock)
    health = Health(clock, {"database": fine})
    incidents = Incidents(IncidentRows(db), clock)
    watch = Watch(metrics, (health, lag), Machine(tmp_path, tmp_path), incidents, clock)
    watch.attach(lambda: UpstreamReading(venue="bybit", blocked_s=60.0, sockets=(SOCKET,)))

    async def still() -> list[float]:
        return [4.0, 7.5]

    watch.attach(still_scans=still)
    add_gauges(metrics, watch, lag, clock, lambda: (3, 8))
    lag.lag_s = 0.125
    await watch.look()
    text = (await metrics.render()).decode()
    for line in (
        "sextant_loop_lag_seconds 0.125",
        "sextant_db_pool_in_use 3.0",
        "sextant_db_pool_size 8.0",
        "sextant_scans_unfinished 2.0",
        'sextant_scan_seconds_since_progress{state="in_progress"} 7.5',
        'sextant_ws_last_message_age_seconds{conn="bybit.linear.0"} 40.0',
        'sextant_ws_drops{conn="bybit.linear.0"} 2.0',
        f'sextant_upstream_blocked_until_seconds{{venue="bybit"}} {(NOON_NS / 1e9 + 60):.10g}',
        'sextant_health{check="database"} 1.0',
        'sextant_alerts{severity="critical"} 1.0',
        'sextant_alerts{severity="warning"} 1.0',
        "sextant_incidents_open 2.0",
    ):
        name, value = line.rsplit(" ", 1)
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        assert found is not None, line
        assert float(found.group(1)) == float(value), line
