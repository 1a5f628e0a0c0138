"""A house of scans for a test: a real market, a real database, a real worker."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.kit.clock import SystemClock
from sextant.model.account import Account
from sextant.model.view import View
from sextant.scans.details import ScanDetails
from sextant.scans.diagnostics import ScanDiagnostics
from sextant.scans.ledger import Ledger, open_ledger
from sextant.scans.lifecycle import Caller, Origin, Scans
from sextant.scans.records import ScanStatus
from sextant.scans.recovery import Recovery
from sextant.scans.run import EvidenceShelf, MarketPart
from sextant.scans.store import ScanRows
from sextant.scans.worker import ScanWorker
from sextant.strategies.catalog import strategies
from sextant.strategies.contract import Strategy
from sextant.strategies.prices import CostAssumptions
from support.database import sqlite
from support.markets import bars_of, framed, frozen, momentum_market


def _with_hours(view: View) -> View:
    """The view with hourly bars that move evenly between its four-hourly closes."""
    logs = np.log(view.bars["4h"].close)
    rows = np.arange(4 * len(logs)) / 4
    hours = np.column_stack(
        [np.interp(rows, np.arange(len(logs)) + 0.75, logs[:, s]) for s in range(logs.shape[1])]
    )
    return frozen(dataclasses.replace(view, bars={**view.bars, "1h": framed("1h", bars_of(np.exp(hours)))}))


MOMENTUM = "ai_spot_momentum_strategy"
THREE = (MOMENTUM, "ai_spot_mean_reversion", "ai_spot_breakout_strategy")
"""What the house runs by default; the catalogue itself may grow."""

VIEW = _with_hours(momentum_market())
CALLER = Caller("user-1", frozenset(strategies()), Account())


@dataclasses.dataclass
class House:
    db: AsyncEngine
    scans: Scans
    ledger: Ledger
    worker: ScanWorker
    diagnostics: ScanDiagnostics
    recovery: Recovery

    @property
    def rows(self) -> ScanRows:
        return self.ledger.rows

    @property
    def details(self) -> ScanDetails:
        return self.ledger.details

    async def ended(self, scan_id: str) -> ScanStatus:
        async with asyncio.timeout(20):
            async for _ in await self.scans.events("user-1", scan_id, 0):
                pass
        return await self.scans.status("user-1", scan_id)


def three() -> dict[str, Strategy]:
    """Three strategies of the catalogue, in its order."""
    return {name: strategy for name, strategy in strategies().items() if name in THREE}


def market() -> MarketPart:
    return MarketPart(VIEW, CostAssumptions(), EvidenceShelf())


@asynccontextmanager
async def house(
    folder: Path,
    catalogue: Mapping[str, Strategy] | None = None,
    market: Callable[[], MarketPart] = market,
    *,
    working: bool = True,
) -> AsyncIterator[House]:
    clock = SystemClock()
    async with sqlite(folder) as db:
        ledger = open_ledger(db)
        rows, details = ledger.rows, ledger.details
        worker = ScanWorker(ledger, clock, catalogue or three(), market)
        scans = Scans(ledger, worker, clock, lambda: Origin("replay", simulated=False, code_version="test"))
        serving = asyncio.create_task(worker.serve()) if working else None
        try:
            yield House(
                db, scans, ledger, worker, ScanDiagnostics(rows, details, clock), Recovery(ledger, clock)
            )
        finally:
            if serving is not None:
                serving.cancel()
                await asyncio.gather(serving, return_exceptions=True)


def misbehaving(**replaced: Any) -> dict[str, Strategy]:
    """The catalogue with one strategy whose evaluate does something else."""
    catalogue = three()
    catalogue[MOMENTUM] = dataclasses.replace(catalogue[MOMENTUM], **replaced)
    return catalogue
