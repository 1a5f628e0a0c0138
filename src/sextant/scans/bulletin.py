"""What changed about scores, in order and numbered: conditions that opened and closed, facts that were told, states that changed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sextant.confluence.conditions import Turn
from sextant.confluence.detectors import Fact
from sextant.model.instrument import Instrument
from sextant.scans.entries import Entry

KEEP: Final = 5_000
"""Notices kept for whoever comes back after a cut."""

What = Turn | Fact | Entry
News = tuple[Instrument | None, What]
"""What is told, and of which instrument; of the whole market where of none."""


@dataclass(frozen=True)
class Notice:
    """One of them; numbers rise by one. No instrument stands for the whole market."""

    number: int
    at_ns: int
    instrument: Instrument | None
    what: What


class Bulletin:
    """The newest notices.

    Notes
    -----
    To be used from one event loop.
    """

    def __init__(self, keep: int = KEEP) -> None:
        self._kept: deque[Notice] = deque(maxlen=keep)
        self._last = 0
        self._more = asyncio.Event()

    @property
    def last(self) -> int:
        """Number of the newest notice; 0 before any."""
        return self._last

    def add(self, at_ns: int, items: Iterable[News]) -> None:
        """Tell some things, and wake whoever waits even where there are none."""
        for instrument, what in items:
            self._last += 1
            self._kept.append(Notice(self._last, at_ns, instrument, what))
        self._more.set()
        self._more = asyncio.Event()

    def after(self, number: int) -> tuple[Notice, ...]:
        """The kept notices behind a number, oldest first."""
        return tuple(notice for notice in self._kept if notice.number > number)

    async def more(self) -> None:
        """Return when something was scored."""
        await self._more.wait()
