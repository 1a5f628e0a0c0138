"""One request as the gate reads it, and one answer as it goes out; what both cost is paid by every poll."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from litestar.types import Receive, Scope, Send

from sextant.api.endpoint import Endpoint
from sextant.api.limits import Standing
from sextant.kit.ids import new_id
from sextant.kit.traces import Open

REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")
WHOLE: Final = "sextant.whole"
"""Extension of our connections: takes the head and the body of an answer and writes them in one piece."""

_STATUS_LINES: Final[Mapping[int, bytes]] = MappingProxyType(
    {int(status): f"HTTP/1.1 {int(status)} {status.phrase}\r\n".encode() for status in HTTPStatus}
)
_WITHOUT_LENGTH: Final = frozenset({204, 304})  # RFC 9110, 8.6 and 15.4.5


class Exchange:
    """A request and what becomes known of it on its way.

    Parameters
    ----------
    scope, receive
        Of ASGI.
    endpoint
        The route; None where there is none.
    begun_ns
        Monotonic time at which it was taken up; None where its time is not counted.
    """

    __slots__ = (
        "_headers", "_id", "begun_ns", "caller", "endpoint", "path", "receive", "scope", "span", "standing",
    )  # fmt: skip

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        path: Mapping[str, str],
        endpoint: Endpoint | None = None,
        begun_ns: int | None = None,
    ) -> None:
        self.scope: Any = scope
        self.receive = receive
        self.path = path
        self.endpoint = endpoint
        self.begun_ns = begun_ns
        self.caller = ""
        self.span: Open | None = None
        self.standing: Standing | None = None
        self._headers: dict[str, str] | None = None
        self._id: str | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """Header fields by lower-case name; of one that is given twice the first."""
        if self._headers is None:
            self._headers = {
                name.decode("latin-1"): value.decode("latin-1")
                for name, value in reversed(self.scope["headers"])
            }
        return self._headers

    @property
    def request_id(self) -> str:
        """The caller's id of the request if it has the shape of one, else a fresh one that stays with it."""
        if self._id is None:
            given = self.headers.get("x-request-id")
            self._id = given if given is not None and REQUEST_ID.fullmatch(given) else new_id("req")
        return self._id

    @property
    def op(self) -> str:
        """The name of the route."""
        return "unknown" if self.endpoint is None else self.endpoint.name

    @property
    def address(self) -> str:
        """The network address of the caller."""
        client = self.scope.get("client")
        return "unknown" if client is None else str(client[0])

    async def body(self) -> AsyncIterator[bytes]:
        """The parts of the body as they come."""
        more = True
        while more:
            message: Any = await self.receive()
            if message["type"] != "http.request":
                return
            yield message.get("body", b"")
            more = message.get("more_body", False)


class Common:
    """Header fields that many answers have alike, as pairs and as text.

    Parameters
    ----------
    fields
        By name.
    """

    __slots__ = ("pairs", "text")

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.pairs = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()
        ]
        self.text = b"".join(b"%b: %b\r\n" % pair for pair in self.pairs)


class Reply:
    """A whole answer.

    Parameters
    ----------
    status
        Of HTTP.
    body
        Its bytes.
    common
        Header fields that do not depend on the request.
    fields
        Those that do; the length is added.
    """

    __slots__ = ("body", "common", "fields", "status")

    def __init__(self, status: int, body: bytes, common: Common, fields: dict[str, str]) -> None:
        self.status = status
        self.body = body
        self.common = common
        self.fields = fields
        if status not in _WITHOUT_LENGTH:
            fields["Content-Length"] = str(len(body))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # shape of ASGI
        """Send it: in one piece where the connection takes one, else as ASGI says."""
        whole: Any = (scope.get("extensions") or {}).get(WHOLE)
        if whole is not None and whole(self.head(), self.body):
            return
        pairs = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.fields.items()
        ]
        start: Any = {
            "type": "http.response.start",
            "status": self.status,
            "headers": self.common.pairs + pairs,
        }
        await send(start)
        await send({"type": "http.response.body", "body": self.body, "more_body": False})

    def head(self) -> bytes:
        """The status line and the header fields, without the empty line.

        Raises
        ------
        ValueError
            If a field would break out of its line.
        """
        text = "".join([f"{name.lower()}: {value}\r\n" for name, value in self.fields.items()])
        if text.count("\n") != len(self.fields) or text.count("\r") != len(self.fields):
            raise ValueError("A header field holds a line break.")
        return _STATUS_LINES[self.status] + self.common.text + text.encode("latin-1")
