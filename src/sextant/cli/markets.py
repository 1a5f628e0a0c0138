"""Where the market of a process comes from: its own sockets, or feeds of other processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from sextant.cli.venue_feeds import OPTIONS, Following, feeds_of, places_of, wanted_of
from sextant.config import Config
from sextant.errors import InputError, StoreAway
from sextant.kit import log
from sextant.kit.bus import Bus
from sextant.kit.clock import Clock
from sextant.kit.metrics import Gauge
from sextant.kit.shared_limits import SharedLimits
from sextant.model.instrument import Instrument
from sextant.scans.replica import Replica
from sextant.scans.shared_market import FeedCard, read_card
from sextant.scans.source import MarketSource
from sextant.venues.backfill import Plan
from sextant.venues.catalog import venue
from sextant.venues.feed import Learn, Wanted, Watcher, at
from sextant.venues.shared_budgets import SharedBudgets

if TYPE_CHECKING:
    from sextant.app import Base, Task  # a feed runs no scans and need not load what does

PATIENCE_S: Final = 1.0  # the first connection of a busy machine takes longer than a call may later
TRIES: Final = 3
LIVE: Final = "bybit"
OPTIONS_VENUE: Final = "deribit"
SIMULATED_MOST: Final = 300  # instruments of one simulated venue
DEMO_HISTORY: Final = Plan(
    bars={"4h": 1000, "1h": 1000, "1m": 3000, "5m": 1000, "30m": 1000, "1d": 1000},
    funding=200,
    open_interest=300,
    account_ratio=300,
)

_LOG: Final = log.get("app")


def check_address(simulated: str | None) -> None:
    """Do nothing if the address of a simulated venue is one, or none is given.

    Raises
    ------
    InputError
        If it is none.
    """
    if simulated is not None and not simulated.startswith(("http://", "https://")):
        raise InputError(f"--simulated '{simulated}' is not an http:// or https:// address.")


@dataclass(frozen=True)
class Load:
    """What a process that opens sockets carries of the market, and with whom it shares what venues allow.

    Parameters
    ----------
    part
        What is carried; None for all.
    bus
        Where allowances are counted together; None where there is no such store.
    processes
        How many processes share them.
    """

    part: Callable[[Instrument], bool] | None = None
    bus: Bus | None = None
    processes: int = 1

    def budgets(self, clock: Clock) -> SharedBudgets | None:
        """Where allowances are spent together."""
        return None if self.bus is None else SharedBudgets(SharedLimits(self.bus), clock, self.processes)


def own_feeds(config: Config, clock: Clock, learn: Learn, simulated: str | None, load: Load) -> list[Task]:
    """The feeds of a process that opens sockets: of live venues, or of a simulated one."""
    options = replace(OPTIONS, part=load.part)
    if simulated is None:
        wanted = replace(wanted_of(config), part=load.part)
        shared = load.budgets(clock)
        following = Following(places_of(config.venues), wanted, config.data_dir, options, shared)
    else:
        sockets = simulated.replace("http", "ws", 1)
        places = [at(venue(name), simulated, sockets) for name in (LIVE, OPTIONS_VENUE)]
        wanted = Wanted(most=SIMULATED_MOST * len(places), history=DEMO_HISTORY, part=load.part)
        following = Following(places, wanted, options=options)
    feeds = feeds_of(following, clock, learn, lambda _: Watcher())
    return [feed.run for some in feeds.values() for feed in some]


async def present_feed(config: Config, clock: Clock, simulated: bool | None = None) -> FeedCard | None:
    """What feeds of other processes there are; None without a shared store, or while it is away.

    Parameters
    ----------
    simulated
        What they must be; None for anything.

    Raises
    ------
    InputError
        If they are something else: markets are never mixed.
    """
    if config.redis_url is None:
        return None
    bus = Bus(config.redis_url, clock)
    try:
        card = await _read_patiently(bus)
    finally:
        await bus.close()
    if card is not None and simulated is not None and card.simulated != simulated:
        found, wanted = ("simulated", "live") if card.simulated else ("live", "simulated")
        raise InputError(
            f"The feeds in this store are {found} and this process wants a {wanted} market; use another SEXTANT_REDIS_URL."
        )
    return card


async def _read_patiently(bus: Bus) -> FeedCard | None:
    for _ in range(TRIES):
        try:
            await bus.call("PING", wait_s=PATIENCE_S)
            return await read_card(bus)
        except StoreAway as error:
            reason = error.reason
    _LOG.warning("store.absent_at_start", reason=reason)
    return None


def follower_of(base: Base, source: MarketSource, card: FeedCard, name: str) -> Replica:
    """What keeps a market equal to what the feeds of other processes tell; ``name`` is that of this process."""
    if base.bus is None:
        raise AssertionError("feeds are found in a store that is configured")
    replica = Replica(source, base.bus, base.clock, card, name)
    base.metrics.gauge(
        Gauge(
            "sextant_replica_entries",
            "Entries of feeds, by shard and what became of them.",
            ("shard", "outcome"),
            replica.counts,
        )
    )
    return replica
