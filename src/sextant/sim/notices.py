"""Announced maintenance, as the venue tells it by socket and by REST."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class _Notice:
    begin_ms: int
    end_ms: int
    number: int
    told: str = ""

    def state(self, now_ms: int) -> str:
        return "completed" if now_ms >= self.end_ms else "ongoing"

    def row(self, now_ms: int) -> dict[str, Any]:
        return {
            "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"notice {self.number} {self.begin_ms}")),
            "title": f"Simulated maintenance {self.number}",
            "state": self.state(now_ms),
            "begin": str(self.begin_ms),
            "end": str(self.end_ms),
            "href": "",
            "serviceTypes": [2, 5],
            "product": [1, 2],
            "uidSuffix": [],
            "maintainType": 1,
            "env": 1,
        }


class Notices:
    """All maintenance of this simulation.

    References
    ----------
    Bybit v5, "System status" (socket and REST), read 2026-11-25: states scheduled, ongoing, completed, canceled.
    """

    def __init__(self) -> None:
        self._all: list[_Notice] = []

    def announce(self, now_ms: int, seconds: float) -> None:
        """Maintenance from now for ``seconds``."""
        self._all.append(_Notice(now_ms, now_ms + int(seconds * 1_000), len(self._all) + 1))

    def rows(self, now_ms: int) -> list[dict[str, Any]]:
        """All of them, newest first."""
        return [notice.row(now_ms) for notice in reversed(self._all)]

    def changed(self, now_ms: int) -> list[dict[str, Any]]:
        """Those whose state has not been told yet."""
        found = []
        for notice in self._all:
            state = notice.state(now_ms)
            if state != notice.told:
                notice.told = state
                found.append(notice.row(now_ms))
        return found
