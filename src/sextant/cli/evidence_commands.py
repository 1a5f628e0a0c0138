"""``sextant evidence`` and its options: what strategies would have earned on recorded bars, here or by many processes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

Json = Annotated[bool, Parameter(name="--json", negative="")]
Places = Annotated[list[str], Parameter(consume_multiple=True, negative="")]

evidence = App(name="evidence")


@evidence.default
def score(
    *,
    data: Places,
    out: Path | None = None,
    assume_spread_bps: float = 5.0,
    jobs: int | None = None,
    keep: str | None = None,
    database: str | None = None,
    json: Json = False,
) -> None:
    """Score what every bar strategy would have earned on recorded packs, also where the answer is no edge.

    Example: sextant evidence --data bars.parquet --out evidence.html

    Parameters
    ----------
    data
        Parquet or Feather packs of bars: files, folders of files, or URLs of an object store.
    out
        A page with tables and plots to write.
    assume_spread_bps
        Spread assumed where the recording has no quotes, 0 to 1000.
    jobs
        How many processes compute; one per core when absent, and none besides this one for a small pack.
    keep
        Folder or URL where results are kept: a run that was killed goes on there.
    database
        A PostgreSQL as postgresql+asyncpg://...: jobs are run by `sextant evidence work`; needs a --keep that all reach.
    json
        The report as one JSON object on standard output instead of tables.
    """
    from sextant.cli.evidencing import Order, write_report

    write_report(Order(tuple(data), assume_spread_bps, jobs, keep, database), out, as_json=json)


@evidence.command
def work(*, database: str, jobs: int | None = None) -> None:
    """Run jobs of evidence from a shared PostgreSQL until asked to stop. Start as many as are needed.

    Example: sextant evidence work --database postgresql+asyncpg://sextant@db/sextant

    Parameters
    ----------
    database
        Where `sextant evidence --database` asks.
    jobs
        How many processes compute; one per core when absent.
    """
    from sextant.cli.evidence_work import serve_jobs

    asyncio.run(serve_jobs(database, jobs))
