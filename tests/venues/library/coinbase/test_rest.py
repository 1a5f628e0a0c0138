from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sextant.errors import Rejected, Throttled, WireError
from sextant.model.events import DerivativesUpdate
from sextant.model.times import MINUTE_NS, SECOND_NS
from sextant.venues.library.coinbase import VENUE, rest
from sextant.venues.port import Request
from support.coinbase import AT, BTC, TABLE
from support.recordings import read_examples, read_session


def row(**more: object) -> dict[str, object]:
    return {
        "product_id": "BTC-USD", "price": "65086.18", "price_percentage_change_24h": "0.5", "volume_24h": "2867.5",
        "base_increment": "0.00000001", "quote_increment": "0.01", "quote_min_size": "1", "status": "online",
        "trading_disabled": False, "is_disabled": False, "cancel_only": False, "product_type": "SPOT", "alias": "",
        "quote_currency_id": "USD", "base_currency_id": "BTC", "price_increment": "0.01",
        "approximate_quote_24h_volume": "186637571.25", **more,
    }  # fmt: skip


def body(*rows: object, **more: object) -> bytes:
    return json.dumps({"products": rows, "num_products": len(rows), **more}).encode()


def test_products_are_listed_page_by_page() -> None:
    page = rest.parse_instruments(body(row(), pagination={"has_next": True, "next_cursor": "abc"}), AT)
    (listing,) = page.listings
    assert (listing.symbol, str(listing.instrument), listing.spec.status) == (
        "BTC-USD",
        "coinbase:BTC-USD:spot",
        "trading",
    )
    assert (str(listing.spec.tick), str(listing.spec.lot), str(listing.spec.min_notional)) == (
        "0.01",
        "1E-8",
        "1",
    )
    assert page.cursor == "abc"
    assert rest.instruments_request("spot", "abc") == Request(
        rest.PRODUCTS, (("product_type", "SPOT"), ("cursor", "abc"))
    )
    assert (
        rest.parse_instruments(body(row(), pagination={"has_next": False, "next_cursor": "abc"}), AT).cursor
        is None
    )


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"trading_disabled": True}, "halted"),
        ({"cancel_only": True}, "halted"),
        ({"status": "delisted", "is_disabled": True}, "delisted"),
    ],
)
def test_what_restricts_trading_halts(more: dict[str, object], status: str) -> None:
    (listing,) = rest.parse_instruments(body(row(**more)), AT).listings
    assert listing.spec.status == status


@pytest.mark.parametrize(
    "more", [{"alias": "BTC-USD"}, {"product_type": "FUTURE"}, {"status": "odd"}, {"price_increment": "0"}]
)
def test_what_is_no_market_of_its_own_is_left_out_with_the_reason(more: dict[str, object]) -> None:
    page = rest.parse_instruments(body(row(**more), row()), AT)
    assert (len(page.listings), len(page.left_out)) == (1, 1)
    assert page.left_out[0][1]


def test_the_list_of_products_states_the_facts_of_a_day() -> None:
    expected = DerivativesUpdate(
        BTC.instrument,
        AT,
        AT,
        last=65086.18,
        volume_24h=2867.5,
        turnover_24h=186637571.25,
        change_24h_frac=0.005,
    )
    assert rest.parse_quotes(body(row(), row(product_id="X-USD")), AT, TABLE) == [expected]
    unknown = row(price="", price_percentage_change_24h="", volume_24h="", approximate_quote_24h_volume="")
    assert rest.parse_quotes(body(unknown), AT, TABLE) == [
        DerivativesUpdate(
            BTC.instrument, AT, AT, last=None, volume_24h=None, turnover_24h=None, change_24h_frac=None
        )
    ]


def test_bars_are_asked_by_start_and_end_and_told_oldest_first() -> None:
    asked = rest.bars_request(BTC, "1m", 600 * SECOND_NS, 5)
    assert asked == Request(
        f"{rest.PRODUCTS}/BTC-USD/candles",
        (("start", "300"), ("end", "600"), ("granularity", "ONE_MINUTE"), ("limit", "5")),
    )
    rows = [
        {"start": str(60 * at), "low": "9", "high": "12", "open": "10", "close": "11", "volume": "2"}
        for at in (3, 2)
    ]
    block = rest.parse_bars(json.dumps({"candles": rows}).encode(), 4 * MINUTE_NS, BTC.instrument, "1m")
    assert block.open_ns.tolist() == [2 * MINUTE_NS, 3 * MINUTE_NS]
    assert [
        float(column[0, 0]) for column in (block.open, block.high, block.low, block.close, block.volume)
    ] == [10, 12, 9, 11, 2]
    assert np.isnan(block.quote_volume).all()
    assert set(VENUE.capabilities.intervals) == set(rest.GRANULARITY)
    broken: tuple[object, ...] = (
        [{**rows[0], "high": "9.5"}],
        [{**rows[0], "start": "61"}],
        [rows[0], rows[0]],
        [{}],
        5,
    )
    for bad in broken:
        with pytest.raises(WireError):
            rest.parse_bars(json.dumps({"candles": bad}).encode(), 4 * MINUTE_NS, BTC.instrument, "1m")


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("NOT_FOUND", "unknown_symbol"),
        ("INVALID_ARGUMENT", "parameter"),
        ("PERMISSION_DENIED", "permission"),
        ("WHAT", "refused"),
    ],
)
def test_the_venues_words_have_their_meaning(word: str, reason: str) -> None:
    told = rest.refusal(404, json.dumps({"error": word, "error_details": "x", "message": "y"}).encode())
    assert isinstance(told, Rejected)
    assert told.reason == reason


def test_a_page_of_its_front_that_shuts_the_address_out_asks_for_ten_minutes() -> None:
    told = rest.refusal(403, b"<html><head><title>403 Forbidden</title></head></html>")
    assert isinstance(told, Throttled)
    assert (told.reason, told.retry_after_s) == ("ban", 600.0)


@pytest.mark.parametrize(("status", "text"), [(200, b"{}"), (429, b"<html>"), (503, b"{}"), (400, b"<html>")])
def test_other_answers_have_the_general_meaning(status: int, text: bytes) -> None:
    assert rest.refusal(status, text) is None


@pytest.mark.data
def test_recorded_and_documented_answers_are_read(data_dir: Path) -> None:
    recording = read_session(data_dir, VENUE)
    (answer,) = recording.bodies.values()
    page = rest.parse_instruments(answer, AT)
    # Of 920 products 400 are second names; the rest are listed, or left out with a reason.
    assert sum("second name" in reason for _, reason in page.left_out) == 400
    assert len(page.listings) + len(page.left_out) == 920
    assert len(page.listings) > 500
    assert len(rest.parse_quotes(answer, AT, recording.symbols(VENUE))) == len(page.listings)
    examples = read_examples(data_dir, "coinbase")
    (candles,) = (each for path, each in examples.items() if path.endswith("/candles"))
    with pytest.raises(WireError, match="multiples of 1m"):  # its only bar opens at no full minute
        rest.parse_bars(candles[0], AT, BTC.instrument, "1m")
