"""The way of the routes that are asked most: past the framework's router, to the same gate, handler and answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

from sextant.api.endpoint import Endpoint
from sextant.api.exchange import Exchange, Reply

Serve = Callable[[Endpoint, Exchange], Awaitable[Reply]]
Fail = Callable[[Exchange, Exception], Reply]


class HotDoor:
    """An application that answers hot routes itself and leaves every other request to the one behind it.

    A request is left to the application behind also where its answer depends on more than its route: on a page of a
    configured origin, which is told more.

    Parameters
    ----------
    behind
        The application of all routes.
    hot
        Routes to read something by its path, whose only parameter is the last part of it, if they have one.
    serve, fail
        Give the answer to a request, and to one that failed.
    origins
        Whether pages of some origins may call.
    """

    def __init__(
        self, behind: ASGIApp, hot: Sequence[Endpoint], serve: Serve, fail: Fail, *, origins: bool
    ) -> None:
        self.behind = behind
        self._serve = serve
        self._fail = fail
        self._origins = origins
        self._exact: dict[str, tuple[Endpoint, str]] = {}
        self._below: dict[str, tuple[Endpoint, str]] = {}
        for endpoint in hot:
            before, _, name = endpoint.path.partition("{")
            if endpoint.method != "GET" or (name and not name.endswith("}")):
                raise AssertionError(f"{endpoint.name} is no hot route")
            (self._below if name else self._exact)[before] = (endpoint, name.removesuffix("}"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the application behind answer."""
        exchange = self._known(scope, receive)
        if exchange is None:
            await self.behind(scope, receive, send)
            return
        try:
            reply = await self._serve(exchange.endpoint, exchange)  # type: ignore[arg-type]  # one that is known has one
        except Exception as error:  # noqa: BLE001  # the supervisor of requests: every failure becomes a problem
            reply = self._fail(exchange, error)
        await reply(scope, receive, send)

    def _known(self, scope: Any, receive: Receive) -> Exchange | None:
        if scope["type"] != "http" or scope["method"] != "GET":
            return None
        if self._origins and any(name == b"origin" for name, _ in scope["headers"]):
            return None
        path: str = scope["path"]
        before, slash, last = path.rpartition("/")
        found = self._below.get(before + slash) if last else None
        if found is not None:
            endpoint, name = found
            return Exchange(scope, receive, {name: last}, endpoint)
        found = self._exact.get(path)
        return None if found is None else Exchange(scope, receive, {}, found[0])
