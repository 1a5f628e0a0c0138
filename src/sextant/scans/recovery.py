"""Scans whose process died: given to another one, or ended with what they had found."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from sextant.errors import Conflict, SextantError
from sextant.kit import log
from sextant.kit.clock import Clock, Deadline
from sextant.kit.db_faults import passing_or_full, patiently
from sextant.scans import transitions
from sextant.scans.leases import MOST_TAKES, Lapsed
from sextant.scans.ledger import Ledger
from sextant.scans.records import SCAN_HARD_STOP_S, ScanError

SWEEP_S: Final = 0.5  # with the lease's 3 s a lost scan is in other hands within 5 s

_LOG: Final = log.get("scans")


class Recovery:
    """Finds scans that nobody runs; any number of processes may look at the same time.

    Parameters
    ----------
    ledger
        The books of scans.
    clock
        Says when a scan's hard stop has passed.
    """

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    async def resume(self) -> int:
        """How many scans wait for a process to run them; each is in the queue now."""
        waiting = await self._ledger.leases.waiting()
        for scan_id in waiting:
            await self._ledger.queue.again(scan_id)
        return len(waiting)

    async def sweep(self) -> int:
        """How many scans without a holder were given on or ended."""
        handled = 0
        for lapsed in await self._ledger.leases.lapsed():
            if await self._ledger.leases.revoke(lapsed.status.scan_id):
                await self._settle(lapsed)
                handled += 1
        return handled

    async def watch(self) -> None:
        """Sweep until cancelled; a database that is away is waited for."""
        away = False
        while True:
            try:
                deadline = Deadline(self._clock, SWEEP_S)
                await patiently(self._clock, deadline, lambda _: self.sweep(), passing_or_full)
                away = False
            except SextantError as error:
                if not away:
                    _LOG.warning("scans.sweep_failed", reason=error.reason)
                away = True
            await self._clock.sleep(SWEEP_S)

    async def _settle(self, lapsed: Lapsed) -> None:
        status = lapsed.status
        now_ns = self._clock.now_ns()
        error = verdict_on(lapsed, now_ns)
        if error is None:
            await self._ledger.queue.again(status.scan_id)
        else:
            with suppress(Conflict):  # its owner ended it meanwhile
                await self._ledger.rows.change(
                    status.scan_id, status.version, now_ns, transitions.failed(status, error, now_ns)
                )
        tell = _LOG.warning if lapsed.takes else _LOG.debug  # a scan that only waits long is no loss
        tell("scan.lapsed", scan_id=status.scan_id, takes=lapsed.takes, again=error is None)


def verdict_on(lapsed: Lapsed, now_ns: int) -> ScanError | None:
    """Why a scan that lost its process cannot be run by another one, or None where it can.

    Notes
    -----
    Results of one scan come from one frozen view. A view dies with its process, so a scan that had begun to
    look is ended with what it had found; one that had not is run as if nothing had happened.
    """
    if now_ns - lapsed.status.started_ns > SCAN_HARD_STOP_S * 1e9:
        return ScanError(
            "budget_exceeded", "budget_exceeded", f"Nobody ran the scan within {SCAN_HARD_STOP_S:g} s."
        )
    if lapsed.status.as_of_ns is not None:
        return ScanError(
            "internal", "worker_lost", "The process that ran the scan ended before the scan did."
        )
    if lapsed.takes >= MOST_TAKES:
        return ScanError(
            "internal", "worker_lost", f"{lapsed.takes} processes ended while they ran the scan."
        )
    return None
