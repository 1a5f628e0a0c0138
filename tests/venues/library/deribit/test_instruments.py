from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sextant.errors import Throttled, WireError
from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.venues.library.deribit.instruments import instruments_request, parse_instruments
from sextant.venues.port import Request
from support.deribit_answers import CALL, OUT_US, PERPETUAL, answer, error
from support.deribit_listings import BY_NAME, PAGE

MS = 1_000_000


def only(**changes: Any) -> InstrumentSpec:
    (listing,) = parse_instruments(answer([{**CALL, **changes}]), 1).listings
    return listing.spec


def test_everything_settled_in_a_currency_is_asked_for_at_once() -> None:
    assert instruments_request("btc", None) == Request(
        "/api/v2/public/get_instruments", (("currency", "BTC"), ("expired", "false"))
    )


def test_an_inverse_option_has_prices_in_its_base_asset() -> None:
    assert BY_NAME["BTC-28JUN26-60000-C"].category == "btc"
    assert BY_NAME["BTC-28JUN26-60000-C"].spec == InstrumentSpec(
        instrument=Instrument(
            "deribit", "BTC", "USD", "option", 1_782_633_600_000 * MS, Decimal(60_000), "call"
        ),
        tick=Decimal("0.0001"),
        lot=Decimal("0.1"),
        min_notional=None,
        contract_size=Decimal(1),
        status="trading",
        funding_interval_s=None,
        max_leverage=None,
        as_of_ns=OUT_US * 1_000,
        style="inverse",
    )
    assert PAGE.events[0].receive_ns == OUT_US * 1_000 + 7


def test_kinds_and_styles_are_told_apart() -> None:
    found = {
        name: (str(row.instrument), row.spec.style, row.category, row.spec.funding_interval_s)
        for name, row in BY_NAME.items()
    }
    assert found["BTC-28JUN26-60000-P"][0] == "deribit:BTC-USD:option:2026-06-28:60000:put"
    assert found["SOL_USDC-25SEP26-150-C"] == (
        "deribit:SOL-USDC:option:2026-09-25:150:call",
        "linear",
        "usdc",
        None,
    )
    assert found["BTC-PERPETUAL"] == ("deribit:BTC-USD:perpetual", "inverse", "btc", 3_600)
    assert found["BTC-25SEP26"] == ("deribit:BTC-USD:future:2026-09-25", "inverse", "btc", None)
    assert found["ETH_USDC-PERPETUAL"] == ("deribit:ETH-USDC:perpetual", "linear", "usdc", 3_600)
    assert BY_NAME["BTC-PERPETUAL"].spec.max_leverage == 50


def test_rows_of_2021_tell_their_style_by_the_quote_currency() -> None:
    left = ("instrument_type", "counter_currency", "settlement_currency", "state")
    option = {key: value for key, value in CALL.items() if key not in left}
    future = {key: value for key, value in PERPETUAL.items() if key not in left}
    one, other = parse_instruments(answer([option, future]), 1).listings
    assert (one.spec.style, one.instrument.quote) == ("inverse", "USD")
    assert (other.spec.style, other.instrument.quote) == ("inverse", "USD")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"state": "open"}, "trading"),
        ({"state": "locked"}, "halted"),
        ({"state": "settlement"}, "halted"),
        ({"state": "archivized"}, "delisted"),
        ({"state": None, "is_active": False}, "delisted"),
    ],
)
def test_states_are_read(changes: dict[str, Any], status: str) -> None:
    assert only(**changes).status == status


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"kind": "option_combo"}, "Kind 'option_combo' is not read."),
        ({"instrument_name": "SOL-10JUN22-28-P"}, "Settlement in SOL is not read."),
        ({"state": "dreaming"}, "State 'dreaming' is not known."),
        ({"strike": None}, "needs strike and right"),
        ({"strike": -1.0}, "The strike is -1.0; it must be above 0"),
        ({"tick_size": 0.0}, "The tick_size is 0.0; it must be above 0"),
        ({"expiration_timestamp": None}, "The expiry is missing."),
        ({"expiration_timestamp": 10**15}, "is no time"),
    ],
)
def test_a_row_the_model_cannot_hold_is_left_out_with_its_reason(changes: dict[str, Any], why: str) -> None:
    page = parse_instruments(answer([CALL, {**CALL, **changes}]), 1)
    assert len(page.listings) == 1
    ((_, reason),) = page.left_out
    assert why in reason


def test_a_refusal_is_its_error_and_a_broken_row_is_named() -> None:
    with pytest.raises(Throttled):
        parse_instruments(error(10_028, "too_many_requests"), 1)
    with pytest.raises(WireError) as caught:
        parse_instruments(answer([{**CALL, "tick_size": [1]}]), 1)
    assert caught.value.facts["field"] == "tick_size"
