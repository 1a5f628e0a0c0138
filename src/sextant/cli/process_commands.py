"""The commands of processes that share one PostgreSQL, and their options."""

from __future__ import annotations

import asyncio


def api(*, host: str | None = None, port: int | None = None) -> None:
    """Answer requests from a shared PostgreSQL; scans are run by `sextant work`. Start as many as are needed.

    Example: SEXTANT_DATABASE_URL=postgresql+asyncpg://sextant@db/sextant sextant api --port 8401

    Parameters
    ----------
    host
        Address the API listens on; SEXTANT_HOST by default.
    port
        Port the API listens on; SEXTANT_PORT by default.
    """
    from sextant.cli.distributed import run_api

    asyncio.run(run_api(host, port))


def work(*, simulated: str | None = None) -> None:
    """Run the scans of a shared PostgreSQL on a live market of this process. Start as many as are needed.

    Example: SEXTANT_DATABASE_URL=postgresql+asyncpg://sextant@db/sextant sextant work

    Parameters
    ----------
    simulated
        Address of a simulated venue instead, as `sextant simulate` prints it; every answer says so.
    """
    from sextant.cli.distributed import run_work

    asyncio.run(run_work(simulated))
