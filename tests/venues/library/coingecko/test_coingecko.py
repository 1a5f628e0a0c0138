"""CoinGecko's words, against the documentation's example and what it may say that is wrong."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from sextant.errors import Rejected, Throttled, WireError
from sextant.venues.library.coingecko import PRICES, parse, refusal, request
from sextant.venues.reference_desk import tier_of

LATER_NS = 1_712_508_600_000_000_000  # 2024-04-07T16:50:00Z, half a minute after the example
EXAMPLE = (
    '[{"id":"bitcoin","symbol":"btc","name":"Bitcoin","image":"x","current_price":70187,"market_cap":1381651251183,'
    '"market_cap_rank":1,"total_volume":20154184933,"roi":null,"last_updated":"2024-04-07T16:49:31.736Z"}]'
)


def row(symbol: str, price: Any, rank: int | None = 1, **more: Any) -> dict[str, Any]:
    base = {"id": f"id-{symbol}-{rank}", "symbol": symbol, "current_price": price, "market_cap_rank": rank}
    return {**base, "last_updated": "2024-04-07T16:49:31.736Z", **more}


def test_the_documented_example_is_read() -> None:
    told = parse(EXAMPLE.encode(), LATER_NS, ["BTC", "ETH"])
    [price] = told.prices
    assert (price.asset, price.usd, price.source) == ("BTC", Decimal(70187), "coingecko")
    assert price.as_of_ns == 1_712_508_571_736_000_000
    assert price.age_s(LATER_NS) == pytest.approx(28.264)
    assert [(each.asset, each.reason) for each in told.absent] == [("ETH", "unknown_asset")]


def test_of_two_assets_with_one_symbol_the_larger_is_meant_whatever_the_order() -> None:
    rows = [row("btc", 0.1, None), row("btc", 0.2, 900), row("btc", 65_000.25, 1), row("other", 1)]
    told = parse(json.dumps(rows).encode(), LATER_NS, ["BTC"])
    assert [price.usd for price in told.prices] == [Decimal("65000.25")]
    assert told.absent == ()


@pytest.mark.parametrize("price", ["null", "-1", "0", "1e400", '"65000"', "1e30", "1" * 60])
def test_a_number_that_cannot_be_leaves_that_asset_alone_without_a_price(price: str) -> None:
    body = EXAMPLE.replace("70187", price)[:-1] + "," + json.dumps(row("eth", 3_000, 2)) + "]"
    told = parse(body.encode(), LATER_NS, ["BTC", "ETH"])
    assert [each.asset for each in told.prices] == ["ETH"]
    assert [(each.asset, each.reason) for each in told.absent] == [("BTC", "bad_number")]


def test_a_price_without_a_time_or_of_yesterday_is_none() -> None:
    rows = [row("btc", 1, last_updated=None), row("eth", 1, last_updated="2024-04-06T16:49:31Z")]
    told = parse(json.dumps(rows).encode(), LATER_NS, ["BTC", "ETH"])
    assert [(each.asset, each.reason) for each in told.absent] == [("BTC", "bad_number"), ("ETH", "stale")]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"status":{"error_code":429}}', ""),
        (EXAMPLE.replace('"symbol"', '"ticker"').encode(), "symbol"),
        (EXAMPLE.replace("70187", "NaN").encode(), ""),
        (EXAMPLE[:60].encode(), ""),
        (b"\xff", ""),
        (EXAMPLE.replace("70187", "[").encode(), ""),
    ],
)
def test_another_shape_is_refused_and_names_its_field(body: bytes, field: str) -> None:
    with pytest.raises(WireError, match="CoinGecko") as refused:
        parse(body, LATER_NS, ["BTC"])
    assert field in str(refused.value.facts.get("field", ""))


def test_the_question_names_symbols_in_small_letters() -> None:
    asked = request(["BTC", "ETH"])
    assert asked.path == "/api/v3/coins/markets"
    assert dict(asked.query)["symbols"] == "btc,eth"
    assert dict(asked.query)["include_tokens"] == "top"


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [(401, 10_002, "auth"), (400, 10_010, "auth"), (400, 10_011, "auth"), (401, 10_005, "permission"), (400, 1, "refused")],
)  # fmt: skip
def test_refusals_say_who_must_act(status: int, code: int, reason: str) -> None:
    error = refusal(status, json.dumps({"status": {"error_code": code, "error_message": "words"}}).encode())
    assert isinstance(error, Rejected)
    assert error.reason == reason


def test_a_block_of_the_front_is_a_ban_and_other_answers_have_their_general_meaning() -> None:
    blocked = refusal(403, b"<html>Access denied | Error code: 1020</html>")
    assert isinstance(blocked, Throttled)
    assert blocked.retry_after_s == 600.0
    assert refusal(200, EXAMPLE.encode()) is None
    assert refusal(429, b"") is None
    assert refusal(403, b"<html>Forbidden</html>") is None
    endless = b'{"status":{"error_code":' + b"1" * 4_000 + b"}}"
    assert refusal(401, endless) is None  # no code has so many digits


@pytest.mark.parametrize(
    ("keys", "tier", "host", "header"),
    [
        ({}, "keyless", "https://api.coingecko.com", {}),
        ({"coingecko_demo_key": "d"}, "demo", "https://api.coingecko.com", {"x-cg-demo-api-key": "d"}),
        (
            {"coingecko_demo_key": "d", "coingecko_pro_key": "p"},
            "pro",
            "https://pro-api.coingecko.com",
            {"x-cg-pro-api-key": "p"},
        ),
    ],
)
def test_the_best_key_chooses_host_and_header(
    keys: dict[str, str], tier: str, host: str, header: dict[str, str]
) -> None:
    found = tier_of(PRICES, keys)
    assert found is not None
    assert (found.name, found.url) == (tier, host)
    assert found.headers(keys.get(found.setting, "")) == header


def test_every_call_is_weighed_in_every_budget_of_its_plan() -> None:
    for tier in PRICES.tiers:
        weights = tier.policy.weigh("/api/v3/coins/markets")
        assert set(weights) == {limit.name for limit in tier.policy.limits}
        assert set(weights.values()) == {1}
