"""A budget of log lines: the first lines of a cause are written, the rest are counted."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import MutableMapping
from typing import Any, Final

import msgspec
import structlog

from sextant.kit.clock import Clock

REPEATS: Final = 2  # lines of one cause within a window; the next ones are only counted
WINDOW_S: Final = 900.0  # two lines and their count each quarter of an hour: 8 an hour for each cause
BUDGET_PER_H: Final = 20  # faults.md X10, api.md A29: lines of an hour in which something is away
CAUSES: Final = 512  # causes told apart; the one idle for longest is forgotten
LINES_KEPT: Final = 2_000  # newest lines whose event and time are remembered
_CAUSE_FIELDS: Final = (
    "venue",
    "strategy",
    "op",
    "code",
    "reason",
    "error",
    "link",
    "check",
    "kind",
    "subject",
)


class EventCount(msgspec.Struct, frozen=True):
    """How many lines an event had."""

    event: str
    count: int


class LogUse(msgspec.Struct, frozen=True, kw_only=True):
    """What was written in a window, and what was only counted since the start."""

    window_s: float
    lines: int
    suppressed: int
    top: tuple[EventCount, ...]


class LogBudget:
    """Writes the first lines of a cause and counts the rest; the next line of the cause says how many there were.

    A cause is an event of a room with the values of the fields that name what is broken. Nothing else of the
    line matters, so that an hour of an outage is a handful of lines.

    Parameters
    ----------
    clock
        Whose monotonic time bounds a window.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._causes: OrderedDict[tuple[Any, ...], list[float]] = OrderedDict()  # begun, written, held back
        self._lines: deque[tuple[float, str]] = deque(maxlen=LINES_KEPT)
        self._suppressed = 0

    def __call__(self, _: Any, level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """The event, or no line at all for a repetition."""
        cause = (event.get("room"), event.get("event"), level, *_values(event))
        now_s = self._clock.monotonic_ns() / 1e9
        with self._lock:
            known = self._causes.get(cause)
            if known is None or now_s - known[0] >= WINDOW_S:
                held_back = 0 if known is None else int(known[2])
                self._causes[cause] = [now_s, 1, 0]
                self._causes.move_to_end(cause)
                if len(self._causes) > CAUSES:
                    self._causes.popitem(last=False)
                if held_back:
                    event["repeated"] = held_back
            elif known[1] < REPEATS:
                known[1] += 1
            else:
                known[2] += 1
                self._suppressed += 1
                raise structlog.DropEvent
            self._lines.append((now_s, str(event.get("event"))))
        return event

    def use(self, window_s: float) -> LogUse:
        """What was written in the last seconds."""
        oldest_s = self._clock.monotonic_ns() / 1e9 - window_s
        with self._lock:
            events = [event for time_s, event in self._lines if time_s >= oldest_s]
            suppressed = self._suppressed
        top = Counter(events).most_common(5)
        return LogUse(
            window_s=window_s,
            lines=len(events),
            suppressed=suppressed,
            top=tuple(EventCount(event, count) for event, count in top),
        )


def _values(event: MutableMapping[str, Any]) -> tuple[str | None, ...]:
    return tuple(str(event[name])[:64] if name in event else None for name in _CAUSE_FIELDS)


def use(window_s: float) -> LogUse | None:
    """What the configured budget has let through in the last seconds; None where there is no budget."""
    for processor in structlog.get_config()["processors"]:
        if isinstance(processor, LogBudget):
            return processor.use(window_s)
    return None
