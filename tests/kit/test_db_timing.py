from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog

from sextant.kit.clock import ManualClock
from sextant.kit.db_timing import op_of, pool_use, telling, time_statements
from support.database import sqlite


@pytest.mark.parametrize(
    ("statement", "op"),
    [
        ("SELECT users.user_id \nFROM users \nWHERE users.email_key = ?", "select users"),
        ("INSERT INTO scans (scan_id) VALUES (?)", "insert scans"),
        ('UPDATE "sessions" SET ended_ns=?', "update sessions"),
        ("DELETE FROM grants", "delete grants"),
        ("BEGIN IMMEDIATE", "begin"),
        ("SELECT 1", "select"),
    ],
)
def test_a_statement_is_named_by_verb_and_table(statement: str, op: str) -> None:
    assert op_of(statement) == op


async def test_each_statement_is_told_also_one_that_fails(tmp_path: Path) -> None:
    told: list[tuple[str, float, bool]] = []
    async with sqlite(tmp_path) as db:
        time_statements(db, ManualClock(), lambda op, seconds, failed: told.append((op, seconds, failed)))
        async with db.connect() as connection:
            await connection.execute(sa.text("SELECT count(*) FROM sqlite_master"))
            with pytest.raises(sa.exc.OperationalError):
                await connection.execute(sa.text("SELECT nothing FROM sqlite_master"))
    assert told == [("select sqlite_master", 0.0, False), ("select sqlite_master", 0.0, True)]


async def test_the_pool_says_how_many_connections_are_in_use(tmp_path: Path) -> None:
    async with sqlite(tmp_path) as db:
        async with db.connect(), db.connect():
            used, most = pool_use(db)
        assert (used, pool_use(db)[0]) == (2, 0)
        assert most >= 8


@pytest.mark.parametrize(("seconds", "level"), [(0.9, None), (1.5, "warning"), (2.5, "critical")])
def test_a_slow_statement_is_an_event_without_its_parameters(seconds: float, level: str | None) -> None:
    told: list[tuple[str, float, bool]] = []
    observe = telling(lambda *facts: told.append(facts))
    with structlog.testing.capture_logs() as events:
        observe(op_of("SELECT secret FROM scans WHERE user_id = 'canary'"), seconds, False)
    assert told == [("select scans", seconds, False)]
    assert [event["log_level"] for event in events] == ([] if level is None else [level])
    assert "canary" not in str(events)
