"""W7: one JSON event to a file, ours beside structlog's and the standard library's, and a repeat that is suppressed.

Microseconds of wall time per call on one thread. Peers write to a buffered file of the same folder; ours hands the
line to the thread that writes it, whose work is in the figure because both share one core here.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import structlog

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from harness import tell
from sextant.kit import log
from sextant.kit.clock import SystemClock
from sextant.kit.conditions import Conditions
from sextant.kit.log_files import WAITING_LINES, LogFiles

CALLS = 200_000
FACTS = {"venue": "bybit", "instrument": "BTC-USDT", "expected": 5, "got": 7, "seconds": 0.25}


def each_us(call: Callable[[], object], calls: int = CALLS) -> float:
    begun = time.perf_counter_ns()
    for _ in range(calls):
        call()
    return (time.perf_counter_ns() - begun) / 1e3 / calls


def ours_us(folder: Path) -> float:
    """Our path end to end: every line is in the file when the clock stops."""
    files = LogFiles(folder, SystemClock(), most_bytes=1 << 30)
    log.configure("json", sink=files.write)
    logger = log.get("bench")
    part = WAITING_LINES // 2

    def some() -> None:
        for _ in range(part):
            logger.info("feed.gap", **FACTS)
        files.drain()

    with contextlib.redirect_stderr(io.StringIO()):
        spent = each_us(some, CALLS // part) / part
    files.close()
    written = sum(path.read_bytes().count(b"\n") for path in folder.iterdir())
    assert written == CALLS // part * part, written
    return spent


def structlog_us(folder: Path) -> float:
    """structlog as its documentation recommends for speed: orjson bytes to a file."""

    with (folder / "structlog.jsonl").open("wb") as file:
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.format_exc_info,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(serializer=orjson.dumps),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=structlog.BytesLoggerFactory(file),
            cache_logger_on_first_use=False,
        )
        logger = structlog.get_logger(room="bench")
        return each_us(lambda: logger.info("feed.gap", **FACTS))


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = {
            "event": record.getMessage(),
            "level": record.levelname,
            "timestamp": self.formatTime(record),
        }
        return json.dumps(facts | record.__dict__["facts"])


def stdlib_us(folder: Path) -> float:
    handler = logging.FileHandler(folder / "stdlib.jsonl")
    handler.setFormatter(_Json())
    logger = logging.getLogger("bench")
    logger.propagate = False
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        return each_us(lambda: logger.info("feed.gap", extra={"facts": FACTS}))
    finally:
        logger.removeHandler(handler)
        handler.close()


def suppressed_us() -> float:
    """A reading of a condition that is open already: it raises a count and writes nothing."""
    log.configure("json", level=logging.CRITICAL)
    conditions = Conditions(SystemClock())
    return each_us(lambda: conditions.note("stream_stale", "bybit:BTC-USDT", holds=True))


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place) / name for name in ("ours", "structlog", "stdlib")]
        for folder in folders:
            folder.mkdir()
        stdlib, plain, ours = stdlib_us(folders[2]), structlog_us(folders[1]), ours_us(folders[0])
    tell(
        "kit.logs",
        {
            "event_us": ours,
            "structlog_us": plain,
            "stdlib_json_us": stdlib,
            "to_structlog": ours / plain,
            "suppressed_us": suppressed_us(),
        },
    )


if __name__ == "__main__":
    main()
