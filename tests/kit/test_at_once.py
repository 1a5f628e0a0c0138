from __future__ import annotations

import asyncio

import pytest

from sextant.kit.at_once import at_once_or


async def here() -> int:
    return 1


async def later() -> int:
    await asyncio.sleep(0)
    event = asyncio.Event()
    asyncio.get_running_loop().call_soon(event.set)
    await event.wait()
    return 2


class Waiting:
    """Work that waits for ever and says how it ended."""

    def __init__(self) -> None:
        self.ended = ""

    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise


async def test_what_waits_for_nothing_is_done_at_once_and_winds_no_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asyncio, "timeout", None)
    assert await at_once_or(here(), 1.0) == 1


async def test_what_waits_gives_its_result() -> None:
    assert await at_once_or(later(), 1.0) == 2
    assert await at_once_or(at_once_or(later(), 1.0), 1.0) == 2


async def test_what_does_not_come_is_cancelled() -> None:
    waiting = Waiting()
    with pytest.raises(TimeoutError):
        await at_once_or(waiting.run(), 0.01)
    assert waiting.ended == "cancelled"


async def test_who_is_cancelled_cancels_the_work() -> None:
    waiting = Waiting()
    task = asyncio.create_task(at_once_or(waiting.run(), 60.0))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert waiting.ended == "cancelled"


@pytest.mark.parametrize("first", [True, False])
async def test_an_error_comes_out_as_it_is(first: bool) -> None:
    async def failing() -> None:
        if not first:
            await asyncio.sleep(0)
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await at_once_or(failing(), 1.0)


async def test_work_may_recover_from_what_it_waited_for() -> None:
    async def failing() -> None:
        await asyncio.sleep(0)
        raise ValueError

    async def recovering() -> int:
        try:
            await asyncio.create_task(failing())
        except ValueError:
            await asyncio.sleep(0)
            return 3
        return 0

    assert await at_once_or(recovering(), 1.0) == 3
