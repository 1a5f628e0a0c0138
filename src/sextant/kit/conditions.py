"""What is true since when, instead of warnings that repeat: one line when it begins, one when it ends."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import msgspec

from sextant.kit import log
from sextant.kit.clock import Clock

OPEN_AFTER: Final = 2  # confluence.md 6: one bad reading is noise
CLOSE_AFTER: Final = 3  # and one good one is no recovery
SUMMARY_S: Final = 300.0

_LOG: Final = log.get("conditions")


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is, or was, true of one subject.

    Parameters
    ----------
    since_ns, until_ns
        When it was first seen; when it ended, None while it holds. UTC.
    count, last_ns
        How often it was seen, and when last.
    facts
        What was read when it was last seen.
    """

    kind: str
    subject: str
    since_ns: int
    until_ns: int | None = None
    count: int = 1
    last_ns: int
    facts: dict[str, Any] = {}


class _Watched(msgspec.Struct):
    """A condition with the readings in a row that would change it."""

    condition: Condition
    is_open: bool = False
    clear: int = 0


class Conditions:
    """Every condition of a process, open ones and the last closing of each.

    Parameters
    ----------
    clock
        Gives times.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._watched: dict[tuple[str, str], _Watched] = {}
        self._closed: dict[tuple[str, str], Condition] = {}
        self._told: Counter[str] = Counter()
        self._told_ns = clock.monotonic_ns()

    def note(self, kind: str, subject: str, *, holds: bool, at_once: bool = False, **facts: Any) -> None:
        """Take one reading.

        Parameters
        ----------
        kind, subject
            What, and of what.
        holds
            Whether it was seen to be true.
        at_once
            The reading is no sample but an event: it opens or closes at the first.
        facts
            What was read.
        """
        key = (kind, subject)
        watched = self._watched.get(key)
        if holds:
            self._seen(key, watched, facts, 1 if at_once else OPEN_AFTER)
        elif watched is not None:
            watched.clear += 1
            if not watched.is_open:
                del self._watched[key]  # a single bad reading before a good one
            elif at_once or watched.clear >= CLOSE_AFTER:
                self._close(key, watched)
        self._summarise()

    def open(self) -> list[Condition]:
        """Conditions that hold, the oldest first."""
        held = [watched.condition for watched in self._watched.values() if watched.is_open]
        return sorted(held, key=lambda condition: (condition.since_ns, condition.kind, condition.subject))

    def last(self, kind: str, subject: str) -> Condition | None:
        """The open condition, else the one that closed last, else None."""
        watched = self._watched.get((kind, subject))
        if watched is not None and watched.is_open:
            return watched.condition
        return self._closed.get((kind, subject))

    def _seen(
        self, key: tuple[str, str], watched: _Watched | None, facts: dict[str, Any], needed: int
    ) -> None:
        now_ns = self._clock.now_ns()
        if watched is None:
            kind, subject = key
            condition = Condition(kind=kind, subject=subject, since_ns=now_ns, last_ns=now_ns, facts=facts)
            watched = self._watched[key] = _Watched(condition)
        else:
            was = watched.condition
            watched.condition = msgspec.structs.replace(was, count=was.count + 1, last_ns=now_ns, facts=facts)
        watched.clear = 0
        if not watched.is_open and watched.condition.count >= needed:
            watched.is_open = True
            _LOG.warning("condition.opened", kind=key[0], subject=key[1], **facts)

    def _close(self, key: tuple[str, str], watched: _Watched) -> None:
        now_ns = self._clock.now_ns()
        ended = msgspec.structs.replace(watched.condition, until_ns=now_ns)
        self._closed[key] = ended
        del self._watched[key]
        _LOG.info(
            "condition.closed",
            kind=ended.kind,
            subject=ended.subject,
            seconds=round((now_ns - ended.since_ns) / 1e9, 1),
            count=ended.count,
        )

    def _summarise(self) -> None:
        """Say what is open by kind, at most every 300 s, and only where it is not what was said last."""
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._told_ns < SUMMARY_S * 1e9:
            return
        self._told_ns = now_ns
        counts = Counter(watched.condition.kind for watched in self._watched.values() if watched.is_open)
        if counts != self._told:
            self._told = counts
            _LOG.info("conditions.open", **counts)
