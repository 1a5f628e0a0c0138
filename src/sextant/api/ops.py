"""Health, metrics and the OpenAPI document."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec

from sextant.api.endpoint import PUBLIC, Answer, Call, Endpoint, Handler, NoBody, NoQuery
from sextant.api.schemas import CheckBody, HealthAnswer, LiveAnswer, OpenApiAnswer, PingAnswer, ReadyAnswer
from sextant.kit.clock import Clock
from sextant.kit.health import Health, LoopLag
from sextant.kit.metrics import MEDIA_TYPE, Metrics
from sextant.model.times import iso_ms
from sextant.scans.lifecycle import Origin

HEALTH_PROOF = ("A27",)


class OpsRoutes:
    """What monitors ask.

    Parameters
    ----------
    health, lag, metrics
        What this process knows of itself.
    clock
        Gives ages.
    origin
        Feed and build of the facts.
    document
        Gives the OpenAPI document once every route is known.
    """

    def __init__(
        self,
        health: tuple[Health, LoopLag],
        metrics: Metrics,
        clock: Clock,
        origin: Callable[[], Origin],
        document: Callable[[], bytes],
    ) -> None:
        self._health, self._lag = health
        self._metrics = metrics
        self._clock = clock
        self._origin = origin
        self._document = document

    async def health(self, _: Call[NoBody, NoQuery]) -> Answer:
        """The state of each part; 503 only if nothing can be answered."""
        checks = await self._health.checks()
        state = await self._health.state()
        origin, now_ns = self._origin(), self._clock.now_ns()
        body = HealthAnswer(
            status=state,
            version=origin.code_version,
            feed=origin.feed,
            checks={
                name: CheckBody(
                    status=check.state,
                    detail=check.detail,
                    since=iso_ms(check.since_ns),
                    age_s=round(max(0, now_ns - check.read_ns) / 1e9, 3),
                )
                for name, check in checks.items()
            },
        )
        return Answer(body, 503 if state == "unhealthy" else 200)

    async def live(self, _: Call[NoBody, NoQuery]) -> LiveAnswer:
        """That the process turns."""
        return LiveAnswer("ok", round(self._lag.lag_s * 1_000, 3))

    async def ready(self, _: Call[NoBody, NoQuery]) -> Answer:
        """Whether the process can serve."""
        reasons = await self._health.reasons_not_ready()
        return Answer(ReadyAnswer(not reasons, reasons), 503 if reasons else 200)

    async def ping(self, _: Call[NoBody, NoQuery]) -> PingAnswer:
        """That the process answers."""
        return PingAnswer("ok", iso_ms(self._clock.now_ns()))

    async def metrics(self, _: Call[NoBody, NoQuery]) -> Answer:
        """All figures as Prometheus text."""
        return Answer(await self._metrics.render(), media_type=MEDIA_TYPE)

    async def openapi(self, call: Call[NoBody, NoQuery]) -> Answer:
        """The document of this build, byte for byte."""
        document = self._document()
        tag = f'"{hashlib.sha256(document).hexdigest()[:32]}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if call.headers.get("if-none-match") == tag:
            return Answer(None, 304, headers)
        return Answer(document, headers=headers)

    def endpoints(self) -> list[Endpoint]:
        """The rows of api.md 2.9 that this release has."""
        rows: list[tuple[str, str, str, Handler, type[msgspec.Struct], tuple[int, ...]]] = [
            ("", "health_read", "The state of each part of the system", self.health, HealthAnswer, (503,)),
            ("/live", "health_live", "Whether the process turns", self.live, LiveAnswer, ()),
            ("/ready", "health_ready", "Whether the process can serve", self.ready, ReadyAnswer, (503,)),
        ]
        health = [
            Endpoint(
                method="GET",
                path=f"{prefix}/health{path}",
                name=name if prefix else f"{name}_root",
                summary=summary,
                access=PUBLIC,
                handler=handler,
                answer=answer,
                errors=errors,
                proof=HEALTH_PROOF,
                policy_name="health",
            )
            for path, name, summary, handler, answer, errors in rows
            for prefix in ("/api/v1", "")
        ]
        return [
            *health,
            Endpoint(
                method="GET",
                path="/api/v1/health/ping",
                name="health_ping",
                summary="Whether the process answers",
                access=PUBLIC,
                handler=self.ping,
                answer=PingAnswer,
                proof=("A06", "A27"),
                policy_name="health",
            ),
            Endpoint(
                method="GET",
                path="/api/v1/openapi.json",
                name="ops_openapi",
                summary="The OpenAPI document of this build",
                access=PUBLIC,
                handler=self.openapi,
                answer=OpenApiAnswer,
                errors=(304,),
                proof=("A30",),
            ),
            Endpoint(
                method="GET",
                path="/metrics",
                name="ops_metrics",
                summary="Figures of this process as Prometheus text",
                access=("ops:read",),
                handler=self.metrics,
                proof=("A28", "A32"),
                policy_name="metrics",
                loopback=True,
                media_type="text/plain",
            ),
        ]
