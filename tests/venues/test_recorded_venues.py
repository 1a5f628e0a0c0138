"""Every recording of the folder replays: counts by channel as its README states them, no gap, no crossed book."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from sextant.market.ingest import ingest
from sextant.market.state import MarketState
from sextant.venues.replay import replay_events

pytestmark = pytest.mark.data


@dataclass(frozen=True)
class Recorded:
    """What the README states of a recording: messages, those by channel, and books that are whole at the end.

    ``channels`` leaves out answers to subscriptions and signs of life, which the README does not list.
    """

    messages: int
    channels: dict[str, int]
    books: int = 0
    read: bool = True


V3 = "cryptofeed/v3/{}.jsonl.zst"
V1 = "cryptofeed/v1/{}.gz"
LINES = "hftbacktest/{}.gz"

TABLE: dict[str, Recorded] = {
    V3.format("BYBIT_btc_eth"): Recorded(
        1_996,
        {
            "orderbook.200 snapshot": 4,
            "orderbook.200 delta": 1_381,
            "publicTrade snapshot": 46,
            "tickers snapshot": 83,
            "tickers delta": 399,
            "kline.1 snapshot": 59,
        },
        books=4,
    ),
    V3.format("COINBASE"): Recorded(
        1_030, {"l2_data": 2 + 773, "market_trades": 2 + 57, "ticker": 2 + 158, "candles": 2 + 4}, books=2
    ),
    V3.format("BINANCE"): Recorded(
        265, {"depth@100ms": 177, "aggTrade": 2, "bookTicker": 84, "kline_1m": 2}, books=4
    ),
    V3.format("BINANCE_FUTURES"): Recorded(
        1_535, {"depth@100ms": 764, "aggTrade": 91, "bookTicker": 613, "kline_1m": 67}, books=4
    ),
    V3.format("BINANCE_DELIVERY"): Recorded(
        4_371, {"depth@100ms": 2_047, "aggTrade": 51, "bookTicker": 2_240, "kline_1m": 33}, read=False
    ),
    V3.format("KRAKEN"): Recorded(4_430, {"book-1000": 10 + 4_269, "trade": 8, "ticker": 18}, read=False),
    V3.format("KRAKEN_FUTURES"): Recorded(
        7_175,
        {"book_snapshot": 10, "book": 7_014, "trade_snapshot": 10, "trade fill": 3, "ticker_lite": 107},
        read=False,
    ),
    V3.format("KUCOIN"): Recorded(
        4_721,
        {
            "/market/level2 message": 3_853,
            "/market/match message": 18,
            "/market/ticker message": 830,
            "/market/candles message": 6,
        },
        books=9,
    ),
    V3.format("OKX"): Recorded(
        410, {"books snapshot": 3, "books update": 287, "trades": 74, "tickers": 28}, books=3
    ),
    V3.format("DERIBIT"): Recorded(136, {"book snapshot": 10, "book change": 36, "ticker": 89}),
    V3.format("BITGET"): Recorded(
        1_157,
        {
            "books snapshot": 10,
            "books update": 627,
            "trade snapshot": 10,
            "trade update": 55,
            "ticker snapshot": 345,
            "candle1m snapshot": 10,
            "candle1m update": 60,
        },
        read=False,
    ),
    V3.format("GATEIO_FUTURES"): Recorded(
        450,
        {"futures.order_book_update": 352, "futures.book_ticker": 75, "futures.candlesticks": 1},
        read=False,
    ),
    V1.format("BYBIT.ws.25.0") + " " + V1.format("BYBIT.ws.26.0"): Recorded(
        4_440, {"orderBookL2_25 snapshot": 10, "orderBookL2_25 delta": 4_268, "trade": 142}, read=False
    ),
    V1.format("BITMEX.ws.1.0"): Recorded(
        2_120,
        {
            "orderBookL2 partial": 10,
            "orderBookL2 update": 1_090,
            "orderBookL2 insert": 445,
            "orderBookL2 delete": 434,
            "trade partial": 10,
            "trade insert": 7,
            "quote partial": 10,
            "quote insert": 83,
        },
        read=False,
    ),
    " ".join(map(V1.format, ("KUCOIN.0", "KUCOIN.http.0.0", "KUCOIN.ws.1.0"))): Recorded(
        4_721, {"/market/level2 message": 3_853, "/market/ticker message": 830}, books=9
    ),
    V1.format("BIT.COM.ws.1.0"): Recorded(399, {"ticker": 65}, read=False),
    V1.format("BIT.COM.ws.2.0"): Recorded(785, {"depth": 717, "ticker": 65}, read=False),
    LINES.format("usdm_btcusdt_20240808"): Recorded(
        93_953, {"depth@0ms": 6_551, "bookTicker": 66_089, "trade": 21_313}, books=1
    ),
    LINES.format("usdm_btcusdt_20230405.dat"): Recorded(
        60_381, {"depth@0ms": 11_788, "bookTicker": 37_440, "trade": 10_738, "markPrice@1s": 415}
    ),
    LINES.format("spot_btcusdt_20240809"): Recorded(
        58_325, {"depth@100ms": 3_044, "bookTicker": 45_134, "trade": 10_147}
    ),
    LINES.format("cm_ethusd_perp_20240808"): Recorded(
        40_453, {"depth@0ms": 22_909, "bookTicker": 15_812, "trade": 1_732}, read=False
    ),
    LINES.format("hyperliquid_btc_20250126"): Recorded(55, {"l2Book": 46, "trades": 9}, read=False),
    "kraken/orderbook-v2.json.gz": Recorded(510, {"book snapshot": 1, "book update": 509}, books=1),
}
"""By file, or files of one session. Lines of hftbacktest count the answer among them, which is no message."""

ANSWERS = {
    "subscribe", "subscribed", "subscriptionStatus", "systemStatus", "subscriptions", "subscription", "ack",
    "welcome", "heartbeat", "heartbeats", "info", "unnamed", "alert",
}  # fmt: skip
"""What venues say beside their channels."""

REST_OF = {"BYBIT.0", "BITMEX.0", "BIT.COM.0"}
"""Files of format 1 that hold only answers of REST interfaces that are not read."""


def test_every_recording_of_the_folder_is_in_the_table(data_dir: Path) -> None:
    found = {
        path.relative_to(data_dir).as_posix()
        for folder in ("cryptofeed/v3", "cryptofeed/v1", "hftbacktest")
        for path in (data_dir / folder).iterdir()
    }
    named = {name for names in TABLE for name in names.split()}
    assert found - named == {V1.format(name) for name in REST_OF}


@pytest.mark.parametrize(
    "names", TABLE, ids=lambda names: Path(names.split()[0]).name.partition(".")[0] + names[-9:-6]
)
def test_a_recording_replays_with_the_counts_of_its_readme(data_dir: Path, names: str) -> None:
    stated = TABLE[names]
    replay = replay_events([data_dir / name for name in names.split()])
    state = MarketState("replay", simulated=False)
    report = ingest(state, replay.events)
    assert replay.messages() == stated.messages
    told = Counter(replay.channels())
    assert {name: told.pop(name) for name in stated.channels} == stated.channels
    if "BIT.COM" not in names and "v1/KUCOIN" not in names:  # of these the README lists a part
        assert set(told) <= ANSWERS
    assert (report.gaps, report.crossed, report.unknown_instruments) == (0, 0, 0)
    assert sum(state.book(spec.instrument).valid for spec in state.instruments) == stated.books
    assert (report.events > 0) == stated.read
    if not stated.read:
        assert sum(replay.untranslated().values()) == stated.messages
        assert replay.notes()
