"""Signatures equal the published vectors; answers have the shapes of the venue's pages."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from sextant.errors import Rejected, WireError
from sextant.model.credentials import Credentials
from sextant.model.instrument import Instrument
from sextant.model.times import MILLISECOND_NS
from sextant.venues.library.bybit.account import (
    balances_request,
    parse_balances,
    parse_positions,
    positions_request,
    sign,
)
from sextant.venues.port import Listing, Request, SymbolTable
from support.views import spec

TIME_MS = 1_700_000_000_000
TABLE = SymbolTable([Listing("linear", "BTCUSDT", spec("BTC", "perpetual", "bybit"))])


def answered(result: Any, code: int = 0) -> bytes:
    return json.dumps(
        {"retCode": code, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": TIME_MS}
    ).encode()


def wallet(*coins: dict[str, str], **account: str) -> bytes:
    """Amounts are texts on the wire, and an empty text is no number."""
    return answered({"list": [{"accountType": "UNIFIED", "coin": list(coins), **account}]})


def positions(*rows: dict[str, str], cursor: str = "") -> bytes:
    return answered({"category": "linear", "list": list(rows), "nextPageCursor": cursor})


@pytest.mark.data
def test_signatures_equal_the_published_ones(data_dir: Path) -> None:
    vectors = json.loads((data_dir / "signing" / "vectors.json").read_text())["vectors"]
    mine = [v for v in vectors if v["venue"] == "bybit_v5" and "queryString" in v["scheme"]]
    assert mine
    for vector in mine:
        prefix = vector["timestamp"] + vector["api_key"] + vector["recv_window"]
        query = vector["message"].removeprefix(prefix)
        headers = sign(
            Credentials("bybit", vector["api_key"], vector["secret"]),
            int(vector["timestamp"]) * MILLISECOND_NS,
            Request("/v5/market/any", tuple(parse_qsl(query))),
        )
        assert headers == {
            "X-BAPI-API-KEY": vector["api_key"],
            "X-BAPI-TIMESTAMP": vector["timestamp"],
            "X-BAPI-RECV-WINDOW": vector["recv_window"],
            "X-BAPI-SIGN": vector["signature"],
        }


def test_the_questions_are_reads_of_the_unified_account() -> None:
    assert balances_request() == Request("/v5/account/wallet-balance", (("accountType", "UNIFIED"),))
    first, next_ = positions_request(None), positions_request("abc")
    assert first.query == (("category", "linear"), ("settleCoin", "USDT"), ("limit", "200"))
    assert next_.query[-1] == ("cursor", "abc")


def test_equity_is_the_total_and_what_is_locked_is_not_free() -> None:
    told = parse_balances(
        wallet(
            {"coin": "BTC", "equity": "0.5", "walletBalance": "0.5", "locked": "0.1", "usdValue": "30000"},
            {"coin": "USDT", "equity": "-20.5", "walletBalance": "0", "locked": "", "usdValue": "-20.5"},
            {"coin": "XYZ", "equity": "7", "walletBalance": "7", "locked": "0", "usdValue": ""},
            {"coin": "OLD", "equity": "", "walletBalance": ""},
            totalEquity="29986.5",
            totalAvailableBalance="12.25",
        )
    )
    assert told.equity_usd == 29_986.5
    assert told.free_usd == 12.25
    assert told.as_of_ns == TIME_MS * MILLISECOND_NS
    bitcoin, debt, unpriced = told.balances
    assert (bitcoin.asset, bitcoin.total, bitcoin.free, bitcoin.value_usd) == (
        "BTC",
        Decimal("0.5"),
        Decimal("0.4"),
        30_000.0,
    )
    assert (debt.total, debt.free) == (Decimal("-20.5"), Decimal(0))
    assert (unpriced.value_usd, unpriced.reason) == (None, "the venue states no value")


def test_an_account_that_states_nothing_is_unknown_and_not_zero() -> None:
    told = parse_balances(answered({"list": []}))
    assert (told.balances, told.equity_usd, told.free_usd) == ((), None, None)
    assert parse_balances(wallet(totalEquity="", totalAvailableBalance="")).free_usd is None


def test_positions_are_signed_and_empty_sides_are_none() -> None:
    page = parse_positions(
        positions(
            {
                "symbol": "BTCUSDT",
                "side": "Sell",
                "size": "0.2",
                "avgPrice": "61000",
                "markPrice": "60000",
                "liqPrice": "",
                "leverage": "5",
                "positionIM": "2400",
            },
            {"symbol": "BTCUSDT", "side": "", "size": "0"},
            {"symbol": "NEWUSDT", "side": "Buy", "size": "1", "markPrice": "2"},
            cursor="next",
        ),
        TABLE,
    )
    (short,) = page.positions
    assert short.instrument == Instrument("bybit", "BTC", "USDT", "perpetual")
    assert (short.quantity, short.entry_price, short.liquidation_price) == (
        Decimal("-0.2"),
        Decimal(61_000),
        None,
    )
    assert (short.value_usd, short.leverage, short.margin_usd) == (-12_000.0, 5.0, 2_400.0)
    assert (page.cursor, page.unlisted) == ("next", ("NEWUSDT",))


def test_a_position_without_a_mark_has_no_value_and_says_so() -> None:
    page = parse_positions(
        positions({"symbol": "BTCUSDT", "side": "Buy", "size": "1", "liqPrice": "0"}), TABLE
    )
    assert (page.positions[0].value_usd, page.positions[0].reason) == (None, "the venue states no mark price")
    assert page.positions[0].liquidation_price is None


@pytest.mark.parametrize("text", ["abc", "NaN", "1e40", "Infinity"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(WireError):
        parse_balances(wallet({"coin": "BTC", "equity": text}))


def test_another_shape_is_a_changed_format() -> None:
    with pytest.raises(WireError):
        parse_balances(answered({"list": [{"coin": [{"coin": "BTC"}]}]}))
    with pytest.raises(WireError):
        parse_positions(answered({"list": []}), TABLE)


def test_a_refused_key_is_named() -> None:
    with pytest.raises(Rejected) as caught:
        parse_balances(answered({}, 10_003))
    assert caught.value.reason == "auth"
