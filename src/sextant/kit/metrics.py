"""Metrics: one registry, few labels, rendered off the event loop."""

from __future__ import annotations

import asyncio
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

MEDIA_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)


class Metrics:
    """What this process counts; labels are operations and outcomes, never users, ids or URLs."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Histogram(
            "sextant_http_request_seconds",
            "Time from the request to the first byte of its answer.",
            ["op", "outcome"],
            buckets=_BOUNDS_S,
            registry=self.registry,
        )
        self._refusals = Counter(
            "sextant_http_refusals",
            "Requests refused or failed, by code and reason.",
            ["op", "outcome"],
            registry=self.registry,
        )

    def answered(self, op: str, outcome: str, seconds: float) -> None:
        """Count an answer; ``outcome`` is its status code."""
        self._requests.labels(op, outcome).observe(seconds)

    def refused(self, op: str, outcome: str) -> None:
        """Count a refusal; ``outcome`` is the problem's code."""
        self._refusals.labels(op, outcome).inc()

    async def render(self) -> bytes:
        """All figures as Prometheus text."""
        return await asyncio.to_thread(generate_latest, self.registry)
