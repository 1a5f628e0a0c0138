"""Stored events: written once, read back exactly, on both databases."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.evidence.events import FUNDING_UNKNOWN, EventTable, event_table
from sextant.evidence.scorecard import Scorer
from sextant.evidence.store import load, params_key, save
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


async def test_events_are_stored_once_and_the_second_time_changes_nothing(db: AsyncEngine) -> None:
    table = _table(0, ROWS)
    assert await save(db, table) == table.count
    assert await save(db, dataclasses.replace(table, gross=table.gross + 1.0)) == 0
    empty = _table(ROWS - 2, ROWS)
    assert empty.count == 0
    read = await load(db, empty)
    assert sorted(read.gross.tolist()) == sorted(table.gross.tolist())


async def test_what_has_left_the_window_is_read_back_as_if_it_never_had(db: AsyncEngine) -> None:
    whole, early, late = _table(0, ROWS), _table(0, 400), _table(300, ROWS)
    await save(db, early)
    read = await load(db, late)
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
    await save(db, table)
    other = _table(390, ROWS, {"a": 2.0})
    assert params_key(other) != params_key(table)
    assert await load(db, other) is other


async def test_only_events_that_ended_since_a_time_are_saved(db: AsyncEngine) -> None:
    table = _table(0, ROWS)
    since_ns = int(np.median(table.exit_ns))
    assert await save(db, table, since_ns) == int((table.exit_ns >= since_ns).sum())


async def test_unknown_funding_of_the_past_is_still_named(db: AsyncEngine) -> None:
    table = _table(0, 400)
    await save(db, dataclasses.replace(table, funded=np.zeros(table.count, dtype=np.bool_)))
    read = await load(db, _table(390, ROWS))
    assert FUNDING_UNKNOWN in read.without
    assert not read.funded.all()
