"""Where the market of a process comes from: feeds of others where they are, else its own sockets."""

from __future__ import annotations

from pathlib import Path

import pytest

from sextant.cli.markets import check_address, present_feed
from sextant.config import Config, load
from sextant.errors import InputError
from sextant.kit.clock import SystemClock
from sextant.scans.shared_market import CARD_KEY, FeedCard, write_card
from support.valkey import Valkey, connected

CLOCK = SystemClock()
LIVE = FeedCard(2, "live", simulated=False)


def config(folder: Path, url: str | None) -> Config:
    stated = {} if url is None else {"SEXTANT_REDIS_URL": url}
    return load({"HOME": str(folder), **stated})


async def test_feeds_that_are_there_are_found(store: Valkey, tmp_path: Path) -> None:
    async with connected(store, CLOCK) as bus:
        assert await present_feed(config(tmp_path, store.url), CLOCK) is None
        await write_card(bus, LIVE)
        for simulated in (None, False):
            assert await present_feed(config(tmp_path, store.url), CLOCK, simulated) == LIVE
        assert await present_feed(config(tmp_path, None), CLOCK) is None


async def test_a_simulated_and_a_live_market_are_never_mixed(store: Valkey, tmp_path: Path) -> None:
    async with connected(store, CLOCK) as bus:
        await write_card(bus, LIVE)
        with pytest.raises(InputError, match="are live and this process wants a simulated"):
            await present_feed(config(tmp_path, store.url), CLOCK, simulated=True)
        await write_card(bus, FeedCard(1, "demo", simulated=True))
        with pytest.raises(InputError, match="are simulated and this process wants a live"):
            await present_feed(config(tmp_path, store.url), CLOCK, simulated=False)


async def test_a_store_that_is_absent_at_boot_or_holds_garbage_leaves_a_process_its_own_sockets(
    store: Valkey, tmp_path: Path
) -> None:
    """faults.md R1 and R5."""
    assert await present_feed(config(tmp_path, "redis://127.0.0.1:1/0"), CLOCK) is None
    async with connected(store, CLOCK) as bus:
        await bus.call("SET", CARD_KEY, b"\xc1garbage")
        assert await present_feed(config(tmp_path, store.url), CLOCK) is None


def test_an_address_of_a_simulated_venue_is_one() -> None:
    check_address(None)
    check_address("http://127.0.0.1:9")
    with pytest.raises(InputError, match="is not an http"):
        check_address("127.0.0.1:9")
