from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from sextant.vault.audit import Entry, append, first_broken
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
