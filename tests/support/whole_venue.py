"""A venue on loopback with both interfaces, small enough to be told by hand."""

from __future__ import annotations

from aiohttp import web

from support.loopback import SpokenVenue

NOW_NS = 1_786_310_817_000_000_000
MS = 1_000_000
TURNOVER = {"BTC": "900", "ETH": "800", "SOL": "5000", "DOGE": "1"}


class Whole:
    """A venue with both interfaces: four perpetuals, no spot."""

    def __init__(self) -> None:
        self.spoken = SpokenVenue()
        self.away = False
        self.bases = list(TURNOVER)
        self.turnover = dict(TURNOVER)
        self.tick = "0.1"

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/v5/public"):
            return await self.spoken.serve(request)
        if self.away:
            return web.Response(status=503)
        query = request.query
        rows: list[object] = []
        if query.get("category") == "linear" and request.path.endswith("/instruments-info"):
            rows = [self._listing(base) for base in self.bases]
        elif query.get("category") == "linear" and request.path.endswith("/tickers"):
            rows = [
                {"symbol": f"{base}USDT", "turnover24h": amount} for base, amount in self.turnover.items()
            ]
        elif request.path.endswith("/kline"):
            last = (NOW_NS // MS // 60_000 - 1) * 60_000
            rows = [[str(last), "2", "2", "2", "2", "1", "2"]]
        result = {"category": query.get("category", ""), "list": rows, "nextPageCursor": ""}
        return web.json_response({"retCode": 0, "retMsg": "OK", "result": result, "time": NOW_NS // MS})

    def _listing(self, base: str) -> dict[str, object]:
        return {
            "symbol": f"{base}USDT",
            "contractType": "LinearPerpetual",
            "status": "Closed" if base == "DOGE" else "Trading",
            "baseCoin": base,
            "quoteCoin": "USDT",
            "priceFilter": {"tickSize": self.tick},
            "lotSizeFilter": {"qtyStep": "0.1"},
        }
