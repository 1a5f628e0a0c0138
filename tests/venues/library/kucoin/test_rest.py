from __future__ import annotations

import json
from pathlib import Path

import pytest

from sextant.errors import Rejected, Throttled, Unreachable, VenueError, WireError
from sextant.model.events import BookSnapshot, DerivativesUpdate, QuoteUpdate
from sextant.venues.library.kucoin import VENUE, rest
from support.kucoin import AT, BTC, MS, TABLE, answer
from support.recordings import read_examples, read_session

ROW = {"symbol": "BTC-USDT", "name": "BTC-USDT", "baseCurrency": "BTC", "quoteCurrency": "USDT", "baseIncrement": "0.00000001", "priceIncrement": "0.1", "enableTrading": True, "minFunds": "0.1"}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("429000", Throttled, "rate"),
        ("500000", Unreachable, "busy"),
        ("900001", Rejected, "unknown_symbol"),
        ("400005", Rejected, "auth"),
        ("400007", Rejected, "permission"),
        ("1", Rejected, "refused"),
    ],
)
def test_the_venues_codes_have_their_meaning(code: str, kind: type[VenueError], reason: str) -> None:
    body = answer(None, code, "words")
    for told in (rest.CODES.refusal(200, body), rest.CODES.refusal(429, body)):
        assert type(told) is kind
        assert told.reason == reason
    with pytest.raises(kind):
        rest.parse_instruments(body, AT)


@pytest.mark.parametrize(
    ("status", "body"), [(200, answer([])), (403, b"<html>"), (503, answer(None, "500000"))]
)
def test_other_answers_have_the_general_meaning(status: int, body: bytes) -> None:
    assert rest.CODES.refusal(status, body) is None


def test_symbols_are_listed_and_what_the_model_cannot_hold_is_left_out() -> None:
    rows = [ROW, {**ROW, "symbol": "ETH-USDT", "baseCurrency": "ETH", "enableTrading": False, "minFunds": None}, {**ROW, "baseCurrency": "?"}, {**ROW, "priceIncrement": "0"}]  # fmt: skip
    page = rest.parse_instruments(answer(rows), AT)
    specs = [listing.spec for listing in page.listings]
    assert [(str(spec.instrument), spec.status) for spec in specs] == [
        ("kucoin:BTC-USDT:spot", "trading"),
        ("kucoin:ETH-USDT:spot", "halted"),
    ]
    assert (str(specs[0].tick), str(specs[0].lot), str(specs[0].min_notional), specs[1].min_notional) == (
        "0.1",
        "1E-8",
        "0.1",
        None,
    )
    assert len(page.left_out) == 2


def test_a_book_begins_at_its_number() -> None:
    data = {
        "sequence": "3262786978",
        "time": 1550653727731,
        "bids": [["6500.12", "0.4"]],
        "asks": [["6500.16", "0.5"]],
    }
    assert rest.parse_book(answer(data), AT, BTC) == BookSnapshot(
        BTC.instrument, 1550653727731 * MS, AT, 3262786978, 100, [(6500.12, 0.4)], [(6500.16, 0.5)]
    )
    assert rest.book_request(BTC).query == (("symbol", "BTC-USDT"),)
    for bad in ({**data, "bids": [], "asks": []}, {**data, "bids": [["1", "0"]]}, {}):
        with pytest.raises(WireError):
            rest.parse_book(answer(bad), AT, BTC)


def test_latest_facts() -> None:
    row = {"symbol": "BTC-USDT", "buy": "11328.9", "sell": None, "bestBidSize": "0.1", "bestAskSize": "1", "changeRate": "-0.0055", "vol": "2282.7", "volValue": "25984946.1", "last": "11328.9"}  # fmt: skip
    at = 1602832092060 * MS
    body = answer({"time": 1602832092060, "ticker": [row, {**row, "symbol": "X-Y"}]})
    assert rest.parse_quotes(body, AT, TABLE) == [
        QuoteUpdate(BTC.instrument, at, AT, 11328.9, 0.1, None, None),
        DerivativesUpdate(
            BTC.instrument,
            at,
            AT,
            last=11328.9,
            volume_24h=2282.7,
            turnover_24h=25984946.1,
            change_24h_frac=-0.0055,
        ),
    ]


def test_bars_state_their_close_before_high_and_low() -> None:
    rows = [[str(1545904920 + 60 * at), "10", "11", "12", "9", "2", "21"] for at in (1, 0)]
    block = rest.parse_bars(answer(rows), AT, BTC.instrument, "1m")
    assert block.open_ns.tolist() == [1545904920 * 10**9, 1545904980 * 10**9]
    assert [
        float(getattr(block, name)[0, 0])
        for name in ("open", "high", "low", "close", "volume", "quote_volume")
    ] == [10, 12, 9, 11, 2, 21]
    asked = dict(rest.bars_request(BTC, "1m", 600 * 10**9, 5).query)
    assert asked == {"symbol": "BTC-USDT", "type": "1min", "startAt": "360", "endAt": "601"}
    with pytest.raises(WireError):
        rest.parse_bars(answer([[*rows[0][:3], "10.5", *rows[0][4:]]]), AT, BTC.instrument, "1m")


@pytest.mark.data
def test_recorded_and_documented_answers_are_read(data_dir: Path) -> None:
    recording = read_session(data_dir, VENUE)
    (body,) = recording.bodies.values()
    page = rest.parse_instruments(body, AT)
    assert len(page.listings) + len(page.left_out) == len(json.loads(body)["data"])
    assert recording.symbols(VENUE).instrument("spot", "DAPPT-BTC") is not None
    examples = read_examples(data_dir, "kucoin")
    assert len(rest.parse_quotes(examples["/api/v1/market/allTickers"][0], AT, TABLE)) == 2
    assert rest.parse_book(examples["/api/v3/market/orderbook/level2"][0], AT, BTC).sequence == 3262786978
    assert len(rest.parse_instruments(examples["/api/v2/symbols"][0], AT).listings) == 2
