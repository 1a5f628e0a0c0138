from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sextant.errors import NotFound
from sextant.scans import transitions
from sextant.scans.blobs import pack_answers
from sextant.scans.details import ScanDetails
from sextant.scans.records import Found, ScanEvent, Step
from sextant.scans.store import Change, ScanRows
from sextant.strategies.answers import each
from support import scans as make
from support.database import sqlite


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[tuple[ScanRows, ScanDetails]]:
    async with sqlite(tmp_path) as db:
        yield ScanRows(db), ScanDetails(db)


async def test_the_newest_event_is_the_version_of_the_row(store: tuple[ScanRows, ScanDetails]) -> None:
    rows, details = store
    accepted = make.status()
    await rows.create(accepted, make.reports(), make.steps(), None)
    found = [Found("opp_" + "1" * 32, None, 2_000, make.opportunity())]
    report = make.reports()[0].__class__(
        strategy_id="first", name="First", outcome="ok", opportunities=1, candidates=1
    )
    disposition = make.disposition("bybit:BTC-USDT:perpetual", "opportunity", opportunity_key="key-1")
    step = Step(
        number=100,
        name="Step 100",
        status="completed",
        time_ns=2_000,
        execution_ms=1.5,
        error=None,
        error_type=None,
    )
    change = transitions.strategy_ended(accepted, 0, report, pack_answers(each([disposition])), found)
    change.steps = [step]
    version = await rows.change(accepted.scan_id, 1, 2_000, change)
    events: list[ScanEvent] = await details.events(accepted.scan_id, 1)
    assert [event.kind for event in events] == ["strategy", "opportunity", "progress"]
    assert events[-1].version == version
    assert await details.found(accepted.scan_id) == tuple(found)
    assert (await details.steps(accepted.scan_id))[1] == step
    [(first, rows_of_first), (_, rows_of_second)] = await details.coverage(accepted.scan_id)
    assert (first, rows_of_first, rows_of_second) == (report, (disposition,), ())


async def test_opportunities_are_read_in_rank_order_and_only_by_their_owner(
    store: tuple[ScanRows, ScanDetails],
) -> None:
    rows, details = store
    accepted = make.status()
    await rows.create(accepted, make.reports(), make.steps(), None)
    found = [Found(f"opp_{n * 32}", None, 2_000, make.opportunity(opportunity_key=f"key-{n}")) for n in "12"]
    await rows.change(accepted.scan_id, 1, 2_000, Change(found=found, owner="user-1"))
    await rows.change(
        accepted.scan_id, 1, 3_000, Change(ranks=[found[1].opportunity_id, found[0].opportunity_id])
    )
    assert [item.opportunity.opportunity_key for item in await details.found(accepted.scan_id)] == [
        "key-2",
        "key-1",
    ]
    scan_id, item = await details.opportunity(found[1].opportunity_id, "user-1")
    assert (scan_id, item.rank) == (accepted.scan_id, 1)
    with pytest.raises(NotFound):
        await details.opportunity(found[1].opportunity_id, "user-2")
    assert await details.seen_before("user-1", "key-1", 2_001) == (2_000, 1)
    assert await details.seen_before("user-1", "key-1", 2_000) is None
