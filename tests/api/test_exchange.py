from __future__ import annotations

from typing import Any

import pytest

from sextant.api.exchange import WHOLE, Common, Exchange, Reply

COMMON = Common({"X-Same": "always"})


def exchange(headers: list[tuple[bytes, bytes]], *parts: bytes) -> Exchange:
    messages = [
        {"type": "http.request", "body": part, "more_body": number < len(parts) - 1}
        for number, part in enumerate(parts)
    ]

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    scope: Any = {"type": "http", "headers": headers, "client": ("203.0.113.9", 1)}
    return Exchange(scope, receive, {})


def test_of_a_header_that_comes_twice_the_first_counts() -> None:
    found = exchange([(b"a", b"1"), (b"b", b"2"), (b"a", b"3")])
    assert dict(found.headers) == {"a": "1", "b": "2"}
    assert found.address == "203.0.113.9"


def test_a_request_id_stays_what_it_was_given_or_made() -> None:
    assert exchange([(b"x-request-id", b"from-the-caller_1")]).request_id == "from-the-caller_1"
    made = exchange([(b"x-request-id", b"no id\r\n")])
    assert made.request_id == made.request_id != "no id\r\n"
    assert made.request_id.startswith("req_")


async def test_a_body_is_read_until_its_end_or_until_nobody_sends_any_more() -> None:
    assert [part async for part in exchange([], b"a", b"b").body()] == [b"a", b"b"]
    assert [part async for part in exchange([]).body()] == []


async def test_an_answer_is_the_same_in_one_piece_and_by_the_rules_of_asgi() -> None:
    whole: list[tuple[bytes, bytes]] = []
    pieces: list[Any] = []

    async def send(message: Any) -> None:
        pieces.append(message)

    def take(head: bytes, body: bytes) -> bool:
        whole.append((head, body))
        return True

    reply = Reply(200, b"{}", COMMON, {"X-Own": "this one"})
    scope: Any = {"type": "http"}
    await reply(scope | {"extensions": {WHOLE: take}}, None, send)  # type: ignore[arg-type]  # nothing is received
    await reply(scope, None, send)  # type: ignore[arg-type]  # nothing is received
    [(head, body)] = whole
    line, *fields = head.decode().rstrip("\r\n").split("\r\n")
    assert (line, body) == ("HTTP/1.1 200 OK", b"{}")
    start, rest = pieces
    assert [f"{name.decode()}: {value.decode()}" for name, value in start["headers"]] == fields
    assert fields == ["x-same: always", "x-own: this one", "content-length: 2"]
    assert (start["status"], rest["body"], rest["more_body"]) == (200, b"{}", False)


async def test_an_answer_that_is_not_taken_in_one_piece_is_sent_in_two() -> None:
    pieces: list[Any] = []

    async def send(message: Any) -> None:
        pieces.append(message["type"])

    scope: Any = {"type": "http", "extensions": {WHOLE: lambda *_: False}}
    await Reply(404, b"", COMMON, {})(scope, None, send)  # type: ignore[arg-type]  # nothing is received
    assert pieces == ["http.response.start", "http.response.body"]


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body_state_no_length(status: int) -> None:
    assert b"content-length" not in Reply(status, b"", COMMON, {}).head()


def test_a_field_that_would_be_two_is_refused() -> None:
    with pytest.raises(ValueError, match="line break"):
        Reply(200, b"", COMMON, {"X-Own": "a\r\nSet-Cookie: b"}).head()
