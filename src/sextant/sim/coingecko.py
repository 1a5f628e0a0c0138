"""The simulated CoinGecko: its public host with and without a key, and its paid host, each with its own rules.

::

    async with start(SystemClock(), seed=7) as source:
        source.base_url     http://127.0.0.1:40127          as api.coingecko.com
        source.pro_url      http://127.0.0.1:40127/pro      as pro-api.coingecko.com

References
----------
docs.coingecko.com, "Errors & Rate Limits", "Coins List with Market Data", "Coin Price by IDs, Symbols, or Names",
read 2026-11-25. Shapes of refusals: nimblehq/jetpack-compose-crypto pull 45, TundraSoft/tundra-connect wiki "CoinGecko-Errors".
"""

from __future__ import annotations

import contextlib
import datetime
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, Unpack

import orjson
from aiohttp import web

from sextant.errors import Rejected
from sextant.kit.clock import Clock
from sextant.sim.coingecko_assets import Asset, Quote, assets, quote
from sextant.sim.faults import FaultPlan
from sextant.sim.hosting import Below, hosted
from sextant.sim.limits import Counters, within
from sextant.sim.market_model import MarketModel
from sextant.sim.noise import mix
from sextant.sim.scene import Scene, staged
from sextant.sim.spoiling import page, spoilt
from sextant.sim.spot_venue import MILLISECOND_NS

API: Final = "/api/v3"
PRO: Final = "/pro"
DEMO_A_MINUTE: Final = 30
"""The present page says 100, many copies of it 30: the stricter one is enforced."""

PRO_A_MINUTE: Final = 500
KEYLESS_A_MINUTE: Final = 5
"""No number is published; callers without a key report 5 to 15."""

_MINUTE_MS: Final = 60_000
_BLOCK_MS: Final = 600_000
_FRESH_S: Final = {"pro": 30, "demo": 60, "keyless": 60}
"""How often prices are renewed, by plan."""

_IDS: Final = {
    "BTC": "bitcoin",
    "ETH": "ethereum",
    "SOL": "solana",
    "XRP": "ripple",
    "BNB": "binancecoin",
    "DOGE": "dogecoin",
    "ADA": "cardano",
    "LINK": "chainlink",
    "AVAX": "avalanche-2",
    "TRX": "tron",
    "DOT": "polkadot",
    "LTC": "litecoin",
    "USDT": "tether",
    "USDC": "usd-coin",
}
_PAID: Final = ("/coins/list/new", "/coins/top_gainers_losers")
_TOO_MANY: Final = (
    "You've exceeded the Rate Limit. Please visit https://www.coingecko.com/en/api/pricing to subscribe to our API "
    "plans for higher rate limits."
)

Parameters = Mapping[str, str]


class CoinGeckoSimulation:
    """A running simulated source; this object answers as the public host, ``pro`` as the paid one.

    Parameters
    ----------
    clock
        Whose time the market follows.
    model
        The market.
    plan
        The script of faults.

    Notes
    -----
    ``demo_key`` and ``pro_key`` are the only keys there are.
    """

    def __init__(self, clock: Clock, model: MarketModel, plan: FaultPlan) -> None:
        self._clock = clock
        self.model = model
        self.plan = plan
        self.counters = Counters()
        self.assets = assets(model)
        self.demo_key = f"CG-demo{mix(model.seed * 3 + 1):016x}"
        self.pro_key = f"CG-pro{mix(model.seed * 3 + 2):016x}"
        self.pro = Below(PRO, _ProHost(self))
        self._calls: dict[str, deque[int]] = {}
        self._wait_until: dict[str, int] = {}
        self._blocked_until: dict[str, int] = {}
        self._paths: dict[str, Callable[[Parameters, int], Any]] = {
            "/ping": lambda _, __: {"gecko_says": "(V3) To the Moon!"},
            "/simple/supported_vs_currencies": lambda _, __: ["usd"],
            "/simple/price": self._simple,
            "/coins/list": self._list,
            "/coins/markets": self._markets,
        }
        self.base_url = ""

    @property
    def pro_url(self) -> str:
        """Where the paid host listens."""
        return self.base_url + PRO

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return self._clock.now_ns() // MILLISECOND_NS

    def moment(self, plan: str) -> int:
        """The moment, in milliseconds, of the prices that a plan is told now."""
        step_ms = _FRESH_S[plan] * 1_000
        return self.now_ms() // step_ms * step_ms

    def price(self, asset: Asset, plan: str) -> Quote:
        """The truth about an asset as a plan is told it now."""
        return quote(self.model, asset, self.moment(plan) // _MINUTE_MS)

    async def run(self) -> None:
        """Nothing happens by itself: prices are functions of the time."""

    async def close(self) -> None:
        """Nobody is connected for long."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The reply to a request of the public host."""
        return await self.reply(request, paid=False)

    async def reply(self, request: web.Request, *, paid: bool) -> web.StreamResponse:
        """The reply to a request of either host."""
        now_ms, address, path = self.now_ms(), request.remote or "unknown", request.path
        self.counters.requests += 1
        self.counters.paths[path] = self.counters.paths.get(path, 0) + 1
        if now_ms < self._blocked_until.get(address, 0):
            self.counters.after_ban += 1
            return _blocked()
        try:
            plan = self._plan_of(request, paid=paid)
        except Rejected as refusal:
            plan = None
            answer = _refused(refusal)
        caller = plan or f"{address} refused"
        if now_ms < self._wait_until.get(caller, 0):
            self.counters.after_retry_after += 1
        wait_s = self._count(caller, plan or "keyless", now_ms)
        if wait_s:
            self.counters.limited += 1
            self._wait_until[caller] = now_ms + wait_s * 1_000
            return _limited(wait_s)
        for fault in self.plan.call(path):
            if fault.kind == "banned":
                self.counters.bans += 1
                self._blocked_until[address] = now_ms + _BLOCK_MS
                return _blocked()
            if fault.kind == "limited":
                wait_s = int(fault.number("retry_after", 119))
                self._wait_until[caller] = now_ms + wait_s * 1_000
                return _limited(wait_s)
            return await spoilt(request, self._result(request, plan), fault)
        return answer if plan is None else self._result(request, plan)

    def _plan_of(self, request: web.Request, *, paid: bool) -> str:
        """Whose call it is.

        Raises
        ------
        Rejected
            If the key is missing, unknown, or of the other host.
        """
        demo, pro = (
            request.headers.get(f"x-cg-{kind}-api-key") or request.query.get(f"x_cg_{kind}_api_key", "")
            for kind in ("demo", "pro")
        )
        key = pro or demo
        if paid and key == self.demo_key:
            raise _refusal(
                400, 10_011, "If you are using Demo API key, please change your root URL to api.coingecko.com"
            )
        if not paid and key == self.pro_key:
            raise _refusal(
                400,
                10_010,
                "If you are using Pro API key, please change your root URL to pro-api.coingecko.com",
            )
        if paid and pro == self.pro_key:
            return "pro"
        if not paid and demo == self.demo_key:
            return "demo"
        if key or paid:
            raise _refusal(401, 10_002, "API Key Missing" if not key else "Incorrect API Key")
        return "keyless"

    def _count(self, caller: str, plan: str, now_ms: int) -> int:
        """Count a call; the seconds to wait where it is one too many, else 0."""
        most = {"pro": PRO_A_MINUTE, "demo": DEMO_A_MINUTE}.get(plan, KEYLESS_A_MINUTE)
        calls = self._calls.setdefault(caller, deque())
        if within(calls, now_ms, _MINUTE_MS, most):
            return 0
        return max(1, -(-(calls[0] + _MINUTE_MS - now_ms) // 1_000))

    def _result(self, request: web.Request, plan: str | None) -> web.Response:
        path = request.path.removeprefix(API)
        if plan is None:
            return _refused(_refusal(401, 10_002, "API Key Missing"))
        if request.method != "GET":
            self.counters.forbidden += 1
            return web.json_response({"error": "Not Found"}, status=404)
        if path in _PAID:
            words = "This request is limited to PRO API subscribers."
            return _refused(_refusal(401, 10_005, words)) if plan != "pro" else web.json_response([])
        handler = self._paths.get(path) if request.path.startswith(API) else None
        if handler is None:
            return web.json_response(
                {"error": "Incorrect path. Please check https://www.coingecko.com/api/"}, status=404
            )
        try:
            found = handler(request.query, self.moment(plan))
        except Rejected as refusal:
            return web.json_response({"error": refusal.message}, status=422)
        return web.Response(body=orjson.dumps(found), content_type="application/json", charset="utf-8")

    # -- answers -----------------------------------------------------------------------------------

    def name(self, asset: Asset) -> str:
        """The identity of an asset, which no other has."""
        if asset.scale < 1.0:
            return asset.name.lower().replace(" ", "-")
        return _IDS.get(asset.symbol, asset.symbol.lower())

    def _list(self, _: Parameters, __: int) -> Any:
        rows = [(self.name(each), each.symbol.lower(), each.name) for each in self.assets]
        return [{"id": name, "symbol": symbol, "name": title} for name, symbol, title in sorted(rows)]

    def _chosen(self, asked: Parameters) -> list[Asset]:
        """The assets of the identities, or of the symbols: then of each the largest alone, unless all are wanted."""
        ids, symbols = (_words(asked, name) for name in ("ids", "symbols"))
        if ids:
            return [each for each in self.assets if self.name(each) in ids]
        if not symbols:
            return self.assets
        every = asked.get("include_tokens", "top") == "all"
        found: dict[str, Asset] = {}
        for each in self.assets:
            if each.symbol.lower() in symbols:
                found.setdefault(self.name(each) if every else each.symbol, each)
        return list(found.values())

    def _simple(self, asked: Parameters, now_ms: int) -> Any:
        _dollars(asked, "vs_currencies")
        if not _words(asked, "ids") and not _words(asked, "symbols"):
            raise _refusal(422, 422, "Missing parameter ids or symbols")
        by_symbol = not _words(asked, "ids")
        found = {}
        for each in self._chosen(asked):
            told: dict[str, Any] = {"usd": quote(self.model, each, now_ms // _MINUTE_MS).price}
            if asked.get("include_last_updated_at") == "true":
                told["last_updated_at"] = now_ms // 1_000
            found[each.symbol.lower() if by_symbol else self.name(each)] = told
        return found

    def _markets(self, asked: Parameters, now_ms: int) -> Any:
        _dollars(asked, "vs_currency")
        per_page, number = (_whole(asked, name, usual) for name, usual in (("per_page", 100), ("page", 1)))
        if not 1 <= per_page <= 250 or number < 1:
            raise _refusal(422, 422, "per_page must be within 1 and 250")
        chosen = self._chosen(asked)[(number - 1) * per_page : number * per_page]
        return [self._row(each, now_ms) for each in chosen]

    def _row(self, asset: Asset, now_ms: int) -> dict[str, Any]:
        told = quote(self.model, asset, now_ms // _MINUTE_MS)
        change = told.price - told.day_ago
        value = told.price * asset.supply
        moment = datetime.datetime.fromtimestamp(now_ms / 1_000, datetime.UTC)
        far = "2021-01-01T00:00:00.000Z"
        return {
            "id": self.name(asset),
            "symbol": asset.symbol.lower(),
            "name": asset.name,
            "image": f"https://coin-images.example/{self.name(asset)}.png",
            "current_price": told.price,
            "market_cap": value,
            "market_cap_rank": asset.rank,
            "fully_diluted_valuation": value,
            "total_volume": told.volume,
            "high_24h": told.high,
            "low_24h": told.low,
            "price_change_24h": change,
            "price_change_percentage_24h": change / told.day_ago * 100.0,
            "market_cap_change_24h": change * asset.supply,
            "market_cap_change_percentage_24h": change / told.day_ago * 100.0,
            "circulating_supply": asset.supply,
            "total_supply": asset.supply,
            "max_supply": None,
            "ath": told.high * 2.0,
            "ath_change_percentage": -50.0,
            "ath_date": far,
            "atl": told.low / 100.0,
            "atl_change_percentage": 9_900.0,
            "atl_date": far,
            "roi": None,
            "last_updated": f"{moment:%Y-%m-%dT%H:%M:%S}.{now_ms % 1_000:03d}Z",
        }


class _ProHost:
    """The paid host of a source."""

    def __init__(self, source: CoinGeckoSimulation) -> None:
        self._source = source
        self.base_url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The reply to a request of the paid host."""
        return await self._source.reply(request, paid=True)

    async def run(self) -> None:
        """Nothing happens by itself."""

    async def close(self) -> None:
        """Nobody is connected for long."""


def _refusal(status: int, code: int, words: str) -> Rejected:
    return Rejected(words, reason="simulated", status=status, code_told=code)


def _refused(refusal: Rejected) -> web.Response:
    status, code = int(refusal.facts["status"]), refusal.facts["code_told"]
    return web.json_response(
        {"status": {"error_code": code, "error_message": refusal.message}}, status=status
    )


def _limited(wait_s: int) -> web.Response:
    body = {"status": {"error_code": 429, "error_message": _TOO_MANY}}
    return web.json_response(body, status=429, headers={"retry-after": str(wait_s)})


def _blocked() -> web.Response:
    """The page of the network in front, which says 1020."""
    shown = page(403)
    shown.text = (shown.text or "").replace("403 Forbidden", "Access denied | Error code: 1020")
    return shown


def _words(asked: Parameters, name: str) -> list[str]:
    return [word.strip().lower() for word in asked.get(name, "").split(",") if word.strip()]


def _dollars(asked: Parameters, name: str) -> None:
    if "usd" not in _words(asked, name):
        raise _refusal(422, 422, f"Missing parameter {name}" if not asked.get(name) else f"invalid {name}")


def _whole(asked: Parameters, name: str, usual: int) -> int:
    text = asked.get(name, "")
    return int(text) if text.isdecimal() else usual


@contextlib.asynccontextmanager
async def start(clock: Clock, **scene: Unpack[Scene]) -> AsyncIterator[CoinGeckoSimulation]:
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
    async with hosted({"/": simulation, PRO + "/": simulation.pro}, scene.get("port", 0)):
        yield simulation


def made(clock: Clock, scene: Scene) -> CoinGeckoSimulation:
    """The simulated source of a scene, not yet at any address.

    Raises
    ------
    InputError
        If a parameter or the clock is out of range, or the script is malformed.
    """
    model, _, plan = staged(clock, scene)
    return CoinGeckoSimulation(clock, model, plan)
