"""The simulated CoinCap: version 3 with a key and credits, and version 2, which answers that it is no more.

::

    async with start(SystemClock(), seed=7) as source:
        source.base_url     http://127.0.0.1:40128      with /v3 as rest.coincap.io and /v2 as api.coincap.io

References
----------
coincapapi.mintlify.app, "Codes and Error Responses", read 2026-11-25; what version 2 answered before its end:
x-cmd/x-cmd issue 217. Credits: one a call and one for each 2.5 kB of its answer, as clients of version 3 state.
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
from sextant.sim.coingecko_assets import Asset, assets, quote
from sextant.sim.faults import FaultPlan
from sextant.sim.hosting import hosted
from sextant.sim.limits import Counters, within
from sextant.sim.market_model import MarketModel
from sextant.sim.noise import mix
from sextant.sim.scene import Scene, staged
from sextant.sim.spoiling import page, spoilt
from sextant.sim.spot_venue import MILLISECOND_NS

CREDITS: Final = 4_000
CALLS_A_MINUTE: Final = 600
MOST_ROWS: Final = 2_000
RETIRED: Final = (
    "We are deprecating this version of the CoinCap API on March 31, 2025. Sign up for our new V3 API at "
    "https://pro.coincap.io/dashboard"
)
_ROWS: Final = 100
_CREDIT_BYTES: Final = 2_500
_MINUTE_MS: Final = 60_000
_IDS: Final = {
    "BTC": "bitcoin",
    "ETH": "ethereum",
    "SOL": "solana",
    "XRP": "xrp",
    "BNB": "binance-coin",
    "DOGE": "dogecoin",
    "ADA": "cardano",
    "LINK": "chainlink",
    "AVAX": "avalanche",
    "TRX": "tron",
    "DOT": "polkadot",
    "LTC": "litecoin",
    "USDT": "tether",
    "USDC": "usd-coin",
}

Parameters = Mapping[str, str]


class CoinCapSimulation:
    """A running simulated source.

    Parameters
    ----------
    clock
        Whose time the market follows.
    model
        The market.
    plan
        The script of faults.
    """

    def __init__(self, clock: Clock, model: MarketModel, plan: FaultPlan) -> None:
        self._clock = clock
        self.model = model
        self.plan = plan
        self.counters = Counters()
        self.assets = assets(model)
        self.key = f"{mix(model.seed * 5 + 1):016x}{mix(model.seed * 5 + 2):016x}"
        self.credits = CREDITS
        self.retired_calls = 0
        self._calls: deque[int] = deque()
        self.base_url = ""

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return self._clock.now_ns() // MILLISECOND_NS

    async def run(self) -> None:
        """Nothing happens by itself: prices are functions of the time."""

    async def close(self) -> None:
        """Nobody is connected for long."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The reply to any request that reaches the port."""
        path = request.path
        self.counters.requests += 1
        self.counters.paths[path] = self.counters.paths.get(path, 0) + 1
        for fault in self.plan.call(path):
            if fault.kind == "banned":
                self.counters.bans += 1
                return page(403)
            return await spoilt(request, self._result(request), fault)
        return self._result(request)

    def _result(self, request: web.Request) -> web.Response:
        now_ms, path = self.now_ms(), request.path
        if path.startswith("/v2/"):
            self.retired_calls += 1
            return _told({"data": {"message": RETIRED}, "timestamp": now_ms})
        key = request.headers.get("Authorization", "").removeprefix("Bearer ") or request.query.get(
            "apiKey", ""
        )
        if key != self.key:
            words = "Invalid API key" if key else "No API key provided"
            return _told({"error": f"Unauthorized: {words}", "timestamp": now_ms}, 401)
        if not within(self._calls, now_ms, _MINUTE_MS, CALLS_A_MINUTE):
            self.counters.limited += 1
            return _told({"error": "You exceeded your rate limit", "timestamp": now_ms}, 429)
        if self.credits <= 0:
            return _told({"error": "Credit limit exceeded", "timestamp": now_ms}, 403)
        try:
            found = self._rows(path, request.query, now_ms)
        except Rejected as refusal:
            self.credits -= 1
            return _told({"error": refusal.message, "timestamp": now_ms}, int(refusal.facts["status"]))
        answer = _told({"timestamp": now_ms // _MINUTE_MS * _MINUTE_MS, "data": found})
        size = len(answer.body) if isinstance(answer.body, bytes) else 0
        self.credits -= 1 + -(-size // _CREDIT_BYTES)
        return answer

    def name(self, asset: Asset) -> str:
        """The identity of an asset, which no other has."""
        if asset.scale < 1.0:
            return asset.name.lower().replace(" ", "-")
        return _IDS.get(asset.symbol, asset.symbol.lower())

    def _rows(self, path: str, asked: Parameters, now_ms: int) -> Any:
        minute = now_ms // _MINUTE_MS
        if path.startswith("/v3/assets/"):
            wanted = path.removeprefix("/v3/assets/")
            for each in self.assets:
                if self.name(each) == wanted:
                    return self._row(each, minute)
            raise Rejected(f"{wanted} not found", reason="simulated", status=404)
        if path != "/v3/assets":
            raise Rejected("Not Found", reason="simulated", status=404)
        limit, first = (_whole(asked, name, usual) for name, usual in (("limit", _ROWS), ("offset", 0)))
        if limit > MOST_ROWS:
            raise Rejected(f"limit exceeds {MOST_ROWS}", reason="simulated", status=400)
        ids = [word for word in asked.get("ids", "").split(",") if word]
        search = asked.get("search", "").lower()
        found = [
            each
            for each in self.assets
            if (not ids or self.name(each) in ids)
            and (not search or search in (each.symbol.lower(), self.name(each)))
        ]
        return [self._row(each, minute) for each in found[first : first + limit]]

    def _row(self, asset: Asset, minute: int) -> dict[str, Any]:
        told = quote(self.model, asset, minute)
        mean = (told.high + told.low + told.price) / 3.0
        return {
            "id": self.name(asset),
            "rank": str(asset.rank),
            "symbol": asset.symbol,
            "name": asset.name,
            "supply": _text(asset.supply),
            "maxSupply": None,
            "marketCapUsd": _text(told.price * asset.supply),
            "volumeUsd24Hr": _text(told.volume),
            "priceUsd": _text(told.price),
            "changePercent24Hr": _text((told.price / told.day_ago - 1.0) * 100.0),
            "vwap24Hr": _text(mean),
            "explorer": f"https://explorer.example/{self.name(asset)}",
        }


def _text(value: float) -> str:
    return f"{value:.16f}"


def _whole(asked: Parameters, name: str, usual: int) -> int:
    text = asked.get(name, "")
    return int(text) if text.isdecimal() else usual


def _told(body: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(
        status=status, body=orjson.dumps(body), content_type="application/json", charset="utf-8"
    )


@contextlib.asynccontextmanager
async def start(clock: Clock, **scene: Unpack[Scene]) -> AsyncIterator[CoinCapSimulation]:
    """A simulated source that runs inside the caller's loop until the context ends.

    Parameters
    ----------
    clock
        Whose time the market follows.
    **scene
        As of the simulated Bybit; its pace does not matter.

    Raises
    ------
    InputError
        If a parameter or the clock is out of range, or the script is malformed.
    """
    simulation = made(clock, scene)
    async with hosted({"/": simulation}, scene.get("port", 0)):
        yield simulation


def made(clock: Clock, scene: Scene) -> CoinCapSimulation:
    """The simulated source of a scene, not yet at any address.

    Raises
    ------
    InputError
        If a parameter or the clock is out of range, or the script is malformed.
    """
    model, _, plan = staged(clock, scene)
    return CoinCapSimulation(clock, model, plan)
