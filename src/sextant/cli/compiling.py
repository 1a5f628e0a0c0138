"""``sextant compile``: every kernel compiled and kept on disk, by running the whole path once over a small market."""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from typing import Final, Literal

import numpy as np
from rich.console import Console

from sextant.app import Server, assemble
from sextant.cli.markets import DEMO_HISTORY
from sextant.cli.simulating import Addresses, simulated
from sextant.cli.venue_feeds import OPTIONS
from sextant.cli.version import code_version
from sextant.config import load
from sextant.errors import ConfigError
from sextant.indicators.catalog import indicators
from sextant.indicators.contract import begin, fold
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
LONGEST_S: Final = 300.0  # a machine that takes longer compiles when it is asked for the first time
Part = Literal["market", "indicators"]
PARTS: Final[tuple[Part, ...]] = ("market", "indicators")


async def compile_all() -> None:
    """Compile in a process for each part: one compiler uses one core.

    Raises
    ------
    ConfigError
        If a part fails; what it said is above.
    """
    console = Console(stderr=True)
    with console.status("compiling (once per installation)"):
        children = [
            await asyncio.create_subprocess_exec(sys.executable, "-m", "sextant", "compile", "--part", part)
            for part in PARTS
        ]
        ended = await asyncio.gather(*(child.wait() for child in children))
    if any(ended):
        raise ConfigError(f"Compiling ended with {ended}; a first scan would be late.")
    console.print("All kernels are compiled.")


async def compile_part(part: Part) -> None:
    """Compile one part; whatever the other has finished by then is fetched from disk."""
    log.configure("json", logging.ERROR)
    if part == "market":
        await _whole_path()
    else:
        _indicators()


def _indicators() -> None:
    """Fold one empty row into every indicator, from the last to the first: the whole path comes from the other end."""
    for one in reversed(list(indicators().values())):
        values = one.values(**dict.fromkeys(one.constants, 1.0))
        fold(one, begin(one, 1, values), 0, {name: np.full((1, 1), np.nan) for name in one.inputs}, values)


async def _whole_path() -> None:
    """Run the market, all strategies, their evidence and the confluence of a small simulated market once."""
    clock = SystemClock()
    make_ready()
    with tempfile.TemporaryDirectory() as folder:
        config = load({"HOME": folder, "SEXTANT_DATA_DIR": folder})
        async with (
            simulated(SEED, INSTRUMENTS) as addresses,
            assemble(config, clock, "demo", code_version(), simulated=True) as server,
            asyncio.timeout(LONGEST_S),
        ):
            await _filled(server, addresses, clock)
            await asyncio.to_thread(_evaluate, server)
            await Scoring(server.source.sight, clock).look()


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


def _evaluate(server: Server) -> None:
    """Ask all strategies about the market, and about its past."""
    part, request, account = server.source.read(), ScanRequest(), Account(equity_usd=100_000.0)
    asked = Asked(part, choose(part.view, request, part.turnover_usd), account, request)
    for strategy in strategies().values():
        run_strategy(strategy, asked)
        score(part, strategy, account)
