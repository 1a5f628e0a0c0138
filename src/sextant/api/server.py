"""The HTTP application: every route served through one gate, every failure told by one map."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import msgspec
from litestar import Litestar, Request, Response
from litestar.config.cors import CORSConfig
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from sextant.api.admin import AdminRoutes
from sextant.api.auth import AuthRoutes
from sextant.api.comparisons import ComparisonRoutes
from sextant.api.confluence import ConfluenceRoutes
from sextant.api.cursors import Cursors
from sextant.api.diagnostics import DiagnosticRoutes
from sextant.api.endpoint import Answer, Endpoint, EventStream, Result
from sextant.api.exchange import Common, Exchange, Reply
from sextant.api.gate import Gate
from sextant.api.hot_door import HotDoor
from sextant.api.limits import RateLimits, Standing
from sextant.api.live_stream import LiveRoutes
from sextant.api.market import MarketRoutes
from sextant.api.market_streams import StreamRoutes
from sextant.api.monitoring import MonitoringRoutes
from sextant.api.openapi import document
from sextant.api.opportunities import AccountOf, OpportunityRoutes
from sextant.api.ops import OpsRoutes
from sextant.api.problems import MEDIA_TYPE, Refused, problem_of, retry_after_s
from sextant.api.scans import ScanRoutes
from sextant.api.strategies import StrategyRoutes
from sextant.api.streaming import StreamResponse
from sextant.errors import BudgetExceeded, NotFound, SextantError
from sextant.kit import db_faults, log
from sextant.kit.at_once import at_once_or
from sextant.kit.clock import Clock
from sextant.kit.health import Health, LoopLag
from sextant.kit.metrics import Metrics
from sextant.kit.shared_limits import SharedLimits
from sextant.model.account import Account
from sextant.monitoring.watch import Watch
from sextant.scans.diagnostics import ScanDiagnostics
from sextant.scans.lifecycle import Origin, Scans
from sextant.scans.replaying import Replayer
from sextant.scans.scoreboard import Scoreboard
from sextant.scans.scoring import Scoring
from sextant.scans.strategy_runs import StrategyRuns
from sextant.scans.stream_ages import StreamAges
from sextant.vault.audit import AuditTrail
from sextant.vault.keys import ApiKeys
from sextant.vault.records import User
from sextant.vault.sessions import Sessions
from sextant.vault.signing import SigningKey
from sextant.vault.users import Users

REQUEST_S: Final = 15.0  # api.md 4: a request that takes longer is refused
SECURITY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cross-Origin-Resource-Policy": "same-site",
        "Referrer-Policy": "no-referrer",
        "Strict-Transport-Security": "max-age=31536000",  # browsers heed it on TLS only
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
)
"""On every answer; OWASP REST Security Cheat Sheet."""
EXPOSED: Final = (
    "ETag",
    "Idempotency-Replayed",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Sextant-Feed",
    "Sextant-Version",
    "X-Request-ID",
)
"""Headers that pages of configured origins may read."""
NOT_KEPT: Final = "no-store"  # an answer is one person's; routes with an ETag say otherwise
_LOG: Final = log.get("api")
_EXCHANGE: Final = "exchange"  # where the framework's handlers find it again
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
_PARAMETER: Final = re.compile(r"\{(\w+)\}")


async def account_without_venues(user: User) -> Account:
    """The account of a person who has connected no venue: sizes are illustrative."""
    return Account(profile=user.risk_profile)


@dataclass(frozen=True, kw_only=True)
class Rooms:
    """The front doors the API asks.

    Parameters
    ----------
    key
        Signs cursors.
    origin
        Feed and build of the facts, as they are now.
    account_of
        The account a person's scans are run for; without a venue account only their risk profile is known.
    board
        The past of each strategy; None in a process that has no market of its own.
    scoring
        The scores of the market; None in a process that has no market of its own.
    streams
        The age of all that is known; None in such a process.
    closing
        Set when the server stops, so that streams say goodbye.
    cors_origins
        Origins whose pages may call; none by default.
    processes
        How many processes answer requests; each allows its share of every rate.
    limits
        Where all processes count requests together; None where each goes by its share.
    """

    clock: Clock
    users: Users
    sessions: Sessions
    keys: ApiKeys
    trail: AuditTrail
    key: SigningKey
    health: Health
    lag: LoopLag
    metrics: Metrics
    watch: Watch
    origin: Callable[[], Origin]
    scans: Scans
    replayer: Replayer
    runs: StrategyRuns
    diagnostics: ScanDiagnostics
    account_of: AccountOf = field(default=account_without_venues)
    board: Scoreboard | None = None
    scoring: Scoring | None = None
    streams: StreamAges | None = None
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    cors_origins: tuple[str, ...] = ()
    processes: int = 1
    limits: SharedLimits | None = None


def create(rooms: Rooms) -> HotDoor:
    """The application; its routes are exactly those of its OpenAPI document."""
    return Edge(rooms).application()


class Edge:
    """Turns requests into calls, and results and errors into answers.

    Parameters
    ----------
    rooms
        The front doors.
    """

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._limits = RateLimits(rooms.clock, rooms.processes, rooms.limits)
        self._gate = Gate(rooms.sessions, rooms.keys, self._limits)
        self._common: tuple[Origin, Common] | None = None
        self._document = b""
        self.endpoints = self._routes()
        release = rooms.origin().code_version.partition("+")[0]
        self._document = document(self.endpoints, release)

    def application(self) -> HotDoor:
        """The application of all routes; those that are asked most do not pass the framework's router."""
        origins = self._rooms.cors_origins
        application = Litestar(
            # Refusals come first: a path that has no handler of OPTIONS yet is given one of the library's.
            [*self._refuse_options(), *(self._route(endpoint) for endpoint in self.endpoints)],
            openapi_config=None,
            logging_config=None,
            request_max_body_size=None,  # the gate bounds bodies before it reads them
            exception_handlers={Exception: self._refused},
            cors_config=_cors(origins),
        )
        _check_inventory(application, self.endpoints)
        hot = [endpoint for endpoint in self.endpoints if endpoint.hot]
        return HotDoor(application, hot, self._replied, self._failed, origins=bool(origins))

    def _routes(self) -> Sequence[Endpoint]:
        rooms = self._rooms
        ops = OpsRoutes(
            (rooms.health, rooms.lag), rooms.metrics, rooms.clock, rooms.origin, lambda: self._document
        )
        cursors = Cursors(rooms.key)
        doors = (rooms.scans, rooms.diagnostics, rooms.users)
        found = OpportunityRoutes(doors, rooms.scans.catalogue, rooms.account_of, rooms.clock)
        return (
            *AuthRoutes(rooms.users, rooms.sessions, rooms.keys).endpoints(),
            *found.endpoints(),
            *ScanRoutes(rooms.scans, cursors, rooms.clock, rooms.closing).endpoints(),
            *ComparisonRoutes(rooms.scans, rooms.replayer, cursors).endpoints(),
            *AdminRoutes(rooms.users, rooms.trail, rooms.scans.catalogue, cursors, rooms.clock).endpoints(),
            *StrategyRoutes((rooms.scans, rooms.runs, rooms.users), rooms.board, rooms.clock).endpoints(),
            *ConfluenceRoutes(rooms.scoring, cursors, rooms.clock).endpoints(),
            *MarketRoutes(rooms.scoring, rooms.clock).endpoints(),
            *LiveRoutes(rooms.scoring, rooms.clock, rooms.closing).endpoints(),
            *StreamRoutes(rooms.streams, rooms.origin, rooms.clock).endpoints(),
            *DiagnosticRoutes(doors, rooms.health, cursors, rooms.clock).endpoints(),
            *MonitoringRoutes(rooms.watch, rooms.health, cursors, rooms.clock).endpoints(),
            *ops.endpoints(),
        )

    def _route(self, endpoint: Endpoint) -> HTTPRouteHandler:
        """The handler of one route; it is bound to its row and nothing else."""

        async def handle(request: Request[Any, Any, Any]) -> Response[bytes]:
            path = {name: str(value) for name, value in request.path_params.items()}
            exchange = Exchange(request.scope, request.receive, path, endpoint)
            request.scope["state"][_EXCHANGE] = exchange
            result = await self._served(endpoint, exchange)
            if isinstance(result, EventStream):
                self._traced(exchange, "stream")
                headers = self._fields(exchange) | dict(SECURITY) | _stated(self._rooms.origin())
                return StreamResponse(result.frames, headers, self._limits, exchange.caller)
            return _Whole(self._reply(exchange, result))

        path = _PARAMETER.sub(r"{\1:str}", endpoint.path)
        # Each answer carries its own status; the library would forbid bodies by the route's.
        route = HTTPRouteHandler(path, http_method=endpoint.method, status_code=200, name=endpoint.name)
        handler: HTTPRouteHandler = route(handle)
        return handler

    async def _served(self, endpoint: Endpoint, exchange: Exchange) -> Result:
        exchange.begun_ns = self._rooms.clock.monotonic_ns()
        exchange.span = self._rooms.metrics.traces.begin("request", endpoint.name)
        try:
            return await at_once_or(self._gate.serve(endpoint, exchange), REQUEST_S)
        except TimeoutError:
            raise BudgetExceeded(f"The answer took longer than {REQUEST_S} s.", reason="deadline") from None

    async def _replied(self, endpoint: Endpoint, exchange: Exchange) -> Reply:
        result = await self._served(endpoint, exchange)
        if isinstance(result, EventStream):
            raise AssertionError(f"{endpoint.name} is a stream and cannot be hot")  # noqa: TRY004  # a defect, no value
        return self._reply(exchange, result)

    def _refuse_options(self) -> list[HTTPRouteHandler]:
        """Handlers that refuse OPTIONS; otherwise the library would answer it for everybody."""

        async def refuse(request: Request[Any, Any, Any]) -> Response[bytes]:
            raise Refused("method_not_allowed", f"The path has no {request.method}.")

        paths = dict.fromkeys(_PARAMETER.sub(r"{\1:str}", endpoint.path) for endpoint in self.endpoints)
        return [HTTPRouteHandler(list(paths), http_method="OPTIONS", status_code=200)(refuse)]

    def _reply(self, exchange: Exchange, result: msgspec.Struct | Answer) -> Reply:
        """The answer that a result is."""
        answer = result if isinstance(result, Answer) else Answer(result)
        fields = self._fields(exchange)
        if answer.body is not None:
            fields["Content-Type"] = answer.media_type
        fields.update(answer.headers)
        self._count(exchange, answer.status)
        return Reply(answer.status, _encoded(answer.body), self._alike(), fields)

    def _failed(self, exchange: Exchange, error: Exception) -> Reply:
        """The answer to a request that failed: every failure becomes a problem, an unknown one an incident."""
        named = self._named(exchange, error)
        problem = problem_of(named, exchange.scope["path"], exchange.request_id)
        fields = self._fields(exchange) | {"Content-Type": MEDIA_TYPE} | _failure_headers(named)
        if problem.status == 405:
            fields["Allow"] = ", ".join(self._methods(exchange.scope["path"]))
        code = problem.code if problem.reason is None else f"{problem.code}.{problem.reason}"
        self._count(exchange, problem.status, code)
        return Reply(problem.status, _ENCODER.encode(problem), self._alike(), fields)

    def _refused(self, request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        """The supervisor of requests that came by the framework's router."""
        exchange = request.scope["state"].get(_EXCHANGE)
        if exchange is None:
            exchange = Exchange(request.scope, request.receive, {})
        return _Whole(self._failed(exchange, error))

    def _named(self, exchange: Exchange, error: Exception) -> SextantError:
        if isinstance(error, SextantError):
            return error
        if isinstance(error, HTTPException) and error.status_code == 404:
            return NotFound("There is no such path.")
        if isinstance(error, HTTPException) and error.status_code == 405:
            return Refused("method_not_allowed", f"The path has no {exchange.scope['method']}.")
        if (meaning := db_faults.named(error)) is not None:
            _LOG.warning("request.without_database", op=exchange.op, reason=meaning.reason)
            return meaning
        incident = self._rooms.watch.incidents.failed(exchange.op, error, exchange.request_id)
        _LOG.error(
            "request.failed",
            incident=incident,
            request_id=exchange.request_id,
            op=exchange.op,
            exc_info=error,
        )
        return Refused("internal", f"The server failed; the incident is {incident}.")

    def _fields(self, exchange: Exchange) -> dict[str, str]:
        """The header fields that depend on the request."""
        fields = {"Cache-Control": NOT_KEPT, "X-Request-ID": exchange.request_id}
        if exchange.standing is not None:
            fields.update(_rate_headers(exchange.standing))
        return fields

    def _alike(self) -> Common:
        """The header fields of every answer while the facts come from one place."""
        origin = self._rooms.origin()
        if self._common is None or self._common[0] != origin:
            self._common = origin, Common(dict(SECURITY) | _stated(origin))
        return self._common[1]

    def _methods(self, path: str) -> list[str]:
        return sorted(
            item.method
            for item in self.endpoints
            if re.fullmatch(_PARAMETER.sub("[^/]+", item.path), path) is not None
        )

    def _count(self, exchange: Exchange, status: int, code: str | None = None) -> None:
        if exchange.begun_ns is not None:
            seconds = (self._rooms.clock.monotonic_ns() - exchange.begun_ns) / 1e9
            self._rooms.metrics.answered(exchange.op, str(status), seconds)
            self._traced(exchange, str(status))
        if code is not None:
            self._rooms.metrics.refused(exchange.op, code)

    def _traced(self, exchange: Exchange, outcome: str) -> None:
        self._rooms.metrics.traces.end(exchange.span, outcome)
        exchange.span = None


class _Whole(Response[bytes]):
    """An answer that is made already, in the shape in which the framework takes one."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(b"", status_code=reply.status)
        self._reply = reply

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """The application that sends it."""
        return self._reply


def _check_inventory(application: Litestar, endpoints: Sequence[Endpoint]) -> None:
    """Do nothing if the mounted routes are those of the document; a hidden or missing one stops the process."""
    mounted = {
        (method, route.path_format)
        for route in application.routes
        for method in route.methods
        if method not in ("OPTIONS", "HEAD")
    }
    published = {(item.method, item.path) for item in endpoints}
    if mounted != published:
        raise AssertionError(f"routes differ from the document: {sorted(mounted ^ published)}")


def _cors(origins: Sequence[str]) -> CORSConfig | None:
    """Pages of these origins may call with a header of their own; cookies are never taken."""
    if not origins:
        return None
    return CORSConfig(
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=[
            "Authorization",
            "Content-Type",
            "Idempotency-Key",
            "If-None-Match",
            "Last-Event-ID",
            "X-Request-ID",
        ],
        expose_headers=list(EXPOSED),
        allow_credentials=False,
    )


def _encoded(body: msgspec.Struct | bytes | None) -> bytes:
    if body is None:
        return b""
    return body if isinstance(body, bytes) else _ENCODER.encode(body)


def _failure_headers(error: SextantError) -> dict[str, str]:
    headers: dict[str, str] = {}
    after_s = retry_after_s(error)
    if after_s is not None:
        headers["Retry-After"] = str(int(-(-after_s // 1)))
    standing = error.facts.get("standing")
    if isinstance(standing, Standing):
        headers |= _rate_headers(standing)
    if error.code == "unauthenticated":
        kind = "" if error.reason == "token_missing" else ' error="invalid_token"'
        headers["WWW-Authenticate"] = f"Bearer{kind}"
    return headers


def _rate_headers(standing: Standing) -> dict[str, str]:
    policy = standing.policy
    return {
        "RateLimit-Policy": f'"{policy.name}";q={policy.quota};w={policy.window_s}',
        "RateLimit": f'"{policy.name}";r={standing.remaining};t={standing.reset_s}',
    }


def _stated(origin: Origin) -> dict[str, str]:
    return {"Sextant-Version": origin.code_version, "Sextant-Feed": origin.feed}
