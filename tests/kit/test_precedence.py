from __future__ import annotations

import asyncio

import pytest

from sextant.kit import precedence as module
from sextant.kit.precedence import Precedence


async def test_work_waits_until_the_last_that_goes_first_has_ended() -> None:
    precedence, told = Precedence(), []

    async def behind() -> None:
        await precedence.give_way()
        told.append("behind")

    with precedence.first():
        with precedence.first():
            task = asyncio.create_task(behind())
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        told.append("first")
    await task
    assert told == ["first", "behind"]
    await precedence.give_way()  # nothing goes first


async def test_what_never_ends_keeps_nothing_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_S", 0.01)
    precedence = Precedence()
    with precedence.first():
        await precedence.give_way()
        with pytest.raises(ZeroDivisionError), precedence.first():
            raise ZeroDivisionError
        assert not precedence._free.is_set()  # the outer block still holds
    assert precedence._free.is_set()
