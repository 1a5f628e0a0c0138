"""CoinCap's words, against a recorded answer and what it may say that is wrong."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sextant.errors import Rejected, WireError
from sextant.venues.library.coincap import ASSETS, PRICES, knows, parse, refusal, request
from sextant.venues.library.coincap2 import PRICES as RETIRED
from sextant.venues.reference_desk import tier_of

AT_MS = 1_790_000_000_000
NOW_NS = AT_MS * 1_000_000 + 20_000_000_000


def body(*rows: dict[str, Any], at_ms: int = AT_MS) -> bytes:
    return json.dumps({"timestamp": at_ms, "data": list(rows)}).encode()


def row(name: str, symbol: str, price: Any) -> dict[str, Any]:
    return {"id": name, "symbol": symbol, "priceUsd": price}


@pytest.mark.data
def test_a_recorded_answer_is_read_to_the_last_digit(data_dir: Path) -> None:
    recorded = (data_dir / "coingecko" / "coincap_v2_assets_20211027.json").read_bytes()
    at_ms = json.loads(recorded)["timestamp"]
    told = parse(recorded, at_ms * 1_000_000 + 5_000_000_000, ["BTC", "ETH", "BNB", "ADA", "XMR"])
    assert {price.asset: price.usd for price in told.prices} == {
        "BTC": Decimal("60310.6888208343493939"),
        "ETH": Decimal("4129.8665728728088499"),
        "BNB": Decimal("477.6148568179112637"),
        "ADA": Decimal("2.1387987031263619"),
    }
    assert {price.as_of_ns for price in told.prices} == {at_ms * 1_000_000}
    assert [(each.asset, each.reason) for each in told.absent] == [("XMR", "unknown_asset")]


def test_a_row_of_another_symbol_is_not_taken() -> None:
    told = parse(body(row("bitcoin", "BTCB", "1"), row("btc", "BTC", "2")), NOW_NS, ["BTC"])
    assert told.prices == ()
    assert [each.reason for each in told.absent] == ["unknown_asset"]


@pytest.mark.parametrize("price", [None, "", "NaN", "-1", "0", "1e400", "1" * 60])
def test_a_number_that_cannot_be_leaves_that_asset_alone_without_a_price(price: Any) -> None:
    told = parse(body(row("bitcoin", "BTC", price), row("ethereum", "ETH", "3000.5")), NOW_NS, ["BTC", "ETH"])
    assert [(each.asset, each.usd) for each in told.prices] == [("ETH", Decimal("3000.5"))]
    assert [(each.asset, each.reason) for each in told.absent] == [("BTC", "bad_number")]


def test_a_number_that_is_no_text_of_any_language_is_none() -> None:
    told = parse(body(row("bitcoin", "BTC", "65000")).replace(b"65000", b"65\x87"), NOW_NS, ["BTC"])
    assert [each.reason for each in told.absent] == ["bad_number"]


def test_an_old_answer_is_stale() -> None:
    told = parse(body(row("bitcoin", "BTC", "1"), at_ms=AT_MS - 7_200_000), NOW_NS, ["BTC"])
    assert [each.reason for each in told.absent] == ["stale"]


def test_the_farewell_of_the_former_version_is_no_list_of_assets() -> None:
    said = {"data": {"message": "We are deprecating this version"}, "timestamp": AT_MS}
    with pytest.raises(WireError, match="CoinCap"):
        parse(json.dumps(said).encode(), NOW_NS, ["BTC"])


@pytest.mark.parametrize(
    ("status", "reason"), [(401, "auth"), (402, "permission"), (403, "permission"), (400, "refused")]
)
def test_refusals_say_who_must_act(status: int, reason: str) -> None:
    error = refusal(status, b'{"error":"words"}')
    assert isinstance(error, Rejected)
    assert error.reason == reason
    assert refusal(status, b"<html>") is None
    assert refusal(200, b"") is None


def test_only_assets_whose_name_is_known_are_asked_for_and_no_name_is_given_twice() -> None:
    assert knows("BTC")
    assert not knows("GOAT")
    assert dict(request(["BTC", "BNB"]).query)["ids"] == "bitcoin,binance-coin"
    assert len(set(ASSETS.values())) == len(ASSETS)


def test_it_needs_a_key_and_carries_it_in_a_header() -> None:
    assert tier_of(PRICES, {}) is None
    tier = tier_of(PRICES, {"coincap_key": "k"})
    assert tier is not None
    assert tier.headers("k") == {"Authorization": "Bearer k"}
    assert tier.policy.weigh("/v3/assets") == {"calls": 1, "credits": 6.0}


def test_the_former_version_is_retired_and_has_no_door() -> None:
    assert RETIRED.retired.startswith("CoinCap ended")
    assert (RETIRED.tiers, tier_of(RETIRED, {"coincap_key": "k"})) == ((), None)
