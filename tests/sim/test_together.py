from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from sextant.errors import InputError
from sextant.kit.clock import ManualClock
from sextant.sim.together import standing, start

NOW_NS = 1_782_552_420_000_000_000


async def read(client: aiohttp.ClientSession, url: str) -> Any:
    async with client.get(url) as answer:
        return await answer.json()


async def test_one_address_answers_as_every_venue_about_one_market() -> None:
    async with (
        start(ManualClock(NOW_NS), seed=7, instruments=24) as address,
        aiohttp.ClientSession() as client,
    ):
        bybit = await read(client, f"{address}/v5/market/tickers?category=linear&symbol=BTCUSDT")
        deribit = await read(client, f"{address}/api/v2/public/ticker?instrument_name=BTC-PERPETUAL")
        binance = await read(client, f"{address}/binance/fapi/v1/premiumIndex?symbol=BTCUSDT")
        async with client.ws_connect(address.replace("http", "ws", 1) + "/binance/stream") as socket:
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
            assert (await socket.receive_json(timeout=5)) == {"result": [], "id": 1}
        kraken = await read(client, f"{address}/kraken/0/public/Ticker?pair=XBTUSD")
        async with client.ws_connect(address.replace("http", "ws", 1) + "/kraken/v2") as socket:
            assert (await socket.receive_json(timeout=5))["channel"] == "status"
        kucoin = await read(client, f"{address}/kucoin/api/v1/market/stats?symbol=BTC-USDT")
        async with client.post(f"{address}/kucoin/api/v1/bullet-public") as answer:
            door = (await answer.json())["data"]
        token = f"{door['instanceServers'][0]['endpoint']}?token={door['token']}"
        async with client.ws_connect(token) as socket:
            assert (await socket.receive_json(timeout=5))["type"] == "welcome"
        coinbase = await read(client, f"{address}/coinbase/api/v3/brokerage/market/products/BTC-USD")
        async with client.ws_connect(address.replace("http", "ws", 1) + "/coinbase/") as socket:
            await socket.send_json({"type": "subscribe", "channel": "heartbeats"})
            assert (await socket.receive_json(timeout=5))["channel"] == "subscriptions"
        gecko = await read(client, f"{address}/coingecko/api/v3/simple/price?ids=bitcoin&vs_currencies=usd")
        paid = await read(client, f"{address}/coingecko/pro/api/v3/ping")
        capped = await read(client, f"{address}/coincap/v3/assets")
        async with client.ws_connect(address.replace("http", "ws", 1) + "/ws/api/v2") as socket:
            await socket.send_json({"id": 1, "method": "public/test", "params": {}})
            assert "version" in (await socket.receive_json(timeout=5))["result"]
        async with client.ws_connect(address.replace("http", "ws", 1) + "/v5/public/linear") as socket:
            await socket.send_json({"op": "ping"})
            assert (await socket.receive_json(timeout=5))["ret_msg"] == "pong"
    last = float(bybit["result"]["list"][0]["lastPrice"])
    assert deribit["result"]["best_bid_price"] == pytest.approx(last, rel=1e-3)
    assert deribit["result"]["index_price"] == pytest.approx(
        float(bybit["result"]["list"][0]["indexPrice"]), rel=1e-3
    )
    assert float(binance["markPrice"]) == pytest.approx(last, rel=2e-3)
    assert float(kucoin["data"]["last"]) == pytest.approx(last, rel=4e-3)
    assert float(kraken["result"]["XXBTZUSD"]["c"][0]) == pytest.approx(last, rel=4e-3)
    assert float(coinbase["price"]) == pytest.approx(last, rel=4e-3)
    assert gecko["bitcoin"]["usd"] == pytest.approx(last, rel=5e-3)
    assert paid["status"]["error_code"] == 10_002
    assert capped["error"] == "Unauthorized: No API key provided"


async def test_each_venue_plays_a_script_of_its_own() -> None:
    scripts = {
        "kraken": [{"at": {"after_s": 0, "path": "*"}, "fault": "status", "status": 502}],
        "coincap": [{"at": {"call": 1}, "fault": "status", "status": 504}],
    }
    async with (
        standing(ManualClock(NOW_NS), scripts, seed=7, instruments=24) as venues,
        aiohttp.ClientSession() as client,
    ):
        venues.pump()
        found = []
        for path in (
            "/kraken/0/public/Time",
            "/kraken/0/public/Time",
            "/coincap/v3/assets",
            "/v5/market/time",
        ):
            async with client.get(venues.address + path) as answer:
                found.append(answer.status)
        assert found == [502, 200, 504, 200]
        assert venues.kraken.plan.history == [("call 1 /0/public/Time", "status")]
        assert venues.bybit.plan.history == []


async def test_a_script_of_a_venue_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="binanze"):
        async with standing(ManualClock(NOW_NS), {"binanze": []}):
            pass
