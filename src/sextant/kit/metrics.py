"""Metrics: one registry, few labels, rendered off the event loop; the newest day of each part in memory."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final, Literal, NamedTuple

import msgspec
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from sextant.kit.clock import Clock
from sextant.kit.rolling import Rolling
from sextant.kit.traces import NoTraces, Traces

MEDIA_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
BOUNDS_S: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip
"""Every threshold of an alert is a bound, so that counting over one is exact."""

SLOW_QUERY_S: Final = 0.25  # five times the promised p99 of a hot query
SLOW_QUERIES_KEPT: Final = 500
SCAN_SLO_S: Final = 30.0
QUERY_SLO_S: Final = 1.0

CallEnd = Literal[
    "ok", "rejected", "rate_limited", "server_error", "timeout", "network", "bad_body", "nonce_refused"
]
"""How a call to a venue ended; ``rejected`` is the caller's mistake and no failure of the venue."""

FAILED: Final[frozenset[CallEnd]] = frozenset(
    {"rate_limited", "server_error", "timeout", "network", "bad_body"}
)
"""Endings that count as a failure of the venue."""


class SlowQuery(msgspec.Struct, frozen=True):
    """The slowest run of an operation in a window, and how many runs were slow."""

    op: str
    seconds: float
    count: int


class Gauge(NamedTuple):
    """A figure that is read when it is asked for: its values by the values of its labels."""

    name: str
    text: str
    labels: Sequence[str]
    read: Callable[[], Iterable[tuple[Sequence[str], float]]]


class Metrics:
    """What this process counts; labels are venues, strategies, operations and outcomes, never users, ids or URLs.

    Parameters
    ----------
    clock
        Whose time the windows of parts follow.
    traces
        Told of each statement, strategy and call as it ends, and of scans and requests as they go.
    """

    def __init__(self, clock: Clock, traces: Traces | None = None) -> None:
        self._clock = clock
        self.traces: Traces = NoTraces() if traces is None else traces
        self.registry = CollectorRegistry()
        self._requests = self._histogram(
            "sextant_http_request_seconds",
            "Time from the request to the first byte of its answer.",
            "op",
            "outcome",
        )
        self._refusals = self._counter(
            "sextant_http_refusals", "Requests refused or failed, by code and reason.", "op", "outcome"
        )
        self._queries = self._histogram("sextant_db_query_seconds", "Time of a statement.", "op")
        self._scans = self._histogram(
            "sextant_scan_seconds", "Time from acceptance to the end of a scan.", "outcome"
        )
        self._strategies = self._histogram(
            "sextant_strategy_seconds", "Time of a strategy in a scan.", "strategy"
        )
        self._runs = self._counter(
            "sextant_strategy_runs", "Strategies that ended in a scan.", "strategy", "outcome"
        )
        self._calls = self._histogram(
            "sextant_upstream_request_seconds", "Time of a call to a venue.", "venue", "op"
        )
        self._call_ends = self._counter(
            "sextant_upstream_requests", "Calls to a venue, by how they ended.", "venue", "outcome"
        )
        self._nonces = self._counter(
            "sextant_nonce_refused", "Private calls whose counter a venue refused.", "venue"
        )
        self._parts: dict[str, Rolling] = {}
        self._slow: deque[tuple[int, str, float]] = deque(maxlen=SLOW_QUERIES_KEPT)
        self._gauges = _Gauges()
        self.registry.register(self._gauges)

    def answered(self, op: str, outcome: str, seconds: float) -> None:
        """Count an answer; ``outcome`` is its status code."""
        self._requests.labels(op, outcome).observe(seconds)
        failed = outcome.startswith("5")
        self.part("api").add(seconds, failed=failed)
        if op == "opportunities_status" and outcome != "404":
            self.part("slo:status-truth").add(seconds, failed=failed)

    def refused(self, op: str, outcome: str) -> None:
        """Count a refusal; ``outcome`` is the problem's code, with its reason where it has one."""
        self._refusals.labels(op, outcome).inc()

    def queried(self, op: str, seconds: float, failed: bool = False) -> None:
        """Count a statement; ``op`` is its verb and its table."""
        self.traces.ended("statement", op, "failed" if failed else "ok", seconds)
        self._queries.labels(op).observe(seconds)
        self.part("database").add(seconds, failed=failed)
        self.part("slo:db").add(seconds, failed=failed or seconds > QUERY_SLO_S)
        if seconds >= SLOW_QUERY_S:
            self._slow.append((self._clock.monotonic_ns(), op, seconds))

    def scanning(self) -> AbstractContextManager[None]:
        """A block in which a scan is run; what ends in it is traced as part of it."""
        return self.traces.around("scan", "run")

    def scanned(self, outcome: str, seconds: float, *, whole: bool) -> None:
        """Count an ended scan; ``whole`` if every strategy of it ended by itself."""
        self.traces.outcome(outcome)
        self._scans.labels(outcome).observe(seconds)
        self.part("scans").add(seconds, failed=outcome in ("late", "failed"))
        self.part("slo:scan-latency").add(seconds, failed=seconds > SCAN_SLO_S)
        self.part("slo:scan-complete").add(seconds, failed=not whole)

    def evaluated(self, strategy: str, outcome: str, seconds: float) -> None:
        """Count a strategy that ended in a scan; one that was skipped took no time worth telling."""
        self._runs.labels(strategy, outcome).inc()
        if outcome != "skipped":
            self.traces.ended("strategy", strategy, outcome, seconds)
            self._strategies.labels(strategy).observe(seconds)
            self.part(f"strategy:{strategy}").add(seconds, failed=outcome in ("late", "failed"))
            self.part(f"late:{strategy}").add(seconds, failed=outcome == "late")

    def called(self, venue: str, op: str, outcome: CallEnd, seconds: float) -> None:
        """Count a call to a venue."""
        self.traces.ended("call", f"{venue} {op}", outcome, seconds)
        self._call_ends.labels(venue, outcome).inc()
        self._calls.labels(venue, op).observe(seconds)
        self.part(f"venue:{venue}").add(seconds, failed=outcome in FAILED)
        if outcome == "nonce_refused":
            self._nonces.labels(venue).inc()
            self.part(f"nonce:{venue}").add(seconds, failed=True)

    def part(self, name: str) -> Rolling:
        """The newest day of a part of the system, made when it is first asked for."""
        rolling = self._parts.get(name)
        if rolling is None:
            rolling = self._parts[name] = Rolling(self._clock)
        return rolling

    def parts(self, prefix: str = "") -> Mapping[str, Rolling]:
        """Every part that has been counted and whose name begins so, by the rest of its name."""
        return {
            name.removeprefix(prefix): rolling
            for name, rolling in self._parts.items()
            if name.startswith(prefix)
        }

    def slow_queries(self, window_s: float) -> list[SlowQuery]:
        """Operations with slow statements in a window, slowest first."""
        oldest_ns = self._clock.monotonic_ns() - window_s * 1e9
        by_op: dict[str, list[float]] = {}
        for time_ns, op, seconds in self._slow:
            if time_ns >= oldest_ns:
                by_op.setdefault(op, []).append(seconds)
        rows = [SlowQuery(op, max(spent), len(spent)) for op, spent in by_op.items()]
        return sorted(rows, key=lambda row: (-row.seconds, row.op))

    def gauge(self, gauge: Gauge) -> None:
        """Add a figure that is read whenever all figures are rendered."""
        self._gauges.known.append(gauge)

    async def render(self) -> bytes:
        """All figures as Prometheus text."""
        self._gauges.read()  # what is read belongs to the event loop; only the text is made in a thread
        return await asyncio.to_thread(generate_latest, self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=BOUNDS_S, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)


class _Gauges(Collector):
    """Figures that are read on the event loop and collected in a thread."""

    def __init__(self) -> None:
        self.known: list[Gauge] = []
        self._families: list[GaugeMetricFamily] = []

    def read(self) -> None:
        """Read every figure now."""
        families = []
        for gauge in self.known:
            family = GaugeMetricFamily(gauge.name, gauge.text, labels=list(gauge.labels))
            for labels, value in gauge.read():
                family.add_metric(list(labels), value)
            families.append(family)
        self._families = families

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The figures as they were read."""
        yield from self._families
