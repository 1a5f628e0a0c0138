"""The simulated Deribit: REST and the public socket on one loopback port, stopped with its context.

::

    async with start(SystemClock(), seed=7) as venue:
        venue.base_url      http://127.0.0.1:40124
        venue.socket_url    ws://127.0.0.1:40124/ws/api/v2
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Final, Unpack

import orjson
from aiohttp import web

from sextant.errors import Rejected
from sextant.kit.clock import Clock
from sextant.sim.books import Level
from sextant.sim.bybit_account import Key, key_of
from sextant.sim.deribit_account import AccountAnswers
from sextant.sim.deribit_market import DerivativesModel
from sextant.sim.deribit_rest import METHOD_NOT_FOUND, TOO_MANY, refused
from sextant.sim.deribit_socket import CREDITS_A_MS, DeribitHub, envelope, error_body
from sextant.sim.faults import FaultPlan
from sextant.sim.hosting import hosted
from sextant.sim.limits import Counters
from sextant.sim.scene import Scene, staged
from sextant.sim.spoiling import spoilt

_BEAT_S: Final = 0.05
_HISTORY_DAYS: Final = 60  # days that volatility and strikes reach back, with room
_MILLISECOND_NS: Final = 1_000_000
_PREFIX: Final = "/api/v2/"
_SOCKET: Final = "/ws/api/v2"
PATHS: Final = (_PREFIX, _SOCKET)
"""How all of its paths begin."""

_CREDITS: Final = 50_000
_A_READ: Final = 500


class DeribitSimulation:
    """A running simulated venue.

    Parameters
    ----------
    clock
        Whose time the market follows.
    derivatives
        What is listed and quoted.
    plan
        The script of faults.
    key
        Who owns the account that the venue holds.
    """

    def __init__(self, clock: Clock, derivatives: DerivativesModel, plan: FaultPlan, key: Key) -> None:
        self._clock = clock
        self.plan = plan
        self._credits: dict[str, tuple[float, int]] = {}
        self._away_until_ms = 0
        self._wait_until_ms = 0
        self._account = AccountAnswers(key)
        self.account_key = key
        self.derivatives = derivatives
        self.counters = Counters()
        self._hub = DeribitHub(derivatives, plan, self.counters, self.now_ms)
        self.base_url = ""

    def now_ms(self) -> int:
        """Milliseconds since 1970 as the venue believes."""
        return self._clock.now_ns() // _MILLISECOND_NS

    @property
    def socket_url(self) -> str:
        """Where the public socket listens."""
        return self.base_url.replace("http", "ws", 1) + _SOCKET

    def book_at(self, name: str, number: int) -> tuple[list[Level], list[Level]] | None:
        """The truth of a book as of a change id, in whole ticks and lots, while it is one of the last eight; else None."""
        return self._hub.book_at(name, number)

    def pump(self) -> None:
        """Push everything that has become due; tests that drive a clock may call it instead of waiting."""
        now_ms = self.now_ms()
        for fault in self.plan.moment(now_ms):
            if fault.kind == "away":
                self._away_until_ms = now_ms + int(fault.number("seconds", 600) * 1_000)
                self._hub.strike_all(replace(fault, kind="reset"))
            else:
                self._hub.strike_all(fault)
        self._hub.pump()

    async def run(self) -> None:
        """Let time pass until cancelled."""
        while True:
            await self._clock.sleep(_BEAT_S)
            self.pump()

    async def close(self) -> None:
        """Say goodbye to every socket."""
        await self._hub.close_all()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The reply to any request that reaches the port."""
        path, now_ms = request.path, self.now_ms()
        if now_ms < self._away_until_ms and request.transport is not None:
            self.counters.while_away += 1
            request.transport.abort()
            return web.Response()
        if path == _SOCKET:
            return await self._hub.serve(request)
        self.counters.requests += 1
        self.counters.paths[path] = self.counters.paths.get(path, 0) + 1
        if now_ms < self._wait_until_ms:
            self.counters.after_retry_after += 1
        if path.removeprefix(_PREFIX) in self._account.methods and request.method == "GET":
            for fault in self.plan.call(path):
                return await spoilt(request, self._private(request), fault)
            return self._private(request)
        if not path.startswith(_PREFIX + "public/") or request.method != "GET":
            self.counters.forbidden += 1
            return _reply(error_body(None, refused(13_009, "unauthorized"), self.now_ms()), 401)
        for fault in self.plan.call(path):
            wait_s = fault.options.get("retry_after")
            if isinstance(wait_s, int | float) and wait_s > 0:
                self._wait_until_ms = now_ms + int(wait_s * 1_000)
            return await spoilt(request, self._result(request), fault)
        return self._result(request)

    def _result(self, request: web.Request) -> web.Response:
        now_ms, address = self.now_ms(), request.remote or "unknown"
        try:
            self._spend(address, now_ms)
            call = self._hub.calls.methods.get(request.path.removeprefix(_PREFIX))
            if call is None:
                raise refused(METHOD_NOT_FOUND, "Method not found")
            return web.Response(
                text=envelope(None, call(request.query, now_ms), now_ms), content_type="application/json"
            )
        except Rejected as refusal:
            status = 429 if refusal.facts["ret_code"] == TOO_MANY else 400
            return _reply(error_body(None, refusal, now_ms), status)

    def _private(self, request: web.Request) -> web.Response:
        now_ms = self.now_ms()
        try:
            self._account.check(request.headers.get("Authorization", ""), request.path_qs, now_ms)
            result = self._account.methods[request.path.removeprefix(_PREFIX)](request.query, now_ms)
        except Rejected as refusal:
            return _reply(error_body(None, refusal, now_ms), 401)
        return web.Response(text=envelope(None, result, now_ms), content_type="application/json")

    def _spend(self, address: str, now_ms: int) -> None:
        """Pay for a read: a hundred at once, twenty a second.

        Raises
        ------
        Rejected
            If the credits are used up.
        """
        left, then_ms = self._credits.get(address, (float(_CREDITS), now_ms))
        left = min(float(_CREDITS), left + (now_ms - then_ms) * CREDITS_A_MS)
        if left < _A_READ:
            raise refused(TOO_MANY, "too_many_requests")
        self._credits[address] = (left - _A_READ, now_ms)


def _reply(body: dict[str, Any], status: int) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


@contextlib.asynccontextmanager
async def start(clock: Clock, **scene: Unpack[Scene]) -> AsyncIterator[DeribitSimulation]:
    """A simulated venue that runs inside the caller's loop until the context ends.

    Parameters
    ----------
    clock
        Whose time the market follows.
    **scene
        As of the simulated Bybit; with the same seed and number of instruments both quote one market.

    Raises
    ------
    InputError
        If a parameter or the clock is out of range, or the script is malformed.
    """
    simulation = made(clock, scene)
    async with hosted(dict.fromkeys(PATHS, simulation), scene.get("port", 0)):
        yield simulation


def made(clock: Clock, scene: Scene) -> DeribitSimulation:
    """The simulated venue of a scene, not yet at any address.

    Raises
    ------
    InputError
        If a parameter or the clock is out of range, or the script is malformed.
    """
    model, pace, plan = staged(clock, scene, _HISTORY_DAYS)
    return DeribitSimulation(clock, DerivativesModel(model, pace), plan, key_of(model.seed))
