"""``sextant api`` and ``sextant work``: the two halves of ``serve``, any number of each on one PostgreSQL."""

from __future__ import annotations

from sextant.app import assemble_api, based, listen, run_scans, serve, work
from sextant.cli.serving import DEMO_HISTORY, LIVE, OPTIONS, OPTIONS_VENUE, say, spoken
from sextant.cli.settings import configuration, logging_to
from sextant.cli.version import code_version
from sextant.config import Config
from sextant.errors import ConfigError, InputError
from sextant.kit.clock import SystemClock
from sextant.kit.memory import limit_memory
from sextant.scans.lifecycle import Origin
from sextant.venues.asking import broker_of
from sextant.venues.catalog import venue
from sextant.venues.feed import Feed, Wanted, at


async def run_api(host: str | None, port: int | None) -> None:
    """Answer requests from the database until asked to stop."""
    config = _shared(configuration())
    clock = SystemClock()
    bound = listen(host or config.host, config.port if port is None else port)
    with logging_to(config, clock, config.log_format):
        async with assemble_api(config, clock, code_version()) as server:
            await serve(server, bound, [], lambda: say(f"Sextant answers on {spoken(bound)}"))


async def run_work(simulated: str | None) -> None:
    """Run scans until asked to stop, on a market of this process: live venues, or a simulated one."""
    if simulated is not None and not simulated.startswith(("http://", "https://")):
        raise InputError(f"--simulated '{simulated}' is not an http:// or https:// address.")
    config = _shared(configuration())
    limit_memory(config.memory_limit_mb)
    clock = SystemClock()
    origin = Origin("live" if simulated is None else "demo", simulated is not None, code_version())
    with logging_to(config, clock, config.log_format):
        async with based(config, clock) as base:
            runner = run_scans(base, origin)
            learn = runner.source.learn
            if simulated is None:
                feed = Feed(venue(LIVE), clock, learn, Wanted())
                feed.within(broker_of(venue(LIVE), clock, config.data_dir))
                chains = venue(OPTIONS_VENUE)
            else:
                sockets = simulated.replace("http", "ws", 1)
                feed = Feed(at(venue(LIVE), simulated, sockets), clock, learn, Wanted(history=DEMO_HISTORY))
                chains = at(venue(OPTIONS_VENUE), simulated, sockets)
            options = Feed(chains, clock, learn, OPTIONS)
            name = runner.worker.name
            await work(base, runner, [feed.run, options.run], lambda: say(f"Sextant runs scans as {name}"))


def _shared(config: Config) -> Config:
    """The configuration, whose database several processes can share.

    Raises
    ------
    ConfigError
        If it is a file: its queue lives in one process.
    """
    if config.database_url.startswith("sqlite"):
        raise ConfigError(
            "api and work share a PostgreSQL: set SEXTANT_DATABASE_URL to postgresql+asyncpg://...; "
            "with a file, serve does the work of both."
        )
    return config
