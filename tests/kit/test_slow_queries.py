from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog

from sextant.kit import slow_queries
from sextant.kit.clock import ManualClock
from sextant.kit.db import open_engine


@pytest.mark.parametrize(("seconds", "level"), [(0.9, None), (1.5, "warning"), (2.5, "critical")])
async def test_a_slow_statement_is_told_without_its_parameters(
    tmp_path: Path, seconds: float, level: str | None
) -> None:
    db, clock = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}"), ManualClock()
    seen: list[tuple[str, float]] = []
    slow_queries.watch(db, clock, lambda op, spent: seen.append((op, spent)))

    def slow(connection: object, record: object) -> None:
        connection.create_function("wait", 1, lambda _: clock.advance(seconds))  # type: ignore[attr-defined]  # sqlite's

    sa.event.listen(db.sync_engine, "connect", slow)
    with structlog.testing.capture_logs() as events:
        async with db.connect() as connection:
            await connection.execute(sa.text("SELECT wait(:secret)"), {"secret": "canary"})
    await db.dispose()
    assert [op for op, _ in seen] == ["select"]
    assert seen[0][1] == pytest.approx(seconds)
    assert [event["log_level"] for event in events] == ([] if level is None else [level])
    assert "canary" not in str(events)
    assert all("SELECT wait" in event["statement"] for event in events)


async def test_a_statement_that_fails_is_counted_too(tmp_path: Path) -> None:
    db, clock = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}"), ManualClock()
    seen: list[str] = []
    slow_queries.watch(db, clock, lambda op, _: seen.append(op))
    async with db.connect() as connection:
        with pytest.raises(sa.exc.OperationalError):
            await connection.execute(sa.text("DELETE FROM nowhere"))
    await db.dispose()
    assert seen == ["delete"]
