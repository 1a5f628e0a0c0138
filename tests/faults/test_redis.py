"""faults.md R1 to R5: the shared store vanishes, hangs, forgets, goes back in time, or holds garbage."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.kit.bus import BUDGET_S, Bus
from sextant.kit.clock import ManualClock, SystemClock
from sextant.kit.db import migrate, open_engine
from sextant.kit.shared_limits import Allowance, SharedLimits
from sextant.market.parts import StatePart
from sextant.market.state import MarketState
from sextant.scans.ledger import open_ledger
from sextant.scans.lifecycle import Origin, Scans
from sextant.scans.publishing import Feeder
from sextant.scans.records import ScanRequest
from sextant.scans.recovery import Recovery
from sextant.scans.replica import Replica
from sextant.scans.shared_market import ShardFollower
from sextant.scans.source import MarketSource
from sextant.scans.tables import SCANS
from sextant.scans.worker import ScanWorker
from sextant.strategies.prices import CostAssumptions
from support.api import Api, api_on
from support.database import sqlite
from support.house import CALLER, three
from support.postgres import postgresql
from support.shared import CARD, WHOLE, Owner, begun, digest_of, read, told
from support.told import START_NS, Told
from support.valkey import Valkey, answering, connected, valkey

pytestmark = pytest.mark.timeout(240)
PATIENCE_S = 60.0
PROCESSES = 4
ME = "/api/v1/auth/me"
QUOTA = 300  # api.md 1.7, policy default


@dataclass
class Fed:
    """A feeder and a market that follows it, in one process over a real store."""

    bus: Bus
    feeder: Feeder
    source: MarketSource
    market: Told

    def equal(self) -> bool:
        mine = self.source.within(lambda state: StatePart(state, WHOLE).digest())
        return mine == digest_of(self.feeder)

    async def more(self) -> None:
        """Until the market has what the feeder learnt just now."""
        self.feeder.learn(list(self.market.more(50)))
        async with asyncio.timeout(PATIENCE_S):
            while not self.equal():  # noqa: ASYNC110  # what is waited for happens in the product
                await asyncio.sleep(0.02)


@asynccontextmanager
async def fed(server: Valkey, seed: int) -> AsyncIterator[Fed]:
    clock, market = SystemClock(), Told(seed)
    async with connected(server, clock) as bus:
        feeder = Feeder(WHOLE, bus, clock, CARD)
        await feeder.begin()
        await feeder.tell()
        source = MarketSource(MarketState("demo", simulated=True), clock, CostAssumptions())
        replica = Replica(source, bus, clock, CARD, "one")
        running = [asyncio.create_task(replica.run()), asyncio.create_task(feeder.publish())]
        feeder.learn(market.first())
        try:
            one = Fed(bus, feeder, source, market)
            await one.more()
            yield one
        finally:
            for task in running:
                task.cancel()
            await asyncio.wait(running)


@asynccontextmanager
async def working(db: AsyncEngine, source: MarketSource) -> AsyncIterator[Scans]:
    """What ``sextant work`` does with a market that comes from feeds."""
    clock = SystemClock()
    ledger = open_ledger(db)
    worker = ScanWorker(ledger, clock, three(), source.read)
    tasks = [asyncio.create_task(worker.serve()), asyncio.create_task(Recovery(ledger, clock).watch())]
    try:
        yield Scans(ledger, worker, clock, lambda: Origin("demo", simulated=True, code_version="test"))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def ended(scans: Scans, scan_id: str) -> str:
    async with asyncio.timeout(PATIENCE_S):
        async for _ in await scans.events("user-1", scan_id, 0):
            pass
    return (await scans.status("user-1", scan_id)).status


@asynccontextmanager
async def limited(folder: Path, bus: Bus) -> AsyncIterator[tuple[Api, dict[str, str]]]:
    """One of four processes that answer requests and count them together."""
    async with (
        sqlite(folder) as db,
        api_on(db, working=True, limits=SharedLimits(bus), processes=PROCESSES) as api,
    ):
        yield api, (await api.onboarded())[1]


async def statuses(api: Api, bearer: dict[str, str], times: int) -> list[int]:
    return [(await api.client.get(ME, headers=bearer)).status_code for _ in range(times)]


async def test_r1_a_scan_goes_on_while_the_store_is_killed(tmp_path: Path) -> None:
    with valkey() as server:
        async with sqlite(tmp_path) as db, fed(server, 1) as one, working(db, one.source) as scans:
            accepted = await scans.discover(CALLER, ScanRequest())
            server.kill()
            assert (await scans.status("user-1", accepted.scan_id)).status in ("scanning", "complete")
            assert await ended(scans, accepted.scan_id) == "complete"
            later = await scans.discover(CALLER, ScanRequest())  # the market stays as it was known
            assert await ended(scans, later.scan_id) == "complete"
            probe = await one.bus.probe()
            assert (probe.state, probe.detail != "") == ("degraded", True)
            server.start()
            await one.more()  # and goes on by itself, although the store has forgotten everything


async def test_r1_and_r2_requests_are_answered_and_bounded_without_the_store(tmp_path: Path) -> None:
    clock = SystemClock()
    with valkey() as server:
        async with connected(server, clock, BUDGET_S) as bus, limited(tmp_path, bus) as (api, bearer):
            scan_id = await api.discover(bearer)
            with server.client() as client:
                client.execute_command("CLIENT", "PAUSE", 5000)
                assert set(await statuses(api, bearer, 10)) == {200}  # while it hangs
                status = await api.client.get(f"/api/v1/opportunities/status/{scan_id}", headers=bearer)
                assert status.status_code == 200
                assert bus.counts["failed"] <= 4  # three, and at most one that tries whether it is back
                assert bus.counts["skipped"] > 0
            server.kill()
            answers = await statuses(api, bearer, QUOTA)
            passed = answers.count(200)
            assert set(answers) == {200, 429}
            assert passed + 10 <= QUOTA // PROCESSES  # its share, less what passed before
            retry = await api.client.get(ME, headers=bearer)
            assert int(retry.headers["Retry-After"]) >= 1
            server.start()
            await answering(bus)


async def test_r3_evicted_counts_close_and_do_not_open(tmp_path: Path) -> None:
    """A store of 2 MB that evicts what is not used: the limiter's keys go, each process keeps to its share."""
    with valkey("--maxmemory", "2mb", "--maxmemory-policy", "allkeys-lru") as server:
        async with connected(server, SystemClock()) as bus, limited(tmp_path, bus) as (api, bearer):
            assert set(await statuses(api, bearer, 120)) == {200}  # more than a share of 75
            scan_id = await api.discover(bearer)
            with server.client() as client:
                number = 0
                while client.keys("sextant:limit:*"):
                    for _ in range(500):
                        client.set(f"other:{number}", bytes(1_000))
                        number += 1
                assert client.info("stats")["evicted_keys"] > 0
            assert set(await statuses(api, bearer, 30)) == {429}
            other = (await api.onboarded("bob@example.org"))[1]
            assert set(await statuses(api, other, 10)) == {200}  # of another caller nothing was forgotten
            await api.ended(await api.vault.users.by_email("ada@example.org"), scan_id)  # I1: it resolves


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgresql() as url:
        yield url


async def test_r4_a_store_that_went_back_in_time_loses_no_acknowledgement_and_doubles_no_scan(
    database: str,
) -> None:
    db = open_engine(database)
    await migrate(db)
    try:
        with valkey() as server:
            async with (
                fed(server, 4) as one,
                working(db, one.source) as scans,
                working(db, one.source) as others,
            ):
                with server.client() as client:
                    client.save()  # the dump that the next server begins with
                ids = []
                for number in range(6):
                    place = (scans, others)[number % 2]
                    accepted = await place.discover(CALLER, ScanRequest())
                    ids.append(accepted.scan_id)
                    if number in (2, 4):
                        await one.more()
                        server.kill()
                        server.start()
                    assert await ended(others, accepted.scan_id) == "complete"
                await one.more()  # what was told since the dump is known again: the feeder told it anew
                with server.client() as client:
                    assert client.xlen(f"sextant:events:{WHOLE}") > 0
                async with db.connect() as connection:
                    rows = (await connection.execute(sa.select(SCANS.c.scan_id, SCANS.c.lease_takes))).all()
                assert sorted(row.scan_id for row in rows) == sorted(ids)
                assert {row.lease_takes for row in rows} == {1}
    finally:
        await migrate(db, "base")
        await db.dispose()


GARBAGE: list[Callable[[random.Random], tuple[str | bytes, ...]]] = [
    lambda dice: ("SET", dice.randbytes(dice.randint(0, 64))),
    lambda dice: ("LPUSH", dice.randbytes(8)),
    lambda dice: ("SADD", dice.randbytes(8)),
    lambda dice: ("HSET", dice.randbytes(8), dice.randbytes(8)),
    lambda dice: ("XADD", "*", dice.randbytes(4), dice.randbytes(16)),
    lambda dice: ("XADD", "*", "a", "0-0", "k", "events", "b", dice.randbytes(40)),
]


ALLOWANCE = Allowance("r5", 1.0, 1_000.0, 60.0, 0.0)


@pytest.mark.parametrize("seed", range(3))
async def test_r5_garbage_under_every_key_of_ours_is_a_miss_counted_and_replaced(seed: int) -> None:
    dice, clock, market, owner = random.Random(seed), ManualClock(START_NS), Told(seed), Owner()  # noqa: S311  # seeded garbage
    with valkey() as server:
        async with connected(server, clock) as bus:
            feeder = await begun(bus, clock)
            feeder.learn(market.first())
            await told(feeder, clock)
            follower = ShardFollower(owner, bus, WHOLE)
            await read(follower)
            limits = SharedLimits(bus)
            for _ in range(12):
                keys = sorted(await bus.call("KEYS", "sextant:*"))
                key = dice.choice(keys)
                await bus.call("DEL", key)
                word, *rest = dice.choice(GARBAGE)(dice)
                await bus.call(word, key, *rest)
                for _ in range(3):
                    feeder.learn(list(market.more(20)))
                    await told(feeder, clock)
                    await read(follower)
                assert owner.digest() == digest_of(feeder), (key, word)
                assert (await limits.spend([ALLOWANCE])).wait_s == 0
            assert bus.counts.get("garbage", 0) + bus.counts.get("replaced", 0) >= 2
            assert not bus.away
