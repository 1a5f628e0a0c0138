"""The simulated Binance, spot and USD-M futures: REST and public sockets on one loopback port, stopped with its context.

::

    async with start(SystemClock(), seed=7) as venue:
        venue.base_url                  http://127.0.0.1:40126
        venue.socket_url("spot")        ws://127.0.0.1:40126/stream
        venue.socket_url("linear")      ws://127.0.0.1:40126/public/stream
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final, Unpack

import orjson
from aiohttp import web

from sextant.errors import InputError, Rejected
from sextant.kit.clock import Clock
from sextant.sim.binance_limits import SPOT, USDM, Refusal, WeightLimits, spent
from sextant.sim.binance_rest import Answers
from sextant.sim.binance_socket import BinanceHub
from sextant.sim.binance_streams import Streams
from sextant.sim.binance_wire import market_of
from sextant.sim.books import Level
from sextant.sim.diff_books import Counting, DiffBook
from sextant.sim.faults import Fault, FaultPlan
from sextant.sim.hosting import hosted
from sextant.sim.limits import Counters
from sextant.sim.live import Live
from sextant.sim.market_model import MarketModel
from sextant.sim.scene import Scene, staged
from sextant.sim.spoiling import spoilt
from sextant.sim.universe import Category, Listing

_BEAT_S: Final = 0.05
_MILLISECOND_NS: Final = 1_000_000
_SPOT_SOCKETS: Final = ("/stream", "/ws")
_USDM_SOCKETS: Final = ("/public/", "/market/", "/fstream/")
_KEY_FORMAT: Final = -2014
_TOO_MANY: Final = -1003
_CATEGORIES: Final[tuple[Category, ...]] = ("spot", "linear")


class BinanceSimulation:
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
        self._stops_ms: int | None = None
        self.model = model
        self.counters = Counters()
        self.plan = plan
        self._limits = WeightLimits(self.counters)
        self._live = Live(model, pace)
        self._books: dict[int, DiffBook] = {}
        self._answers = Answers(self._live, self._book_of)
        self._hubs = {
            category: BinanceHub(
                Streams(self._live, category, self._book_of, self._answers), plan, self.counters, self.now_ms
            )
            for category in _CATEGORIES
        }
        self.base_url = ""

    def now_ms(self) -> int:
        """Milliseconds since 1970 as the venue believes, with its skew."""
        return self._clock.now_ns() // _MILLISECOND_NS + self._skew_ms

    def socket_url(self, category: Category) -> str:
        """Where the combined streams of a market listen; those of futures that are no books are below ``/market``."""
        path = "/stream" if category == "spot" else "/public/stream"
        return self.base_url.replace("http", "ws", 1) + path

    def book_at(
        self, symbol: str, number: int, category: Category = "linear"
    ) -> tuple[list[Level], list[Level]] | None:
        """The truth as of a number, best first, in whole ticks and lots, where the book has lately stood at it; else None.

        Raises
        ------
        InputError
            If the symbol is not listed.
        """
        listing = self.model.find(category, symbol)
        if listing is None:
            raise InputError(f"{symbol} ({category}) is not listed.")
        return self._book_of(listing).at(number)

    def _book_of(self, listing: Listing) -> DiffBook:
        tape, known = self._live.tape(listing), self._books.get(listing.position)
        if known is None or known.tape is not tape:
            counting = (
                Counting(10_000_000 + 1_000_000 * listing.position)
                if listing.category == "spot"
                else Counting(5_000_000_000 + 1_000_000 * listing.position, step=3, between=17)
            )
            known = self._books[listing.position] = DiffBook(tape, counting)
        return known

    def pump(self) -> None:
        """Push everything that has become due; tests that drive a clock may call it instead of waiting."""
        now_ms = self.now_ms()
        for fault in self.plan.moment(now_ms - self._skew_ms):
            self._happen(fault, now_ms)
        if self._stops_ms is not None and now_ms >= self._stops_ms:
            self._stops_ms = None
            for hub in self._hubs.values():
                hub.strike_all(Fault("close", 0, options={"code": 1_001}))
        for hub in self._hubs.values():
            hub.pump()

    def _happen(self, fault: Fault, now_ms: int) -> None:
        if fault.kind == "skew":
            self._skew_ms += int(fault.number("seconds", 0) * 1_000)
        elif fault.kind == "banned":
            self._limits.ban("127.0.0.1", now_ms)
        elif fault.kind == "away":
            self._away_until_ms = now_ms + int(fault.number("seconds", 600) * 1_000)
            for hub in self._hubs.values():
                hub.strike_all(replace(fault, kind="reset"))
        elif fault.kind == "maintenance":
            self._stops_ms = now_ms + int(fault.number("seconds", 600) * 1_000)
            for hub in self._hubs.values():
                hub.announce(now_ms)
        elif fault.kind in ("delist", "retick"):
            change = self._live.delist if fault.kind == "delist" else self._live.retick
            change(str(fault.options.get("category", "linear")), str(fault.options.get("symbol", "")))
        else:
            for hub in self._hubs.values():
                hub.strike_all(fault)

    async def run(self) -> None:
        """Let time pass until cancelled."""
        while True:
            await self._clock.sleep(_BEAT_S)
            self.pump()

    async def close(self) -> None:
        """Say goodbye to every socket."""
        for hub in self._hubs.values():
            await hub.close_all()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The reply to any request that reaches the port."""
        now_ms, path, address = self.now_ms(), request.path, request.remote or "unknown"
        if now_ms < self._away_until_ms and request.transport is not None:
            self.counters.while_away += 1
            request.transport.abort()
            return web.Response()
        if path.startswith(_USDM_SOCKETS) or path.partition("/")[2].partition("/")[0] in ("stream", "ws"):
            return await self._open(request, address, now_ms)
        self.counters.requests += 1
        self.counters.paths[path] = self.counters.paths.get(path, 0) + 1
        if request.method != "GET":
            self.counters.forbidden += 1
            return _error(401, _KEY_FORMAT, "API-key format invalid.")
        budget, weight = spent(path, request.query)
        refusal = self._limits.admit(address, budget, weight, now_ms)
        if refusal is not None:
            return _refusal(refusal)
        for fault in self.plan.call(path):
            if fault.kind == "skew":
                self._skew_ms += int(fault.number("seconds", 0) * 1_000)
                continue
            if fault.kind == "banned":
                return _refusal(self._limits.ban(address, now_ms))
            wait = fault.options.get("retry_after")
            if isinstance(wait, (int, float)) and wait > 0:
                self._limits.asked_to_wait(address, now_ms + int(wait * 1_000))
            return await spoilt(request, self._result(request, address, budget), fault)
        return self._result(request, address, budget)

    def _result(self, request: web.Request, address: str, budget: str) -> web.Response:
        now_ms, path = self.now_ms(), request.path
        used = str(self._limits.used(address, budget, now_ms))
        counted = budget in (SPOT, USDM)
        headers = {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used} if counted else {}
        call = self._answers.paths.get(path)
        try:
            if call is None:
                return _unknown(path)
            body = call(request.query, now_ms)
        except Rejected as refusal:
            code, status = int(refusal.facts["ret_code"]), int(refusal.facts["status"])
            return _error(status, code, refusal.message, headers)
        return web.Response(
            body=orjson.dumps(body), content_type="application/json", charset="utf-8", headers=headers
        )

    async def _open(self, request: web.Request, address: str, now_ms: int) -> web.StreamResponse:
        refusal = self._limits.banned(address, now_ms) or self._limits.admit(address, "connects", 1, now_ms)
        if refusal is not None:
            return _refusal(refusal)
        spot = not request.path.startswith(_USDM_SOCKETS)
        return await self._hubs["spot" if spot else "linear"].serve(request)


def _error(status: int, code: int, words: str, headers: dict[str, str] | None = None) -> web.Response:
    body = orjson.dumps({"code": code, "msg": words})
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def _refusal(refusal: Refusal) -> web.Response:
    """429 or 418 in the venue's words."""
    if refusal.budget is None:
        words = f"Way too much request weight used; IP banned until {refusal.until_ms}. "
    else:
        words = f"Too much request weight used; current limit is {refusal.budget.most} request weight per 1 MINUTE. "
    words += "Please use WebSocket Streams for live updates to avoid polling the API."
    return _error(refusal.status, _TOO_MANY, words, {"Retry-After": str(refusal.wait_s)})


def _unknown(path: str) -> web.Response:
    """A path that is not read: private ones want a key, all others are not there."""
    if path.startswith(("/sapi/", "/papi/")) or path in _PRIVATE:
        return _error(401, _KEY_FORMAT, "API-key format invalid.")
    if path.startswith(("/fapi/", "/futures/")):
        return _error(404, -5_000, f"Path {path}, Method GET is invalid")
    return web.Response(
        status=404, text="<html><body><h2>404 Not found</h2></body></html>", content_type="text/html"
    )


_PRIVATE: Final = (
    "/api/v3/account",
    "/api/v3/openOrders",
    "/api/v3/myTrades",
    "/fapi/v2/account",
    "/fapi/v2/balance",
)


@contextlib.asynccontextmanager
async def start(clock: Clock, **scene: Unpack[Scene]) -> AsyncIterator[BinanceSimulation]:
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
    async with hosted({"/": simulation}, scene.get("port", 0)):
        yield simulation


def made(clock: Clock, scene: Scene) -> BinanceSimulation:
    """The simulated venue of a scene, not yet at any address.

    Raises
    ------
    InputError
        If a parameter or the clock is out of range, or the script is malformed.
    """
    model, pace, plan = staged(clock, scene)
    return BinanceSimulation(clock, market_of(model), pace, plan)
