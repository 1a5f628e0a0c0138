"""``sextant users``: people who may ask this server."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec
from rich.console import Console
from rich.table import Table

from sextant.errors import InputError
from sextant.model.times import DAY_NS, iso_ms

if TYPE_CHECKING:
    from sextant.vault.records import Role
    from sextant.vault.users import Users

PAGE: Final = 200
OPERATOR: Final = "operator"  # who acts, in the audit: whoever may read the database


@asynccontextmanager
async def _people() -> AsyncIterator[Users]:
    """The people of the configured database, whose schema is migrated first."""
    from sextant.cli.settings import configuration, own_folder
    from sextant.kit.clock import SystemClock
    from sextant.kit.db import migrate, open_engine
    from sextant.vault.users import Users

    config = configuration()
    own_folder(config)
    db = open_engine(config.database_url)
    try:
        await migrate(db)
        yield Users(db, SystemClock())
    finally:
        await db.dispose()


async def add(email: str, full_name: str, role: Role, *, as_json: bool) -> None:
    """Add a person and print the one-time password, once."""
    from sextant.strategies.catalog import strategies
    from sextant.vault.users import UserSpec

    catalogue = strategies().values()
    granted = tuple(item.id for item in catalogue if role == "admin" or item.tier == "free")
    async with _people() as people:
        spec = UserSpec(email, full_name or email.partition("@")[0], role, grants=granted)
        user, password = await people.add(spec, OPERATOR)
    if as_json:
        _tell(
            {"user_id": user.user_id, "email": user.email, "role": user.role, "one_time_password": password}
        )
        return
    console = Console()
    console.print(f"{user.email} added as {user.role}; {len(granted)} strategies granted.")
    console.print(f"one-time password (24 h, shown once): [bold]{password}[/bold]", highlight=False)
    console.print("Log in with it and change it with POST /api/v1/auth/password.")


async def show(*, as_json: bool) -> None:
    """Print everybody in the order they were added."""
    rows: list[dict[str, Any]] = []
    async with _people() as people:
        after: tuple[int, str] | None = None
        while page := await people.page(PAGE, after):
            counts = await people.grant_counts([user.user_id for user in page])
            rows += [
                {
                    "user_id": user.user_id,
                    "email": user.email,
                    "full_name": user.full_name,
                    "role": user.role,
                    "status": user.status,
                    "created_at": iso_ms(user.created_ns),
                    "last_login": None if user.last_login_ns is None else iso_ms(user.last_login_ns),
                    "strategies_count": counts.get(user.user_id, 0),
                }
                for user in page
            ]
            after = (page[-1].created_ns, page[-1].user_id)
    if as_json:
        _tell({"users": rows})
        return
    table = Table("address", "name", "role", "status", "strategies", "last login")
    for row in rows:
        table.add_row(
            row["email"],
            row["full_name"],
            row["role"],
            row["status"],
            str(row["strategies_count"]),
            row["last_login"] or "never",
        )
    Console().print(table)


async def switch(email: str, *, on: bool, as_json: bool) -> None:
    """Suspend a person, which ends their sessions and stops their keys, or let them in again."""
    from sextant.vault.audit import Origin
    from sextant.vault.users import UserChange

    change = UserChange(status="active" if on else "suspended")
    async with _people() as people:
        known = await people.by_email(email)
        user = await people.change(known.user_id, change, OPERATOR, Origin())
    if as_json:
        _tell({"user_id": user.user_id, "email": user.email, "status": user.status})
        return
    ended = "" if on else "; sessions have ended and keys open nothing"
    sys.stdout.write(f"{user.email} is {user.status}{ended}.\n")


async def grant(
    email: str, strategy_ids: Sequence[str], *, everything: bool, days: int | None, as_json: bool
) -> None:
    """Replace the set of strategies granted to a person and print what that changed."""
    from sextant.kit.clock import SystemClock
    from sextant.strategies.catalog import strategies

    catalogue = strategies()
    unknown = [name for name in strategy_ids if name not in catalogue]
    if unknown:
        raise InputError(f"There is no strategy '{unknown[0]}'; there are {', '.join(catalogue)}.")
    if everything == bool(strategy_ids):
        raise InputError("Name strategies, or give --all; the set replaces the one there is.")
    if days is not None and days < 1:
        raise InputError(f"--days is {days}; at least 1.")
    async with _people() as people:
        known = await people.by_email(email)
        change = await people.grant(
            known.user_id,
            tuple(catalogue) if everything else strategy_ids,
            by=OPERATOR,
            expires_ns=None if days is None else SystemClock().now_ns() + days * DAY_NS,
        )
    if as_json:
        _tell({"user_id": known.user_id, "granted": change.granted, "revoked": change.revoked})
        return
    for word, names in (("granted", change.granted), ("revoked", change.revoked)):
        sys.stdout.write(f"{word}: {', '.join(names) or 'nothing'}\n")


def _tell(facts: dict[str, Any]) -> None:
    sys.stdout.write(msgspec.json.encode(facts).decode() + "\n")
