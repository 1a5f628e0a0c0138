"""Writes the changes of one scan: those that come while another is being committed go with one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from sextant.errors import Conflict
from sextant.kit.clock import Clock, Deadline
from sextant.kit.db_faults import passing_or_full, patiently
from sextant.scans.ledger import Ledger
from sextant.scans.records import Lease, ScanStatus
from sextant.scans.store import Change

SETTLE_S: Final = 5.0  # a write is repeated at least this long, even after the scan's own deadline

_CARRIED: Final = frozenset({"phase", "ended_strategies", "found_count", "outcomes", "message"})

Make = Callable[[ScanStatus], Change]
"""Makes a change out of the status before it."""


@dataclass(eq=False)
class _Turn:
    """Changes that wait to be written, and whether they are."""

    makes: Sequence[Make]
    written: bool = False


class Pen:
    """The one hand that moves the rows of a scan that is run here.

    Parameters
    ----------
    ledger
        Where changes are written.
    clock
        Gives the time of each.
    status
        The scan as it was taken; its newest state from then on.
    lease
        Under which it is run.
    deadline
        Of the scan.
    """

    def __init__(
        self, ledger: Ledger, clock: Clock, status: ScanStatus, lease: Lease, deadline: Deadline
    ) -> None:
        self.status = status
        self._ledger = ledger
        self._clock = clock
        self._lease = lease
        self._deadline = deadline
        self._lock = asyncio.Lock()
        self._waiting: list[_Turn] = []

    async def write(self, *makes: Make) -> None:
        """Return once the changes are committed, in this order and after all that were asked for before.

        Notes
        -----
        Each is made from the status that the one before it leaves, whether both are one transaction or two.

        Raises
        ------
        Conflict
            If the scan has ended, or the lease was lost.
        """
        turn = _Turn(makes)
        self._waiting.append(turn)
        try:
            async with self._lock:
                if not turn.written:
                    await self._write_waiting()
        finally:
            if not turn.written:  # whoever waits behind it tries again without it
                self._waiting.remove(turn)

    async def _write_waiting(self) -> None:
        """Commit everything that waits."""
        turns = list(self._waiting)
        await self._commit([make for turn in turns for make in turn.makes])
        for turn in turns:
            turn.written = True
        self._waiting = [turn for turn in self._waiting if not turn.written]

    async def _commit(self, makes: Sequence[Make]) -> None:
        """Commit changes as one, repeated while the database is away; one that was committed unseen is found again."""
        before, lease, ledger = self.status, self._lease, self._ledger
        now_ns = self._clock.now_ns()
        change, status = folded(before, makes)

        async def attempt(again: bool) -> int:
            try:
                return await ledger.rows.change(before.scan_id, before.version, now_ns, change, lease)
            except Conflict:
                if again and await ledger.leases.stands(before.scan_id, status.version, lease):
                    return status.version
                raise

        deadline = Deadline(self._clock, max(SETTLE_S, self._deadline.remaining_s()))
        version = await patiently(self._clock, deadline, attempt, passing_or_full)
        self.status = msgspec.structs.replace(status, version=version, updated_ns=now_ns)


def always(change: Change) -> Make:
    """Makes the same change, whatever the status before it."""
    return lambda _: change


def folded(status: ScanStatus, makes: Sequence[Make]) -> tuple[Change, ScanStatus]:
    """Several changes as one, and the status after them; each is made from what those before it leave."""
    whole = Change()
    for make in makes:
        change = make(status)
        known = {name: value for name, value in change.facts.items() if name in _CARRIED}
        status = msgspec.structs.replace(status, version=status.version + len(change.events), **known)
        whole = whole.then(change)
    return whole, status
