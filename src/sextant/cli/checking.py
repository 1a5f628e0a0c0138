"""``sextant doctor`` says whether this installation is able to work."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal

import msgspec
from rich.console import Console

from sextant.cli import exits
from sextant.config import Config
from sextant.errors import SextantError

Verdict = Literal["ok", "warning", "failed"]

DOCTOR_S: Final = 2.0  # a person waits; others go on without a store after a tenth of a second
LEAST_FREE_BYTES: Final = 1 << 30  # a day of recordings and scans of a busy market fits in 1 GiB


class Finding(msgspec.Struct, frozen=True):
    """What one check saw."""

    check: str
    verdict: Verdict
    detail: str


async def examine(*, as_json: bool) -> None:
    """Run every check, print what was seen, and exit with 7 where one failed."""
    from sextant.cli.settings import configuration

    findings = [_interpreter()]
    try:
        config = configuration()
    except SextantError as error:
        findings.append(Finding("configuration", "failed", error.message))
    else:
        findings.append(
            Finding("configuration", "ok", ", ".join(f"{k}={v}" for k, v in config.describe().items()))
        )
        checks: tuple[Callable[[Config], Awaitable[Finding]], ...] = (
            _folder,
            _database,
            _shared_store,
            _plugins,
            _kernels,
        )
        findings += [await _seen(check, config) for check in checks]
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(findings), indent=2) + b"\n")
    else:
        _print(findings)
    if any(finding.verdict == "failed" for finding in findings):
        sys.exit(exits.CONFIG)


def _print(findings: list[Finding]) -> None:
    colours = {"ok": "green", "warning": "yellow", "failed": "red"}
    console = Console()
    for finding in findings:
        colour = colours[finding.verdict]
        console.print(
            f"[{colour}]{finding.verdict:>8}[/{colour}]  {finding.check}: {finding.detail}", highlight=False
        )


async def _seen(check: Callable[[Config], Awaitable[Finding]], config: Config) -> Finding:
    """What a check saw; a check that cannot run has failed and says why."""
    name = check.__name__.strip("_")
    try:
        return await check(config)
    except SextantError as error:
        return Finding(name, "failed", error.message)
    except OSError as error:
        return Finding(name, "failed", str(error))


def _interpreter() -> Finding:
    good = sys.version_info >= (3, 11)
    detail = f"Python {platform.python_version()} on {platform.machine()}, Sextant needs 3.11 or newer"
    return Finding("interpreter", "ok" if good else "failed", detail)


async def _folder(config: Config) -> Finding:
    from sextant.cli.settings import own_folder

    folder = own_folder(config)
    probe = folder / ".probe"
    probe.write_bytes(b"")
    probe.unlink()
    free = shutil.disk_usage(folder).free
    verdict: Verdict = "ok" if free >= LEAST_FREE_BYTES else "warning"
    return Finding("data folder", verdict, f"{folder} is writable, {free / 1e9:.1f} GB free")


async def _database(config: Config) -> Finding:
    import sqlalchemy as sa

    from sextant.kit.db import migrate, open_engine

    db = open_engine(config.database_url)
    try:
        await migrate(db)
        async with db.connect() as connection:
            version: Any = (
                await connection.execute(sa.text("SELECT version_num FROM alembic_version"))
            ).scalar_one()
        return Finding("database", "ok", f"{db.dialect.name} answers, schema {version}")
    except sa.exc.SQLAlchemyError as error:
        return Finding("database", "failed", f"{db.dialect.name} does not answer: {type(error).__name__}")
    finally:
        await db.dispose()


async def _shared_store(config: Config) -> Finding:
    from sextant.errors import StoreAway
    from sextant.kit.bus import Bus
    from sextant.kit.clock import SystemClock

    if config.redis_url is None:
        return Finding("shared store", "ok", "none is configured; one is needed only by sextant feed")
    bus = Bus(config.redis_url, SystemClock(), DOCTOR_S)
    try:
        await bus.call("PING")
    except StoreAway as error:
        return Finding(
            "shared store", "warning", f"it does not answer ({error.reason}); nothing waits for it"
        )
    finally:
        await bus.close()
    return Finding("shared store", "ok", "it answers")


async def _plugins(_: Config) -> Finding:
    from sextant.indicators.catalog import indicators
    from sextant.strategies.catalog import strategies
    from sextant.venues.catalog import venues

    counts = {"venues": len(venues()), "indicators": len(indicators()), "strategies": len(strategies())}
    return Finding("plug-ins", "ok", ", ".join(f"{count} {name}" for name, count in counts.items()))


async def _kernels(_: Config) -> Finding:
    import numpy as np

    from sextant.indicators.catalog import compute
    from sextant.kit.clock import SystemClock

    clock = SystemClock()
    begun_ns = clock.monotonic_ns()
    compute("sma", {"close": np.ones((64, 2))}, bar_index=0, window=20)
    return Finding("kernels", "ok", f"first call took {(clock.monotonic_ns() - begun_ns) / 1e6:.0f} ms")
