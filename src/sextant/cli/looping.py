"""The event loop of processes that serve: the quick one where there is one."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from sextant.kit.clock import SystemClock
from sextant.kit.memory import share_heap
from sextant.kit.survivors import Survivors
from sextant.scans.crew import COMPUTING

T = TypeVar("T")

QUICK: Final = "uvloop"  # half the processor time of a small answer; not built for Windows
SWITCH_S: Final = 0.0005
"""How long a thread of strategies keeps the interpreter while the loop waits for it; the default is ten times as long,
and with eight such threads the loop turned a ninth as often. It costs some hundredths of their work."""


@contextmanager
def serving() -> Iterator[None]:
    """The interpreter as a process that serves has it.

    Notes
    -----
    Threads that compute let the event loop have its turn soon and share one heap, and no full collection of garbage
    stops it for long.
    """
    share_heap()
    sys.setswitchinterval(SWITCH_S)
    survivors = Survivors(SystemClock())
    survivors.watch()
    try:
        yield
    finally:
        survivors.leave()


def run_loop(work: Coroutine[Any, Any, T]) -> T:
    """The result of the work, in an event loop of its own in a process that serves."""
    with serving():
        if sys.platform == "win32":
            return asyncio.run(work)
        with asyncio.Runner(loop_factory=importlib.import_module(QUICK).new_event_loop) as runner:
            return runner.run(work)


def leave() -> None:
    """End the process now, as one that did its work, if strategies still compute in threads; otherwise do nothing.

    Notes
    -----
    The interpreter would wait for every thread, however long its strategy takes, though nobody waits for what it finds:
    its scan was ended or given to another process. A stopping process has ten seconds (faults.md P2).
    """
    if any(thread.name.startswith(COMPUTING) for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
