"""Words to the person at the terminal."""

from __future__ import annotations

import sys


def spoken(bound: object) -> str:
    """The address of a bound socket as a person writes it."""
    host, port = bound.getsockname()[:2]  # type: ignore[attr-defined]  # a bound socket
    return f"http://{host}:{port}"


def say(text: str) -> None:
    """Tell the person at the terminal."""
    sys.stderr.write(text + "\n")
