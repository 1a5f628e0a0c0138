from __future__ import annotations

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.errors import ConfigError, InputError
from sextant.kit.clock import ManualClock
from sextant.scans.records import ScanRequest
from sextant.scans.roster import ABSENT_S, SHARED_FOR_S, Listing, Roster, Signature
from sextant.scans.tables import WORKERS
from support.scans import BTC, ETH

ONE = Signature(worker_id="one", feed="demo", simulated=True, code_version="test", instruments=(BTC,))


async def test_a_signature_is_read_back_and_signed_again_in_place(db: AsyncEngine) -> None:
    roster = Roster(db)
    await roster.sign(ONE)
    await roster.sign(msgspec.structs.replace(ONE, instruments=(BTC, ETH)))
    [read] = await roster.read()
    assert (read.worker_id, read.feed, read.simulated, read.instruments) == ("one", "demo", True, (BTC, ETH))
    assert read.age_s < ABSENT_S


async def test_two_feeds_never_meet_in_one_database(db: AsyncEngine) -> None:
    roster = Roster(db)
    await roster.sign(ONE)
    with pytest.raises(ConfigError, match="demo"):
        await roster.sign(msgspec.structs.replace(ONE, worker_id="two", feed="live", simulated=False))
    assert [read.worker_id for read in await roster.read()] == ["one"]


async def test_a_process_without_a_market_knows_what_the_others_know(db: AsyncEngine) -> None:
    roster, clock = Roster(db), ManualClock()
    listing = Listing(roster, clock, {})
    assert await listing.unmatched(ScanRequest(instruments=("NOPE",))) == ()
    assert (await listing.probe()).state == "degraded"
    await roster.sign(ONE)
    clock.advance(SHARED_FOR_S + 1)
    assert await listing.unmatched(ScanRequest(instruments=("btc", "NOPE"))) == ("NOPE",)
    assert await listing.unmatched(ScanRequest()) == ()
    assert (await listing.probe()).state == "healthy"
    with pytest.raises(InputError, match="NOPE"):
        await listing.unmatched(ScanRequest(instruments=("NOPE",)))


async def test_absent_processes_are_told_with_their_age(db: AsyncEngine) -> None:
    roster, clock = Roster(db), ManualClock()
    await roster.sign(ONE)
    async with db.begin() as connection:
        await connection.execute(sa.update(WORKERS).values(seen_ns=WORKERS.c.seen_ns - 60_000_000_000))
    reading = await Listing(roster, clock, {}).probe()
    assert reading.state == "degraded"
    assert "60 s" in str(reading.detail)
