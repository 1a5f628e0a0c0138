"""A watchdog of the event loop: while something holds it up, a thread of its own says what."""

from __future__ import annotations

import sys
import threading
import traceback
from pathlib import Path
from typing import Final

from sextant.kit import log
from sextant.kit.clock import Clock

BEAT_S: Final = 0.25
BLOCKED_S: Final = (
    1.0  # four beats late; whoever holds the loop longer makes every venue and every caller wait
)
MOST_FRAMES: Final = 12

_LOG: Final = log.get("kit")


class Watchdog:
    """Tells the stack of the loop's thread once for each time that the loop does not turn.

    Parameters
    ----------
    clock
        Whose monotonic time counts, in both threads.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beat_ns = clock.monotonic_ns()
        self._ended = threading.Event()

    async def watch(self) -> None:
        """Show that the loop turns until cancelled; meanwhile the thread looks."""
        self._beat_ns = self._clock.monotonic_ns()
        watching = threading.Thread(
            target=self._look, args=(threading.get_ident(),), name="watchdog", daemon=True
        )
        watching.start()
        try:
            while True:
                self._beat_ns = self._clock.monotonic_ns()
                await self._clock.sleep(BEAT_S)
        finally:
            self._ended.set()

    def _look(self, loop_thread: int) -> None:
        told_ns: int | None = None
        while not self._ended.wait(BEAT_S):
            beat_ns = self._beat_ns
            late_s = (self._clock.monotonic_ns() - beat_ns) / 1e9
            if told_ns is not None and told_ns != beat_ns:
                told_ns = None
            if told_ns is None and late_s > BLOCKED_S:
                told_ns = beat_ns
                _LOG.error("loop.blocked", seconds=round(late_s, 3), stack=stack_of(loop_thread))


def stack_of(thread: int) -> list[str]:
    """Where a thread is now, innermost first: file, line and function of at most twelve frames."""
    frame = sys._current_frames().get(thread)  # noqa: SLF001  # documented, and the only way to another thread's stack
    if frame is None:
        return []
    lines = traceback.extract_stack(frame)[-MOST_FRAMES:]
    return [f"{Path(line.filename).name}:{line.lineno} {line.name}" for line in reversed(lines)]
