"""Traces: what a request or a scan spent its time on, sent to an OpenTelemetry collector where one is named."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from sextant.errors import ConfigError
from sextant.kit import log
from sextant.kit.clock import Clock

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
    from opentelemetry.trace import Span

PATH: Final = "/v1/traces"  # below the endpoint (OTLP 1.9, HTTP, "Endpoint URLs for OTLP/HTTP")
WAITING_SPANS: Final = (
    8_192  # ten seconds of 200 requests a second with their statements; beyond it spans are dropped
)
SEND_EVERY_MS: Final = 2_000.0
SEND_S: Final = 5.0
_LOG: Final = log.get("traces")
_NOTHING: Final[AbstractContextManager[None]] = nullcontext()


class Open(NamedTuple):
    """A span that goes on, and what was current before it."""

    span: Any
    token: Token[Any]


class Traces(Protocol):
    """Takes spans; a span holds names of ours only: routes, strategies, venues, verbs with tables, and outcomes."""

    def begin(self, name: str, op: str) -> Open | None:
        """Begin a span; what ends in the same task before its end, or in tasks begun there, is part of it."""
        ...

    def end(self, begun: Open | None, outcome: str) -> None:
        """End it, in the task that began it."""
        ...

    def around(self, name: str, op: str) -> AbstractContextManager[None]:
        """A span around a block; its outcome is what ``outcome`` told last."""
        ...

    def outcome(self, outcome: str) -> None:
        """Tell how that goes which is current."""
        ...

    def ended(self, name: str, op: str, outcome: str, seconds: float) -> None:
        """Take note of something that has just ended and took so long."""
        ...

    def close(self) -> None:
        """Send what waits."""
        ...


class NoTraces:
    """Takes no spans, at no cost and without the library."""

    def begin(self, name: str, op: str) -> Open | None:  # noqa: ARG002  # the shape of Traces
        """Nothing is begun."""
        return None

    def end(self, begun: Open | None, outcome: str) -> None:
        """Nothing was begun."""

    def around(self, name: str, op: str) -> AbstractContextManager[None]:  # noqa: ARG002  # the shape of Traces
        """A block that is nothing but itself."""
        return _NOTHING

    def outcome(self, outcome: str) -> None:
        """Nobody is told."""

    def ended(self, name: str, op: str, outcome: str, seconds: float) -> None:
        """Nobody is told."""

    def close(self) -> None:
        """Nothing waits."""


class OtlpTraces:
    """Sends spans over HTTP, from a thread of the library, in batches.

    Parameters
    ----------
    endpoint
        Base URL of the collector.
    clock
        Gives the times of spans.

    Raises
    ------
    ConfigError
        If the library is not installed.
    """

    def __init__(self, endpoint: str, clock: Clock) -> None:
        self._clock = clock
        self._current: ContextVar[Span | None] = ContextVar("sextant_span", default=None)
        try:
            api = importlib.import_module("opentelemetry.trace")
            resources = importlib.import_module("opentelemetry.sdk.resources")
            sdk = importlib.import_module("opentelemetry.sdk.trace")
            export = importlib.import_module("opentelemetry.sdk.trace.export")
            otlp = importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
        except ImportError:
            raise ConfigError("Traces need the extra 'traces': pip install 'sextant[traces]'.") from None
        # What the library has to say is said by _Telling, once for each change of state.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)
        self._provider: TracerProvider = sdk.TracerProvider(
            resource=resources.Resource.create({"service.name": "sextant"}),
            shutdown_on_exit=False,
        )
        exporter = otlp.OTLPSpanExporter(endpoint=endpoint.rstrip("/") + PATH, timeout=SEND_S)
        self._provider.add_span_processor(
            export.BatchSpanProcessor(
                _Telling(exporter, export.SpanExportResult.SUCCESS),
                max_queue_size=WAITING_SPANS,
                schedule_delay_millis=SEND_EVERY_MS,
            )
        )
        self._tracer = self._provider.get_tracer("sextant")
        self._within = api.set_span_in_context
        self._failed = api.Status(api.StatusCode.ERROR)

    def begin(self, name: str, op: str) -> Open | None:
        """Begin a span."""
        span = self._start(name, op, self._clock.now_ns())
        return Open(span, self._current.set(span))

    def end(self, begun: Open | None, outcome: str) -> None:
        """End it."""
        if begun is not None:
            self._current.reset(begun.token)
            self._tell(begun.span, outcome)
            begun.span.end(self._clock.now_ns())

    @contextmanager
    def around(self, name: str, op: str) -> Iterator[None]:
        """A span around a block."""
        span = self._start(name, op, self._clock.now_ns())
        token = self._current.set(span)
        try:
            yield
        finally:
            self._current.reset(token)
            span.end(self._clock.now_ns())

    def outcome(self, outcome: str) -> None:
        """Tell how that goes which is current."""
        span = self._current.get()
        if span is not None:
            self._tell(span, outcome)

    def ended(self, name: str, op: str, outcome: str, seconds: float) -> None:
        """Take note of something that has just ended."""
        end_ns = self._clock.now_ns()
        span = self._start(name, op, end_ns - round(seconds * 1e9))
        self._tell(span, outcome)
        span.end(end_ns)

    def close(self) -> None:
        """Send what waits; what the collector does not take within some seconds is lost."""
        self._provider.shutdown()

    def _start(self, name: str, op: str, begun_ns: int) -> Span:
        parent = self._current.get()
        context = None if parent is None else self._within(parent)
        # Without a parent the library would look for one of its own; there is none, since nothing else uses it here.
        span: Span = self._tracer.start_span(
            f"{name} {op}",
            context=context,
            start_time=begun_ns,
            attributes={"sextant.kind": name, "sextant.op": op},
        )
        return span

    def _tell(self, span: Span, outcome: str) -> None:
        span.set_attribute("sextant.outcome", outcome)
        if outcome.startswith("5") or outcome in ("failed", "late"):
            span.set_status(self._failed)


class _Telling:
    """An exporter that says once that spans are lost, and once that they are taken again.

    Parameters
    ----------
    exporter
        Sends them.
    success
        What it says of spans that were taken.
    """

    def __init__(self, exporter: SpanExporter, success: SpanExportResult) -> None:
        self._exporter = exporter
        self._success = success
        self._lost = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send."""
        result = self._exporter.export(spans)
        lost = result != self._success
        if lost != self._lost:
            self._lost = lost
            tell = _LOG.warning if lost else _LOG.info
            tell("traces.lost" if lost else "traces.taken", spans=len(spans))
        return result

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Whether all was sent."""
        return self._exporter.force_flush(timeout_millis)

    def shutdown(self) -> None:
        """End."""
        self._exporter.shutdown()


def open_traces(endpoint: str | None, clock: Clock) -> Traces:
    """What takes spans: a collector, or nobody where none is named."""
    return NoTraces() if endpoint is None else OtlpTraces(endpoint, clock)
