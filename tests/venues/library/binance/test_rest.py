from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sextant.errors import Rejected, Throttled, Unreachable, VenueError, WireError
from sextant.model.events import (
    BookSnapshot,
    DerivativesUpdate,
    FundingSettled,
    OpenInterestPoint,
    QuoteUpdate,
)
from sextant.venues.library.binance import rest
from support.binance import AT, PERP, SPOT, TABLE
from support.recordings import read_examples

MS = 1_000_000


@pytest.mark.parametrize(
    ("status", "code", "kind", "reason"),
    [
        (400, -1121, Rejected, "unknown_symbol"),
        (400, -1021, Rejected, "clock"),
        (400, -1022, Rejected, "auth"),
        (401, -2015, Rejected, "permission"),
        (400, -1, Rejected, "refused"),
        (400, -1008, Unreachable, "busy"),
        (403, 0, Throttled, "ban"),
        (451, 0, Rejected, "region"),
    ],
)
def test_the_venues_codes_have_their_meaning(
    status: int, code: int, kind: type[VenueError], reason: str
) -> None:
    told = rest.refusal(status, json.dumps({"code": code, "msg": "x" * 999}).encode())
    assert type(told) is kind
    assert told.reason == reason
    assert len(told.message) < 300


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"[]"), (418, b'{"code":-1003}'), (429, b"{}"), (503, b"x"), (400, b"<html>")]
)
def test_other_answers_have_the_general_meaning(status: int, body: bytes) -> None:
    assert rest.refusal(status, body) is None


def test_a_book_begins_with_its_number_and_at_least_the_levels_asked_for() -> None:
    body = b'{"lastUpdateId":1027024,"E":1589436922972,"T":1589436922959,"bids":[["4.0","431.0"]],"asks":[["4.2","12.0"]]}'
    assert rest.parse_book(body, AT, PERP) == BookSnapshot(
        PERP.instrument, 1589436922959 * MS, AT, 1027024, 500, [(4.0, 431.0)], [(4.2, 12.0)]
    )
    assert rest.parse_book(b'{"lastUpdateId":7,"bids":[["4","1"]],"asks":[]}', AT, SPOT).event_ns == AT
    asked = rest.book_request(SPOT), rest.book_request(PERP)
    assert [(each.path, each.query) for each in asked] == [
        ("/api/v3/depth", (("symbol", "BTCUSDT"), ("limit", "500"))),
        ("/fapi/v1/depth", (("symbol", "BTCUSDT"), ("limit", "500"))),
    ]


@pytest.mark.parametrize(
    "body",
    [b'{"lastUpdateId":7,"bids":[],"asks":[]}', b'{"lastUpdateId":7,"bids":[["4","0"]],"asks":[]}', b"[]"],
)
def test_a_book_that_none_can_be_is_refused(body: bytes) -> None:
    with pytest.raises(WireError):
        rest.parse_book(body, AT, SPOT)


def test_the_facts_of_a_day_are_of_the_market_that_states_best_prices_or_does_not() -> None:
    day = {
        "symbol": "BTCUSDT",
        "lastPrice": "10",
        "volume": "3",
        "quoteVolume": "31",
        "priceChangePercent": "2.5",
        "closeTime": 1499869899040,
    }
    facts = DerivativesUpdate(
        PERP.instrument,
        1499869899040 * MS,
        AT,
        last=10.0,
        volume_24h=3.0,
        turnover_24h=31.0,
        change_24h_frac=0.025,
    )
    assert rest.parse_quotes(json.dumps([day, {**day, "symbol": "X"}]).encode(), AT, TABLE) == [facts]
    spot = {**day, "bidPrice": "9", "bidQty": "1", "askPrice": "0", "askQty": "0"}
    _, quoted = rest.parse_quotes(json.dumps([spot]).encode(), AT, TABLE)
    assert quoted == QuoteUpdate(SPOT.instrument, 1499869899040 * MS, AT, 9.0, 1.0, None, None)
    assert (rest.quotes_request("spot").path, rest.quotes_request("usdm").path) == (
        "/api/v3/ticker/24hr",
        "/fapi/v1/ticker/24hr",
    )


def test_bars_say_what_takers_bought_and_a_forming_one_is_left_out() -> None:
    row = [1499040000000, "10", "12", "9", "11", "148.5", 1499040059999, "1500", 308, "75.5", "800", "0"]
    forming = [AT // MS // 60_000 * 60_000, *row[1:]]
    block = rest.parse_bars(json.dumps([row, forming]).encode(), AT, PERP.instrument, "1m")
    assert block.open_ns.tolist() == [1499040000000 * MS]
    assert [
        float(getattr(block, name)[0, 0])
        for name in ("open", "high", "low", "close", "volume", "quote_volume", "taker_buy_volume")
    ] == [10, 12, 9, 11, 148.5, 1500, 75.5]
    asked = rest.bars_request(PERP, "1h", 5 * MS, 7)
    assert (asked.path, dict(asked.query)) == (
        "/fapi/v1/klines",
        {"symbol": "BTCUSDT", "interval": "1h", "endTime": "5", "limit": "7"},
    )
    assert rest.bars_request(SPOT, "1h", 5 * MS, 7).path == "/api/v3/klines"


def test_histories_are_told_oldest_first() -> None:
    funding = [
        {"symbol": "X", "fundingTime": at, "fundingRate": "0.0001"} for at in (1570636800000, 1570608000000)
    ]
    assert rest.parse_funding(json.dumps(funding).encode(), AT, PERP.instrument) == [
        FundingSettled(PERP.instrument, at * MS, AT, 0.0001) for at in (1570608000000, 1570636800000)
    ]
    points = [{"sumOpenInterest": "20403.5", "sumOpenInterestValue": "1", "timestamp": 1583127900000}]
    assert rest.parse_open_interest(json.dumps(points).encode(), AT, PERP.instrument) == [
        OpenInterestPoint(PERP.instrument, 1583127900000 * MS, AT, 20403.5)
    ]
    ratios = [{"longAccount": "0.66", "shortAccount": "0.34", "timestamp": 1583139600000}]
    assert rest.parse_account_ratio(json.dumps(ratios).encode(), AT, PERP.instrument) == [
        DerivativesUpdate(PERP.instrument, 1583139600000 * MS, AT, long_share=0.66)
    ]
    with pytest.raises(WireError):
        rest.parse_account_ratio(
            json.dumps([{**ratios[0], "longAccount": "1.5"}]).encode(), AT, PERP.instrument
        )
    for asked in (rest.funding_request, rest.open_interest_request, rest.account_ratio_request):
        assert {"symbol", "endTime", "limit"} <= {name for name, _ in asked(PERP, 5, 7).query}


@pytest.mark.data
def test_documented_and_recorded_answers_are_read(data_dir: Path) -> None:
    examples = read_examples(data_dir, "binance")
    for path in ("/api/v3/klines", "/fapi/v1/klines"):
        for body in examples.get(path, []):
            rest.parse_bars(body, AT, PERP.instrument, "1m")
    with gzip.open(data_dir / "rest" / "gocryptotrader_binance_http.json.gz") as packed:
        routes = json.load(packed)["routes"]
    reading: dict[str, Callable[[bytes], object]] = {
        "/fapi/v1/fundingRate": lambda raw: rest.parse_funding(raw, AT, PERP.instrument),
        "/futures/data/openInterestHist": lambda raw: rest.parse_open_interest(raw, AT, PERP.instrument),
        "/futures/data/globalLongShortAccountRatio": lambda raw: rest.parse_account_ratio(
            raw, AT, PERP.instrument
        ),
        "/fapi/v1/depth": lambda raw: rest.parse_book(raw, AT, PERP),
        "/api/v3/depth": lambda raw: rest.parse_book(raw, AT, SPOT),
    }
    read = 0
    for path, parse in reading.items():
        for each in routes.get(path, {}).get("GET", []):
            if each["data"]:
                read += bool(parse(json.dumps(each["data"]).encode()))
    assert read >= 3
