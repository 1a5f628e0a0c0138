"""Stored events: written once, read back exactly, on both databases."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.evidence.events import FUNDING_UNKNOWN, EventTable, event_table
from sextant.evidence.scorecard import Scorer
from sextant.evidence.store import EVENTS, KEPT_ROWS, WRITE_ROWS, EvidenceArchive, params_key
from sextant.kit.db import migrate, open_engine
from sextant.model.view import View
from support.evidence import apart, hashed, noise_of, scored_view, wide
from support.markets import bars_of, closes_of, framed
from support.postgres import postgresql

ROWS, COLUMNS, HORIZON = 600, 4, 5
PER_EVENT = [
    "column",
    "row",
    "entry_row",
    "exit_row",
    "entry_ns",
    "exit_ns",
    "direction",
    "strength",
    "cell",
    "gross",
    "funded",
    "exit_kind",
    "ambiguous",
    "adverse",
    "favourable",
]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    url = (
        f"sqlite+aiosqlite:///{tmp_path / 'sextant.db'}"
        if request.param == "sqlite"
        else request.getfixturevalue("server")
    )
    engine = open_engine(url)
    await migrate(engine)
    yield engine
    await migrate(engine, "base")
    await engine.dispose()


def _view() -> View:
    returns = 0.006 * noise_of([11, 222, 3333, 44444], ROWS)
    return scored_view(framed("1h", bars_of(closes_of(returns.T))))


def _table(first: int, last: int, params: dict[str, float] | None = None) -> EventTable:
    """Events of the rows first..last of one market; a row's signal does not depend on where the window begins."""
    whole = _view()
    frame = whole.bars["1h"]
    direction = apart(hashed(COLUMNS, frame, 0.1, 3), HORIZON)[first:last]
    names = ("open", "high", "low", "close", "volume", "quote_volume")
    cut = framed("1h", {name: getattr(frame, name)[first:last] for name in names})
    cut = dataclasses.replace(cut, open_ns=frame.open_ns[first:last])
    return event_table("hashed", params or {"a": 1.0}, wide(cut, direction, HORIZON), scored_view(cut))


async def _stored(db: AsyncEngine) -> int:
    async with db.connect() as connection:
        return int((await connection.execute(sa.select(sa.func.count()).select_from(EVENTS))).scalar_one())


@contextmanager
def writes(db: AsyncEngine) -> Iterator[list[int]]:
    """How many rows each statement wrote meanwhile."""
    seen: list[int] = []

    def note(_c: object, _k: object, statement: str, given: Any, _x: object, many: bool) -> None:
        if statement.startswith("INSERT"):
            seen.append(len(given) if many else 1)

    sa.event.listen(db.sync_engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(db.sync_engine, "before_cursor_execute", note)


async def test_events_are_stored_once_and_the_second_time_changes_nothing(db: AsyncEngine) -> None:
    table = _table(0, ROWS)
    archive = EvidenceArchive(db, asyncio.to_thread)
    assert await archive.keep(table) is table
    assert await _stored(db) == table.count
    changed = dataclasses.replace(table, gross=table.gross + 1.0)
    await archive.keep(changed)
    await EvidenceArchive(db, asyncio.to_thread).keep(changed)
    empty = _table(ROWS - 2, ROWS)
    assert empty.count == 0
    for told in (archive, EvidenceArchive(db, asyncio.to_thread)):
        read = await told.keep(empty)
        assert sorted(read.gross.tolist()) == sorted(table.gross.tolist())
    assert await _stored(db) == table.count


async def test_only_events_that_were_not_stored_are_written(db: AsyncEngine) -> None:
    early, whole = _table(0, 400), _table(0, ROWS)
    await EvidenceArchive(db, asyncio.to_thread).keep(early)
    archive = EvidenceArchive(db, asyncio.to_thread)
    with writes(db) as seen:
        await archive.keep(early)
        assert seen == []
        await archive.keep(whole)
        assert sum(seen) == whole.count - early.count
        await archive.keep(whole)
        assert sum(seen) == whole.count - early.count
    assert await _stored(db) == whole.count


async def test_what_another_process_stored_meanwhile_is_no_conflict(db: AsyncEngine) -> None:
    one, other = EvidenceArchive(db, asyncio.to_thread), EvidenceArchive(db, asyncio.to_thread)
    await one.keep(_table(0, 300))
    await other.keep(_table(0, 300))
    await one.keep(_table(0, ROWS))
    await other.keep(_table(0, ROWS))
    assert await _stored(db) == _table(0, ROWS).count


async def test_what_could_not_be_stored_is_stored_the_next_time(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'late.db'}")
    archive, table = EvidenceArchive(engine, asyncio.to_thread), _table(0, 300)
    with pytest.raises(OperationalError):
        await archive.keep(table)
    await migrate(engine)
    assert await archive.keep(table) is table
    assert await _stored(engine) == table.count
    await engine.dispose()


async def test_memory_holds_the_newest_events_alone(db: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert KEPT_ROWS >= 10 * WRITE_ROWS
    monkeypatch.setattr("sextant.evidence.store.KEPT_ROWS", 50)
    table, empty = _table(0, ROWS), _table(ROWS - 2, ROWS)
    archive = EvidenceArchive(db, asyncio.to_thread)
    await archive.keep(table)
    newest = np.sort(table.entry_ns)[-50:]
    for told in (archive, EvidenceArchive(db, asyncio.to_thread)):
        assert (await told.keep(empty)).entry_ns.tolist() == newest.tolist()
    assert await _stored(db) == table.count


@pytest.mark.parametrize("same", [True, False], ids=["in memory", "after a restart"])
async def test_what_has_left_the_window_is_read_back_as_if_it_never_had(db: AsyncEngine, same: bool) -> None:
    whole, early, late = _table(0, ROWS), _table(0, 400), _table(300, ROWS)
    archive = EvidenceArchive(db, asyncio.to_thread)
    await archive.keep(early)
    read = await (archive if same else EvidenceArchive(db, asyncio.to_thread)).keep(late)
    # The window of the late table begins in the middle of what was stored; nothing is counted twice.
    keys = set(zip(read.column.tolist(), read.entry_ns.tolist(), strict=True))
    assert len(keys) == read.count
    assert keys == set(zip(whole.column.tolist(), whole.entry_ns.tolist(), strict=True))
    order = np.lexsort((whole.column, whole.entry_ns))
    got = np.lexsort((read.column, read.entry_ns))
    shift = whole.row[order][0] - read.row[got][0]
    for name in PER_EVENT:
        moved = shift if name in ("row", "entry_row", "exit_row") else 0
        values = getattr(read, name)[got]
        assert values.dtype == getattr(whole, name).dtype, name
        assert np.array_equal(values + values.dtype.type(moved), getattr(whole, name)[order]), name
    costs = np.full(COLUMNS, 10.0)
    joined, direct = Scorer(read, costs).summary(), Scorer(whole, costs).summary()
    assert joined.n == direct.n
    assert joined.n_eff == pytest.approx(direct.n_eff)
    assert joined.expectancy_bps == pytest.approx(direct.expectancy_bps)
    assert read.window_start_ns == int(read.entry_ns[0])


async def test_other_parameters_are_other_events(db: AsyncEngine) -> None:
    table = _table(0, 400)
    archive = EvidenceArchive(db, asyncio.to_thread)
    await archive.keep(table)
    other = _table(390, ROWS, {"a": 2.0})
    assert params_key(other) != params_key(table)
    assert await archive.keep(other) is other


async def test_unknown_funding_of_the_past_is_still_named(db: AsyncEngine) -> None:
    table = _table(0, 400)
    await EvidenceArchive(db, asyncio.to_thread).keep(
        dataclasses.replace(table, funded=np.zeros(table.count, dtype=np.bool_))
    )
    read = await EvidenceArchive(db, asyncio.to_thread).keep(_table(390, ROWS))
    assert FUNDING_UNKNOWN in read.without
    assert not read.funded.all()
