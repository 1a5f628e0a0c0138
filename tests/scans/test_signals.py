from __future__ import annotations

import asyncio

from sextant.scans.signals import Signals, moved, notice_of


async def test_whoever_follows_a_scan_is_woken_by_its_change_and_nobody_else() -> None:
    signals = Signals()
    async with (
        signals.watching("a") as first,
        signals.watching("a") as second,
        signals.watching("b") as other,
    ):
        signals.tell("a")
        assert (first.is_set(), second.is_set(), other.is_set()) == (True, True, False)
        signals.hear_all()
        assert other.is_set()


async def test_nothing_is_kept_of_scans_that_nobody_follows() -> None:
    signals = Signals()
    signals.tell("a")
    async with signals.watching("a"):
        pass
    assert signals._waiting == {}
    assert signals._held == {}


async def test_the_holder_hears_of_an_end_from_outside_and_not_of_its_own_changes() -> None:
    signals, ended = Signals(), asyncio.Event()
    with signals.holding("a", ended):
        signals.hear(notice_of("a", ended=False))
        assert not ended.is_set()
        signals.hear(notice_of("a", ended=True))
        assert ended.is_set()


async def test_a_wait_ends_by_itself_without_a_change() -> None:
    still = asyncio.Event()
    async with asyncio.timeout(5):
        await moved(still, 0.001)
    assert not still.is_set()
