"""A caller that reads an answer as it comes, which httpx does not do over ASGI."""

from __future__ import annotations

import asyncio
from typing import Any


class Reader:
    """One GET whose parts are read one by one.

    Parameters
    ----------
    app
        The application.
    path
        What is asked for.
    headers
        Of the request.
    reads
        How many parts are taken before the caller stops reading; None takes all.
    """

    def __init__(self, app: Any, path: str, headers: dict[str, str], reads: int | None = None) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._left = reads
        self._asked = False
        route, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": route,
            "raw_path": route.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": ("203.0.113.9", 50_000),
            "server": ("sextant.test", 80),
        }
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    async def frame(self, seconds: float = 5.0) -> bytes | None:
        """The next part; None at the end."""
        return await asyncio.wait_for(self._parts.get(), seconds)

    async def rest(self, seconds: float = 20.0) -> bytes:
        """All parts until the end."""
        parts = []
        while (part := await self.frame(seconds)) is not None:
            parts.append(part)
        return b"".join(parts)

    async def leave(self) -> None:
        """Hang up, and wait until the application has noticed."""
        self._gone.set()
        await asyncio.wait_for(self.task, 5.0)

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        if self._left is not None:
            if self._left == 0:
                await asyncio.Event().wait()
            self._left -= 1
        if message.get("body"):
            self._parts.put_nowait(message["body"])
        if not message.get("more_body"):
            self._parts.put_nowait(None)
