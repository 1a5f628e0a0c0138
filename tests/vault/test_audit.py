from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from sextant.vault.audit import VERDICT_S, AuditFilter, AuditTrail, Entry, append, first_broken
from sextant.vault.store import AUDIT
from support.people import HERE, People


async def write(vault: People, number: int) -> None:
    entry = Entry(actor="user", action="test", object=f"thing-{number}", outcome="ok", origin=HERE)
    async with vault.db.begin() as connection:
        await append(connection, entry, 1_000 + number)


async def test_parallel_entries_make_one_chain(vault: People) -> None:
    await asyncio.gather(*(write(vault, number) for number in range(20)))
    assert await first_broken(vault.db) is None
    async with vault.db.connect() as connection:
        positions = list((await connection.execute(sa.select(AUDIT.c.position))).scalars())
    assert sorted(positions) == list(range(1, 21))


@pytest.mark.parametrize("column", ["actor", "action", "object", "outcome", "address", "request_id"])
async def test_a_changed_entry_is_found(vault: People, column: str) -> None:
    for number in range(5):
        await write(vault, number)
    async with vault.db.begin() as connection:
        await connection.execute(sa.update(AUDIT).where(AUDIT.c.position == 3).values({column: "forged"}))
    assert await first_broken(vault.db) == 3


async def test_a_removed_entry_is_found(vault: People) -> None:
    for number in range(5):
        await write(vault, number)
    async with vault.db.begin() as connection:
        await connection.execute(sa.delete(AUDIT).where(AUDIT.c.position == 2))
    assert await first_broken(vault.db) == 2


async def test_the_trail_is_read_newest_first_and_filtered(vault: People) -> None:
    trail = AuditTrail(vault.db, vault.clock)
    for number in range(5):
        await write(vault, number)
    page = await trail.page(AuditFilter(), 2)
    assert [entry.position for entry in page] == [5, 4]
    assert [entry.position for entry in await trail.page(AuditFilter(), 9, before=4)] == [3, 2, 1]
    between = AuditFilter(since_ns=1_001, until_ns=1_003)
    assert [entry.object for entry in await trail.page(between, 9)] == ["thing-2", "thing-1"]
    assert len(await trail.page(AuditFilter(user_id="user"), 9)) == 5
    assert [entry.position for entry in await trail.page(AuditFilter(user_id="thing-3"), 9)] == [4]
    assert await trail.page(AuditFilter(action="other"), 9) == []


async def test_the_trail_says_whether_it_is_whole(vault: People) -> None:
    trail = AuditTrail(vault.db, vault.clock)
    assert await trail.whole()
    for number in range(5):
        await write(vault, number)
    vault.clock.advance(VERDICT_S)
    assert await trail.whole()
    async with vault.db.begin() as connection:
        await connection.execute(sa.update(AUDIT).where(AUDIT.c.position == 2).values(outcome="forged"))
    vault.clock.advance(VERDICT_S)
    assert not await trail.whole()


async def test_a_missing_end_is_found_by_who_had_seen_it(vault: People) -> None:
    trail = AuditTrail(vault.db, vault.clock)
    for number in range(3):
        await write(vault, number)
    assert await trail.whole()
    async with vault.db.begin() as connection:
        await connection.execute(sa.delete(AUDIT).where(AUDIT.c.position == 3))
    assert await first_broken(vault.db) is None, "the chain alone cannot miss its end"
    vault.clock.advance(VERDICT_S)
    assert not await trail.whole()
