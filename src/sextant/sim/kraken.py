"""The simulated Kraken spot: public REST and version 2 of the public socket on one loopback port.

::

    async with start(SystemClock(), seed=7) as venue:
        venue.base_url      http://127.0.0.1:40125
        venue.socket_url    ws://127.0.0.1:40125/v2
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Unpack

import orjson
from aiohttp import web

from sextant.errors import Rejected
from sextant.kit.clock import Clock
from sextant.sim.faults import FaultPlan
from sextant.sim.hosting import hosted
from sextant.sim.kraken_rest import Answers, refused, status_of
from sextant.sim.kraken_socket import KrakenHub
from sextant.sim.kraken_wire import market_of
from sextant.sim.limits import Counters, within
from sextant.sim.market_model import MarketModel
from sextant.sim.scene import Scene, staged
from sextant.sim.spoiling import spoilt
from sextant.sim.spot_venue import SpotVenue

_SOCKET: Final = "/v2"
_PUBLIC: Final = "/0/public/"
PATHS: Final = ("/0/", _SOCKET)
"""How all of its paths begin."""

MOST_CALLS: Final = 15
CALLS_A_SECOND: Final = 1.0
"""Public calls of an address raise a counter by one, which falls by about one a second; no page states its greatest value."""

CONNECTS: Final = 150
CONNECTS_MS: Final = 600_000
LOCKOUT_MS: Final = 900_000


class Allowance:
    """What an address may do; lockouts outlive connections.

    Parameters
    ----------
    counters
        Where breaches are counted.
    """

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._level: dict[str, tuple[float, int]] = {}
        self._connects: dict[str, deque[int]] = {}
        self._locked_until: dict[str, int] = {}
        self._wait_until: dict[str, int] = {}

    def check(self, address: str, now_ms: int) -> None:
        """Count a call.

        Raises
        ------
        Rejected
            If it is one too many, or the address is locked out.
        """
        if now_ms < self._wait_until.get(address, 0):
            self._counters.after_retry_after += 1
        if now_ms < self._locked_until.get(address, 0):
            self._counters.after_ban += 1
            self.lock(address, now_ms)  # trying again starts the time anew
            raise refused("EGeneral:Temporary lockout")
        level, then_ms = self._level.get(address, (0.0, now_ms))
        level = max(0.0, level - (now_ms - then_ms) / 1_000.0 * CALLS_A_SECOND)
        if level + 1.0 > MOST_CALLS:
            self._counters.limited += 1
            raise refused("EAPI:Rate limit exceeded")
        self._level[address] = (level + 1.0, now_ms)

    def connect(self, address: str, now_ms: int) -> bool:
        """Whether the address may open a socket now."""
        fits = within(self._connects.setdefault(address, deque()), now_ms, CONNECTS_MS, CONNECTS)
        self._counters.limited += not fits
        return fits

    def lock(self, address: str, now_ms: int) -> None:
        """Refuse the address for a quarter of an hour."""
        self._counters.bans += 1 if now_ms >= self._locked_until.get(address, 0) else 0
        self._locked_until[address] = now_ms + LOCKOUT_MS

    def asked_to_wait(self, address: str, until_ms: int) -> None:
        """Remember that the address was told not to call before a moment."""
        self._wait_until[address] = until_ms


class KrakenSimulation(SpotVenue):
    """A running simulated Kraken, with the parameters of `SpotVenue`."""

    def __init__(self, clock: Clock, model: MarketModel, pace: float, plan: FaultPlan) -> None:
        super().__init__(clock, model, pace, plan)
        self._allowance = Allowance(self.counters)
        self._answers = Answers(self.live, pace)
        self._hub = KrakenHub(self.live, plan, self.counters, self.now_ms)
        self._hub.pace, self._hub.answers = pace, self._answers
        self.hub = self._hub

    @property
    def socket_url(self) -> str:
        """Where the public socket listens."""
        return self.base_url.replace("http", "ws", 1) + _SOCKET

    def lock(self, address: str) -> None:
        """Lock an address out."""
        self._allowance.lock(address, self.now_ms())

    def rest(self, *, resting: bool) -> None:
        """Tell the clients that maintenance has begun or ended."""
        self._hub.announce("maintenance" if resting else "online")

    async def reply(self, request: web.Request) -> web.StreamResponse:
        """The reply to any request that reaches the port while the venue is there."""
        now_ms, path, address = self.now_ms(), request.path, request.remote or "unknown"
        if path == _SOCKET:
            if not self._allowance.connect(address, now_ms):
                return web.Response(status=429, text="Too Many Requests")
            return await self._hub.serve(request)
        self.counters.requests += 1
        self.counters.paths[path] = self.counters.paths.get(path, 0) + 1
        if not path.startswith(_PUBLIC):
            self.counters.forbidden += 1
            return _told(["EAPI:Invalid key"])
        for fault in self.plan.call(path):
            if fault.kind in ("skew", "banned"):
                self.befall(address, fault)
            elif fault.kind == "limited":
                until_ms = now_ms + int(fault.number("retry_after", 5) * 1_000)
                self._allowance.asked_to_wait(address, until_ms)
                return _told([f"EService: Throttled: {-(-until_ms // 1_000)}"])
            else:
                return await spoilt(request, self._result(request, address), fault)
        return self._result(request, address)

    def _result(self, request: web.Request, address: str) -> web.Response:
        self._hub.pump()  # so that answers and sockets say the same
        now_ms, path = self.now_ms(), request.path
        try:
            self._allowance.check(address, now_ms)
            if path == _PUBLIC + "SystemStatus":
                return _told([], status_of(self._hub.system, now_ms))
            handler = self._answers.paths.get(path)
            if handler is None:
                return _told(["EGeneral:Unknown method"])
            if self.resting and path != _PUBLIC + "Time":
                return _told(["EService:Unavailable"])
            return _told([], handler(request.query, now_ms))
        except Rejected as refusal:
            return _told([refusal.message])


def _told(errors: list[str], result: Mapping[str, Any] | None = None) -> web.Response:
    """An answer in the venue's envelope, which is of status 200 whatever went wrong."""
    body: dict[str, Any] = {"error": errors}
    if result is not None:
        body["result"] = result
    return web.Response(body=orjson.dumps(body), content_type="application/json", charset="utf-8")


@contextlib.asynccontextmanager
async def start(clock: Clock, **scene: Unpack[Scene]) -> AsyncIterator[KrakenSimulation]:
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
    async with hosted(dict.fromkeys(PATHS, simulation), scene.get("port", 0)):
        yield simulation


def made(clock: Clock, scene: Scene) -> KrakenSimulation:
    """The simulated venue of a scene, not yet at any address.

    Raises
    ------
    InputError
        If a parameter or the clock is out of range, or the script is malformed.
    """
    model, pace, plan = staged(clock, scene)
    return KrakenSimulation(clock, market_of(model), pace, plan)
