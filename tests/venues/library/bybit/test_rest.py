"""Answers of the documentation and of the recording, with values worked by hand."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from pathlib import Path

import pytest

from sextant.errors import Rejected, Throttled, Unreachable, VenueError, WireError
from sextant.model.events import DerivativesUpdate, FundingSettled, OpenInterestPoint, QuoteUpdate
from sextant.model.instrument import Instrument
from sextant.model.times import DAY_NS, HOUR_NS, MINUTE_NS
from sextant.venues.library.bybit import VENUE, rest
from sextant.venues.port import Request, SymbolTable
from support.listings import BTC, BTC_SPOT
from support.recordings import read_examples, read_session

MS = 1_000_000
AT = 1_786_310_819_700_000_000


def answer(result: object, **more: object) -> bytes:
    envelope = {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": 1672025956592}
    return json.dumps(envelope | more).encode()


def row(**more: object) -> dict[str, object]:
    return {
        "symbol": "BTCUSDT",
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": "BTC",
        "quoteCoin": "USDT",
        "deliveryTime": "0",
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00"},
        "priceFilter": {"tickSize": "0.10"},
        "lotSizeFilter": {"qtyStep": "0.001", "minNotionalValue": "5"},
        "fundingInterval": 480,
    } | more


def listings(*rows: object, category: str = "linear", cursor: str = "") -> bytes:
    return answer({"category": category, "list": rows, "nextPageCursor": cursor})


def test_a_perpetual_keeps_its_steps_exactly() -> None:
    page = rest.parse_instruments(listings(row(), cursor="first%3D1"), AT)
    (found,) = page.listings
    spec = found.spec
    assert (found.category, found.symbol, str(spec.instrument)) == (
        "linear",
        "BTCUSDT",
        "bybit:BTC-USDT:perpetual",
    )
    assert (spec.tick, spec.lot, spec.min_notional) == (Decimal("0.10"), Decimal("0.001"), Decimal(5))
    assert (spec.funding_interval_s, spec.max_leverage, spec.status) == (28_800, Decimal(100), "trading")
    assert (spec.as_of_ns, page.cursor) == (1672025956592 * MS, "first%3D1")
    (event,) = page.events
    assert (event.spec, event.event_ns, event.receive_ns) == (spec, 1672025956592 * MS, AT)


def test_a_future_has_an_expiry_and_no_funding() -> None:
    future = row(
        symbol="BTCUSDT-14AUG26",
        contractType="LinearFutures",
        deliveryTime="1786694400000",
        fundingInterval=0,
    )
    spec = rest.parse_instruments(listings(future), AT).listings[0].spec
    assert str(spec.instrument) == "bybit:BTC-USDT:future:2026-08-14"
    assert spec.instrument.expiry_ns == 1786694400000 * MS
    assert spec.funding_interval_s is None


def test_a_spot_row_takes_its_own_names_of_lot_and_least_order() -> None:
    spot = {
        "symbol": "BTCUSDT",
        "baseCoin": "BTC",
        "quoteCoin": "USDT",
        "status": "Trading",
        "lotSizeFilter": {"basePrecision": "0.000001", "minOrderAmt": "5"},
        "priceFilter": {"tickSize": "0.1"},
    }
    spec = rest.parse_instruments(listings(spot, category="spot"), AT).listings[0].spec
    assert (spec.instrument.kind, spec.lot, spec.min_notional) == ("spot", Decimal("0.000001"), Decimal(5))
    assert (spec.max_leverage, spec.funding_interval_s) == (None, None)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [("PreLaunch", "halted"), ("Delivering", "delisted"), ("Settling", "delisted"), ("Closed", "delisted")],
)
def test_a_status_is_translated(status: str, meaning: str) -> None:
    assert rest.parse_instruments(listings(row(status=status)), AT).listings[0].spec.status == meaning


@pytest.mark.parametrize(
    "change",
    [
        {"contractType": "LinearPyramid"},
        {"status": "Melting"},
        {"baseCoin": "btc coin"},
        {"priceFilter": {"tickSize": "0"}},
        {"lotSizeFilter": {}},
        {"contractType": "LinearFutures", "deliveryTime": "0"},
    ],
)
def test_one_row_the_model_cannot_hold_does_not_hide_the_others(change: dict[str, object]) -> None:
    page = rest.parse_instruments(listings(row(symbol="ODD") | change, row()), AT)
    assert [found.symbol for found in page.listings] == ["BTCUSDT"]
    assert [symbol for symbol, _ in page.left_out] == ["ODD"]
    assert page.left_out[0][1]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"symbol": 5}, "symbol"),
        ({"priceFilter": {}}, "priceFilter.tickSize"),
        ({"priceFilter": []}, "priceFilter"),
        ({"priceFilter": {"tickSize": "NaN"}}, "tickSize"),
        ({"priceFilter": {"tickSize": "1e400"}}, "tickSize"),
        ({"priceFilter": {"tickSize": "cheap"}}, "tickSize"),
        ({"leverageFilter": {"maxLeverage": "-1"}}, "maxLeverage"),
        ({"fundingInterval": "soon"}, "fundingInterval"),
    ],
)
def test_a_row_of_another_shape_is_refused_by_name(change: dict[str, object], field: str) -> None:
    with pytest.raises(WireError) as raised:
        rest.parse_instruments(listings(row(**change)), AT)
    assert raised.value.facts["field"] == field


def test_bars_come_oldest_first_without_the_one_still_forming() -> None:
    body = answer(
        {
            "symbol": "BTCUSDT",
            "category": "linear",
            "list": [
                ["1672023600000", "3", "4", "2", "3.5", "7", "24"],  # closes at ...27200000, after the answer
                ["1672020000000", "2", "4", "2", "3", "5", "15"],
                ["1672016400000", "1", "2", "1", "2", "4", "6"],
            ],
        }
    )
    block = rest.parse_bars(body, AT, BTC.instrument, "1h")
    assert block.open_ns.tolist() == [1672016400000 * MS, 1672020000000 * MS]
    assert [column[:, 0].tolist() for column in (block.open, block.high, block.low, block.close)] == [
        [1, 2],
        [2, 4],
        [1, 2],
        [2, 3],
    ]
    assert (block.volume[:, 0].tolist(), block.quote_volume[:, 0].tolist()) == ([4, 5], [6, 15])
    assert all(math.isnan(value) for value in block.taker_buy_volume[:, 0])
    assert (block.instruments, block.event_ns, block.receive_ns) == (
        (BTC.instrument,),
        1672025956592 * MS,
        AT,
    )


def test_an_instrument_without_bars_gives_an_empty_block() -> None:
    assert len(rest.parse_bars(answer({"list": []}), AT, BTC.instrument, "1m").open_ns) == 0


@pytest.mark.parametrize(
    "rows",
    [
        [["1672020000000", "2", "1", "2", "3", "5", "15"]],
        [["1672020000000", "2", "4", "3", "3", "5", "15"]],
        [["1672020000000", "2", "4", "2", "3", "-5", "15"]],
        [["1672020000000", "2", "4", "2", "3", "5"]],
        [["1672020000001", "2", "4", "2", "3", "5", "15"]],
        [["1672016400000", "2", "4", "2", "3", "5", "15"], ["1672020000000", "2", "4", "2", "3", "5", "15"]],
        [["1672020000000", "2", "4", "2", "3", "5", "15"], ["1672020000000", "2", "4", "2", "3", "5", "15"]],
        [["1672020000000", "nan", "4", "2", "3", "5", "15"]],
        [{"start": 1}],
    ],
)
def test_bars_no_market_traded_or_out_of_order_are_refused(rows: object) -> None:
    with pytest.raises(WireError):
        rest.parse_bars(answer({"list": rows}), AT, BTC.instrument, "1h")


def test_open_interest_is_one_side_oldest_first() -> None:
    body = answer(
        {
            "list": [
                {
                    "openInterest": "461134384",
                    "singleOpenInterest": "230567190",
                    "timestamp": "1669571400000",
                },
                {"openInterest": "461134292", "timestamp": "1669571100000"},
            ]
        }
    )
    assert rest.parse_open_interest(body, AT, BTC.instrument) == [
        OpenInterestPoint(BTC.instrument, 1669571100000 * MS, AT, 230567146.0),
        OpenInterestPoint(BTC.instrument, 1669571400000 * MS, AT, 230567190.0),
    ]


def test_a_share_of_accounts_is_between_nought_and_one() -> None:
    good = answer({"list": [{"symbol": "BTCUSDT", "buyRatio": "0.5777", "sellRatio": "0.4223", "timestamp": "1695772800000"}]})  # fmt: skip
    assert rest.parse_account_ratio(good, AT, BTC.instrument) == [
        DerivativesUpdate(BTC.instrument, 1695772800000 * MS, AT, long_share=0.5777)
    ]
    with pytest.raises(WireError):
        rest.parse_account_ratio(
            answer({"list": [{"buyRatio": "1.2", "timestamp": "1"}]}), AT, BTC.instrument
        )


def test_requests_ask_as_the_venue_documents() -> None:
    end_ns = 1_670_608_800_000 * MS + 5
    assert rest.bars_request(BTC, "4h", end_ns, 1000) == Request(
        "/v5/market/kline",
        (("category", "linear"), ("symbol", "BTCUSDT"), ("interval", "240"), ("end", "1670608800000"), ("limit", "1000")),
    )  # fmt: skip
    assert rest.funding_request(BTC, end_ns, 200).path == "/v5/market/funding/history"
    assert ("intervalTime", "5min") in rest.open_interest_request(BTC, end_ns, 200).query
    assert ("period", "5min") in rest.account_ratio_request(BTC, end_ns, 500).query
    assert rest.quotes_request("spot") == Request("/v5/market/tickers", (("category", "spot"),))
    assert rest.instruments_request("linear", "next").query[-1] == ("cursor", "next")


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        (10001, Rejected, "parameter"),
        (10002, Rejected, "clock"),
        (10003, Rejected, "auth"),
        (10005, Rejected, "permission"),
        (10006, Throttled, "rate"),
        (10009, Rejected, "region"),
        (10016, Unreachable, "busy"),
        (10027, Throttled, "ban"),
        (10029, Rejected, "unknown_symbol"),
        (99999, Rejected, "refused"),
    ],
)
def test_a_return_code_is_an_error_although_the_status_is_200(
    code: int, kind: type[VenueError], reason: str
) -> None:
    body = answer({}, retCode=code, retMsg="words")
    with pytest.raises(kind) as raised:
        rest.parse_bars(body, AT, BTC.instrument, "1m")
    told = rest.refusal(200, body)
    assert type(told) is kind
    assert (raised.value.reason, told.reason) == (reason, reason)
    assert "words" in raised.value.message


def test_403_is_a_ban_of_ten_minutes_or_a_country_not_served() -> None:
    ban = rest.refusal(403, b"403, Access too frequent, please try again after 10 minutes")
    assert isinstance(ban, Throttled)
    assert ban.retry_after_s == 600
    assert isinstance(rest.refusal(403, b"<html>CloudFront"), Rejected)
    assert rest.refusal(429, b"") is None
    assert rest.refusal(200, b"<html>") is None


@pytest.mark.data
def test_every_recorded_instrument_is_held(data_dir: Path) -> None:
    recording = read_session(data_dir, VENUE)
    pages = [rest.parse_instruments(body, 1) for body in recording.bodies.values()]
    assert [len(page.listings) for page in pages] == [800, 557]
    assert [page.left_out for page in pages] == [(), ()]
    table = recording.symbols(VENUE)
    assert len(table) == 1357
    assert table.instrument("linear", "BTCPERP") == Instrument("bybit", "BTC", "USDC", "perpetual")
    zero = table.instrument("linear", "0GUSDT")
    assert zero is not None
    found = table.listing(zero)
    assert found is not None
    assert (found.spec.tick, found.spec.funding_interval_s) == (Decimal("0.0001"), 14_400)


@pytest.mark.data
def test_documented_answers_are_read(data_dir: Path) -> None:
    examples = read_examples(data_dir, "bybit")
    (funding,) = examples["/v5/market/funding/history"]
    assert rest.parse_funding(funding, AT, BTC.instrument) == [
        FundingSettled(BTC.instrument, 1672041600000 * MS, AT, 0.0001)
    ]
    (bars,) = examples["/v5/market/kline"]
    block = rest.parse_bars(bars, AT, BTC.instrument, "1h")
    assert block.close[:, 0].tolist() == [17071.5, 17071.0, 17055.5]
    assert (block.open_ns[-1] - block.open_ns[0], block.open_ns[0] % DAY_NS) == (2 * HOUR_NS, 16 * HOUR_NS)
    (interest,) = examples["/v5/market/open-interest"]
    points = rest.parse_open_interest(interest, AT, BTC.instrument)
    assert points[1].event_ns - points[0].event_ns == 5 * MINUTE_NS
    assert points[1].open_interest == 230567192.0
    (ratio,) = examples["/v5/market/account-ratio"]
    assert rest.parse_account_ratio(ratio, AT, BTC.instrument)[0].long_share == 0.5777
    spot = next(body for body in examples["/v5/market/tickers"] if b'"spot"' in body)
    quote, facts = rest.parse_quotes(spot, AT, SymbolTable([BTC, BTC_SPOT]))
    assert quote == QuoteUpdate(
        BTC_SPOT.instrument, 1673859087947 * MS, AT, 20517.96, 2.0, 20527.77, 1.862172
    )
    assert isinstance(facts, DerivativesUpdate)
    assert (facts.instrument, facts.last) == (BTC_SPOT.instrument, 20533.13)
    launched = [rest.parse_instruments(body, 1) for body in examples["/v5/market/instruments-info"]]
    statuses = {found.symbol: found.spec.status for page in launched for found in page.listings}
    assert statuses["PRE02ZROUSDT"] == "halted"
