"""A small client of the HTTP API for the command line."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import msgspec

from sextant.errors import (
    Conflict,
    Denied,
    InputError,
    NotFound,
    SextantError,
    Throttled,
    Unauthenticated,
    Unreachable,
)

REQUEST_S: Final = 15.0  # api.md 4: the longest a request may take

_BY_STATUS: Final[dict[int, type[SextantError]]] = {
    400: InputError,
    401: Unauthenticated,
    403: Denied,
    404: NotFound,
    409: Conflict,
    410: NotFound,
    413: InputError,
    422: InputError,
}


class Client:
    """Calls one server with one token.

    Parameters
    ----------
    server
        Its address, as ``http://127.0.0.1:8400``.
    token
        Access token or personal API key; None to log in.
    """

    def __init__(self, server: str, token: str | None) -> None:
        if not server.startswith(("http://", "https://")):
            raise InputError(f"--server '{server}' is not an http:// or https:// address.")
        self._server = server.rstrip("/")
        self._session = aiohttp.ClientSession(
            headers=None if token is None else {"Authorization": f"Bearer {token}"},
            timeout=aiohttp.ClientTimeout(total=REQUEST_S),
        )

    async def __aenter__(self) -> Self:
        """The client itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._session.close()

    async def get(self, path: str) -> Any:
        """The decoded answer to a GET."""
        return await self._call("GET", path, None)

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """The decoded answer to a POST."""
        return await self._call("POST", path, msgspec.json.encode(body))

    async def _call(self, method: str, path: str, body: bytes | None) -> Any:
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            async with self._session.request(
                method, self._server + path, data=body, headers=headers, allow_redirects=False
            ) as answer:
                text = await answer.read()
                status = answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unreachable(
                f"{self._server} cannot be reached ({type(error).__name__}).", reason="reset"
            ) from None
        try:
            decoded: Any = msgspec.json.decode(text)
        except msgspec.DecodeError:
            raise Unreachable(
                f"{self._server} answered {status} with something that is not JSON.", reason="bad_body"
            ) from None
        if status < 400:
            return decoded
        detail = str(decoded.get("detail", decoded))
        if status in (429, 503):
            raise Throttled(detail, retry_after_s=float(decoded.get("retry_after_s") or 1.0))
        raise _BY_STATUS.get(status, SextantError)(detail, reason=decoded.get("reason"))
