"""``sextant compile``: every kernel compiled and kept on disk, by running the whole path once over a small market."""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from typing import Final

from rich.console import Console

from sextant.app import Server, assemble
from sextant.cli.markets import DEMO_HISTORY
from sextant.cli.simulating import Addresses, simulated
from sextant.cli.venue_feeds import OPTIONS
from sextant.cli.version import code_version
from sextant.config import load
from sextant.errors import ConfigError
from sextant.kit import log
from sextant.kit.clock import Clock, SystemClock
from sextant.market.ready import make_ready
from sextant.model.account import Account
from sextant.scans.records import ScanRequest
from sextant.scans.run import Asked, run_strategy
from sextant.scans.scoreboard import score
from sextant.scans.scoring import Scoring
from sextant.scans.universe import choose
from sextant.strategies.catalog import strategies
from sextant.venues.catalog import venue
from sextant.venues.feed import Feed, Wanted, Watcher, at

SEED: Final = 7
INSTRUMENTS: Final = 24
PARTS: Final = 2  # two cores
LONGEST_S: Final = 300.0  # a machine that takes longer compiles when it is asked for the first time


async def compile_all() -> None:
    """Compile in as many processes as there are parts: one compiler uses one core.

    Raises
    ------
    ConfigError
        If a part fails; what it said is above.
    """
    console = Console(stderr=True)
    with console.status("compiling (once per installation)"):
        children = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "sextant", "compile", "--part", str(part)
            )
            for part in range(PARTS)
        ]
        ended = await asyncio.gather(*(child.wait() for child in children))
    if any(ended):
        raise ConfigError(f"Compiling ended with {ended}; a first scan would be late.")
    console.print("All kernels are compiled.")


async def compile_part(part: int) -> None:
    """Run the market, and a share of the strategies, their evidence and the confluence of a small simulated market once."""
    clock = SystemClock()
    log.configure("json", logging.ERROR)
    make_ready()
    with tempfile.TemporaryDirectory() as folder:
        config = load({"HOME": folder, "SEXTANT_DATA_DIR": folder})
        async with (
            simulated(SEED, INSTRUMENTS) as addresses,
            assemble(config, clock, "demo", code_version(), simulated=True) as server,
            asyncio.timeout(LONGEST_S),
        ):
            await _filled(server, addresses, clock)
            if part == 0:
                await Scoring(server.source.sight, clock).look()
            await asyncio.to_thread(_evaluate, server, part)


async def _filled(server: Server, addresses: Addresses, clock: Clock) -> None:
    """Feed the server's market until its history is there."""
    done = asyncio.Event()
    watcher = Watcher(filled=lambda _: done.set())
    feed = Feed(
        at(venue("bybit"), addresses.rest, addresses.sockets),
        clock,
        server.source.learn,
        Wanted(most=INSTRUMENTS, history=DEMO_HISTORY),
        watcher,
    )
    options = Feed(
        at(venue("deribit"), addresses.rest, addresses.sockets), clock, server.source.learn, OPTIONS
    )
    running = [asyncio.ensure_future(one.run()) for one in (feed, options)]
    try:
        await done.wait()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _evaluate(server: Server, share: int) -> None:
    """Ask a share of the strategies about the market, and about its past."""
    part, request, account = server.source.read(), ScanRequest(), Account(equity_usd=100_000.0)
    asked = Asked(part, choose(part.view, request, part.turnover_usd), account, request)
    for strategy in list(strategies().values())[share::PARTS]:
        run_strategy(strategy, asked)
        score(part, strategy, account)
