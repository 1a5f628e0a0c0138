from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from sextant.errors import NotFound, SextantError
from sextant.kit.clock import ManualClock
from sextant.kit.sse import HEARTBEAT, RETRY, StreamEnd, frame, stream


def end(credential_s: float = 900.0, closing: asyncio.Event | None = None) -> StreamEnd:
    def problem(error: SextantError) -> bytes:
        return f'{{"code": "{error.code}"}}'.encode()

    return StreamEnd(credential_s, closing or asyncio.Event(), problem)


async def some(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


class Endless:
    """Events that never come, and whether they were let go."""

    def __init__(self) -> None:
        self.closed = False

    async def events(self) -> AsyncIterator[bytes]:
        try:
            await asyncio.Event().wait()
            yield b""
        finally:
            self.closed = True


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_frame_is_id_event_and_one_line_of_data() -> None:
    assert frame("done", b'{"a": 1}', 17) == b'id: 17\nevent: done\ndata: {"a": 1}\n\n'
    assert frame("bye", b"{}") == b"event: bye\ndata: {}\n\n"


async def test_a_stream_gives_all_events_and_ends_with_them() -> None:
    sent = [part async for part in stream(some(b"one", b"two"), ManualClock(), end())]
    assert sent == [RETRY, b"one", b"two"]


async def test_a_comment_is_sent_every_ten_quiet_seconds() -> None:
    clock = ManualClock()
    frames = stream(Endless().events(), clock, end())
    assert await anext(frames) == RETRY
    for _ in range(3):
        upcoming = asyncio.ensure_future(anext(frames))
        await settle()
        clock.advance(9.9)
        await settle()
        assert not upcoming.done()
        clock.advance(0.1)
        assert await upcoming == HEARTBEAT
    await frames.aclose()  # type: ignore[attr-defined]  # it is a generator


@pytest.mark.parametrize(("credential_s", "last", "after_s"), [(30.0, "reauth", 30), (7_200.0, "bye", 3_600)])
async def test_a_stream_ends_with_the_credential_or_after_an_hour(
    credential_s: float, last: str, after_s: float
) -> None:
    clock, source = ManualClock(), Endless()
    sent: list[bytes] = []

    async def read() -> None:
        sent.extend([part async for part in stream(source.events(), clock, end(credential_s))])

    reading = asyncio.create_task(read())
    await settle()
    for _ in range(int(after_s)):
        assert not reading.done()
        clock.advance(1)
        await settle()
    await reading
    assert sent[-1] == frame(last, b"{}")
    assert source.closed


async def test_a_stopping_server_says_bye() -> None:
    closing, source = asyncio.Event(), Endless()
    frames = stream(source.events(), ManualClock(), end(closing=closing))
    assert await anext(frames) == RETRY
    upcoming = asyncio.ensure_future(anext(frames))
    await settle()
    closing.set()
    assert await upcoming == frame("bye", b"{}")
    with pytest.raises(StopAsyncIteration):
        await anext(frames)
    assert source.closed


async def test_an_error_after_the_first_byte_is_a_last_event() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"one"
        raise NotFound("gone")

    sent = [part async for part in stream(broken(), ManualClock(), end())]
    assert sent == [RETRY, b"one", frame("problem", b'{"code": "not_found"}')]


async def test_a_stream_that_is_let_go_lets_its_events_go() -> None:
    source = Endless()
    frames = stream(source.events(), ManualClock(), end())
    await anext(frames)
    reading = asyncio.ensure_future(anext(frames))
    await settle()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert source.closed
