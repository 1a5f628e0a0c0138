from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sextant.api import streaming
from sextant.api.limits import STREAMS_PER_USER, RateLimits
from sextant.api.streaming import StreamResponse
from sextant.errors import RateLimited
from sextant.kit.clock import ManualClock
from support.asgi import Reader


class Frames:
    """Frames that are sent one by one, and whether they were closed."""

    def __init__(self, count: int, *, endless: bool = False) -> None:
        self.closed = False
        self.sent = 0
        self._count = count
        self._endless = endless

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self.sent == self._count:
            if self._endless:
                await asyncio.Event().wait()
            raise StopAsyncIteration
        self.sent += 1
        return b"frame %d\n" % self.sent

    async def aclose(self) -> None:
        self.closed = True


def application(frames: Frames, limits: RateLimits, caller: str = "ada") -> Any:
    return StreamResponse(frames, {"X-Request-ID": "req_1"}, limits, caller).to_asgi_response()


def open_streams(limits: RateLimits, caller: str) -> int:
    """How many streams a caller has open, counted by how many more they may open."""
    taken = 0
    try:
        for _ in range(STREAMS_PER_USER):
            limits.open_stream(caller)
            taken += 1
    except RateLimited:
        pass
    for _ in range(taken):
        limits.close_stream(caller)
    return STREAMS_PER_USER - taken


async def test_all_frames_are_sent_and_then_the_answer_ends() -> None:
    limits, frames = RateLimits(ManualClock()), Frames(3)
    reader = Reader(application(frames, limits), "/", {})
    assert await reader.rest() == b"frame 1\nframe 2\nframe 3\n"
    await reader.task
    assert reader.status == 200
    assert reader.headers["content-type"] == "text/event-stream"
    assert (reader.headers["cache-control"], reader.headers["x-request-id"]) == ("no-store", "req_1")
    assert (frames.closed, open_streams(limits, "ada")) == (True, 0)


async def test_who_hangs_up_gives_the_stream_back() -> None:
    limits, frames = RateLimits(ManualClock()), Frames(1, endless=True)
    reader = Reader(application(frames, limits), "/", {})
    assert await reader.frame() == b"frame 1\n"
    assert open_streams(limits, "ada") == 1
    await reader.leave()
    assert (frames.closed, open_streams(limits, "ada")) == (True, 0)


async def test_who_stops_reading_is_cut_while_others_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "SEND_S", 0.05)
    limits = RateLimits(ManualClock())
    slow, quick = Frames(1_000), Frames(50)
    stuck = Reader(application(slow, limits), "/", {}, reads=2)
    reading = Reader(application(quick, limits, "eve"), "/", {})
    assert (await reading.rest()).count(b"frame") == 50
    await asyncio.wait_for(stuck.task, 5.0)
    assert slow.closed
    assert slow.sent <= 4, "frames are made only as fast as they are taken"
    assert open_streams(limits, "ada") == 0


async def test_the_sixth_stream_of_a_user_is_refused_before_a_byte_is_sent() -> None:
    limits = RateLimits(ManualClock())
    for _ in range(STREAMS_PER_USER):
        limits.open_stream("ada")
    reader = Reader(application(Frames(1), limits), "/", {})
    with pytest.raises(RateLimited) as refused:
        await reader.task
    assert (refused.value.reason, reader.status) == ("concurrency", 0)
