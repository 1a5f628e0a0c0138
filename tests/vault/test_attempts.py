from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from sextant.errors import RateLimited
from sextant.vault.attempts import Attempts
from sextant.vault.store import ATTEMPTS
from support.people import People


async def test_parallel_guesses_get_ten_tries_between_them(vault: People) -> None:
    attempts = [Attempts(vault.db, vault.clock) for _ in range(3)]
    answers = await asyncio.gather(
        *(attempts[n % 3].begin("ada@example.org") for n in range(40)), return_exceptions=True
    )
    assert sum(isinstance(answer, int) for answer in answers) == 10
    assert sum(isinstance(answer, RateLimited) for answer in answers) == 30


async def test_the_window_slides(vault: People) -> None:
    attempts = Attempts(vault.db, vault.clock)
    for _ in range(10):
        await attempts.begin("ada@example.org")
        vault.clock.advance(60)
    with pytest.raises(RateLimited) as limited:
        await attempts.begin("ada@example.org")
    assert limited.value.retry_after_s == 300
    vault.clock.advance(300)
    await attempts.begin("ada@example.org")
    with pytest.raises(RateLimited):
        await attempts.begin("ada@example.org")


async def test_a_success_is_not_a_failure_and_forgives_none(vault: People) -> None:
    attempts = Attempts(vault.db, vault.clock)
    for _ in range(9):
        await attempts.begin("ada@example.org")
        vault.clock.advance(1)
    for _ in range(5):
        await attempts.succeeded("ada@example.org", await attempts.begin("ada@example.org"))
    await attempts.begin("ada@example.org")
    with pytest.raises(RateLimited):
        await attempts.begin("ada@example.org")


async def test_strangers_are_counted_without_being_stored(vault: People) -> None:
    attempts = Attempts(vault.db, vault.clock)
    await attempts.begin("Eve@example.org")
    async with vault.db.connect() as connection:
        [account] = (await connection.execute(sa.select(ATTEMPTS.c.account))).scalars()
    assert "eve" not in account
    vault.clock.advance(901)
    await attempts.begin("bob@example.org")
    async with vault.db.connect() as connection:
        assert len((await connection.execute(sa.select(ATTEMPTS))).all()) == 1
