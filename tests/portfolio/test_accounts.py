"""The reader against the simulated venue over loopback: real requests, real signatures."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from sextant.kit.clock import ManualClock
from sextant.model.times import SECOND_NS
from sextant.portfolio.accounts import COVERED_S, EVERY_S
from support.accounts import START_NS, reading
from support.loopback import advance_until


async def test_the_account_of_the_simulated_venue_is_read_whole() -> None:
    clock = ManualClock(START_NS)
    async with reading(clock) as (reader, _):
        account = await reader.account("balanced")
    assert account.coverage_frac == 1.0
    assert {balance.asset for balance in account.balances} == {"USDT", "BTC", "ETH", "SOL", "XRP"}
    assert account.holds
    (position,) = account.positions
    assert (position.instrument.base, position.instrument.kind) == ("BNB", "perpetual")
    assert position.quantity > 0
    assert account.equity_usd is not None
    stated = sum(balance.value_usd or 0.0 for balance in account.balances)
    assert account.equity_usd == pytest.approx(stated, abs=0.01)
    assert 0 < account.free_usd["bybit"] < account.equity_usd
    assert {balance.as_of_ns for balance in account.balances} == {START_NS // 10**6 * 10**6}


async def test_readings_of_the_last_minute_are_shared() -> None:
    clock = ManualClock(START_NS)
    async with reading(clock) as (reader, simulated):
        await reader.account("balanced")
        await reader.account("aggressive")
        assert simulated.counters.paths["/v5/account/wallet-balance"] == 1
        clock.advance(COVERED_S + 1.0)
        account = await reader.account("aggressive")
        assert simulated.counters.paths["/v5/account/wallet-balance"] == 2
        assert simulated.counters.paths["/v5/market/instruments-info"] == 1
    assert account.profile == "aggressive"


async def test_it_is_read_unasked_so_that_nobody_waits() -> None:
    clock = ManualClock(START_NS)
    async with reading(clock) as (reader, simulated):
        watching = asyncio.ensure_future(reader.watch())
        for count in (1, 2, 3):
            await advance_until(
                clock,
                EVERY_S / 4,
                lambda: simulated.counters.paths.get("/v5/position/list", 0) >= count,  # noqa: B023  # awaited here
            )
        asked = simulated.counters.requests
        account = await reader.account("balanced")
        assert simulated.counters.requests == asked
        watching.cancel()
    assert account.coverage_frac == 1.0


async def test_a_wrong_secret_leaves_no_account_and_not_an_empty_one() -> None:
    async with reading(ManualClock(START_NS), secret="another") as (reader, _):
        account = await reader.account("balanced")
    assert not account.holds
    assert account.equity_usd is None
    assert account.coverage_frac == 0.0


async def test_while_the_venue_is_away_the_last_reading_is_old_and_not_covered() -> None:
    clock = ManualClock(START_NS)
    fault = {"fault": "status", "at": {"call": 2, "path": "/v5/account/wallet-balance"}, "status": 503}
    async with reading(clock, faults=[fault]) as (reader, _):
        before = await reader.account("balanced")
        clock.advance(COVERED_S + 1.0)
        after = await reader.account("balanced")
    assert after.coverage_frac == 0.0
    assert after.balances == before.balances
    assert after.balances[0].as_of_ns <= clock.now_ns() - round(COVERED_S * SECOND_NS)


async def test_a_venue_that_dribbles_past_the_deadline_ends_no_watch() -> None:
    clock = ManualClock(START_NS)
    fault = {
        "fault": "drip",
        "at": {"call": 1, "path": "/v5/account/wallet-balance"},
        "bytes_a_second": 1,
        "times": 1,
    }
    async with reading(clock, faults=[fault]) as (reader, simulated):
        watching = asyncio.ensure_future(reader.watch())
        await advance_until(clock, 1.0, lambda: simulated.counters.paths.get("/v5/position/list", 0) >= 1)
        assert not watching.done()
        assert (await reader.account("balanced")).coverage_frac == 1.0
        watching.cancel()


async def test_quantities_follow_from_the_reference_prices() -> None:
    """50,000 USD: 46 % at a reference of 65,000 USD are 0.353846 bitcoins, in whole lots."""
    async with reading(ManualClock(START_NS)) as (reader, simulated):
        account = await reader.account("balanced")
        listing = simulated.model.find("spot", "BTCUSDT")
    assert listing is not None
    bitcoin = next(balance for balance in account.balances if balance.asset == "BTC")
    assert float(bitcoin.total) == pytest.approx(23_000 / listing.price, rel=1e-3)
    assert bitcoin.total % Decimal(str(listing.lot)) == 0
