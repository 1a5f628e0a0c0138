"""Connections of clients: heads of requests that are too long or too slow in coming are cut off before anything is kept of them."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from sextant.api.exchange import WHOLE

HEAD_S: Final = 10.0  # api.md 4: header time
UNREAD_S: Final = 10.0  # a client that has taken nothing for so long is gone; its buffer is given back
HEAD_BYTES: Final = 32 * 1024  # twice the documented 16 KiB, so that those are refused in words


class BoundedProtocol(HttpToolsProtocol):
    """HTTP of a client whose request line and headers must come whole, soon and short.

    The parser below keeps every header until the last one, and waits for it for ever.
    """

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self._cut: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base does
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._end_head()
        self._taken()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head is too long."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
            self.transport.close()

    def on_message_begin(self) -> None:
        """Begin to wait for the head of a request."""
        super().on_message_begin()
        if not self._in_head:
            self._begin_head()

    def on_headers_complete(self) -> None:
        """Stop waiting: the head is there."""
        self._end_head()
        super().on_headers_complete()
        # The application has not begun yet: its task takes its first step after this.
        extensions: dict[str, Any] = {WHOLE: partial(write_whole, self.cycle)}
        self.cycle.scope["extensions"] = extensions

    def pause_writing(self) -> None:
        """Begin to wait for a client that does not read."""
        super().pause_writing()
        self._taken()
        self._unread = self.loop.call_later(UNREAD_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop waiting: the client reads."""
        self._taken()
        super().resume_writing()

    def _taken(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _begin_head(self) -> None:
        self._in_head = True
        self._head_bytes = 0
        self._cut = self.loop.call_later(HEAD_S, self._give_up)

    def _end_head(self) -> None:
        self._in_head = False
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None

    def _give_up(self) -> None:
        self._cut = None
        if not self.transport.is_closing():
            self.transport.close()


def write_whole(cycle: RequestResponseCycle, head: bytes, body: bytes) -> bool:
    """Whether an answer was written in one piece; if not, it is to be sent as ASGI says.

    The server below takes head and body apart, looks at each field by two expressions and writes twice; that costs as
    much as making a small answer.

    Parameters
    ----------
    head
        Status line and fields, with the length of the body where it has one, without the empty line.
    """
    if cycle.response_started or cycle.flow.write_paused:
        return False
    if cycle.disconnected:
        return True  # nobody is there to read it
    cycle.response_started = True
    cycle.waiting_for_100_continue = False
    end = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
    cycle.transport.write(b"".join((head, end, b"" if cycle.scope["method"] == "HEAD" else body)))
    cycle.response_complete = True
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True
