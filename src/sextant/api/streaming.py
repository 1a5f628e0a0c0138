"""Answers that go on: frames are sent as they come, and who stops reading is cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, Final

from litestar import Response
from litestar.types import Receive, Scope, Send

from sextant.api.limits import RateLimits
from sextant.kit import log

SEND_S: Final = 5.0  # api.md 1.8: a client that does not read for this long is closed and resumes
_LOG: Final = log.get("api")


class StreamResponse(Response[bytes]):
    """Server-sent events.

    Parameters
    ----------
    frames
        What is sent, piece by piece.
    headers
        Of the answer.
    limits, caller
        Count the open streams of a user.
    """

    def __init__(
        self, frames: AsyncIterator[bytes], headers: Mapping[str, str], limits: RateLimits, caller: str
    ) -> None:
        super().__init__(b"", headers=dict(headers), media_type="text/event-stream")
        self._frames = frames
        self._limits = limits
        self._caller = caller

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """The application that sends the frames."""
        return self._send_all

    async def _send_all(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # shape of ASGI
        headers = {**self.headers, "content-type": "text/event-stream", "cache-control": "no-store"}
        raw = [(name.lower().encode(), str(value).encode()) for name, value in headers.items()]
        self._limits.open_stream(self._caller)
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": raw})
            while not gone.done():
                upcoming = asyncio.ensure_future(anext(self._frames, b""))
                await asyncio.wait({upcoming, gone}, return_when=asyncio.FIRST_COMPLETED)
                if not upcoming.done():
                    upcoming.cancel()
                    with suppress(asyncio.CancelledError):
                        await upcoming
                    break
                part = upcoming.result()
                await asyncio.wait_for(_part(send, part), SEND_S)
                if not part:
                    break
        except TimeoutError:
            _LOG.info("stream.cut", reason="not_reading", limit_s=SEND_S)
        finally:
            gone.cancel()
            closer = getattr(self._frames, "aclose", None)
            if closer is not None:
                await closer()
            self._limits.close_stream(self._caller)


async def _part(send: Send, part: bytes) -> None:
    await send({"type": "http.response.body", "body": part, "more_body": bool(part)})


async def _disconnected(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
