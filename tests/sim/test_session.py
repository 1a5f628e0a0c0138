"""Frames written past the library are whole WebSocket frames; a client that does not read is noticed."""

from __future__ import annotations

from typing import cast

import pytest
from aiohttp import web

from sextant.sim.session import Session, broken_text, fragments


def test_fragments_are_framed_as_rfc_6455_says() -> None:
    # Section 5.7: "A fragmented unmasked text message" is 01 03 48 65 6c (Hel) and 80 02 6c 6f (lo).
    assert fragments("Hello", 2).octets == bytes.fromhex("010348656c80026c6f")


def test_a_single_part_is_one_unfragmented_frame() -> None:
    # Section 5.7: a single-frame unmasked text message is 81 05 48 65 6c 6c 6f (Hello).
    assert fragments("Hello", 1).octets == bytes.fromhex("810548656c6c6f")


@pytest.mark.parametrize(("size", "header"), [(256, "817e0100"), (65_536, "817f0000000000010000")])
def test_long_payloads_have_the_long_header(size: int, header: str) -> None:
    made = fragments("x" * size, 1).octets
    assert made.startswith(bytes.fromhex(header))
    assert len(made) == size + len(header) // 2


def test_broken_text_is_not_utf_8() -> None:
    with pytest.raises(UnicodeDecodeError):
        broken_text().octets[2:].decode()


async def test_a_full_queue_is_reported_and_a_muted_session_swallows() -> None:
    session = Session(cast("web.WebSocketResponse", None), "linear", 1, 0)
    accepted = 0
    while session.put("frame"):
        accepted += 1
    assert accepted == 20_000
    session.muted_until_ms = 5
    assert session.put("frame")
