"""People in a real database: front doors of the vault with hashes that cost little."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.kit.clock import ManualClock
from sextant.vault.audit import Origin
from sextant.vault.keys import ApiKeys
from sextant.vault.passwords import HashCost, Passwords
from sextant.vault.records import Role, User
from sextant.vault.sessions import Sessions
from sextant.vault.signing import key_of
from sextant.vault.users import Users, UserSpec

CHEAP: Final = HashCost(passes=1, memory_kib=8, lanes=1)
START_NS: Final = 1_772_366_400_000_000_000  # 2026-03-01T12:00:00Z
KEY: Final = key_of("a-signing-key-with-enough-bytes-for-every-algorithm-of-this-family")
PASSWORD: Final = "correct horse battery"  # noqa: S105  # made for the test
HERE: Final = Origin("203.0.113.7", "req_test0001")


@dataclass(frozen=True)
class People:
    """The vault of a test."""

    db: AsyncEngine
    clock: ManualClock
    users: Users
    sessions: Sessions
    keys: ApiKeys

    async def settled(self, email: str = "ada@example.org", role: Role = "trader") -> User:
        """A person who has changed their one-time password to ``PASSWORD`` and has no session."""
        user, once = await self.users.add(UserSpec(email, email.partition("@")[0].title(), role))
        tokens = await self.sessions.login(email, once, HERE)
        identity = await self.sessions.identify(tokens.access_token)
        await self.sessions.change_password(identity, once, PASSWORD, HERE)
        await self.sessions.logout(identity, HERE)
        return await self.users.get(user.user_id)


def people(db: AsyncEngine, clock: ManualClock | None = None) -> People:
    """The front doors of the vault on a migrated database."""
    clock = clock or ManualClock(START_NS)
    passwords = Passwords(CHEAP)
    return People(
        db, clock, Users(db, clock, passwords), Sessions(db, clock, KEY, passwords), ApiKeys(db, clock)
    )
