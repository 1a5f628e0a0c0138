from __future__ import annotations

import json
from pathlib import Path

import pytest

from sextant.errors import Rejected, WireError
from sextant.venues.library.binance import VENUE, instruments
from support.binance import AT
from support.recordings import read_session


def row(**more: object) -> dict[str, object]:
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.1", "tickSize": "0.10"},
        {"filterType": "LOT_SIZE", "stepSize": "0.001"},
        {"filterType": "MIN_NOTIONAL", "notional": "5"},
    ]
    return {"symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "filters": filters, **more}  # fmt: skip


def body(*rows: object) -> bytes:
    return json.dumps({"timezone": "UTC", "rateLimits": [], "symbols": rows}).encode()


def test_the_type_of_contract_tells_market_and_kind() -> None:
    page = instruments.parse_instruments(
        body(
            row(),
            row(contractType="PERPETUAL", deliveryDate=4133404800000),
            row(symbol="BTCUSDT_240927", contractType="CURRENT_QUARTER", deliveryDate=1727424000000),
        ),
        AT,
    )
    assert [(listing.category, listing.symbol, str(listing.instrument)) for listing in page.listings] == [
        ("spot", "BTCUSDT", "binance:BTC-USDT:spot"),
        ("usdm", "BTCUSDT", "binance:BTC-USDT:perpetual"),
        ("usdm", "BTCUSDT_240927", "binance:BTC-USDT:future:2024-09-27"),
    ]
    spec = page.listings[0].spec
    assert (str(spec.tick), str(spec.lot), str(spec.min_notional), spec.status) == (
        "0.10",
        "0.001",
        "5",
        "trading",
    )
    assert (page.cursor, page.left_out) == (None, ())


@pytest.mark.parametrize(
    ("status", "expected"), [("BREAK", "halted"), ("PENDING_TRADING", "halted"), ("SETTLING", "delisted")]
)
def test_statuses_have_their_meaning(status: str, expected: str) -> None:
    (listing,) = instruments.parse_instruments(body(row(status=status)), AT).listings
    assert listing.spec.status == expected


@pytest.mark.parametrize(
    "more",
    [
        {"contractType": "TRADIFI_PERPETUAL"},
        {"contractType": ""},
        {"status": "ODD"},
        {"filters": []},
        {"baseAsset": "?"},
    ],
)
def test_a_row_that_the_model_cannot_hold_is_left_out_with_its_reason(more: dict[str, object]) -> None:
    page = instruments.parse_instruments(body(row(**more), row()), AT)
    assert (len(page.listings), len(page.left_out)) == (1, 1)
    assert page.left_out[0][1]


def test_a_row_of_another_shape_is_a_wire_error() -> None:
    with pytest.raises(WireError) as raised:
        instruments.parse_instruments(body({"symbol": "BTCUSDT"}), AT)
    assert raised.value.facts["field"] == "status"
    with pytest.raises(Rejected):
        instruments.parse_instruments(b'{"code":-1121,"msg":"Invalid symbol."}', AT)


def test_each_market_is_asked_on_its_own_host() -> None:
    assert VENUE.instruments_request("spot", None).path == "/api/v3/exchangeInfo"
    assert VENUE.instruments_request("usdm", None).path == "/fapi/v1/exchangeInfo"


@pytest.mark.data
def test_the_recorded_lists_are_read(data_dir: Path) -> None:
    recording = read_session(data_dir, VENUE)
    pages = [instruments.parse_instruments(raw, AT) for raw in recording.bodies.values()]
    kinds = {listing.category for page in pages for listing in page.listings}
    assert kinds == {"spot", "usdm"}
    symbols = recording.symbols(VENUE)
    for category, symbol in (
        ("spot", "NKNUSDT"),
        ("spot", "RUNEEUR"),
        ("usdm", "SUSHIUSDT"),
        ("usdm", "CTKUSDT"),
    ):
        assert symbols.instrument(category, symbol) is not None
