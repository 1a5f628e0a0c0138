"""Looks at everything every few seconds: which lines are crossed, since when, and what that means for incidents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from sextant.kit.clock import Clock
from sextant.kit.health import Check, Health, LoopLag
from sextant.kit.metrics import Metrics
from sextant.kit.rolling import Rolling, Summary
from sextant.monitoring.incidents import Incidents
from sextant.monitoring.lines import Facts, findings
from sextant.monitoring.machine import Machine
from sextant.monitoring.records import (
    Alert,
    Finding,
    MachineReading,
    Objective,
    SystemStatus,
    UpstreamReading,
)

LOOK_S: Final = 2.0  # a stuck scan is told within 15 s and one look
RECENT_NS: Final = 1_000_000_000
STARTING_NS: Final = 30_000_000_000
"""A process connects, fetches and scores for so long after its start; what warns of that is an alert, not yet an incident."""
_COMING_UP: Final = ("feed.", "health.")
"""How causes begin that warn of what is not there yet."""
TARGETS: Final = {
    "scan-latency": 0.99,
    "scan-complete": 0.95,
    "status-truth": 0.99999,
    "db": 0.9999,
    "feed-freshness": 0.999,
}
"""Objectives of faults.md; those of venues are made as venues are seen."""
UPSTREAM_TARGET: Final = 0.95

StillScans = Callable[[], Awaitable[Sequence[float]]]
"""How long each running scan has not moved, in seconds."""


def _coming_up(finding: Finding) -> bool:
    return finding.severity == "warning" and finding.cause.startswith(_COMING_UP)


class Watch:
    """Judges this process and what it depends on.

    Parameters
    ----------
    metrics, health, machine
        What is known.
    incidents
        Follow the alerts.
    clock
        Gives times.
    """

    def __init__(
        self,
        metrics: Metrics,
        health: tuple[Health, LoopLag],
        machine: Machine,
        incidents: Incidents,
        clock: Clock,
    ) -> None:
        self.metrics = metrics
        self.incidents = incidents
        self._health, self._lag = health
        self._machine = machine
        self._clock = clock
        self._upstreams: list[Callable[[], UpstreamReading]] = []
        self._still_scans: StillScans | None = None
        self._checks: Mapping[str, Check] = {}
        self._alerts: dict[str, Alert] = {}
        self._seen: MachineReading = MachineReading(None, None, None)
        self._still_s: tuple[float, ...] = ()
        self._looked_ns: int | None = None
        self._begun_ns = clock.monotonic_ns()

    def attach(
        self, upstream: Callable[[], UpstreamReading] | None = None, still_scans: StillScans | None = None
    ) -> None:
        """Look at a venue's feed, or at scans that do not move, from now on."""
        if upstream is not None:
            self._upstreams.append(upstream)
        if still_scans is not None:
            self._still_scans = still_scans

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await self.incidents.keep()
            await self._clock.sleep(LOOK_S)

    async def recent(self) -> list[Alert]:
        """The alerts of the last second; who asks often does not make anybody look more often."""
        if self._looked_ns is None or self._clock.monotonic_ns() - self._looked_ns >= RECENT_NS:
            await self.look()
        return self.alerts()

    async def look(self) -> list[Alert]:
        """The alerts of now; incidents are opened and closed with them."""
        self._looked_ns = self._clock.monotonic_ns()
        starting = self._looked_ns - self._begun_ns < STARTING_NS
        self._seen = self._machine.read()
        self._still_s = await self._still()
        checks = self._checks = await self._health.checks()
        for name, check in checks.items():
            self.metrics.part(f"health:{name}").add(0.0, failed=check.state == "unhealthy")
            if name == "feeds":
                self.metrics.part("slo:feed-freshness").add(0.0, failed=check.state != "healthy")
        facts = Facts(
            checks=checks,
            machine=self._seen,
            upstreams=self.upstreams(),
            still_s=self._still_s,
            loop_lag_s=self._lag.lag_s,
        )
        now_ns = self._clock.now_ns()
        found = {finding.cause: finding for finding in findings(self.metrics, facts)}
        self._alerts = {
            cause: Alert(finding, self._alerts[cause].since_ns if cause in self._alerts else now_ns, now_ns)
            for cause, finding in found.items()
        }
        self.incidents.follow(
            alert for alert in self._alerts.values() if not (starting and _coming_up(alert.finding))
        )
        return self.alerts()

    def alerts(self) -> list[Alert]:
        """What was beyond its line at the last look, the worst and oldest first."""
        return sorted(
            self._alerts.values(), key=lambda alert: (alert.finding.severity != "critical", alert.since_ns)
        )

    def status(self) -> SystemStatus:
        """One word for all alerts."""
        severities = {alert.finding.severity for alert in self._alerts.values()}
        if "critical" in severities:
            return "critical"
        return "degraded" if severities else "operational"

    def machine(self) -> MachineReading:
        """The machine as it was at the last look."""
        return self._seen

    def upstreams(self) -> tuple[UpstreamReading, ...]:
        """Every venue's feed as it is now."""
        return tuple(read() for read in self._upstreams)

    def still_s(self) -> tuple[float, ...]:
        """How long each running scan had not moved at the last look."""
        return self._still_s

    def scans(self) -> int:
        """How many scans had not ended at the last look."""
        return len(self._still_s)

    def checks(self) -> Mapping[str, Check]:
        """What each part said of itself at the last look."""
        return self._checks

    def objectives(self, window_s: int) -> list[Objective]:
        """How much of each objective was reached in a window."""
        parts = self.metrics.parts("slo:")
        rows = [_objective(name, target, parts.get(name), window_s) for name, target in TARGETS.items()]
        for venue, rolling in self.metrics.parts("venue:").items():
            rows.append(_objective(f"upstream:{venue}", UPSTREAM_TARGET, rolling, window_s))
        return rows

    async def _still(self) -> tuple[float, ...]:
        if self._still_scans is None:
            return ()
        try:
            return tuple(await self._still_scans())
        except (SQLAlchemyError, OSError):
            return ()  # the database has an alert of its own; unknown is no alert


def _objective(name: str, target: float, rolling: Rolling | None, window_s: int) -> Objective:
    if rolling is None:
        return Objective(name=name, target=target, achieved=None, burn_1h=None, burn_6h=None)
    bad = rolling.summary(window_s).error_frac
    return Objective(
        name=name,
        target=target,
        achieved=None if bad is None else 1 - bad,
        burn_1h=_burn(rolling.summary(3_600), target),
        burn_6h=_burn(rolling.summary(21_600), target),
    )


def _burn(told: Summary, target: float) -> float | None:
    return None if told.error_frac is None else told.error_frac / (1 - target)
