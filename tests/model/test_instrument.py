from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sextant.errors import InputError
from sextant.model.instrument import Instrument, InstrumentSpec, is_dollar, parse_instrument

_ASSET = st.from_regex(r"[A-Z0-9]{1,10}", fullmatch=True)


@given(base=_ASSET, quote=_ASSET, kind=st.sampled_from(["spot", "perpetual"]))
def test_an_identifier_reads_back_as_the_same_instrument(base: str, quote: str, kind: Any) -> None:
    instrument = Instrument("bybit", base, quote, kind)
    assert parse_instrument(str(instrument)) == instrument


@given(
    day=st.integers(0, 40_000),
    strike=st.decimals("0.01", "1000000", places=2),
    right=st.sampled_from(["call", "put"]),
)
def test_options_read_back_with_expiry_strike_and_right(day: int, strike: Decimal, right: Any) -> None:
    expiry_ns = (day * 86_400 + 8 * 3_600) * 1_000_000_000
    option = Instrument("deribit", "BTC", "USD", "option", expiry_ns, strike, right)
    assert parse_instrument(str(option)) == option


def test_the_identifier_is_spelled_as_the_api_says() -> None:
    text = "deribit:BTC-USD:option:2026-03-27:100000:call"
    assert str(parse_instrument(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "BTC",
        "bybit:BTCUSDT:perpetual",
        "bybit:BTC-USDT:swap",
        "bybit:btc-USDT:spot",
        "Bybit:BTC-USDT:spot",
        "a:B-C:option:2026-01-01:x:call",
        "",
        "a:B-C:future",
        "a:B-C:future:soon",
    ],
)
def test_what_names_no_instrument_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_instrument(text)


@pytest.mark.parametrize(
    "facts",
    [
        {"kind": "spot", "expiry_ns": 1},
        {"kind": "future"},
        {"kind": "option", "expiry_ns": 1},
        {"kind": "option", "expiry_ns": 1, "strike": Decimal(0), "right": "call"},
        {"kind": "perpetual", "strike": Decimal(1)},
    ],
)
def test_parts_must_fit_the_kind(facts: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Instrument("bybit", "BTC", "USDT", **facts)


@pytest.mark.parametrize(
    "changes",
    [
        {"tick": Decimal(0)},
        {"lot": Decimal(-1)},
        {"contract_size": Decimal("NaN")},
        {"min_notional": Decimal(-1)},
        {"funding_interval_s": 0},
    ],
)
def test_rules_that_cannot_divide_a_price_are_refused(changes: dict[str, Any]) -> None:
    facts: dict[str, Any] = {
        "instrument": Instrument("bybit", "BTC", "USDT", "perpetual"),
        "tick": Decimal("0.1"),
        "lot": Decimal("0.001"),
        "min_notional": Decimal(5),
        "contract_size": Decimal(1),
        "status": "trading",
        "funding_interval_s": 28_800,
        "max_leverage": Decimal(100),
        "as_of_ns": 0,
    }
    assert InstrumentSpec(**facts).status == "trading"
    with pytest.raises(InputError):
        InstrumentSpec(**(facts | changes))


def test_a_spec_survives_the_wire_between_processes() -> None:
    spec = InstrumentSpec(
        Instrument("bybit", "BTC", "USDT", "perpetual"),
        Decimal("0.10"),
        Decimal("0.001"),
        None,
        Decimal(1),
        "trading",
        28_800,
        None,
        5,
    )
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(spec), type=InstrumentSpec) == spec


def test_dollars_are_dollars_and_what_promises_to_be_one() -> None:
    assert [is_dollar(asset) for asset in ("USD", "USDT", "EUR", "BTC")] == [True, True, False, False]
