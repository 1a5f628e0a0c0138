"""Listings of the documentation and of the recording."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from sextant.errors import WireError
from sextant.model.instrument import Instrument
from sextant.venues.library.bybit import VENUE, instruments
from support.recordings import read_session

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
    page = instruments.parse_instruments(listings(row(), cursor="first%3D1"), AT)
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
    spec = instruments.parse_instruments(listings(future), AT).listings[0].spec
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
    spec = instruments.parse_instruments(listings(spot, category="spot"), AT).listings[0].spec
    assert (spec.instrument.kind, spec.lot, spec.min_notional) == ("spot", Decimal("0.000001"), Decimal(5))
    assert (spec.max_leverage, spec.funding_interval_s) == (None, None)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [("PreLaunch", "halted"), ("Delivering", "delisted"), ("Settling", "delisted"), ("Closed", "delisted")],
)
def test_a_status_is_translated(status: str, meaning: str) -> None:
    assert instruments.parse_instruments(listings(row(status=status)), AT).listings[0].spec.status == meaning


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
    page = instruments.parse_instruments(listings(row(symbol="ODD") | change, row()), AT)
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
        instruments.parse_instruments(listings(row(**change)), AT)
    assert raised.value.facts["field"] == field


@pytest.mark.data
def test_every_recorded_instrument_is_held(data_dir: Path) -> None:
    recording = read_session(data_dir, VENUE)
    pages = [instruments.parse_instruments(body, 1) for body in recording.bodies.values()]
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
