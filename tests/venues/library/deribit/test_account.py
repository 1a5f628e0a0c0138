"""Signatures follow the venue's page; answers have the shapes of its pages."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from sextant.errors import Rejected, WireError
from sextant.kit.clock import ManualClock
from sextant.kit.http import HttpSettings, RestClient
from sextant.kit.retry import Retrying
from sextant.model.credentials import Credentials
from sextant.portfolio.accounts import AccountReader
from sextant.sim.deribit import start
from sextant.venues.feed import at
from sextant.venues.library.deribit import VENUE
from sextant.venues.library.deribit.account import (
    balances_request,
    parse_balances,
    parse_positions,
    positions_request,
    sign,
)
from sextant.venues.port import Request
from support.deribit_answers import error
from support.deribit_listings import CALL, PERPETUAL, TABLE

NOW_NS = 1_786_310_817_000_000_000
SENT_US = 1_700_000_000_000_000


def answered(result: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "result": result, "usOut": SENT_US}).encode()


def summary(currency: str, equity: float, available: float, **whole: Any) -> dict[str, Any]:
    return {"currency": currency, "equity": equity, "balance": equity, "available_funds": available} | whole


def row(instrument: str, direction: str, size: float, **facts: Any) -> dict[str, Any]:
    return {"instrument_name": instrument, "direction": direction, "size": size, "kind": "any"} | facts


def test_a_signature_is_of_time_nonce_method_path_and_empty_body() -> None:
    """By openssl: printf '1576074319000\\n1576074319000000000\\nGET\\n/api/v2/private/get_positions?currency=any\\n\\n'."""
    request = Request("/api/v2/private/get_positions", (("currency", "any"),))
    headers = sign(Credentials("deribit", "AAA", "BBB"), 1_576_074_319_000_000_000, request)
    assert headers == {
        "Authorization": "deri-hmac-sha256 id=AAA,ts=1576074319000,sig=6773b35fe939593ef7b2a438ac1cf8ab047f894160c977226452ae6fe8e36adf,nonce=1576074319000000000"
    }


def test_the_questions_are_reads() -> None:
    assert balances_request() == Request("/api/v2/private/get_account_summaries")
    assert positions_request(None) == Request("/api/v2/private/get_positions", (("currency", "any"),))


def test_where_all_is_collateral_together_what_is_no_margin_is_free() -> None:
    whole = {"cross_collateral_enabled": True, "total_equity_usd": 900.5, "total_initial_margin_usd": 100.25}
    told = parse_balances(
        answered({"summaries": [summary("BTC", 0.5, 0.75, **whole), summary("ETH", 0.0, 9.0, **whole)]})
    )
    assert (told.equity_usd, told.free_usd, told.as_of_ns) == (900.5, 800.25, SENT_US * 1_000)
    (bitcoin,) = told.balances
    assert (bitcoin.asset, bitcoin.total, bitcoin.free) == ("BTC", Decimal("0.5"), Decimal("0.5"))
    assert (bitcoin.value_usd, bitcoin.reason) == (None, "the venue states no value")


def test_where_currencies_are_collateral_apart_no_dollars_are_stated() -> None:
    told = parse_balances(answered({"summaries": [summary("BTC", -0.5, -0.1)]}))
    assert (told.equity_usd, told.free_usd) == (None, None)
    assert (told.balances[0].total, told.balances[0].free) == (Decimal("-0.5"), Decimal(0))


def test_positions_are_in_base_units_and_worth_dollars() -> None:
    page = parse_positions(
        answered(
            [
                row(
                    "BTC-PERPETUAL",
                    "sell",
                    -6_000,
                    size_currency=-0.1,
                    average_price=61_000.0,
                    mark_price=60_000.0,
                    index_price=60_010.0,
                    leverage=10,
                    estimated_liquidation_price=0.0,
                ),
                row(
                    "BTC-28JUN26-60000-C",
                    "buy",
                    2.5,
                    average_price=0.01,
                    mark_price=0.02,
                    index_price=60_000.0,
                ),
                row("BTC-PERPETUAL", "zero", 0.0),
                row("DOGE-PERPETUAL", "buy", 1.0),
            ]
        ),
        TABLE,
    )
    short, call = page.positions
    assert (short.instrument, short.quantity, short.value_usd) == (PERPETUAL, Decimal("-0.1"), -6_000.0)
    assert (short.entry_price, short.liquidation_price, short.leverage) == (Decimal(61_000), None, 10.0)
    assert (call.instrument, call.quantity, call.value_usd) == (CALL, Decimal("2.5"), 3_000.0)
    assert (page.cursor, page.unlisted) == (None, ("DOGE-PERPETUAL",))


def test_a_position_without_a_mark_has_a_reason() -> None:
    page = parse_positions(answered([row("BTC-28JUN26-60000-C", "buy", 1.0, mark_price=0.02)]), TABLE)
    assert (page.positions[0].value_usd, page.positions[0].reason) == (None, "the venue states no mark price")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        json.dumps({"result": {"summaries": []}}).encode(),
        answered([]),
        answered({"summaries": [summary("BTC", 1e18, 0.0)]}),
        answered({"summaries": [{"currency": "BTC"}]}),
    ],
)
def test_what_lacks_the_documented_shape_is_refused(body: bytes) -> None:
    with pytest.raises(WireError):
        parse_balances(body)


def test_a_refusal_is_told_as_one() -> None:
    with pytest.raises(Rejected):
        parse_balances(error(13_009, "unauthorized"))


async def test_the_account_of_the_simulated_venue_is_read_whole() -> None:
    clock = ManualClock(NOW_NS)
    async with start(clock, seed=7, instruments=24) as simulated:
        place = at(VENUE, simulated.base_url, simulated.base_url.replace("http", "ws", 1))
        settings = HttpSettings(refusal=place.refusal)
        async with RestClient(place.rest, Retrying(clock, lambda: 0.5, repeats=0), settings) as client:
            key = simulated.account_key
            reader = AccountReader(place, Credentials("deribit", key.key, key.secret), client, clock)
            account = await reader.account("balanced")
            wrong = AccountReader(place, Credentials("deribit", key.key, "another"), client, clock)
            nobodys = await wrong.account("balanced")
    assert (account.coverage_frac, account.equity_usd) == (1.0, 20_000.0)
    assert account.free_usd == {"deribit": 20_000.0}
    assert [balance.asset for balance in account.balances] == ["USDC"]
    assert (nobodys.coverage_frac, nobodys.equity_usd) == (0.0, None)
