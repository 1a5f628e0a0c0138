"""Incidents: each cause is opened once, counted while it lasts, closed when it has healed, and kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from sextant.kit import log
from sextant.kit.clock import Clock
from sextant.kit.ids import new_id
from sextant.model.times import DAY_NS, SECOND_NS
from sextant.monitoring.records import Alert, Finding, Incident
from sextant.monitoring.store import IncidentRows

REQUESTS_SHOWN: Final = 10  # api.md 2.9
AFFECTED_SHOWN: Final = 20
QUIET_S: Final = 900  # a failure that was not repeated for a quarter of an hour is over
REFRESH_S: Final = 60  # an open incident is written this often, so that others see it is still watched
ABANDONED_S: Final = 600  # nobody has watched it for this long: its process is gone
KEPT_DAYS: Final = 90  # api.md 4
OPEN_MOST: Final = 500  # causes open at a time in one process; beyond it new ones are only logged

_LOG: Final = log.get("monitoring")


class Incidents:
    """Opens, counts and closes the incidents that this process sees; what it knows survives a lost database.

    Parameters
    ----------
    rows
        Where they are kept.
    clock
        Gives times.
    """

    def __init__(self, rows: IncidentRows, clock: Clock) -> None:
        self._rows = rows
        self._clock = clock
        self._open: dict[str, Incident] = {}
        self._failures: set[str] = set()
        self._written_ns: dict[str, int] = {}
        self._waiting: dict[str, Incident] = {}
        self._forgotten_ns = 0

    def failed(self, op: str, error: BaseException, request_id: str) -> str:
        """The id of the incident that a defect belongs to; the same defect at the same place is one incident."""
        cause = f"failure:{op}:{type(error).__name__}"[:128]
        known = self._open.get(cause)
        incident = self._seen(cause, "critical", known, affected=(op,), request_ids=(request_id,))
        self._failures.add(cause)
        return incident.incident_id

    def follow(self, alerts: Iterable[Alert]) -> None:
        """Open an incident for each new alert, go on counting known ones, and close what is no alert any more."""
        now_ns = self._clock.now_ns()
        lasting = {alert.finding.cause: alert.finding for alert in alerts}
        for cause, finding in lasting.items():
            self._seen(cause, finding.severity, self._open.get(cause), affected=_affected(finding))
        for cause, incident in list(self._open.items()):
            over = cause not in lasting
            if cause in self._failures:
                over = now_ns - incident.last_ns >= QUIET_S * SECOND_NS
            if over:
                self._close(cause, incident, now_ns)

    def open_causes(self) -> frozenset[str]:
        """Causes that last now."""
        return frozenset(self._open)

    async def keep(self) -> None:
        """Write what has changed; without the database it is kept here and written later."""
        now_ns = self._clock.now_ns()
        before = dict(self._waiting)
        due = dict(before)
        for incident in self._open.values():
            written_ns = self._written_ns.get(incident.incident_id)
            if written_ns is None or now_ns - written_ns >= REFRESH_S * SECOND_NS:
                due[incident.incident_id] = incident
        try:
            if due:
                await self._rows.write(list(due.values()))
            if now_ns - self._forgotten_ns >= DAY_NS:
                await self._rows.forget(now_ns - KEPT_DAYS * DAY_NS)
                self._forgotten_ns = now_ns
            await self._rows.abandoned(now_ns - ABANDONED_S * SECOND_NS, now_ns)
        except (SQLAlchemyError, OSError) as error:
            _LOG.warning("incidents.not_kept", error=type(error).__name__)
            return
        self._waiting = {key: value for key, value in self._waiting.items() if before.get(key) != value}
        for incident_id, incident in due.items():
            if incident.closed_ns is None:
                self._written_ns[incident_id] = now_ns
            else:
                self._written_ns.pop(incident_id, None)

    async def page(
        self,
        limit: int,
        *,
        is_open: bool | None = None,
        since_ns: int | None = None,
        before: tuple[int, str] | None = None,
    ) -> list[Incident]:
        """Incidents of all processes, newest first; those of this one are written before."""
        await self.keep()
        return await self._rows.page(limit, is_open=is_open, since_ns=since_ns, before=before)

    def _seen(
        self,
        cause: str,
        severity: str,
        known: Incident | None,
        *,
        affected: tuple[str, ...] = (),
        request_ids: tuple[str, ...] = (),
    ) -> Incident:
        now_ns = self._clock.now_ns()
        if known is None:
            incident = msgspec.convert(
                {
                    "incident_id": new_id("inc"),
                    "cause": cause,
                    "severity": severity,
                    "opened_ns": now_ns,
                    "last_ns": now_ns,
                    "closed_ns": None,
                    "count": 1,
                    "affected": affected,
                    "request_ids": request_ids,
                },
                Incident,
            )
            _LOG.warning(
                "incident.opened", incident=incident.incident_id, check=cause, severity=incident.severity
            )
            if len(self._open) >= OPEN_MOST:
                return incident
        else:
            worse = "critical" if "critical" in (severity, known.severity) else "warning"
            incident = msgspec.structs.replace(
                known,
                severity=worse,
                last_ns=now_ns,
                count=known.count + 1,
                affected=tuple(dict.fromkeys((*known.affected, *affected)))[:AFFECTED_SHOWN],
                request_ids=(*known.request_ids, *request_ids)[-REQUESTS_SHOWN:],
            )
        self._open[cause] = incident
        if known is None or request_ids:
            self._waiting[incident.incident_id] = incident
        return incident

    def _close(self, cause: str, incident: Incident, now_ns: int) -> None:
        closed = msgspec.structs.replace(incident, closed_ns=now_ns)
        del self._open[cause]
        self._failures.discard(cause)
        self._waiting[closed.incident_id] = closed
        lasted_s = round((now_ns - closed.opened_ns) / SECOND_NS, 1)
        _LOG.info(
            "incident.closed", incident=closed.incident_id, check=cause, count=closed.count, lasted_s=lasted_s
        )


def _affected(finding: Finding) -> tuple[str, ...]:
    thing = finding.cause.partition(":")[2]
    return (thing,) if thing else (finding.cause,)
