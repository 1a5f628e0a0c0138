"""``sextant serve``, ``demo`` and the simulated venue."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from socket import socket
from typing import Any, Final, Self

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from sextant.api.server import account_without_venues
from sextant.app import Server, Task, assemble, listen, serve
from sextant.cli.markets import (
    DEMO_HISTORY,
    LIVE,
    OPTIONS_VENUE,
    follower_of,
    present_feed,
)
from sextant.cli.saying import say, spoken
from sextant.cli.settings import configuration, logging_to
from sextant.cli.simulating import Addresses, simulated
from sextant.cli.venue_feeds import (
    QUOTES,
    Following,
    feeds_of,
    places_of,
    simulated_at,
    wanted_of,
)
from sextant.cli.version import code_version
from sextant.config import VENUES, Config, listed
from sextant.errors import Conflict
from sextant.kit.clock import Clock, SystemClock
from sextant.kit.http import HttpSettings, RestClient
from sextant.kit.ids import new_fraction
from sextant.kit.memory import limit_memory
from sextant.kit.retry import Retrying
from sextant.market.ready import make_ready
from sextant.model.account import Account
from sextant.model.credentials import Credentials
from sextant.monitoring.upstreams import reader_of
from sextant.portfolio.accounts import AccountReader
from sextant.portfolio.joined import joined
from sextant.strategies.catalog import strategies
from sextant.vault.records import User
from sextant.vault.users import UserSpec
from sextant.venues.backfill import Failure
from sextant.venues.backfill import Progress as Filled
from sextant.venues.catalog import venue
from sextant.venues.feed import Feed, Wanted, Watcher, at

DEMO_EMAIL: Final = "demo@example.org"


@dataclass(frozen=True)
class Market:
    """A simulated market: its seed, and how many instruments each of its venues lists."""

    seed: int
    instruments: int
    venues: tuple[str, ...] = VENUES


async def run_live(host: str | None, port: int | None, venues: str | None = None) -> None:
    """Serve live markets until asked to stop; ``venues`` are names by comma, the configured ones where it is None."""
    config = configuration()
    limit_memory(config.memory_limit_mb)
    clock = SystemClock()
    places = places_of(listed(venues) or config.venues)
    bound = listen(host or config.host, config.port if port is None else port)
    with logging_to(config, clock, config.log_format):
        await _live(config, clock, bound, Following(places, wanted_of(config), config.data_dir))


async def _live(config: Config, clock: Clock, bound: socket, following: Following) -> None:
    card = await present_feed(config, clock, simulated=False)
    async with assemble(config, clock, "live", code_version(), simulated=False) as server:
        if card is not None:
            replica = follower_of(server.base, server.source, card, "serve")
            await serve(server, bound, [replica.run], lambda: say(f"Sextant answers on {spoken(bound)}"))
            return
        await asyncio.to_thread(make_ready)
        following = replace(following, precedence=server.precedence)
        feeds = _watched(server, feeds_of(following, clock, server.source.learn, partial(_counted, server)))
        await serve(server, bound, feeds, lambda: say(f"Sextant answers on {spoken(bound)}"))


def _watched(server: Server, feeds: Mapping[str, Sequence[Feed]]) -> list[Task]:
    """What runs the feeds, each venue watched as one."""
    for some in feeds.values():
        server.rooms.watch.attach(reader_of(*some))
    return [feed.run for some in feeds.values() for feed in some]


def _counted(server: Server, venue_name: str) -> Watcher:
    """A watcher that counts every call to a venue."""
    return Watcher(called=partial(server.rooms.metrics.called, venue_name))


async def run_demo(host: str, port: int, market: Market) -> None:
    """Serve a simulated market until asked to stop."""
    config = configuration()
    config = _apart(config)
    places_of(market.venues)
    limit_memory(config.memory_limit_mb)
    clock = SystemClock()
    bound = listen(host, port)
    with logging_to(config, clock, "text" if sys.stderr.isatty() else config.log_format):
        await _demo(config, clock, bound, market)


async def _demo(config: Config, clock: Clock, bound: socket, market: Market) -> None:
    async with (
        simulated(market.seed, market.instruments) as addresses,
        assemble(config, clock, "demo", code_version(), simulated=True) as bare,
        _accounted(bare, addresses, clock) as (server, readers),
    ):
        password = await _demo_user(server)
        with _Shown() as shown:
            places = simulated_at(market.venues, addresses.rest)
            # Each simulated venue lists as many as the person asked for, so that a share is all of them.
            wanted = Wanted(quotes=QUOTES, most=market.instruments * len(places), history=DEMO_HISTORY)

            def watcher(name: str) -> Watcher:
                bare = _counted(server, name)
                first = name == market.venues[0]
                return replace(bare, **shown.told()) if first else bare

            await asyncio.to_thread(make_ready)
            feeds = feeds_of(
                Following(places, wanted, precedence=server.precedence), clock, server.source.learn, watcher
            )
            await serve(
                server,
                bound,
                [*_watched(server, feeds), *(reader.watch for reader in readers)],
                lambda: _welcome(spoken(bound), password, config.data_dir),
            )


@asynccontextmanager
async def _accounted(
    server: Server, addresses: Addresses, clock: Clock
) -> AsyncIterator[tuple[Server, list[AccountReader]]]:
    """The server, in which the demo's person owns the accounts that the simulated venues hold, and what reads them."""
    async with AsyncExitStack() as stack:
        readers = [
            await stack.enter_async_context(_reading(server, name, addresses, clock))
            for name in (LIVE, OPTIONS_VENUE)
        ]

        async def account_of(user: User) -> Account:
            if user.email != DEMO_EMAIL:
                return await account_without_venues(user)
            return joined(await asyncio.gather(*(reader.account(user.risk_profile) for reader in readers)))

        yield replace(server, rooms=replace(server.rooms, account_of=account_of)), readers


@asynccontextmanager
async def _reading(
    server: Server, name: str, addresses: Addresses, clock: Clock
) -> AsyncIterator[AccountReader]:
    """What reads the account at one simulated venue."""
    place = at(venue(name), addresses.rest, addresses.sockets)
    settings = HttpSettings(refusal=place.refusal, observe=partial(server.rooms.metrics.called, name))
    async with RestClient(place.rest, Retrying(clock=clock, fraction=new_fraction), settings) as client:
        credentials = Credentials(name, addresses.account_key, addresses.account_secret)
        yield AccountReader(place, credentials, client, clock)


def _apart(config: Config) -> Config:
    """The configuration of a demo: its rows are simulated and must never meet real ones."""
    folder = config.data_dir / "demo"
    return msgspec.structs.replace(
        config, data_dir=folder, database_url=f"sqlite+aiosqlite:///{folder / 'sextant.db'}"
    )


async def _demo_user(server: Server) -> str | None:
    """The password of the demo's person, shown this once, or None where they exist already."""
    try:
        grants = tuple(strategies())
        _, password = await server.rooms.users.add(
            UserSpec(DEMO_EMAIL, "Demo", "admin", grants=grants, must_change=False)
        )
    except Conflict:
        return None
    return password


class _Shown:
    """A progress bar of the history that is fetched."""

    def __init__(self) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task: TaskID | None = None
        self._instruments = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def told(self) -> dict[str, Any]:
        """What a watcher tells here."""
        return {"listed": self.listed, "progress": self.progress, "filled": self.filled}

    def listed(self, count: int) -> None:
        if self._instruments:
            return
        self._instruments = count
        self._task = self._progress.add_task("history", total=None)
        say(f"{count} instruments listed; their history is being fetched.")

    def progress(self, filled: Filled) -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=filled.done, total=filled.total)
        if filled.done == 2 * self._instruments:
            say("Long frames are complete: scans are worth starting now.")

    def filled(self, failures: Sequence[Failure]) -> None:
        if self._task is None:
            return
        self._progress.remove_task(self._task)
        self._task = None
        say(f"History is complete, {len(failures)} pieces could not be had.")


def _welcome(address: str, password: str | None, folder: Path) -> None:
    say(f"Sextant answers on {address} with SIMULATED data (docs: {address}/api/v1/openapi.json)")
    if password is None:
        say(
            f"Log in as {DEMO_EMAIL} with the password shown at its first start; delete {folder} to start anew."
        )
    else:
        say(f"Log in as {DEMO_EMAIL} with the password {password} (shown once).")
    say("Ctrl-C ends it.")
