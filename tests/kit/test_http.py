from __future__ import annotations

import asyncio
import gzip
import random
import resource
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sextant.errors import Rejected, SextantError, Throttled, Unreachable, VenueError, WireError
from sextant.kit.clock import Deadline, ManualClock, SystemClock
from sextant.kit.http import BODY_BYTES, HttpSettings, RestClient
from sextant.kit.rate_limit import Silence
from sextant.kit.retry import Retrying
from support.certificates import certificate
from support.loopback import advance_until, raw_serving, serving

NOW_NS = 1_786_310_817_000_000_000
ONCE = 0


def _client(
    host: str, clock: ManualClock, *, repeats: int = ONCE, settings: HttpSettings | None = None
) -> RestClient:
    return RestClient(f"http://{host}", Retrying(clock, lambda: 0.5, repeats=repeats), settings)


async def _fails(client: RestClient, clock: ManualClock, seconds: float = 10) -> SextantError:
    with pytest.raises(VenueError) as raised:
        await client.get("/v5/x", (), Deadline(clock, seconds))
    return raised.value


def _answering(response: Callable[[], web.Response]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(_: web.Request) -> web.Response:
        return response()

    return handler


async def test_an_answer_carries_body_headers_and_the_time_it_was_complete() -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(f"{request.path_qs} {request.headers['User-Agent']}")
        return web.json_response({"retCode": 0}, headers={"X-Bapi-Limit": "50"})

    clock = ManualClock(NOW_NS)
    async with serving(handler) as host, _client(host, clock) as client:
        answer = await client.get("/v5/x", (("b", "2"), ("a", "1")), Deadline(clock, 5))
    assert answer.body == b'{"retCode": 0}'
    assert answer.receive_ns == NOW_NS
    assert answer.headers["x-bapi-limit"] == "50"
    assert seen == ["/v5/x?b=2&a=1 sextant"]


async def test_compressed_bodies_are_read() -> None:
    body = b'{"list":' + b"[1]" * 1000 + b"}"
    answers = [
        web.Response(body=gzip.compress(body), headers={"Content-Encoding": "gzip"}),
        web.Response(body=zlib.compress(body), headers={"Content-Encoding": "deflate"}),
    ]
    clock = ManualClock()
    async with serving(_answering(lambda: answers.pop(0))) as host, _client(host, clock) as client:
        for _ in range(2):
            assert (await client.get("/", (), Deadline(clock, 5))).body == body


async def test_a_gzip_bomb_is_cut_at_eight_megabytes_without_unpacking_the_rest() -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(b"\0" * 2**20) for _ in range(512)) + packer.flush()  # 512 MB in 0.5 MB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clock = ManualClock()
    answer = _answering(lambda: web.Response(body=bomb, headers={"Content-Encoding": "gzip"}))
    async with serving(answer) as host, _client(host, clock) as client:
        error = await _fails(client, clock)
    assert isinstance(error, WireError)
    assert error.reason == "too_large"
    assert str(BODY_BYTES) in error.message
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024  # kB on Linux


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (302, Rejected, "redirect"),
        (400, Rejected, "http_400"),
        (404, Rejected, "http_404"),
        (500, Unreachable, "http_500"),
        (502, Unreachable, "http_502"),
        (503, Unreachable, "http_503"),
        (504, Unreachable, "http_504"),
    ],
)
async def test_every_status_has_its_error(status: int, kind: type[SextantError], reason: str) -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=status, headers={"Location": "http://127.0.0.1:9/away"}, text="no")

    clock = ManualClock()
    async with serving(handler) as host, _client(host, clock) as client:
        error = await _fails(client, clock)
    assert (type(error), error.reason) == (kind, reason)
    assert asked == ["/v5/x"]


@pytest.mark.parametrize(("header", "wait_s"), [("30", 30.0), ("0", 5.0), (None, 5.0), ("1000000000", 300.0)])
async def test_no_call_is_made_while_the_host_asked_for_silence(header: str | None, wait_s: float) -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        if len(asked) == 1:
            return web.Response(status=429, headers={} if header is None else {"Retry-After": header})
        return web.Response(text="{}")

    clock = ManualClock(NOW_NS)
    async with serving(handler) as host, _client(host, clock, repeats=2) as client:
        error = await _fails(client, clock)
        assert isinstance(error, Throttled)
        assert error.retry_after_s == wait_s
        clock.advance(wait_s - 1)
        later = await _fails(client, clock)
        assert isinstance(later, Throttled)
        assert later.retry_after_s == 1.0
        assert len(asked) == 1
        clock.advance(1)
        await client.get("/v5/x", (), Deadline(clock, 5))
    assert len(asked) == 2


async def test_clients_of_one_host_share_its_silence() -> None:
    asked: list[int] = []

    async def handler(_: web.Request) -> web.Response:
        asked.append(1)
        return web.Response(status=429, headers={"Retry-After": "30"})

    clock = ManualClock()
    settings = HttpSettings(silence=Silence(clock))
    async with serving(handler) as host:
        async with _client(host, clock, settings=settings) as first:
            await _fails(first, clock)
        async with _client(host, clock, settings=settings) as second:
            error = await _fails(second, clock)
    assert (error.reason, len(asked)) == ("silence", 1)


async def test_a_page_in_place_of_data_is_a_bad_body_cut_and_escaped() -> None:
    page = "<!DOCTYPE html>\x1b[31m" + "x" * 5000
    clock = ManualClock()
    async with serving(_answering(lambda: web.Response(text=page))) as host, _client(host, clock) as client:
        error = await _fails(client, clock)
    assert isinstance(error, WireError)
    assert error.reason == "bad_body"
    assert "\x1b" not in error.message
    assert len(error.message) < 400


async def test_a_page_with_429_still_asks_for_silence() -> None:
    page = _answering(lambda: web.Response(status=429, text="<html>", content_type="text/html"))
    clock = ManualClock()
    async with serving(page) as host, _client(host, clock) as client:
        assert isinstance(await _fails(client, clock), Throttled)


async def test_the_hosts_own_meaning_of_a_status_comes_first() -> None:
    def banned(status: int, _: bytes) -> VenueError | None:
        return Throttled("banned", retry_after_s=600.0) if status == 403 else None

    asked: list[int] = []

    async def handler(_: web.Request) -> web.Response:
        asked.append(1)
        return web.Response(status=403)

    clock = ManualClock()
    async with (
        serving(handler) as host,
        _client(host, clock, settings=HttpSettings(refusal=banned)) as client,
    ):
        assert isinstance(await _fails(client, clock), Throttled)
        clock.advance(599)
        await _fails(client, clock)
    assert len(asked) == 1


async def test_what_the_headers_of_a_refusal_said_is_kept_with_it() -> None:
    def spent(status: int, _: bytes) -> VenueError | None:
        return Throttled("spent", retry_after_s=5.0) if status == 403 else None

    statuses = iter((403, 429))

    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=next(statuses), headers={"GW-RateLimit-Reset": "28000"})

    clock = ManualClock()
    async with (
        serving(handler) as host,
        _client(host, clock, settings=HttpSettings(refusal=spent)) as client,
    ):
        for _ in range(2):
            error = await _fails(client, clock)
            assert isinstance(error, Throttled)
            assert error.told["gw-ratelimit-reset"] == "28000"
            clock.advance(600)


async def test_an_unknown_encoding_and_broken_compression_are_bad_bodies() -> None:
    answers = [
        web.Response(body=b"x", headers={"Content-Encoding": "br"}),
        web.Response(body=b"not gzip at all", headers={"Content-Encoding": "gzip"}),
    ]
    clock = ManualClock()
    async with serving(_answering(lambda: answers.pop(0))) as host, _client(host, clock) as client:
        for _ in range(2):
            error = await _fails(client, clock)
            assert (type(error), error.reason) == (WireError, "bad_body")


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_BODY = b'{"result":[{"coin":"BTC"},{"coin":"ETH"}]}'


def _cut(reply: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        await writer.drain()
        writer.close()

    return answer


async def test_a_reply_cut_at_any_byte_is_never_an_answer() -> None:
    packed = gzip.compress(_BODY)
    whole = [
        _HEAD + b"Content-Length: %d\r\n\r\n" % len(_BODY) + _BODY,
        _HEAD + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + packed,  # no length: only gzip tells
        _HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(_BODY) + _BODY + b"\r\n0\r\n\r\n",
    ]
    drawn = random.Random(20261125)  # noqa: S311  # seeded, not secret
    clock = SystemClock()
    for reply in whole:
        for at in sorted(drawn.sample(range(len(reply)), 25)):
            async with (
                raw_serving(_cut(reply[:at])) as host,
                RestClient(f"http://{host}", Retrying(clock, lambda: 0.5, repeats=0)) as client,
            ):
                with pytest.raises((Unreachable, WireError)):
                    await client.get("/", (), Deadline(clock, 5))
        async with (
            raw_serving(_cut(reply)) as host,
            RestClient(f"http://{host}", Retrying(clock, lambda: 0.5, repeats=0)) as client,
        ):
            assert (await client.get("/", (), Deadline(clock, 5))).body == _BODY


async def test_a_reset_read_is_repeated_inside_the_deadline() -> None:
    asked: list[int] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(1)
        if len(asked) < 3:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(text="{}")

    clock = ManualClock()
    async with serving(handler) as host, _client(host, clock, repeats=2) as client:
        work = asyncio.ensure_future(client.get("/", (), Deadline(clock, 5)))
        await advance_until(clock, 0.05, work.done)
        assert (work.result().body, len(asked)) == (b"{}", 3)


async def test_a_dribbled_body_ends_at_the_total_deadline() -> None:
    dribbled: list[int] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_HEAD + b"Content-Length: 1000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            dribbled.append(1)
            await clock.sleep(1.0)  # one byte a second: a timer between bytes would never fire

    clock = ManualClock()
    async with raw_serving(answer) as host, _client(host, clock, repeats=2) as client:
        work = asyncio.ensure_future(client.get("/", (), Deadline(clock, 8)))
        await advance_until(clock, 1.0, work.done)
        with pytest.raises(Unreachable) as raised:
            work.result()
    assert raised.value.reason == "timeout"
    assert clock.monotonic_ns() == 8_000_000_000
    assert len(dribbled) >= 7


async def test_an_unknown_name_a_closed_port_and_plain_text_behind_https_are_named() -> None:
    clock = SystemClock()
    retrying = Retrying(clock, lambda: 0.5, repeats=0)

    async def reason(url: str) -> str | None:
        async with RestClient(url, retrying) as client:
            with pytest.raises(Unreachable) as raised:
                await client.get("/", (), Deadline(clock, 20))
            return raised.value.reason

    async with serving(_answering(lambda: web.Response(text="{}"))) as host:
        assert await reason(f"https://{host}") == "tls"
    assert await reason(f"http://{host}") == "connect"
    assert await reason("http://venue.invalid") == "dns"


@pytest.mark.parametrize(
    ("made", "trusted", "good"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"days": -1}, True, False),
        ({"address": "127.0.0.2"}, True, False),
    ],
    ids=["trusted", "self-signed", "expired", "another name"],
)
async def test_only_a_trusted_certificate_of_this_host_and_time_is_accepted(
    tmp_path: Path, made: dict[str, Any], trusted: bool, good: bool
) -> None:
    server, client = certificate(tmp_path, **made)
    asked: list[int] = []

    async def handler(_: web.Request) -> web.Response:
        asked.append(1)
        return web.Response(text="{}")

    clock = SystemClock()
    retrying = Retrying(clock, lambda: 0.0, repeats=2)
    async with serving(handler, server) as host:
        settings = HttpSettings(tls=client if trusted else None)
        async with RestClient(f"https://{host}", retrying, settings) as rest:
            if good:
                assert (await rest.get("/", (), Deadline(clock, 10))).body == b"{}"
            else:
                with pytest.raises(Unreachable) as raised:
                    await rest.get("/", (), Deadline(clock, 10))
                assert raised.value.reason == "tls"
    assert len(asked) == good


async def test_a_client_that_is_not_open_says_so() -> None:
    clock = ManualClock()
    with pytest.raises(Unreachable) as raised:
        await _client("127.0.0.1:9", clock).get("/", (), Deadline(clock, 5))
    assert raised.value.reason == "closed"


async def test_a_path_may_be_answered_by_another_host_and_a_question_be_posted() -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(f"{request.method} {request.path_qs}")
        return web.json_response({})

    clock = ManualClock(NOW_NS)
    async with serving(handler) as host:
        settings = HttpSettings(elsewhere={"/fapi/": f"http://{host}"})
        nowhere = RestClient("http://127.0.0.1:9", Retrying(clock, lambda: 0.5, repeats=0), settings)
        async with nowhere as client:
            await client.get("/fapi/v1/x", (("a", "1"),), Deadline(clock, 5))
            await client.post("/fapi/v1/y", Deadline(clock, 5))
            with pytest.raises(Unreachable):
                await client.get("/api/v3/x", (), Deadline(clock, 5))
    assert seen == ["GET /fapi/v1/x?a=1", "POST /fapi/v1/y"]


async def test_headers_are_made_anew_for_each_attempt() -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers["X-Number"])
        return web.json_response({}, status=503 if len(seen) == 1 else 200)

    clock = ManualClock(NOW_NS)
    made: list[int] = []

    def numbered() -> dict[str, str]:
        made.append(len(made) + 1)
        return {"X-Number": str(made[-1])}

    async with serving(handler) as host, _client(host, clock, repeats=2) as client:
        read = asyncio.create_task(client.get("/v5/x", (), Deadline(clock, 30), numbered))
        await advance_until(clock, 0.05, read.done)
    assert seen == ["1", "2"]
