from __future__ import annotations

import statistics
import time

from sextant.vault.leaked import LEAKED
from sextant.vault.passwords import HashCost, Passwords
from support.people import CHEAP


async def test_a_hash_is_argon2id_with_its_own_salt() -> None:
    passwords = Passwords(CHEAP)
    first, second = [await passwords.hash("secret words") for _ in range(2)]
    assert first.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert first != second
    assert await passwords.matches("secret words", first)
    assert not await passwords.matches("secret word", first)


async def test_nobody_is_matched_by_nothing() -> None:
    assert not await Passwords(CHEAP).matches("", None)


async def test_unknown_people_cost_as_much_as_known_ones() -> None:
    passwords = Passwords(HashCost(passes=1, memory_kib=16_384, lanes=1))
    stored = await passwords.hash("secret words")

    async def median_s(known: str | None) -> float:
        spent = []
        for _ in range(15):
            begun = time.process_time()
            await passwords.matches("wrong words", known)
            spent.append(time.process_time() - begun)
        return statistics.median(spent)

    assert 0.5 < await median_s(None) / await median_s(stored) < 2


def test_every_leaked_password_could_have_been_chosen() -> None:
    assert all(8 <= len(word) <= 128 and word == word.casefold() for word in LEAKED)
    assert {"password", "12345678", "qwertyuiop", "iloveyou"} <= LEAKED
