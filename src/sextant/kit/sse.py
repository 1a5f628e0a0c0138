"""Server-sent events: frames, heartbeats, and streams that end at a known time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from sextant.errors import SextantError
from sextant.kit.clock import Clock

HEARTBEAT_S: Final = 10.0  # api.md 1.8; below the idle limit of usual proxies
LONGEST_LIFE_S: Final = 3_600.0  # api.md 1.8
RETRY: Final = b"retry: 2000\n\n"
HEARTBEAT: Final = b": heartbeat\n\n"


def frame(event: str, data: bytes, event_id: int | None = None) -> bytes:
    r"""One frame of an event with one line of data.

    Examples
    --------
    >>> frame("done", b"{}", 17)
    b'id: 17\nevent: done\ndata: {}\n\n'
    """
    number = b"" if event_id is None else b"id: %d\n" % event_id
    return number + b"event: %s\ndata: %s\n\n" % (event.encode(), data)


@dataclass(frozen=True)
class StreamEnd:
    """When a stream ends if its events do not.

    Parameters
    ----------
    credential_s
        Seconds until the caller's credential ends; then an event ``reauth`` is sent.
    closing
        Set when the server stops; then an event ``bye`` is sent.
    problem
        The data of an event ``problem`` that tells an error.
    """

    credential_s: float
    closing: asyncio.Event
    problem: Callable[[SextantError], bytes]


class _Ended(Exception):
    """The events are over; a coroutine may not raise StopAsyncIteration itself."""


async def stream(events: AsyncIterator[bytes], clock: Clock, end: StreamEnd) -> AsyncIterator[bytes]:
    """The frames of events with heartbeats between them, until the events, the credential, the server or an hour end."""
    yield RETRY
    life_s = min(end.credential_s, LONGEST_LIFE_S)
    last_word = "reauth" if end.credential_s <= LONGEST_LIFE_S else "bye"
    over = asyncio.ensure_future(clock.sleep(life_s))
    closing = asyncio.ensure_future(end.closing.wait())
    beat = asyncio.ensure_future(clock.sleep(HEARTBEAT_S))
    upcoming: asyncio.Future[bytes] = asyncio.ensure_future(_next(events))
    try:
        while True:
            waiting: set[asyncio.Future[Any]] = {upcoming, over, closing, beat}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if closing.done() or over.done():
                yield frame("bye" if closing.done() else last_word, b"{}")
                return
            if upcoming.done():
                try:
                    yield upcoming.result()
                except _Ended:
                    return
                except SextantError as error:
                    yield frame("problem", end.problem(error))
                    return
                upcoming = asyncio.ensure_future(_next(events))
            if beat.done():
                yield HEARTBEAT
                beat = asyncio.ensure_future(clock.sleep(HEARTBEAT_S))
    finally:
        for task in (upcoming, over, closing, beat):
            task.cancel()
        with suppress(asyncio.CancelledError, _Ended, SextantError):
            await upcoming
        closer = getattr(events, "aclose", None)
        if closer is not None:
            await closer()


async def _next(events: AsyncIterator[bytes]) -> bytes:
    try:
        return await anext(events)
    except StopAsyncIteration:
        raise _Ended from None
