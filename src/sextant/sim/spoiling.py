"""Answers spoilt on the way: cut, dripped, replaced."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from typing import Final

import orjson
from aiohttp import web

from sextant.sim.drift import drifted
from sextant.sim.faults import Fault

_PAGE: Final = (
    "<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n<center><h1>{status} {title}</h1></center>\r\n"
    "<hr><center>cloudfront</center>\r\n</body>\r\n</html>\r\n"
)
_TITLES: Final = {
    200: "OK",
    403: "Forbidden",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}
_DRIP_BYTES_A_SECOND: Final = 1.0


async def spoilt(request: web.Request, answer: web.Response, fault: Fault) -> web.StreamResponse:
    """The answer as the fault leaves it.

    Parameters
    ----------
    request
        Whose connection is hurt.
    answer
        What a healthy venue would have said.
    fault
        One of ``faults.REST_FAULTS``.

    Notes
    -----
    ``reset``: the connection dies after ``byte`` bytes of the body (drawn from the seed if unsaid). ``status``: that HTTP status
    with a plain body. ``html``: a page of the venue's front, with ``status`` (200 if unsaid). ``limited``: 429 with Retry-After.
    ``truncated``: promises the whole length, closes after half. ``drip``: ``bytes_a_second``. ``body``: ``text`` in place of the
    body. ``redirect``: 302 to ``location``. ``drift``: one ``field`` of the body changed (see ``drift``). ``bomb``: a small gzip body
    of ``megabytes`` once unpacked.
    """
    status = int(fault.number("status", 200))
    if fault.kind == "redirect":
        return web.Response(
            status=302, headers={"Location": str(fault.options.get("location", "http://127.0.0.2/"))}
        )
    if fault.kind == "body":
        return web.Response(
            status=status, text=str(fault.options.get("text", "")), content_type="application/json"
        )
    if fault.kind == "drift":
        body = answer.body if isinstance(answer.body, bytes) else b"null"
        changed = orjson.dumps(drifted(orjson.loads(body), fault.options))
        return web.Response(status=answer.status, body=changed, content_type="application/json")
    if fault.kind == "bomb":
        return _bomb(int(fault.number("megabytes", 64)))
    if fault.kind == "html":
        return page(status, _wait(fault))
    if fault.kind == "limited":
        return web.Response(status=429, text="Too Many Requests", headers=_wait(fault))
    if fault.kind == "status":
        failed = int(fault.number("status", 503))
        return web.Response(status=failed, text=_TITLES.get(failed, "Error"), headers=_wait(fault))
    return await _hurt(request, answer, fault)


def page(status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    """A page of the venue's front in place of any answer."""
    text = _PAGE.format(status=status, title=_TITLES.get(status, "Error"))
    return web.Response(status=status, text=text, content_type="text/html", headers=headers)


def _wait(fault: Fault) -> dict[str, str]:
    wait = fault.options.get("retry_after")
    return {} if wait is None else {"Retry-After": str(wait)}


def _bomb(megabytes: int) -> web.Response:
    packer = zlib.compressobj(9, wbits=31)
    blank = b" " * (1 << 20)
    body = b"".join(packer.compress(blank) for _ in range(megabytes)) + packer.flush()
    return web.Response(body=body, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})


async def _hurt(request: web.Request, answer: web.Response, fault: Fault) -> web.StreamResponse:
    body = answer.body if isinstance(answer.body, bytes) else b""
    stream = web.StreamResponse(
        status=answer.status, headers={"Content-Type": "application/json; charset=utf-8"}
    )
    stream.content_length = len(body)
    await stream.prepare(request)
    if fault.kind == "drip":
        step = float(fault.number("bytes_a_second", _DRIP_BYTES_A_SECOND))
        for place in range(len(body)):
            await stream.write(body[place : place + 1])
            await asyncio.sleep(1.0 / step)
        return stream
    cut = (
        len(body) // 2
        if fault.kind == "truncated"
        else int(fault.number("byte", fault.draw(max(1, len(body)))))
    )
    await stream.write(body[:cut])
    if request.transport is not None:
        if fault.kind == "truncated":
            request.transport.close()
        else:
            request.transport.abort()
    return stream
