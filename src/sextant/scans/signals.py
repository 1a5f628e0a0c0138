"""Who waits for a scan to move, and how they are woken: in this process at once, elsewhere by the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final

WATCH_S: Final = 1.0  # how long a reader waits before it asks the rows again; a lost notice costs no more
CHANNEL: Final = "sextant_scans"  # PostgreSQL's channel of notices
_ENDED: Final = "!"


class Signals:
    """Wakes whoever follows a scan in this process; nothing is kept for scans that nobody follows."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._held: dict[str, asyncio.Event] = {}

    @asynccontextmanager
    async def watching(self, scan_id: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set with each change of the scan; whoever reads the rows clears it first."""
        event = asyncio.Event()
        self._waiting.setdefault(scan_id, set()).add(event)
        try:
            yield event
        finally:
            watchers = self._waiting[scan_id]
            watchers.discard(event)
            if not watchers:
                del self._waiting[scan_id]

    @contextmanager
    def holding(self, scan_id: str, ended: asyncio.Event) -> Iterator[None]:
        """Set an event when somebody ends the scan that is run here."""
        self._held[scan_id] = ended
        try:
            yield
        finally:
            del self._held[scan_id]

    def tell(self, scan_id: str, *, ended: bool = False) -> None:
        """A scan has moved; ``ended`` where somebody else than its holder ended it."""
        for event in self._waiting.get(scan_id, ()):
            event.set()
        if ended and scan_id in self._held:
            self._held[scan_id].set()

    def hear(self, notice: str) -> None:
        """A notice of the database, as ``notice_of`` spells it."""
        self.tell(notice.removeprefix(_ENDED), ended=notice.startswith(_ENDED))

    def hear_all(self) -> None:
        """Notices may have been lost: everybody looks again."""
        for scan_id in self._waiting:
            self.tell(scan_id)


def notice_of(scan_id: str, *, ended: bool) -> str:
    """The notice that tells other processes of a change."""
    return _ENDED + scan_id if ended else scan_id


async def moved(event: asyncio.Event, seconds: float = WATCH_S) -> None:
    """Return with the next change, or after ``seconds``."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
