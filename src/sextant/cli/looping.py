"""The event loop of processes that serve: the quick one where there is one."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

QUICK: Final = "uvloop"  # half the processor time of a small answer; not built for Windows
SWITCH_S: Final = 0.0005
"""How long a thread of strategies keeps the interpreter while the loop waits for it; the default is ten times as long,
and with eight such threads the loop turned a ninth as often. It costs some hundredths of their work."""


def run_loop(work: Coroutine[Any, Any, T]) -> T:
    """The result of the work, in an event loop of its own, which threads that compute let have its turn soon."""
    sys.setswitchinterval(SWITCH_S)
    if sys.platform == "win32":
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=importlib.import_module(QUICK).new_event_loop) as runner:
        return runner.run(work)
