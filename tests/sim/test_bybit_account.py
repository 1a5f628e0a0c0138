"""Whoever asks must sign; what is answered has the fields of the venue's pages."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from sextant.kit.clock import ManualClock
from sextant.sim.bybit import Simulation, start
from sextant.sim.bybit_account import key_of

START_NS = 1_786_310_817_000_000_000
START_MS = START_NS // 1_000_000
NONE: Mapping[str, str] = {}
BALANCES = ("/v5/account/wallet-balance", "accountType=UNIFIED")
POSITIONS = ("/v5/position/list", "category=linear&settleCoin=USDT")


def signed(
    venue: Simulation, query: str, stamp_ms: int = START_MS, changes: Mapping[str, str] = NONE
) -> dict[str, str]:
    """The rule of the page written here anew: hexadecimal HMAC-SHA256 of time + key + window + query."""
    key = venue.account_key
    text = f"{stamp_ms}{key.key}5000{query}"
    headers = {
        "X-BAPI-API-KEY": key.key,
        "X-BAPI-TIMESTAMP": str(stamp_ms),
        "X-BAPI-RECV-WINDOW": "5000",
        "X-BAPI-SIGN": hmac.new(key.secret.encode(), text.encode(), hashlib.sha256).hexdigest(),
    }
    return headers | dict(changes)


async def asked(venue: Simulation, path: str, query: str, headers: dict[str, str]) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{venue.base_url}{path}?{query}", headers=headers) as reply,
    ):
        assert reply.status == 200
        body: dict[str, Any] = await reply.json()
        return body


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, 0),
        ({"X-BAPI-API-KEY": "another"}, 10_003),
        ({"X-BAPI-SIGN": "0" * 64}, 10_004),
        ({"X-BAPI-TIMESTAMP": "soon"}, 10_001),
    ],
)
async def test_only_the_owner_of_the_key_is_answered(change: dict[str, str], code: int) -> None:
    async with start(ManualClock(START_NS), instruments=24) as venue:
        body = await asked(venue, *BALANCES, signed(venue, BALANCES[1], changes=change))
        assert body["retCode"] == code
        assert bool(body["result"]) == (code == 0)


@pytest.mark.parametrize(("shift_ms", "code"), [(-5_000, 0), (-5_001, 10_002), (999, 0), (1_000, 10_002)])
async def test_a_stamp_outside_the_window_is_refused(shift_ms: int, code: int) -> None:
    async with start(ManualClock(START_NS), instruments=24) as venue:
        headers = signed(venue, BALANCES[1], START_MS + shift_ms)
        assert (await asked(venue, *BALANCES, headers))["retCode"] == code


async def test_without_a_signature_nothing_is_told() -> None:
    async with start(ManualClock(START_NS), instruments=24) as venue:
        for path, query in (BALANCES, POSITIONS, ("/v5/user/query-api", "")):
            assert (await asked(venue, path, query, {}))["retCode"] == 10_003


async def test_the_account_holds_what_its_weights_say() -> None:
    async with start(ManualClock(START_NS), instruments=24) as venue:
        body = await asked(venue, *BALANCES, signed(venue, BALANCES[1]))
        (account,) = body["result"]["list"]
        coins = {row["coin"]: row for row in account["coin"]}
        assert list(coins) == ["USDT", "BTC", "ETH", "SOL", "XRP"]
        assert float(coins["USDT"]["walletBalance"]) == 10_000.0
        total = sum(float(row["usdValue"]) for row in coins.values())
        assert float(account["totalEquity"]) == pytest.approx(total, abs=1e-6)
        assert all(isinstance(value, str) for row in coins.values() for value in row.values())


async def test_the_position_is_a_long_with_its_liquidation_below() -> None:
    async with start(ManualClock(START_NS), instruments=24) as venue:
        body = await asked(venue, *POSITIONS, signed(venue, POSITIONS[1]))
        (row,) = body["result"]["list"]
        assert (row["symbol"], row["side"], row["leverage"]) == ("BNBUSDT", "Buy", "5")
        # 20 % of margin and 2 % of maintenance: 18 % below the entry.
        assert float(row["liqPrice"]) == pytest.approx(float(row["avgPrice"]) * 0.82, rel=1e-3)
        other = "category=linear&symbol=BTCUSDT"
        empty = await asked(venue, POSITIONS[0], other, signed(venue, other))
        assert empty["result"]["list"] == []


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v5/account/wallet-balance", "accountType=SPOT"),
        ("/v5/position/list", "category=inverse&settleCoin=BTC"),
        ("/v5/position/list", "category=linear"),
    ],
)
async def test_other_questions_are_bad_parameters(path: str, query: str) -> None:
    async with start(ManualClock(START_NS), instruments=24) as venue:
        assert (await asked(venue, path, query, signed(venue, query)))["retCode"] == 10_001


async def test_the_key_can_read_and_nothing_else() -> None:
    async with start(ManualClock(START_NS), instruments=24) as venue:
        powers = (await asked(venue, "/v5/user/query-api", "", signed(venue, "")))["result"]
        assert powers["readOnly"] == 1
        assert not any(powers["permissions"].values())
        body = await asked(venue, "/v5/position/closed-pnl", "", signed(venue, ""))
        assert body["retCode"] == 10_005


def test_one_seed_has_one_key() -> None:
    assert key_of(7) == key_of(7)
    assert key_of(7).secret != key_of(8).secret
