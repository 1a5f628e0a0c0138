"""Sessions of the simulated Binance: questions, rates, signs of life, and books that a client rebuilds."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from sextant.sim.universe import Category
from support.binance_reading import Ladder, drain, subscribe
from support.binance_simulated import Asking, asking
from support.kraken_reading import let_pass

DEPTH_PATH = {"spot": "/api/v3/depth", "linear": "/fapi/v1/depth"}


@pytest.mark.parametrize("category", ["spot", "linear"])
@pytest.mark.parametrize("speed", ["depth@100ms", "depth"])
async def test_a_client_that_applies_every_change_holds_the_true_book(category: Category, speed: str) -> None:
    async with asking() as there:
        listing = there.venue.model.find(category, "ETHUSDT")
        assert listing is not None
        async with there.http.ws_connect(there.venue.socket_url(category), max_msg_size=0) as socket:
            await subscribe(socket, f"ethusdt@{speed}")
            await let_pass(there.venue, there.clock, 2)
            there.clock.advance(0.6)  # time in which the book moves, and is asked for before it is told
            ladder = Ladder(await there.ask(DEPTH_PATH[category], symbol="ETHUSDT", limit=500))
            compared = 0
            for _ in range(20):
                for frame in await drain(socket):
                    ladder.apply(frame["data"])
                    truth = there.venue.book_at("ETHUSDT", ladder.u, category)
                    if ladder.begun and truth is not None:
                        compared += 1
                        for held, told in zip((ladder.bids, ladder.asks), truth, strict=True):
                            ours = {
                                round(float(price), 6): round(float(size), 6) for price, size in held.items()
                            }
                            assert ours == {
                                round(ticks * listing.tick, 6): round(lots * listing.lot, 6)
                                for ticks, lots in told
                            }
                await let_pass(there.venue, there.clock, 1)
    assert ladder.gaps == 0
    assert ladder.applied > 10
    assert compared > 10


async def test_questions_are_answered_in_the_venues_words() -> None:
    async with asking() as there, there.http.ws_connect(there.venue.socket_url("spot")) as socket:

        async def ask(text: str) -> Any:
            there.clock.advance(1)
            await socket.send_str(text)
            return await socket.receive_json(timeout=5)

        async def method(name: str, *params: object) -> Any:
            return await ask(json.dumps({"method": name, "params": list(params), "id": 3}))

        assert await method("SUBSCRIBE", "aaausdt@trade", "bbbusdt@depth") == {"result": None, "id": 3}
        assert (await method("LIST_SUBSCRIPTIONS"))["result"] == ["aaausdt@trade", "bbbusdt@depth"]
        assert await method("UNSUBSCRIBE", "aaausdt@trade") == {"result": None, "id": 3}
        assert (await method("LIST_SUBSCRIPTIONS"))["result"] == ["bbbusdt@depth"]
        assert (await method("GET_PROPERTY", "combined"))["result"] is True
        assert await method("SET_PROPERTY", "combined", False) == {"result": None, "id": 3}
        assert (await method("GET_PROPERTY", "combined"))["result"] is False
        wrong = [
            (await ask("{"), 3),
            (await ask("[]"), 2),
            (await ask('{"method":"SUBSCRIBE","params":["a"],"id":1.5}'), 2),
            (await ask('{"params":[]}'), 2),
            (await method("JOIN"), 2),
            (await method("SUBSCRIBE"), 2),
            (await method("SUBSCRIBE", *(f"s{number}@trade" for number in range(1_025))), 2),
            (await method("GET_PROPERTY", "split"), 0),
            (await method("SET_PROPERTY", "combined", "yes"), 1),
        ]
        for answer, code in wrong:
            assert answer["error"]["code"] == code


async def test_raw_connections_get_bare_events_and_combined_ones_their_streams_name() -> None:
    async with asking() as there:
        root = there.venue.base_url.replace("http", "ws", 1)

        async def first(path: str) -> Any:
            async with there.http.ws_connect(root + path) as socket:
                await drain(socket)  # an answer says that the address was read
                await let_pass(there.venue, there.clock, 2)
                return (await drain(socket))[0]

        assert (await first("/ws/btcusdt@trade"))["e"] == "trade"
        frame = await first("/stream?streams=ethusdt@aggTrade")
        assert (frame["stream"], frame["data"]["s"]) == ("ethusdt@aggTrade", "ETHUSDT")
        assert (await first("/market/ws/btcusdt@markPrice@1s"))["e"] == "markPriceUpdate"


@pytest.mark.parametrize(("category", "most"), [("spot", 5), ("linear", 10)])
async def test_a_client_that_says_too_much_in_a_second_is_cut(category: Category, most: int) -> None:
    async with asking() as there, there.http.ws_connect(there.venue.socket_url(category)) as socket:
        for _ in range(2):
            for number in range(most):
                await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
                assert (await socket.receive_json(timeout=5))["id"] == number
            there.clock.advance(1)
        for number in range(most + 1):
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
        while (message := await socket.receive(timeout=5)).type is aiohttp.WSMsgType.TEXT:
            pass
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1_008)


async def beats(there: Asking, socket: aiohttp.ClientWebSocketResponse, seconds: int, *, answer: bool) -> int:
    """Pings that arrive in so many seconds, until the connection is cut."""
    pings = 0
    for _ in range(seconds // 10):
        there.clock.advance(10)
        there.venue.pump()
        await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
        while True:
            message = await socket.receive(timeout=5)
            if message.type is aiohttp.WSMsgType.PING:
                pings += 1
                if answer:
                    await socket.pong(message.data)
            elif message.type is aiohttp.WSMsgType.TEXT:
                break
            else:
                return pings
    return pings


async def test_a_client_that_answers_pings_lives_a_day_and_one_that_does_not_a_minute() -> None:
    async with asking() as there:
        url = there.venue.socket_url("spot")
        async with there.http.ws_connect(url, autoping=False) as socket:
            assert await beats(there, socket, 200, answer=True) == 10
            assert not socket.closed
            there.clock.advance(86_400)
            there.venue.pump()
            message = await socket.receive(timeout=5)
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1_001)
        async with there.http.ws_connect(url, autoping=False) as socket:
            for _ in range(7):
                there.clock.advance(10)
                there.venue.pump()
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
            kinds = [(await socket.receive(timeout=5)).type for _ in range(4)]
            assert kinds == [aiohttp.WSMsgType.PING] * 3 + [
                aiohttp.WSMsgType.TEXT
            ]  # after 20, 40 and 60 seconds
            there.clock.advance(10)
            there.venue.pump()
            assert (await socket.receive(timeout=5)).type in (
                aiohttp.WSMsgType.CLOSED,
                aiohttp.WSMsgType.CLOSE,
                aiohttp.WSMsgType.ERROR,
            )
