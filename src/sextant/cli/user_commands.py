"""``sextant users``: its commands and their options."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from cyclopts import App, Parameter

Json = Annotated[bool, Parameter(name="--json", negative="")]

users = App(name="users", help="People who may ask this server.")


@users.command(name="add")
def add_user(
    email: str,
    /,
    *,
    name: str = "",
    role: Literal["admin", "trader", "viewer", "api_only"] = "trader",
    json: Json = False,
) -> None:
    """Add a person; prints a one-time password once.

    Example: sextant users add ada@example.org --role trader

    Parameters
    ----------
    email
        Address they log in with.
    name
        Full name; the part before the @ when absent.
    role
        What they may do.
    json
        The person and the password as one JSON object on standard output.
    """
    from sextant.cli.people import add

    asyncio.run(add(email, name, role, as_json=json))


@users.command(name="list")
def list_users(*, json: Json = False) -> None:
    """List everybody: role, status, how many strategies are granted, last login.

    Example: sextant users list

    Parameters
    ----------
    json
        One JSON object on standard output instead of a table.
    """
    from sextant.cli.people import show

    asyncio.run(show(as_json=json))


@users.command(name="disable")
def disable_user(email: str, /, *, json: Json = False) -> None:
    """Suspend a person: their sessions end at once and their keys open nothing.

    Example: sextant users disable ada@example.org

    Parameters
    ----------
    email
        Address they log in with.
    json
        The person as one JSON object on standard output.
    """
    from sextant.cli.people import switch

    asyncio.run(switch(email, on=False, as_json=json))


@users.command(name="enable")
def enable_user(email: str, /, *, json: Json = False) -> None:
    """Let a suspended person log in again.

    Example: sextant users enable ada@example.org

    Parameters
    ----------
    email
        Address they log in with.
    json
        The person as one JSON object on standard output.
    """
    from sextant.cli.people import switch

    asyncio.run(switch(email, on=True, as_json=json))


@users.command(name="grant")
def grant_strategies(
    email: str,
    /,
    *strategies: str,
    all: Annotated[bool, Parameter(negative="")] = False,  # noqa: A002  # the word of the option
    days: int | None = None,
    json: Json = False,
) -> None:
    """Replace the set of strategies granted to a person.

    Example: sextant users grant ada@example.org --all

    Parameters
    ----------
    email
        Address they log in with.
    strategies
        Ids of the strategies of the whole new set.
    all
        Every strategy there is, instead of a list.
    days
        The grants end after so many days; never when absent.
    json
        What was granted and revoked as one JSON object on standard output.
    """
    from sextant.cli.people import grant

    asyncio.run(grant(email, strategies, everything=all, days=days, as_json=json))
