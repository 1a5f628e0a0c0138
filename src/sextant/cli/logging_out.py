"""``sextant logs``: what the server wrote, since when and how grave."""

from __future__ import annotations

import sys
from typing import Any, Final

import msgspec

from sextant.cli.settings import LOGS, configuration
from sextant.kit.clock import SystemClock
from sextant.kit.log_files import Level, read_lines, since_of

_FIRST: Final = ("timestamp", "level", "room", "event")


def show(since: str, level: Level, *, demo: bool, as_json: bool) -> int:
    """How many lines there were, after printing them, oldest first.

    Raises
    ------
    InputError
        If ``since`` is no time ago.
    """
    since_ns = since_of(since, SystemClock().now_ns())
    folder = configuration().data_dir / ("demo" if demo else "") / LOGS
    out, count = sys.stdout.buffer, 0
    for line in read_lines(folder, since_ns, level):
        out.write((line if as_json else _told(msgspec.json.decode(line)).encode()) + b"\n")
        count += 1
    if not count:
        sys.stderr.write(f"No line of level {level} or above since {since} in {folder}.\n")
    return count


def _told(event: dict[str, Any]) -> str:
    head = " ".join(str(event.get(name, "-")) for name in _FIRST)
    rest = " ".join(f"{name}={value}" for name, value in event.items() if name not in _FIRST)
    return f"{head}  {rest}".rstrip()
