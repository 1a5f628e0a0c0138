"""Live books of venues whose sockets need more than a subscription: over real loopback sockets and REST."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sextant.kit.clock import ManualClock
from sextant.kit.frames import Frame, FrameLog
from sextant.market.ingest import ingest
from sextant.market.state import MarketState
from sextant.model.events import BookCleared, BookSnapshot, StreamAlive
from sextant.model.instrument import parse_instrument
from sextant.venues.feed import Watcher
from sextant.venues.library import binance, coinbase, kraken, kucoin
from sextant.venues.port import Door, Request
from sextant.venues.replay import replay_events
from support.coinbase import STAMP
from support.loopback import advance_until
from support.speaking import NOW_NS, Hearing, Speaking, hearing

USDT = frozenset({"USDT"})
USD = frozenset({"USD"})
FILTERS = [
    {"filterType": "PRICE_FILTER", "tickSize": "0.1"},
    {"filterType": "LOT_SIZE", "stepSize": "0.001"},
]


async def until_up(heard: Hearing) -> None:
    await advance_until(heard.clock, 0.5, lambda: heard.up() and heard.count(StreamAlive) > 0)


BINANCE_ROW = {"symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "filters": FILTERS, "contractType": "PERPETUAL", "deliveryDate": 0}  # fmt: skip


class Binance:
    """What the venue answers, and the number at which its books begin."""

    def __init__(self, bases: Sequence[str] = ("BTC",)) -> None:
        self.number = 7
        self.bases = bases
        rows = [{**BINANCE_ROW, "symbol": f"{base}USDT", "baseAsset": base} for base in bases]
        self.speaking = Speaking(
            {
                "/api/v3/exchangeInfo": lambda _: {"symbols": []},
                "/fapi/v1/exchangeInfo": lambda _: {"symbols": rows},
                "/fapi/v1/ticker/24hr": lambda _: [],
                "/fapi/v1/depth": lambda _: {
                    "lastUpdateId": self.number,
                    "bids": [["100.0", "1"]],
                    "asks": [["101.0", "1"]],
                },
            },
            lambda message: [{"result": None, "id": message["id"]}],
        )

    async def change(self, first: int, last: int, before: int, base: str = "BTC") -> None:
        data = {"e": "depthUpdate", "E": 1786310817000, "T": 1786310817000, "s": f"{base}USDT", "U": first, "u": last, "pu": before, "b": [["100.5", "2"]], "a": []}  # fmt: skip
        await self.speaking.say("/public/stream", {"stream": f"{base.lower()}usdt@depth@100ms", "data": data})


async def test_a_book_of_binance_begins_by_rest_and_again_after_a_gap() -> None:
    told = Binance()
    async with hearing(lambda _: binance.VENUE, told.speaking, USDT) as heard:
        await until_up(heard)
        instrument = parse_instrument("binance:BTC-USDT:perpetual")
        assert [state.name for state in heard.feed.states()] == ["binance.usdm.0", "binance.usdm.1"]
        books, others = (told.speaking.heard[f"/{path}/stream"][0]["params"] for path in ("public", "market"))
        assert books == ["btcusdt@depth@100ms", "btcusdt@bookTicker"]
        assert "btcusdt@forceOrder" in others
        await told.change(5, 9, 4)
        await advance_until(heard.clock, 0.1, lambda: heard.state.book(instrument).valid)
        assert (heard.state.book(instrument).sequence, heard.state.book(instrument, 1).bids) == (
            9,
            ((100.5, 2.0),),
        )
        told.number = 30
        await told.change(20, 25, 19)  # 10 to 19 are missing
        await advance_until(heard.clock, 0.1, lambda: heard.count(BookSnapshot) == 2)
        assert heard.state.counters["book_gaps"] == 1
        assert (heard.state.book(instrument).valid, heard.state.book(instrument).sequence) == (True, 30)
        assert told.speaking.asked.count("GET /fapi/v1/depth") == 2


async def test_books_that_wait_for_their_turn_are_each_asked_for_once() -> None:
    told = Binance(bases=[f"A{number}" for number in range(30)])
    async with hearing(lambda _: binance.VENUE, told.speaking, USDT) as heard:
        await until_up(heard)
        for base in told.bases:
            await told.change(5, 9, 4, base)
        books = [parse_instrument(f"binance:{base}-USDT:perpetual") for base in told.bases]
        begun_ns = heard.clock.monotonic_ns()
        await advance_until(heard.clock, 0.5, lambda: all(heard.state.book(book).valid for book in books))
        # Two a second are let through, so the last waits longer than the time after which a book is asked for again.
        assert 14 <= (heard.clock.monotonic_ns() - begun_ns) / 1e9 <= 20
        later_ns = heard.clock.monotonic_ns() + 15 * 10**9
        await advance_until(heard.clock, 0.5, lambda: heard.clock.monotonic_ns() >= later_ns)
        assert told.speaking.asked.count("GET /fapi/v1/depth") == 30


async def test_a_recorded_session_replays_with_the_books_that_began_by_rest(tmp_path: Path) -> None:
    told = Binance()
    clock = ManualClock(NOW_NS)
    instrument = parse_instrument("binance:BTC-USDT:perpetual")
    with FrameLog(tmp_path, "mine", clock) as log:
        listings = json.dumps({"symbols": [BINANCE_ROW]}).encode()
        log.write(
            Frame(NOW_NS, "binance.http", "http", "https://fapi.binance.com/fapi/v1/exchangeInfo", listings)
        )
        watcher = Watcher(
            tap=lambda link, at_ns, data: log.write(Frame(at_ns, link, "received", "", data)),
            answered=lambda address, answer: log.write(
                Frame(answer.receive_ns, "binance.http", "http", address, answer.body)
            ),
        )
        async with hearing(lambda _: binance.VENUE, told.speaking, USDT, watcher) as heard:
            await until_up(heard)
            await told.change(5, 9, 4)
            await advance_until(heard.clock, 0.1, lambda: heard.state.book(instrument).valid)
            live = heard.state.book(instrument)
    state = MarketState("replay", simulated=False)
    ingest(state, replay_events([tmp_path]).events)
    again = state.book(instrument)
    assert again.valid
    assert (again.bids, again.asks, again.sequence) == (live.bids, live.asks, live.sequence)


async def test_a_book_of_kraken_with_a_wrong_checksum_is_left_and_rejoined() -> None:
    pair = {"wsname": "XBT/USD", "pair_decimals": 1, "lot_decimals": 8, "status": "online"}
    speaking = Speaking(
        {
            "/0/public/AssetPairs": lambda _: {"error": [], "result": {"XXBTZUSD": pair}},
            "/0/public/Ticker": lambda _: {"error": [], "result": {}},
        },
        lambda message: (
            [{"method": message["method"], "success": True, "req_id": message["req_id"]}]
            if "req_id" in message
            else [{"method": "pong"}]
        ),
    )

    def book(kind: str, size: str, checksum: int) -> dict[str, object]:
        levels = {"bids": [{"price": 100.0, "qty": float(size)}], "asks": [{"price": 101.0, "qty": 1.0}]}
        return {
            "channel": "book",
            "type": kind,
            "data": [{"symbol": "BTC/USD", "checksum": checksum, **levels}],
        }

    def good(size: int) -> int:
        return zlib.crc32(f"1010100000000{'1000'}{size}00000000".encode())

    async with hearing(lambda _: kraken.VENUE, speaking, USD) as heard:
        await until_up(heard)
        asked = speaking.heard["/v2"]
        assert [message["params"]["channel"] for message in asked if "params" in message] == [
            "book",
            "trade",
            "ticker",
            "ohlc",
        ]
        await speaking.say("/v2", book("snapshot", "2", good(2)))
        await speaking.say("/v2", book("update", "3", 1))
        await advance_until(
            heard.clock,
            0.1,
            lambda: (
                [each["method"] for each in asked if "params" in each][-2:] == ["unsubscribe", "subscribe"]
            ),
        )
        assert [type(event) for event in heard.events][-1] is BookCleared
        await speaking.say("/v2", book("snapshot", "4", good(4)))
        instrument = parse_instrument("kraken:BTC-USD:spot")
        await advance_until(heard.clock, 0.1, lambda: heard.state.book(instrument).valid)
        assert heard.state.book(instrument, 1).bids == ((100.0, 4.0),)


async def test_a_missing_frame_of_coinbase_rejoins_every_book() -> None:
    def product(base: str) -> dict[str, object]:
        return {"product_id": f"{base}-USD", "base_currency_id": base, "quote_currency_id": "USD", "base_increment": "0.1", "price_increment": "0.1", "quote_min_size": "1", "product_type": "SPOT", "status": "online", "trading_disabled": False, "price": "1", "price_percentage_change_24h": "", "volume_24h": ""}  # fmt: skip

    numbers = iter(range(100))

    def frame(channel: str, *events: object) -> dict[str, object]:
        return {"channel": channel, "timestamp": STAMP, "sequence_num": next(numbers), "events": list(events)}

    def whole(base: str) -> dict[str, object]:
        updates = [
            {"side": side, "price_level": price, "new_quantity": "1"}
            for side, price in (("bid", "1"), ("offer", "2"))
        ]
        return {"type": "snapshot", "product_id": f"{base}-USD", "updates": updates}

    def replies(message: Any) -> Sequence[object]:
        return [frame("subscriptions", {"subscriptions": {}})]

    speaking = Speaking(
        {"/api/v3/brokerage/market/products": lambda _: {"products": [product("BTC"), product("ETH")]}},
        replies,
    )
    async with hearing(lambda _: coinbase.VENUE, speaking, USD) as heard:
        await until_up(heard)
        await speaking.say("/", frame("l2_data", whole("BTC"), whole("ETH")))
        books = [parse_instrument(f"coinbase:{base}-USD:spot") for base in ("BTC", "ETH")]
        await advance_until(heard.clock, 0.1, lambda: all(heard.state.book(book).valid for book in books))
        next(numbers)
        await speaking.say("/", frame("heartbeats"))
        asked = speaking.heard["/"]
        rejoined = ["unsubscribe", "subscribe"] * 2
        await advance_until(
            heard.clock,
            0.1,
            lambda: [each["type"] for each in asked if each["channel"] == "level2"][1:] == rejoined,
        )
        assert {heard.state.book(book).reason for book in books} == {"gap"}
        await speaking.say("/", frame("l2_data", whole("BTC"), whole("ETH")))
        await advance_until(heard.clock, 0.1, lambda: all(heard.state.book(book).valid for book in books))


async def test_the_address_of_kucoins_socket_is_asked_for_each_time() -> None:
    row = {"symbol": "BTC-USDT", "baseCurrency": "BTC", "quoteCurrency": "USDT", "baseIncrement": "0.1", "priceIncrement": "0.1", "enableTrading": True}  # fmt: skip

    def told(data: object) -> dict[str, object]:
        return {"code": "200000", "data": data}

    speaking = Speaking(
        {
            "/api/v2/symbols": lambda _: told([row]),
            "/api/v1/market/allTickers": lambda _: told({"time": 1786310817000, "ticker": []}),
            "/api/v1/bullet-public": lambda _: told({"token": "t"}),
        },
        lambda message: [{"id": message["id"], "type": "pong" if message["type"] == "ping" else "ack"}],
    )

    def venue(host: str) -> Any:
        def parse(body: bytes) -> str:
            return f"ws://{host}/door?token={json.loads(body)['data']['token']}"

        door = Door(Request("/api/v1/bullet-public", post=True), parse)
        return replace(kucoin.VENUE, variations=replace(kucoin.VENUE.variations, door=door))

    async with hearing(venue, speaking, USDT) as heard:
        await until_up(heard)
        assert speaking.asked.count("POST /api/v1/bullet-public") == 1
        assert len(speaking.heard["/door"]) == 5  # one message for each channel
        await speaking.sockets["/door"].close()
        await advance_until(heard.clock, 0.5, lambda: speaking.asked.count("POST /api/v1/bullet-public") == 2)
        await until_up(heard)
