"""``sextant login``: a token for the other commands, kept nowhere but in the shell that asked for it."""

from __future__ import annotations

import getpass
import sys

from sextant.cli.client import Client


async def log_in(server: str, email: str) -> None:
    """Ask for a password and print the shell's line that hands the access token to further commands.

    Notes
    -----
    The password is read from the terminal without echo, or from standard input where that is no terminal.

    Raises
    ------
    Unauthenticated
        If address and password do not belong together.
    """
    password = _password(f"Password of {email} at {server}: ")
    async with Client(server, None) as client:
        answer = await client.post("/api/v1/auth/login", {"email": email, "password": password})
    print(f"export SEXTANT_TOKEN={answer['access_token']}")


def _password(prompt: str) -> str:
    if sys.stdin.isatty():
        return getpass.getpass(prompt, stream=sys.stderr)
    return sys.stdin.readline().rstrip("\n")
