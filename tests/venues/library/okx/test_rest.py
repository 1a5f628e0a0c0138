from __future__ import annotations

import json
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
from sextant.venues.library.okx import VENUE, rest
from support.okx import ANSWERS, AT, BOOK, CANDLE, INSTRUMENT, MS, SPOT, SWAP, TABLE, answer
from support.recordings import read_session


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("50011", Throttled, "rate"),
        ("50001", Unreachable, "busy"),
        ("51001", Rejected, "unknown_symbol"),
        ("50111", Rejected, "auth"),
        ("99999", Rejected, "refused"),
    ],
)
def test_the_venues_codes_have_their_meaning(code: str, kind: type[VenueError], reason: str) -> None:
    body = answer([], code, "words")
    for told in (rest.CODES.refusal(200, body), rest.CODES.refusal(429, body)):
        assert type(told) is kind
        assert told.reason == reason
    with pytest.raises(kind):
        rest.parse_instruments(body, AT)


@pytest.mark.parametrize(
    ("status", "body"), [(200, answer([])), (403, b"<html>"), (500, answer([], "50001"))]
)
def test_other_answers_have_the_general_meaning(status: int, body: bytes) -> None:
    assert rest.CODES.refusal(status, body) is None


def test_types_are_pages_and_a_lot_is_in_base_units() -> None:
    page = rest.parse_instruments(answer([INSTRUMENT]), AT)
    (listing,) = page.listings
    spec = listing.spec
    assert (listing.symbol, str(listing.instrument)) == ("BTC-USDT-SWAP", "okx:BTC-USDT:perpetual")
    assert (str(spec.tick), str(spec.lot), str(spec.contract_size), str(spec.max_leverage)) == (
        "0.1",
        "0.001",
        "0.01",
        "125",
    )
    spot = {
        **INSTRUMENT,
        "instId": "BTC-USDT",
        "instType": "SPOT",
        "baseCcy": "BTC",
        "quoteCcy": "USDT",
        "ctType": "",
    }
    dated = {**INSTRUMENT, "instId": "BTC-USDT-220527", "instType": "FUTURES", "expTime": "1653638400000"}
    pages = [rest.parse_instruments(answer([row]), AT) for row in (spot, INSTRUMENT, dated)]
    assert [page.cursor for page in pages] == ["SWAP", "FUTURES", None]
    assert [str(page.listings[0].instrument) for page in pages] == [
        "okx:BTC-USDT:spot",
        "okx:BTC-USDT:perpetual",
        "okx:BTC-USDT:future:2022-05-27",
    ]
    asked = [rest.instruments_request("public", cursor).query for cursor in (None, "SWAP", "FUTURES")]
    assert [query[0][1] for query in asked] == ["SPOT", "SWAP", "FUTURES"]


@pytest.mark.parametrize(
    "more", [{"ctType": "odd"}, {"instType": "OPTION"}, {"state": "odd"}, {"tickSz": "0"}]
)
def test_what_the_model_cannot_hold_is_left_out_with_the_reason(more: dict[str, object]) -> None:
    page = rest.parse_instruments(answer([{**INSTRUMENT, **more}, INSTRUMENT]), AT)
    assert (len(page.listings), len(page.left_out)) == (1, 1)
    assert page.left_out[0][1]


def test_of_two_contracts_with_one_name_the_first_is_kept() -> None:
    inverse = {**INSTRUMENT, "instId": "BTC-USD-SWAP", "ctType": "inverse", "ctVal": "100", "ctValCcy": "USD", "settleCcy": "BTC", "lotSz": "1"}  # fmt: skip
    other = {**INSTRUMENT, "instId": "BTC-USD_UM-SWAP", "settleCcy": "USD"}
    page = rest.parse_instruments(answer([inverse, other]), AT)
    (listing,) = page.listings
    assert (listing.symbol, str(listing.instrument), listing.spec.style) == (
        "BTC-USD-SWAP",
        "okx:BTC-USD:perpetual",
        "inverse",
    )
    assert (str(listing.spec.contract_size), str(listing.spec.lot)) == ("100", "100")
    assert [symbol for symbol, _ in page.left_out] == ["BTC-USD_UM-SWAP"]


def test_a_book_begins_with_a_number_and_base_units() -> None:
    assert rest.parse_book(answer([BOOK]), AT, SWAP) == BookSnapshot(
        SWAP.instrument, 1652459223003 * MS, AT, 3235851742, 400, [(29999.9, 0.04)], [(30000.1, 0.03)]
    )
    assert rest.book_request(SWAP).query == (("instId", "BTC-USDT-SWAP"), ("sz", "400"))
    number = {key: value for key, value in BOOK.items() if key != "seqId"}
    empty = {**BOOK, "asks": [], "bids": []}
    nought = {**BOOK, "asks": [["1", "0", "0", "0"]]}
    for bad in ([], [BOOK, BOOK], [number], [empty], [nought]):
        with pytest.raises(WireError):
            rest.parse_book(answer(bad), AT, SWAP)


def test_facts_of_perpetuals() -> None:
    quoted, facts = rest.parse_quotes(ANSWERS["/api/v5/market/tickers"], AT, TABLE)
    assert isinstance(quoted, QuoteUpdate)
    assert isinstance(facts, DerivativesUpdate)
    assert (quoted.bid_size, facts.turnover_24h) == (4.0, 2620 * 30000.0)


def test_bars_are_of_base_units_and_only_final_ones() -> None:
    rows = [[str(1597026360000 + 60_000), *CANDLE[1:8], "0"], CANDLE]
    block = rest.parse_bars(answer(rows), AT, SWAP.instrument, "1m")
    assert (block.open_ns.tolist(), float(block.volume[0, 0]), float(block.quote_volume[0, 0])) == (
        [1597026360000 * MS],
        11.0,
        121.0,
    )
    assert float(rest.parse_bars(answer(rows), AT, SPOT.instrument, "1m").volume[0, 0]) == 1100.0
    asked = rest.bars_request(SWAP, "1d", 5 * MS, 7)
    assert dict(asked.query) == {"instId": "BTC-USDT-SWAP", "bar": "1Dutc", "after": "6", "limit": "7"}


def test_histories_are_told_oldest_first_at_what_was_charged() -> None:
    rows = [
        {"fundingRate": "0.1", "realizedRate": rate, "fundingTime": at}
        for rate, at in (("0.2", "8000"), ("", "4000"))
    ]
    assert rest.parse_funding(answer(rows), AT, SWAP.instrument) == [
        FundingSettled(SWAP.instrument, 4000 * MS, AT, 0.1),
        FundingSettled(SWAP.instrument, 8000 * MS, AT, 0.2),
    ]
    assert rest.parse_open_interest(
        answer([["8000", "9", "8", "7"], ["4000", "3", "2", "1"]]), AT, SWAP.instrument
    ) == [
        OpenInterestPoint(SWAP.instrument, 4000 * MS, AT, 2.0),
        OpenInterestPoint(SWAP.instrument, 8000 * MS, AT, 8.0),
    ]
    assert rest.parse_account_ratio(answer([["4000", "1.5"]]), AT, SWAP.instrument) == [
        DerivativesUpdate(SWAP.instrument, 4000 * MS, AT, long_share=0.6)
    ]
    for ask in (rest.funding_request, rest.open_interest_request, rest.account_ratio_request):
        assert {"instId", "limit"} <= {name for name, _ in ask(SWAP, 5, 7).query}


@pytest.mark.data
def test_the_recorded_lists_are_read(data_dir: Path) -> None:
    recording = read_session(data_dir, VENUE)
    symbols = recording.symbols(VENUE)
    found = symbols.instrument("public", "BTC-USDT-SWAP")
    assert found is not None
    listing = symbols.listing(found)
    assert listing is not None
    assert (str(listing.spec.contract_size), str(listing.spec.tick)) == ("0.01", "0.1")
    inverse = symbols.instrument("public", "UNI-USD-SWAP")
    assert inverse is not None
    listing = symbols.listing(inverse)
    assert listing is not None
    assert (str(inverse), listing.spec.style, str(listing.spec.contract_size)) == (
        "okx:UNI-USD:perpetual",
        "inverse",
        "10",
    )
    for body in recording.bodies.values():
        page = rest.parse_instruments(body, AT)
        assert len(page.listings) + len(page.left_out) == len(json.loads(body)["data"])
