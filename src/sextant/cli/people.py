"""``sextant users``: people who may ask this server."""

from __future__ import annotations

import sys

import msgspec
from rich.console import Console

from sextant.vault.records import Role


async def add(email: str, full_name: str, role: Role, *, as_json: bool) -> None:
    """Add a person and print the one-time password, once."""
    from sextant.cli.settings import configuration, own_folder
    from sextant.kit.clock import SystemClock
    from sextant.kit.db import migrate, open_engine
    from sextant.strategies.catalog import strategies
    from sextant.vault.users import Users

    config = configuration()
    own_folder(config)
    catalogue = strategies().values()
    granted = [item.id for item in catalogue if role == "admin" or item.tier == "free"]
    db = open_engine(config.database_url)
    try:
        await migrate(db)
        name = full_name or email.partition("@")[0]
        user, password = await Users(db, SystemClock()).add(email, name, role, grants=granted)
    finally:
        await db.dispose()
    if as_json:
        told = {
            "user_id": user.user_id,
            "email": user.email,
            "role": user.role,
            "one_time_password": password,
        }
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
        return
    console = Console()
    console.print(f"{user.email} added as {user.role}; {len(granted)} strategies granted.")
    console.print(f"one-time password (24 h, shown once): [bold]{password}[/bold]", highlight=False)
    console.print("Log in with it and change it with POST /api/v1/auth/password.")
