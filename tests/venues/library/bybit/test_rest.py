"""Answers of the documentation and of the recording, with values worked by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from sextant.errors import Rejected, Throttled, Unreachable, VenueError, WireError
from sextant.model.events import DerivativesUpdate, FundingSettled, OpenInterestPoint, QuoteUpdate
from sextant.model.times import DAY_NS, HOUR_NS, MINUTE_NS
from sextant.venues.library.bybit import instruments, rest
from sextant.venues.port import Request, SymbolTable
from support.listings import BTC, BTC_SPOT
from support.recordings import read_examples

MS = 1_000_000
AT = 1_786_310_819_700_000_000


def answer(result: object, **more: object) -> bytes:
    envelope = {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": 1672025956592}
    return json.dumps(envelope | more).encode()


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
    assert instruments.instruments_request("linear", "next").query[-1] == ("cursor", "next")


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
def test_documented_answers_are_read(data_dir: Path) -> None:
    examples = read_examples(data_dir, "bybit")
    (funding,) = examples["/v5/market/funding/history"]
    assert rest.parse_funding(funding, AT, BTC.instrument) == [
        FundingSettled(BTC.instrument, 1672041600000 * MS, AT, 0.0001)
    ]
    (bars,) = examples["/v5/market/kline"]
    block = rest.parse_bars(bars, AT, BTC.instrument, "1h")
    assert block.close[:, 0].tolist() == [17071.5, 17071.0, 17055.5]
    assert block.volume[:, 0].tolist() == [0.37288112, 0.24469757, 15.74462667]  # an inverse contract's coins
    assert (block.open_ns[-1] - block.open_ns[0], block.open_ns[0] % DAY_NS) == (2 * HOUR_NS, 16 * HOUR_NS)
    (interest,) = examples["/v5/market/open-interest"]
    assert b'"inverse"' in interest
    assert rest.parse_open_interest(interest, AT, BTC.instrument) == []  # dollars, and no price
    points = rest.parse_open_interest(interest.replace(b'"inverse"', b'"linear"'), AT, BTC.instrument)
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
    launched = [instruments.parse_instruments(body, 1) for body in examples["/v5/market/instruments-info"]]
    statuses = {found.symbol: found.spec.status for page in launched for found in page.listings}
    assert statuses["PRE02ZROUSDT"] == "halted"


@pytest.mark.parametrize(
    ("state", "services", "now_ms", "told"),
    [
        ("ongoing", [2, 5], 1_500, "Upgrade"),
        ("ongoing", [1, 2], 1_500, ""),  # orders only: market data goes on
        ("scheduled", [5], 1_500, ""),
        ("ongoing", [5], 2_000, ""),  # over, though not yet said so
        ("ongoing", [5], 999, ""),
    ],
)
def test_maintenance_counts_while_it_goes_on_and_concerns_market_data(
    state: str, services: list[int], now_ms: int, told: str
) -> None:
    row = {"title": "Upgrade", "state": state, "begin": "1000", "end": "2000", "serviceTypes": services}
    assert rest.parse_status(answer({"list": [row]}), now_ms * MS) == told


def test_a_time_that_is_refused_is_refused_with_the_venues_own() -> None:
    refused = rest.refusal(200, answer({}, retCode=10002, retMsg="invalid request"))
    assert isinstance(refused, Rejected)
    assert (refused.reason, refused.facts["venue_ns"]) == ("clock", 1672025956592 * MS)
