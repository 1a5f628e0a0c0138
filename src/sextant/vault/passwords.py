"""Passwords: argon2id in threads, never more than two at a time, equal work for unknown people."""

from __future__ import annotations

import asyncio
import base64
from typing import Final

import msgspec
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from sextant.errors import InputError
from sextant.vault.leaked import LEAKED

LEAST_CHARACTERS: Final = 8
MOST_CHARACTERS: Final = 128
HASHES_AT_ONCE: Final = 2  # two cores; each takes 64 MiB


class HashCost(msgspec.Struct, frozen=True):
    """Parameters of argon2id; the defaults are the second recommended choice of RFC 9106, section 4."""

    passes: int = 3
    memory_kib: int = 65_536
    lanes: int = 4


class Passwords:
    """Hashes and verifies passwords off the event loop.

    Parameters
    ----------
    cost
        Work of one hash.
    """

    def __init__(self, cost: HashCost | None = None) -> None:
        cost = cost or HashCost()
        self._hasher = PasswordHash((Argon2Hasher(cost.passes, cost.memory_kib, cost.lanes, 32, 16),))
        self._slots = asyncio.Semaphore(HASHES_AT_ONCE)
        # Nobody's hash: well-formed, of the same cost, and matched by no password anybody could know.
        salt, digest = (base64.b64encode(bytes(size)).decode().rstrip("=") for size in (16, 32))
        self._nobody = f"$argon2id$v=19$m={cost.memory_kib},t={cost.passes},p={cost.lanes}${salt}${digest}"

    async def hash(self, password: str) -> str:
        """The hash of a password with a fresh salt."""
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, password: str, stored: str | None) -> bool:
        """Whether the password has this hash; the same work is done when there is none."""
        async with self._slots:
            matched = await asyncio.to_thread(self._hasher.verify, password, stored or self._nobody)
        return matched and stored is not None


def check_new_password(password: str, email: str) -> None:
    """Do nothing if a password may be chosen.

    Raises
    ------
    InputError
        If it is too short, too long, known to every guesser, or the person's own address.
    """
    if not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        raise InputError(
            f"The password has {len(password)} characters; allowed are {LEAST_CHARACTERS}..{MOST_CHARACTERS}.",
            reason="out_of_range",
            field="new_password",
        )
    plain = password.casefold()
    if plain in LEAKED or plain == email.casefold() or plain == email.casefold().partition("@")[0]:
        raise InputError(
            "The password is in the list of leaked ones, or is the person's own address.",
            reason="leaked_password",
            field="new_password",
        )
