"""Inverse contracts: what Bybit's documentation states of them, and hand-made frames of its documented shapes."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from sextant.model.bar import Bar
from sextant.model.events import (
    BarUpdate,
    BookDelta,
    BookSnapshot,
    DerivativesUpdate,
    Event,
    Liquidation,
    QuoteUpdate,
    Trade,
)
from sextant.model.instrument import Instrument
from sextant.venues.library.bybit import VENUE, frames, instruments, rest, talk
from sextant.venues.port import Listing, SymbolTable

AT = 1_672_376_496_682_000_000
BTCUSD = Instrument("bybit", "BTC", "USD", "perpetual")

# The rows that the venue's page of instruments gives as an example, shortened to what is read.
LISTED = {
    "retCode": 0,
    "retMsg": "OK",
    "time": 1_672_712_495_660,
    "result": {
        "category": "inverse",
        "nextPageCursor": "",
        "list": [
            {
                "symbol": "BTCUSD",
                "contractType": "InversePerpetual",
                "status": "Trading",
                "baseCoin": "BTC",
                "quoteCoin": "USD",
                "settleCoin": "BTC",
                "deliveryTime": "0",
                "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
                "priceFilter": {"minPrice": "0.50", "maxPrice": "1999999.00", "tickSize": "0.50"},
                "lotSizeFilter": {"maxOrderQty": "25000000", "minOrderQty": "1", "qtyStep": "1"},
                "fundingInterval": 480,
            },
            {
                "symbol": "BTCUSDH23",
                "contractType": "InverseFutures",
                "status": "Trading",
                "baseCoin": "BTC",
                "quoteCoin": "USD",
                "settleCoin": "BTC",
                "deliveryTime": "1680249600000",
                "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
                "priceFilter": {"minPrice": "0.50", "maxPrice": "1999999.00", "tickSize": "0.50"},
                "lotSizeFilter": {"maxOrderQty": "25000000", "minOrderQty": "1", "qtyStep": "1"},
                "fundingInterval": 480,
            },
        ],
    },
}


def listings() -> tuple[Listing, ...]:
    return instruments.parse_instruments(json.dumps(LISTED).encode(), AT).listings


SYMBOLS = SymbolTable(listings())


def read(frame: object) -> list[Event]:
    return frames.parse_frame("inverse", json.dumps(frame).encode(), AT, SYMBOLS)


def book(kind: str, bids: list[list[str]], asks: list[list[str]], update: int, depth: int = 50) -> object:
    data = {"s": "BTCUSD", "b": bids, "a": asks, "u": update, "seq": 1}
    return {
        "topic": f"orderbook.{depth}.BTCUSD",
        "type": kind,
        "ts": 1_672_304_484_978,
        "data": data,
        "cts": 1,
    }


def test_a_contract_is_a_dollar_and_lots_count_dollars() -> None:
    perpetual, future = listings()
    assert perpetual.instrument == BTCUSD
    assert future.instrument.kind == "future"
    assert future.instrument.expiry_ns == 1_680_249_600_000_000_000
    spec = perpetual.spec
    assert spec.style == future.spec.style == "inverse"
    assert (spec.tick, spec.lot, spec.contract_size) == (Decimal("0.50"), Decimal(1), Decimal(1))
    assert spec.min_notional == Decimal(1)
    assert (spec.funding_interval_s, future.spec.funding_interval_s) == (28_800, None)


def test_sizes_of_a_book_are_dollars_at_their_own_price() -> None:
    (whole,) = read(book("snapshot", [["20000", "50000"]], [["25000", "50000"]], 7))
    assert isinstance(whole, BookSnapshot)
    assert (whole.bids, whole.asks) == ([(20_000.0, 2.5)], [(25_000.0, 2.0)])
    (change,) = read(book("delta", [["20000", "0"]], [["40000", "10000"]], 8))
    assert isinstance(change, BookDelta)
    assert (change.bids, change.asks) == ([(20_000.0, 0.0)], [(40_000.0, 0.25)])


def test_the_second_frame_of_a_topic_is_read_as_the_first() -> None:
    """The way of a topic is kept after its first frame; it must lead to the same units."""
    frame = book("snapshot", [["20000", "50000"]], [["25000", "50000"]], 7)
    assert read(frame) == read(frame) == read(frame)


def test_trades_and_liquidations_are_base_units_and_keep_their_sides() -> None:
    traded = {"T": 1_672_304_486_865, "s": "BTCUSD", "S": "Sell", "v": "5000", "p": "20000", "i": "a"}
    (trade,) = read({"topic": "publicTrade.BTCUSD", "type": "snapshot", "ts": 1, "data": [traded]})
    assert isinstance(trade, Trade)
    assert (trade.size, trade.price, trade.aggressor) == (0.25, 20_000.0, -1)
    forced = {"T": 1_672_304_486_865, "s": "BTCUSD", "S": "Buy", "v": "5000", "p": "20000"}
    (closed,) = read({"topic": "allLiquidation.BTCUSD", "type": "snapshot", "ts": 1, "data": [forced]})
    assert isinstance(closed, Liquidation)
    assert (closed.side, closed.size, closed.size * closed.price) == ("long", 0.25, 5_000.0)


def test_a_bar_swaps_volume_and_turnover() -> None:
    row = {
        "start": 1_670_608_800_000,
        "open": "17071",
        "high": "17073",
        "low": "17027",
        "close": "17055.5",
        "volume": "268611",
        "turnover": "15.74462667",
        "confirm": True,
    }
    (bar,) = read({"topic": "kline.60.BTCUSD", "type": "snapshot", "ts": 1_670_612_400_000, "data": [row]})
    assert isinstance(bar, BarUpdate)
    assert isinstance(bar.bar, Bar)
    assert (bar.bar.volume, bar.bar.quote_volume) == (15.74462667, 268_611.0)
    assert bar.bar.low < bar.bar.quote_volume / bar.bar.volume < bar.bar.high


def test_facts_are_base_units_dollars_and_one_side() -> None:
    """The example of the venue's page: 373,504,107 dollars are 22,505.67 coins at the mark price of 16,596."""
    data = {
        "symbol": "BTCUSD",
        "lastPrice": "16597.00",
        "markPrice": "16596.00",
        "openInterest": "373504107",
        "openInterestValue": "22505.67",
        "turnover24h": "2352.94950046",
        "volume24h": "49337318",
        "fundingRate": "-0.001034",
        "bid1Size": "100",
    }
    (facts,) = read({"topic": "tickers.BTCUSD", "type": "delta", "ts": 1, "data": data})
    assert isinstance(facts, DerivativesUpdate)  # a size without its price is no quote
    assert (facts.turnover_24h, facts.volume_24h) == (49_337_318.0, 2352.94950046)
    assert facts.open_interest == pytest.approx(373_504_107 / 16_596 / 2, rel=1e-6)
    assert facts.funding_rate == -0.001034
    quiet = {"symbol": "BTCUSD", "markPrice": "16000", "openInterest": "373504000"}
    (later,) = read({"topic": "tickers.BTCUSD", "type": "delta", "ts": 2, "data": quiet})
    assert isinstance(later, DerivativesUpdate)
    assert not isinstance(later.open_interest, float)  # dollars without their value change nothing


def test_the_quote_comes_from_the_one_level_book() -> None:
    perpetual = listings()[0]
    assert talk.topics(perpetual, ("quote", "derivatives")) == ("orderbook.1.BTCUSD", "tickers.BTCUSD")
    (quote,) = read(book("snapshot", [["20000", "50000"]], [["25000", "50000"]], 1, depth=1))
    assert isinstance(quote, QuoteUpdate)
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (20_000.0, 2.5, 25_000.0, 2.0)
    (one,) = read(book("delta", [["20000", "0"]], [], 2, depth=1))
    assert isinstance(one, QuoteUpdate)
    assert (one.bid, one.bid_size) == (None, None)
    assert not isinstance(one.ask, float)


def test_documented_answers_are_in_base_units_and_dollars() -> None:
    row = {
        "symbol": "BTCUSD",
        "lastPrice": "16597.00",
        "turnover24h": "2352.94950046",
        "volume24h": "49337318",
        "openInterest": "373504107",
        "openInterestValue": "22505.67",
        "bid1Price": "16596.00",
        "bid1Size": "33192",
        "ask1Price": "16597.50",
        "ask1Size": "1",
    }
    body = {
        "retCode": 0,
        "retMsg": "OK",
        "time": 1_672_376_496_682,
        "result": {"category": "inverse", "list": [row]},
    }
    quote, facts = rest.parse_quotes(json.dumps(body).encode(), AT, SYMBOLS)
    assert isinstance(quote, QuoteUpdate)
    assert (quote.bid_size, quote.ask_size) == (2.0, 1 / 16597.5)
    assert isinstance(facts, DerivativesUpdate)
    assert (facts.turnover_24h, facts.open_interest) == (49_337_318.0, 22505.67 / 2)
    bars = {
        "symbol": "BTCUSD",
        "category": "inverse",
        "list": [["1670608800000", "17071", "17073", "17027", "17055.5", "268611", "15.74462667"]],
    }
    body = {"retCode": 0, "retMsg": "OK", "time": 1_672_025_956_592, "result": bars}
    block = rest.parse_bars(json.dumps(body).encode(), AT, BTCUSD, "1h")
    assert (block.volume[0, 0], block.quote_volume[0, 0]) == (15.74462667, 268_611.0)


def test_the_venue_offers_what_it_reads() -> None:
    assert VENUE.sockets["inverse"].endswith("/v5/public/inverse")
    assert "liquidations" in VENUE.capabilities.streams["inverse"]
