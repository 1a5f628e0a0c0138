"""What nobody awaited, and what the event loop itself meets: told as events, repetitions held back."""

from __future__ import annotations

import asyncio
import errno
from typing import Any, Final

from sextant.kit import log

_NO_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE})
_LOG: Final = log.get("kit")


def tell_loop_errors(loop: asyncio.AbstractEventLoop) -> None:
    """Tell errors of a loop from now on.

    Notes
    -----
    Without files left a loop of Python 3.11 tries to accept as often as connections may wait, and writes a trace for
    each: a thousand at a time, which holds it up for a second.
    """
    loop.set_exception_handler(_tell)


def _tell(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if isinstance(error, OSError) and error.errno in _NO_FILES:
        _LOG.warning("loop.no_files", error=error.strerror)
        return
    _LOG.error("loop.error", message=context.get("message"), exc_info=error)
