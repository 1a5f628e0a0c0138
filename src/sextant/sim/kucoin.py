"""The simulated KuCoin spot: REST and the public socket on one loopback port, stopped with its context.

::

    async with start(SystemClock(), seed=7) as venue:
        venue.base_url      http://127.0.0.1:40127
        venue.socket_url    ws://127.0.0.1:40127/endpoint, to be opened with a token
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Final, Unpack

import orjson
from aiohttp import web

from sextant.errors import InputError, Rejected
from sextant.kit.clock import Clock
from sextant.sim.books import Level
from sextant.sim.diff_books import Counting, DiffBook
from sextant.sim.faults import Fault, FaultPlan
from sextant.sim.hosting import hosted
from sextant.sim.kucoin_limits import CONNECTS, CONNECTS_MS, PoolLimits, weight_of
from sextant.sim.kucoin_rest import Answers
from sextant.sim.kucoin_socket import PING_MS, PONG_MS, KucoinHub
from sextant.sim.kucoin_wire import market_of
from sextant.sim.limits import Counters, within
from sextant.sim.live import Live
from sextant.sim.market_model import MarketModel
from sextant.sim.scene import Scene, staged
from sextant.sim.spoiling import spoilt
from sextant.sim.universe import Listing

_BEAT_S: Final = 0.05
_MILLISECOND_NS: Final = 1_000_000
_SOCKET: Final = "/endpoint"
_DOOR: Final = "/api/v1/bullet-public"
_GOOD: Final = "200000"
_TOO_MANY: Final = "429000"
_PRIVATE: Final = (
    "/api/v1/accounts",
    "/api/v1/user",
    "/api/v1/orders",
    "/api/v1/hf",
    "/api/v1/bullet-private",
)
_KEYLESS: Final = (
    "Please check the header of your request for KC-API-KEY, KC-API-SIGN, KC-API-TIMESTAMP, KC-API-PASSPHRASE"
)


class KucoinSimulation:
    """A running simulated venue.

    Parameters
    ----------
    clock
        Whose time the market follows.
    model
        The market as this venue lists it.
    pace
        Factor on how often each instrument trades.
    plan
        The script of faults.
    """

    def __init__(self, clock: Clock, model: MarketModel, pace: float, plan: FaultPlan) -> None:
        self._clock = clock
        self._skew_ms = 0
        self._away_until_ms = 0
        self.model = model
        self.counters = Counters()
        self.plan = plan
        self._limits = PoolLimits(self.counters)
        self._connects: dict[str, deque[int]] = {}
        self._live = Live(model, pace)
        self._books: dict[int, DiffBook] = {}
        self._answers = Answers(self._live, self._book_of)
        self._hub = KucoinHub(self._live, plan, self.counters, self.now_ms)
        self._hub.answers, self._hub.book_of = self._answers, self._book_of
        self.base_url = ""

    def now_ms(self) -> int:
        """Milliseconds since 1970 as the venue believes, with its skew."""
        return self._clock.now_ns() // _MILLISECOND_NS + self._skew_ms

    @property
    def socket_url(self) -> str:
        """Where the public socket listens."""
        return self.base_url.replace("http", "ws", 1) + _SOCKET

    def book_at(self, symbol: str, number: int) -> tuple[list[Level], list[Level]] | None:
        """The truth as of a number, best first, in whole ticks and lots, where the book has lately stood at it; else None.

        Raises
        ------
        InputError
            If the symbol is not listed.
        """
        listing = self.model.find("spot", symbol)
        if listing is None:
            raise InputError(f"{symbol} is not listed.")
        return self._book_of(listing).at(number)

    def _book_of(self, listing: Listing) -> DiffBook:
        tape, known = self._live.tape(listing), self._books.get(listing.position)
        if known is None or known.tape is not tape:
            counting = Counting(1_600_000_000 + 1_000_000 * listing.position, between=1)
            known = self._books[listing.position] = DiffBook(tape, counting)
        return known

    def pump(self) -> None:
        """Push everything that has become due; tests that drive a clock may call it instead of waiting."""
        for fault in self.plan.moment(self.now_ms() - self._skew_ms):
            self._happen(fault)
        self._hub.pump()

    def _happen(self, fault: Fault) -> None:
        if fault.kind == "skew":
            self._skew_ms += int(fault.number("seconds", 0) * 1_000)
        elif fault.kind == "banned":
            self._limits.empty("127.0.0.1", self.now_ms())
        elif fault.kind in ("delist", "retick"):
            change = self._live.delist if fault.kind == "delist" else self._live.retick
            change("spot", str(fault.options.get("symbol", "")))
        elif fault.kind == "away":
            self._away_until_ms = self.now_ms() + int(fault.number("seconds", 600) * 1_000)
            self._hub.strike_all(replace(fault, kind="reset"))
        elif fault.kind == "maintenance":
            self._answers.opens_ms = self.now_ms() + int(fault.number("seconds", 600) * 1_000)
        else:
            self._hub.strike_all(fault)

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
        now_ms, path, address = self.now_ms(), request.path, request.remote or "unknown"
        if now_ms < self._away_until_ms and request.transport is not None:
            self.counters.while_away += 1
            request.transport.abort()
            return web.Response()
        if path == _SOCKET:
            if not within(self._connects.setdefault(address, deque()), now_ms, CONNECTS_MS, CONNECTS):
                return _told(429, {"code": _TOO_MANY, "msg": "Too many requests"}, {})
            return await self._hub.serve(request)
        self.counters.requests += 1
        self.counters.paths[path] = self.counters.paths.get(path, 0) + 1
        if path.startswith(_PRIVATE) or request.method != ("POST" if path == _DOOR else "GET"):
            self.counters.forbidden += request.method != "GET"
            return _told(401, {"code": "400001", "msg": _KEYLESS}, {})
        if not self._limits.admit(address, weight_of(path), now_ms):
            return self._full(address, now_ms)
        for fault in self.plan.call(path):
            if fault.kind == "skew":
                self._skew_ms += int(fault.number("seconds", 0) * 1_000)
                continue
            if fault.kind == "banned":
                self._limits.empty(address, now_ms)
                return self._full(address, now_ms)
            wait = fault.options.get("retry_after")
            if isinstance(wait, int | float) and wait > 0:
                self._limits.asked_to_wait(address, now_ms + int(wait * 1_000))
            return await spoilt(request, self._result(request, address), fault)
        return self._result(request, address)

    def _full(self, address: str, now_ms: int) -> web.Response:
        body = {"code": _TOO_MANY, "msg": "Too many requests in a short period of time, please retry later"}
        return _told(429, body, self._limits.headers(address, now_ms))

    def _result(self, request: web.Request, address: str) -> web.Response:
        now_ms, path = self.now_ms(), request.path
        headers = self._limits.headers(address, now_ms)
        if path == _DOOR:
            return _told(200, {"code": _GOOD, "data": self._door()}, headers)
        call = self._answers.paths.get(path)
        if call is None:
            return _told(404, {"code": "404000", "msg": "url not found"}, headers)
        try:
            return _told(200, {"code": _GOOD, "data": call(request.query, now_ms)}, headers)
        except Rejected as refusal:
            body = {"code": refusal.facts["ret_code"], "msg": refusal.message}
            return _told(int(refusal.facts["status"]), body, headers)

    def _door(self) -> dict[str, Any]:
        server = {
            "endpoint": self.socket_url,
            "encrypt": False,
            "protocol": "websocket",
            "pingInterval": PING_MS,
            "pingTimeout": PONG_MS,
        }
        return {"token": self._hub.token(), "instanceServers": [server]}


def _told(status: int, body: dict[str, Any], headers: dict[str, str]) -> web.Response:
    return web.Response(
        status=status,
        body=orjson.dumps(body),
        content_type="application/json",
        charset="utf-8",
        headers=headers,
    )


@contextlib.asynccontextmanager
async def start(clock: Clock, **scene: Unpack[Scene]) -> AsyncIterator[KucoinSimulation]:
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


def made(clock: Clock, scene: Scene) -> KucoinSimulation:
    """The simulated venue of a scene, not yet at any address.

    Raises
    ------
    InputError
        If a parameter or the clock is out of range, or the script is malformed.
    """
    model, pace, plan = staged(clock, scene)
    return KucoinSimulation(clock, market_of(model), pace, plan)
