"""The commands of processes that share one PostgreSQL, or one Redis, and their options."""

from __future__ import annotations


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
    from sextant.cli.looping import run_loop

    run_loop(run_api(host, port))


def work(*, simulated: str | None = None) -> None:
    """Run the scans of a shared PostgreSQL. Start as many as are needed.

    With SEXTANT_REDIS_URL set and `sextant feed` running the market comes from there; otherwise from the venues.

    Example: SEXTANT_DATABASE_URL=postgresql+asyncpg://sextant@db/sextant sextant work

    Parameters
    ----------
    simulated
        Address of a simulated venue instead, as `sextant simulate` prints it; every answer says so.
    """
    from sextant.cli.distributed import run_work
    from sextant.cli.looping import leave, run_loop

    run_loop(run_work(simulated))
    leave()


def feed(*, shard: str = "1/1", simulated: str | None = None) -> None:
    """Tell live markets to other processes through a Redis or Valkey; start one for each shard.

    Example: SEXTANT_REDIS_URL=redis://store:6379/0 sextant feed --shard 1/2

    Parameters
    ----------
    shard
        Which part of all instruments, as i/n; feeds 1/n to n/n carry them all.
    simulated
        Address of a simulated venue instead, as `sextant simulate` prints it; every answer says so.
    """
    from sextant.cli.feeding import run_feed
    from sextant.cli.looping import run_loop

    run_loop(run_feed(shard, simulated))
