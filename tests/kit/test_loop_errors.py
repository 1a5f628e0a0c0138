from __future__ import annotations

import asyncio
import errno

import structlog

from sextant.kit.loop_errors import tell_loop_errors


async def test_what_a_loop_meets_is_an_event() -> None:
    loop = asyncio.get_running_loop()
    tell_loop_errors(loop)
    try:
        with structlog.testing.capture_logs() as events:
            loop.call_exception_handler({"message": "nobody awaited it", "exception": ValueError("x")})
            full = OSError(errno.EMFILE, "Too many open files")
            loop.call_exception_handler({"message": "accept", "exception": full})
            loop.call_exception_handler({"message": "without one"})
    finally:
        loop.set_exception_handler(None)
    assert [(event["event"], event["log_level"]) for event in events] == [
        ("loop.error", "error"),
        ("loop.no_files", "warning"),
        ("loop.error", "error"),
    ]
    assert events[0]["message"] == "nobody awaited it"
