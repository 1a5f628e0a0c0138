"""Damaged answers of price sources: a typed refusal or prices of a market, and every asset accounted for."""

from __future__ import annotations

import json
import os
from decimal import Decimal

import pytest

from sextant.errors import VenueError, WireError
from sextant.venues.catalog import price_sources
from sextant.venues.reference import PriceSource
from support.fuzzing import damaged

ANSWERS = int(os.environ.get("FUZZ_PRICES", "3000"))
SEED = int(os.environ.get("FUZZ_SEED", "11"))
AT_NS = 1_790_000_010_000_000_000
ASSETS = ("BTC", "ETH", "USDT")
ROWS = {
    "coingecko": [
        {"id": f"id-{symbol}", "symbol": symbol, "current_price": price, "market_cap_rank": rank, "last_updated": "2026-09-21T14:13:00.000Z"}
        for rank, (symbol, price) in enumerate((("btc", 65_000.25), ("eth", 1_920), ("usdt", 1.0004)), 1)
    ],
    "coincap": {
        "timestamp": 1_790_000_000_000,
        "data": [
            {"id": name, "symbol": symbol, "priceUsd": price}
            for name, symbol, price in (("bitcoin", "BTC", "65000.25"), ("ethereum", "ETH", "1920.1"), ("tether", "USDT", "1.0004"))
        ],
    },
}  # fmt: skip
REFUSALS = (b'{"status":{"error_code":10002,"error_message":"words"}}', b'{"error":"words"}')
SOURCES = [source for source in price_sources().values() if not source.retired]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.name))
def test_damaged_answers_are_prices_of_a_market_or_refused(source: PriceSource) -> None:
    whole = json.dumps(ROWS[source.name]).encode()
    assert len(source.parse(whole, AT_NS, ASSETS).prices) == 3
    priced = refused = 0
    for body in damaged([whole], SEED, ANSWERS):
        try:
            told = source.parse(body, AT_NS, ASSETS)
        except WireError as error:
            assert 0 < len(error.message) < 600  # noqa: PT017  # an error is allowed, not demanded
            refused += 1
            continue
        names = [price.asset for price in told.prices] + [each.asset for each in told.absent]
        assert sorted(names) == sorted(ASSETS)
        for price in told.prices:
            assert Decimal("1e-18") <= price.usd <= Decimal("1e12")
            assert 0 <= price.age_s(AT_NS) <= 3_600
        priced += len(told.prices)
    assert refused > ANSWERS // 20
    assert priced > ANSWERS // 10


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.name))
def test_damaged_refusals_are_errors_of_the_tree_or_have_their_general_meaning(source: PriceSource) -> None:
    for number, body in enumerate(damaged(list(REFUSALS), SEED, ANSWERS // 3)):
        error = source.refusal((200, 400, 401, 403, 404, 429, 503)[number % 7], body)
        assert error is None or isinstance(error, VenueError)
        assert error is None or len(error.message) < 600
