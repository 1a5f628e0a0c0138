"""The simulated Bybit v5: REST and public sockets on one loopback port, stopped with its context.

::

    async with start(SystemClock(), seed=7) as venue:
        venue.base_url                  http://127.0.0.1:40123
        venue.socket_url("linear")      ws://127.0.0.1:40123/v5/public/linear; inverse and spot likewise
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Final, Unpack

import orjson
from aiohttp import web

from sextant.errors import InputError, Rejected
from sextant.kit.clock import Clock
from sextant.sim.books import Level
from sextant.sim.bybit_account import AccountAnswers, key_of
from sextant.sim.bybit_rest import Answers
from sextant.sim.bybit_socket import STATUS, Hub
from sextant.sim.faults import Fault, FaultPlan
from sextant.sim.hosting import hosted
from sextant.sim.limits import REQUESTS_A_WINDOW, WINDOW_MS, Counters, Limits
from sextant.sim.live import Live
from sextant.sim.market_model import MarketModel
from sextant.sim.scene import Scene, staged
from sextant.sim.spoiling import spoilt
from sextant.sim.universe import Category, inverse

_BEAT_S: Final = 0.05
_MILLISECOND_NS: Final = 1_000_000
_TOO_FREQUENT: Final = "access too frequent"
INVERSE_BASES: Final = ("BTC", "ETH", "SOL", "XRP")
_MONEY_PATHS: Final = ("/v5/order", "/v5/position", "/v5/asset/withdraw", "/v5/asset/transfer")


class Simulation:
    """A running simulated venue.

    Parameters
    ----------
    clock
        Whose time the market follows.
    model
        The market.
    pace
        Factor on how often each instrument trades.
    plan
        The script.

    Notes
    -----
    ``account_key`` opens the one account there is; it can read and nothing else.
    """

    def __init__(self, clock: Clock, model: MarketModel, pace: float, plan: FaultPlan) -> None:
        self._clock = clock
        self._skew_ms = 0
        self._away_until_ms = 0
        self.model = model
        self.counters = Counters()
        self._limits = Limits(self.counters)
        self.plan = plan
        self._live = Live(model, pace)
        self._answers = Answers(self._live)
        self.account_key = key_of(model.seed)
        self._account = AccountAnswers(self._live, self.account_key)
        self._hub = Hub(self._live, self.plan, self.counters, self.now_ms)
        self.base_url = ""

    def now_ms(self) -> int:
        """Milliseconds since 1970 as the venue believes, with its skew."""
        return self._true_ms() + self._skew_ms

    def _true_ms(self) -> int:
        return self._clock.now_ns() // _MILLISECOND_NS

    def socket_url(self, category: Category) -> str:
        """Where the public socket of a product listens."""
        return f"{self.base_url.replace('http', 'ws', 1)}/v5/public/{category}"

    def book(
        self, symbol: str, depth: int, category: Category = "linear"
    ) -> tuple[int, list[Level], list[Level]]:
        """The truth as of the last push of a depth: its u, bids and asks, best first, in whole ticks and lots.

        Raises
        ------
        InputError
            If the symbol is not listed or nobody has subscribed to that depth.
        """
        listing = self.model.find(category, symbol)
        feed = None if listing is None else self._live.known_feed(listing, depth)
        if feed is None:
            raise InputError(f"No push of orderbook.{depth}.{symbol} ({category}) has been made.")
        bids, asks = feed.told()
        return feed.u, sorted(bids, reverse=True), sorted(asks)

    def book_at(
        self, symbol: str, depth: int, number: int, category: Category = "linear"
    ) -> tuple[list[Level], list[Level]] | None:
        """The truth of a book as of push ``number``, while it is one of the last eight; else None."""
        listing = self.model.find(category, symbol)
        feed = None if listing is None else self._live.known_feed(listing, depth)
        return None if feed is None else feed.at(number)

    def pump(self) -> None:
        """Push everything that has become due; tests that drive a clock may call it instead of waiting."""
        for fault in self.plan.moment(self._true_ms()):
            if fault.kind == "skew":
                self._skew_ms += int(fault.number("seconds", 0) * 1_000)
            elif fault.kind == "banned":
                self._limits.ban("127.0.0.1", self.now_ms())
            elif fault.kind == "away":
                self._away_until_ms = self._true_ms() + int(fault.number("seconds", 600) * 1_000)
                self._hub.strike_all(replace(fault, kind="reset"))
            elif fault.kind == "maintenance":
                self._hub.notices.announce(self.now_ms(), fault.number("seconds", 600))
            elif fault.kind in ("delist", "retick"):
                change = self._live.delist if fault.kind == "delist" else self._live.retick
                change(str(fault.options.get("category", "linear")), str(fault.options.get("symbol", "")))
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
        now_ms, path = self.now_ms(), request.path
        address = request.remote or "unknown"
        if self._true_ms() < self._away_until_ms and request.transport is not None:
            self.counters.while_away += 1
            request.transport.abort()
            return web.Response()
        if path.startswith("/v5/public/"):
            return await self._open(request, address, now_ms)
        self.counters.requests += 1
        self.counters.paths[path] = self.counters.paths.get(path, 0) + 1
        reads = request.method == "GET" and (path in self._account.paths or not path.startswith(_MONEY_PATHS))
        if not reads:
            self.counters.forbidden += 1
            return self._reply(
                address, now_ms, {}, 10_005, "Permission denied, please check your API key permissions."
            )
        if not self._limits.admit(address, now_ms):
            return web.Response(status=403, text=_TOO_FREQUENT)
        if request.can_read_body:
            # The venue's front refuses a GET that carries a body, even an empty JSON object.
            return web.Response(status=403, text="Forbidden")
        for fault in self.plan.call(path):
            if fault.kind == "skew":
                self._skew_ms += int(fault.number("seconds", 0) * 1_000)
            elif fault.kind == "banned":
                self._limits.ban(address, now_ms)
                return web.Response(status=403, text=_TOO_FREQUENT)
            else:
                self._note_wait(address, now_ms, fault)
                return await spoilt(request, self._result(request, address), fault)
        return self._result(request, address)

    def _note_wait(self, address: str, now_ms: int, fault: Fault) -> None:
        wait = fault.options.get("retry_after")
        if isinstance(wait, (int, float)) and wait > 0:
            self._limits.asked_to_wait(address, now_ms + int(wait * 1_000))

    async def _open(self, request: web.Request, address: str, now_ms: int) -> web.StreamResponse:
        category = request.path.removeprefix("/v5/public/")
        if category not in ("linear", "inverse", "spot", STATUS):
            return web.Response(status=404, text="404 page not found")
        if not self._limits.connect(address, now_ms):
            return web.Response(status=403, text=_TOO_FREQUENT)
        return await self._hub.serve(request, category)

    def _result(self, request: web.Request, address: str) -> web.Response:
        now_ms = self.now_ms()
        if request.path == "/v5/system/status":
            return self._reply(address, now_ms, {"list": self._hub.notices.rows(now_ms)}, 0, "")
        private = self._account.paths.get(request.path)
        handler = self._answers.paths.get(request.path) if private is None else private
        if handler is None:
            return web.Response(status=404, text="404 page not found")
        try:
            if private is not None:
                self._account.check(request.headers, request.rel_url.raw_query_string, now_ms)
            result = handler(request.query, now_ms)
        except Rejected as refusal:
            return self._reply(address, now_ms, {}, int(refusal.facts["ret_code"]), refusal.message)
        return self._reply(address, now_ms, result, 0, "OK")

    def _reply(self, address: str, now_ms: int, result: dict[str, Any], code: int, text: str) -> web.Response:
        body = {"retCode": code, "retMsg": text, "result": result, "retExtInfo": {}, "time": now_ms}
        headers = {
            "X-Bapi-Limit": str(REQUESTS_A_WINDOW),
            "X-Bapi-Limit-Status": str(self._limits.left(address, now_ms)),
            "X-Bapi-Limit-Reset-Timestamp": str(now_ms + WINDOW_MS),
            "Timenow": str(now_ms),
        }
        return web.Response(
            body=orjson.dumps(body), content_type="application/json", charset="utf-8", headers=headers
        )


@contextlib.asynccontextmanager
async def start(clock: Clock, **scene: Unpack[Scene]) -> AsyncIterator[Simulation]:
    """A simulated venue that runs inside the caller's loop until the context ends.

    Parameters
    ----------
    clock
        Whose time the market follows.
    **scene
        The fields of `Scene`.

    Raises
    ------
    InputError
        If a parameter or the clock is out of range, or the script is malformed.
    """
    simulation = made(clock, scene)
    async with hosted({"/": simulation}, scene.get("port", 0)):
        yield simulation


def market_of(model: MarketModel) -> MarketModel:
    """The market as this venue lists it: inverse perpetuals of a few bases beside all others."""
    linear = {listing.base: listing for listing in model.listings if listing.category == "linear"}
    beside = [linear[base] for base in INVERSE_BASES if base in linear]
    first = len(model.listings)
    return model.listed_as(
        [*model.listings, *(inverse(listing, first + row) for row, listing in enumerate(beside))]
    )


def made(clock: Clock, scene: Scene) -> Simulation:
    """The simulated venue of a scene, not yet at any address.

    Raises
    ------
    InputError
        If a parameter or the clock is out of range, or the script is malformed.
    """
    model, pace, plan = staged(clock, scene)
    return Simulation(clock, market_of(model), pace, plan)
