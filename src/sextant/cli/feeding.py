"""``sextant feed``: one shard of the market, told to other processes through a Redis or Valkey."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sextant.cli.markets import Load, check_address, own_feeds
from sextant.cli.saying import say
from sextant.cli.settings import configuration, logging_to
from sextant.errors import ConfigError
from sextant.kit.bus import Bus
from sextant.kit.clock import SystemClock
from sextant.kit.memory import limit_memory
from sextant.market.ready import make_ready
from sextant.model.shard import parse_shard
from sextant.scans.publishing import Feeder
from sextant.scans.shared_market import FeedCard

if TYPE_CHECKING:
    from sextant.app import Task  # as in cli.markets


async def run_feed(shard_text: str, simulated: str | None) -> None:
    """Tell one shard of the market to other processes until asked to stop."""
    check_address(simulated)
    shard = parse_shard(shard_text)
    config = configuration()
    if config.redis_url is None:
        raise ConfigError(
            "feed tells through a Redis or Valkey: set SEXTANT_REDIS_URL to redis://host:6379/0."
        )
    limit_memory(config.memory_limit_mb)
    clock = SystemClock()
    card = FeedCard(shard.count, "live" if simulated is None else "demo", simulated is not None)
    with logging_to(config, clock, config.log_format):
        bus = Bus(config.redis_url, clock)
        try:
            await asyncio.to_thread(make_ready)
            feeder = Feeder(shard, bus, clock, card)
            feeds = own_feeds(config, clock, feeder.learn, simulated, Load(shard.holds, bus, shard.count))
            await _until_stopped(feeder, feeds, lambda: say(f"Sextant feeds shard {shard}"))
        finally:
            await bus.close()


async def _until_stopped(feeder: Feeder, feeds: Sequence[Task], ready: Callable[[], None]) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)

    async def tell() -> None:
        await feeder.begin()
        ready()
        async with asyncio.TaskGroup() as group:
            for task in (feeder.publish, *feeds):
                group.create_task(task())

    telling = asyncio.create_task(tell())
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait({telling, waiting}, return_when=asyncio.FIRST_COMPLETED)
    for task in (telling, waiting):
        task.cancel()
    await asyncio.wait({telling, waiting})
    if not telling.cancelled() and telling.exception() is not None:
        failure = telling.exception()
        while isinstance(failure, BaseExceptionGroup):
            failure = failure.exceptions[0]
        raise failure or AssertionError("a task failed without a failure")
