"""The simulated Coinbase Advanced Trade: public REST and the public socket on one loopback port.

::

    async with start(SystemClock(), seed=7) as venue:
        venue.base_url      http://127.0.0.1:40126
        venue.socket_url    ws://127.0.0.1:40126/
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Final, Unpack

import orjson
from aiohttp import web

from sextant.errors import Rejected
from sextant.kit.clock import Clock
from sextant.sim.coinbase_rest import Answers
from sextant.sim.coinbase_socket import CoinbaseHub
from sextant.sim.coinbase_wire import market_of
from sextant.sim.faults import FaultPlan
from sextant.sim.hosting import hosted
from sextant.sim.limits import within
from sextant.sim.market_model import MarketModel
from sextant.sim.scene import Scene, staged
from sextant.sim.spoiling import page, spoilt
from sextant.sim.spot_venue import SpotVenue

READS_A_SECOND: Final = 10
CONNECTS_A_SECOND: Final = 750
BAN_MS: Final = 600_000
"""No page states how long the front shuts an address out; ten minutes is what clients must bear at other venues."""


class CoinbaseSimulation(SpotVenue):
    """A running simulated Coinbase, with the parameters of `SpotVenue`."""

    def __init__(self, clock: Clock, model: MarketModel, pace: float, plan: FaultPlan) -> None:
        super().__init__(clock, model, pace, plan)
        self._answers = Answers(self.live)
        hub = CoinbaseHub(self.live, plan, self.counters, self.now_ms)
        hub.answers = self._answers
        self.hub = hub
        self._reads: dict[str, deque[int]] = {}
        self._connects: dict[str, deque[int]] = {}
        self._banned_until: dict[str, int] = {}
        self._wait_until: dict[str, int] = {}

    @property
    def socket_url(self) -> str:
        """Where the public socket listens."""
        return self.base_url.replace("http", "ws", 1) + "/"

    def lock(self, address: str) -> None:
        """Let the front refuse an address."""
        self.counters.bans += 1
        self._banned_until[address] = self.now_ms() + BAN_MS

    async def reply(self, request: web.Request) -> web.StreamResponse:
        """The reply to any request that reaches the port while the venue is there."""
        now_ms, path, address = self.now_ms(), request.path, request.remote or "unknown"
        if now_ms < self._banned_until.get(address, 0):
            self.counters.after_ban += 1
            return page(403)
        if path in ("", "/"):
            if not within(self._connects.setdefault(address, deque()), now_ms, 1_000, CONNECTS_A_SECOND):
                self.counters.limited += 1
                return page(429)
            return await self.hub.serve(request)
        self.counters.requests += 1
        self.counters.paths[path] = self.counters.paths.get(path, 0) + 1
        if now_ms < self._wait_until.get(address, 0):
            self.counters.after_retry_after += 1
        for fault in self.plan.call(path):
            if fault.kind in ("skew", "banned"):
                self.befall(address, fault)
                if fault.kind == "banned":
                    return page(403)
            else:
                wait_s = fault.options.get("retry_after")
                if isinstance(wait_s, int | float) and wait_s > 0:
                    self._wait_until[address] = now_ms + int(wait_s * 1_000)
                return await spoilt(request, self._result(request, address), fault)
        return self._result(request, address)

    def _result(self, request: web.Request, address: str) -> web.Response:
        path, now_ms = request.path, self.now_ms()
        public = path.startswith("/v2/") or "/market/" in path or path.endswith("/brokerage/time")
        if not public or request.method != "GET":
            self.counters.forbidden += 1
            return web.Response(status=401, text="Unauthorized\n")
        if not within(self._reads.setdefault(address, deque()), now_ms, 1_000, READS_A_SECOND):
            self.counters.limited += 1
            return page(429)
        if self.resting:
            return _told(503, {"error": "UNAVAILABLE", "error_details": "", "message": "maintenance"})
        self.hub.pump()  # so that answers and sockets say the same
        try:
            return _told(200, self._answers.answer(path, request.query, now_ms))
        except Rejected as refusal:
            words = refusal.message
            body = {"error": refusal.facts["name"], "error_details": words, "message": words}
            return _told(int(refusal.facts["status"]), body)


def _told(status: int, body: dict[str, Any]) -> web.Response:
    return web.Response(
        status=status, body=orjson.dumps(body), content_type="application/json", charset="utf-8"
    )


@contextlib.asynccontextmanager
async def start(clock: Clock, **scene: Unpack[Scene]) -> AsyncIterator[CoinbaseSimulation]:
    """A simulated venue that runs inside the caller's loop until the context ends.

    Parameters
    ----------
    clock
        Whose time the market follows.
    **scene
        As of the simulated Bybit; with the same seed and number of instruments all quote one market.

    Raises
    ------
    InputError
        If a parameter or the clock is out of range, or the script is malformed.
    """
    simulation = made(clock, scene)
    async with hosted({"/": simulation}, scene.get("port", 0)):
        yield simulation


def made(clock: Clock, scene: Scene) -> CoinbaseSimulation:
    """The simulated venue of a scene, not yet at any address.

    Raises
    ------
    InputError
        If a parameter or the clock is out of range, or the script is malformed.
    """
    model, pace, plan = staged(clock, scene)
    return CoinbaseSimulation(clock, market_of(model), pace, plan)
