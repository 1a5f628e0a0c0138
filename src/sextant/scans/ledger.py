"""What every process that knows scans shares with the others: rows, leases, the queue and the signals."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.kit.queue import WorkQueue
from sextant.scans.details import ScanDetails
from sextant.scans.leases import Leases
from sextant.scans.signals import Signals
from sextant.scans.store import ScanRows


@dataclass(frozen=True)
class Ledger:
    """The books of scans in one database, as one process sees them."""

    rows: ScanRows
    details: ScanDetails
    leases: Leases
    queue: WorkQueue
    signals: Signals


def open_ledger(db: AsyncEngine) -> Ledger:
    """The ledger of a database whose schema is migrated."""
    queue, signals = WorkQueue(db), Signals()
    return Ledger(ScanRows(db, queue, signals), ScanDetails(db), Leases(db), queue, signals)
