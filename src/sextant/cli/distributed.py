"""``sextant api`` and ``sextant work``: the two halves of ``serve``, any number of each on one PostgreSQL."""

from __future__ import annotations

from sextant.app import assemble_api, based, listen, run_scans, serve, work
from sextant.cli.markets import Load, check_address, follower_of, own_feeds, present_feed
from sextant.cli.saying import say, spoken
from sextant.cli.settings import configuration, logging_to
from sextant.cli.version import code_version
from sextant.config import Config
from sextant.errors import ConfigError
from sextant.kit.clock import SystemClock
from sextant.kit.memory import limit_memory
from sextant.scans.lifecycle import Origin


async def run_api(host: str | None, port: int | None) -> None:
    """Answer requests from the database until asked to stop."""
    config = _shared(configuration())
    clock = SystemClock()
    bound = listen(host or config.host, config.port if port is None else port)
    with logging_to(config, clock, config.log_format):
        async with assemble_api(config, clock, code_version()) as server:
            await serve(server, bound, [], lambda: say(f"Sextant answers on {spoken(bound)}"))


async def run_work(simulated: str | None) -> None:
    """Run scans until asked to stop, on what feeds of other processes tell, else on a market of this process."""
    check_address(simulated)
    config = _shared(configuration())
    limit_memory(config.memory_limit_mb)
    clock = SystemClock()
    with logging_to(config, clock, config.log_format):
        card = await present_feed(config, clock, None if simulated is None else True)
        if card is None:
            origin = Origin("live" if simulated is None else "demo", simulated is not None, code_version())
        else:
            origin = Origin(card.feed, card.simulated, code_version())
        async with based(config, clock) as base:
            runner = run_scans(base, origin)
            name = runner.worker.name
            if card is None:
                feeds = own_feeds(config, clock, runner.source.learn, simulated, Load(bus=base.bus))
            else:
                feeds = [follower_of(base, runner.source, card, name).run]
            await work(base, runner, feeds, lambda: say(f"Sextant runs scans as {name}"))


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
