"""Alerts, incidents and upstreams as values."""

from __future__ import annotations

from typing import Literal

import msgspec

from sextant.kit.breaker import Circuit

Severity = Literal["warning", "critical"]
SystemStatus = Literal["operational", "degraded", "critical"]
UpstreamState = Literal["healthy", "limited", "failing", "maintenance", "paused", "needs_key", "retired"]


class Finding(msgspec.Struct, frozen=True):
    """A figure beyond its line; ``cause`` names what is wrong, once for each thing that can be wrong by itself."""

    cause: str
    severity: Severity
    message: str
    metric: str
    observed: float
    threshold: float


class Alert(msgspec.Struct, frozen=True):
    """A finding with the time since when it holds."""

    finding: Finding
    since_ns: int
    last_ns: int


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """A cause from its first to its last sight; ``closed_ns`` is None while it lasts."""

    incident_id: str
    cause: str
    severity: Severity
    opened_ns: int
    last_ns: int
    closed_ns: int | None
    count: int
    affected: tuple[str, ...]
    request_ids: tuple[str, ...]


class SocketReading(msgspec.Struct, frozen=True, kw_only=True):
    """A connection to a venue; ages are seconds, None before the first message."""

    name: str
    up: bool
    reason: str
    last_message_age_s: float | None
    resyncs: int
    drops: int
    wire_errors: int


class BudgetReading(msgspec.Struct, frozen=True):
    """How much of what a venue allows is spent, and how long one more call would wait for room."""

    used: float
    most: float
    window_s: float
    room_s: float


class UpstreamReading(msgspec.Struct, frozen=True, kw_only=True):
    """What the feeds of a venue say of it now.

    Parameters
    ----------
    blocked_s
        How long the venue still wants silence, and in which words.
    away_since_ns
        Since when nothing comes of it, and why; None while anything does.
    circuit, budget
        What a call would meet now; None where calls pass without a broker, or the venue states no allowance.
    """

    venue: str
    blocked_s: float = 0.0
    blocked_reason: str = ""
    away_since_ns: int | None = None
    away_reason: str = ""
    circuit: Circuit | None = None
    budget: BudgetReading | None = None
    sockets: tuple[SocketReading, ...] = ()


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """How much of an objective was reached in a window; burn is the error rate over the allowed one.

    None where nothing happened.
    """

    name: str
    target: float
    achieved: float | None
    burn_1h: float | None
    burn_6h: float | None


class MachineReading(msgspec.Struct, frozen=True):
    """Shares of the machine in use, in percent; None where the system does not tell."""

    cpu_pct: float | None
    memory_pct: float | None
    disk_pct: float | None
