"""Our feed of Bybit's inverse contracts against their simulator: sizes that are dollars on the wire are base units in the state."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from sextant.kit.clock import ManualClock
from sextant.model.bar import BarBlock
from sextant.model.events import BarUpdate, FundingSettled, OpenInterestPoint, Trade
from sextant.model.instrument import parse_instrument
from sextant.model.times import INTERVAL_NS, MILLISECOND_NS
from sextant.sim import bybit as simulated
from sextant.sim.bybit import Simulation
from sextant.venues.backfill import Plan
from sextant.venues.feed import Wanted
from sextant.venues.library.bybit import VENUE
from support.listening import Listening, listening

START_NS: Final = 1_790_000_010_000_000_000
BTC: Final = parse_instrument("bybit:BTC-USD:perpetual")
ETH: Final = parse_instrument("bybit:ETH-USD:perpetual")
SETTLED_S: Final = 120.0
BOOK: Final = "orderbook.50.BTCUSD"


@asynccontextmanager
async def inverse(
    folder: Path, *faults: Mapping[str, Any], history: Plan | None = None
) -> AsyncIterator[tuple[Simulation, Listening]]:
    clock = ManualClock(START_NS)
    wanted = Wanted(bases=frozenset({"BTC", "ETH"}), quotes=frozenset({"USD"}), history=history)
    async with (
        simulated.start(clock, seed=7, instruments=12, faults=faults) as there,
        listening(VENUE, there, clock, folder, wanted) as heard,
    ):
        yield there, heard


def true(there: Simulation, heard: Listening) -> bool:
    """Whether the book is the simulator's at the same number, in base units."""
    book, listing = heard.state.book(BTC), there.model.find("inverse", "BTCUSD")
    told = there.book_at("BTCUSD", 50, book.sequence, "inverse")
    assert listing is not None
    assert told is not None
    for ours, theirs in zip((book.bids, book.asks), told, strict=True):
        expected = sorted(
            (ticks * listing.tick, dollars / (ticks * listing.tick)) for ticks, dollars in theirs
        )
        assert [price for price, _ in sorted(ours)] == pytest.approx([price for price, _ in expected])
        assert [size for _, size in sorted(ours)] == pytest.approx([size for _, size in expected])
    return book.bids[0][0] < book.asks[0][0]


async def test_inverse_books_are_the_simulators_in_base_units(tmp_path: Path) -> None:
    async with inverse(tmp_path) as (there, heard):
        await heard.until(lambda: heard.valid(BTC, ETH), SETTLED_S)
        specs = {spec.instrument: spec for spec in heard.state.instruments}
        assert set(specs) == {BTC, ETH}
        assert {(spec.style, int(spec.lot)) for spec in specs.values()} == {("inverse", 1)}
        for _ in range(10):
            await heard.pass_time(1)
            assert true(there, heard)
        assert heard.state.counters["book_gaps"] == 0
        assert [state.name for state in heard.feed.states()] == ["bybit.inverse.0"]


async def test_what_trades_and_what_it_comes_to_are_told_in_base_units_and_dollars(tmp_path: Path) -> None:
    async with inverse(tmp_path) as (there, heard):
        await heard.until(lambda: heard.valid(BTC), SETTLED_S)
        await heard.pass_time(100)
        listing = there.model.find("inverse", "BTCUSD")
        assert listing is not None
        minute = START_NS // INTERVAL_NS["1m"] + 1
        first_ns = minute * INTERVAL_NS["1m"]
        closed = [
            event.bar
            for event in heard.events
            if isinstance(event, BarUpdate)
            and event.instrument == BTC
            and event.bar.open_ns == first_ns
            and event.final
        ]
        truth = there.model.bars(listing, 1, minute, 1)
        (dollars,) = (truth.lots * listing.lot).tolist()
        assert closed
        assert closed[-1].quote_volume == dollars
        assert closed[-1].volume == pytest.approx(float(truth.turnover[0]), abs=1e-8)
        assert (
            dollars / (truth.high[0] * listing.tick)
            <= closed[-1].volume
            <= dollars / (truth.low[0] * listing.tick)
        )
        trades = [
            event
            for event in heard.events
            if isinstance(event, Trade)
            and event.instrument == BTC
            and first_ns <= event.event_ns < first_ns + INTERVAL_NS["1m"]
        ]
        assert sum(trade.size * trade.price for trade in trades) == pytest.approx(dollars)
        facts = heard.state.desk(BTC).facts
        five_minutes = np.array([heard.clock.now_ns() // MILLISECOND_NS // 300_000])
        outstanding = there.model.open_interest(listing, five_minutes)[0]
        assert facts.value("open_interest") * facts.value("mark") == pytest.approx(outstanding / 2, rel=0.02)
        assert facts.value("turnover_24h") / facts.value("volume_24h") == pytest.approx(
            facts.value("mark"), rel=0.1
        )


async def test_the_past_of_inverse_contracts_is_filled_in_the_same_units(tmp_path: Path) -> None:
    plan = Plan(bars={"1m": 300, "1h": 48}, funding=30, open_interest=60, account_ratio=60)
    async with inverse(tmp_path, history=plan) as (there, heard):
        await heard.until(lambda: bool(heard.filled), 120)
        assert heard.filled == [()]
        listing = there.model.find("inverse", "BTCUSD")
        assert listing is not None
        blocks = [event for event in heard.events if isinstance(event, BarBlock) and event.interval == "1h"]
        block = next(block for block in blocks if BTC in block.instruments)
        column = block.instruments.index(BTC)
        first = int(block.open_ns[0]) // INTERVAL_NS["1h"]
        truth = there.model.bars(listing, 60, first, len(block.open_ns))
        assert block.quote_volume[:, column].tolist() == (truth.lots * listing.lot).tolist()
        assert block.volume[:, column].tolist() == pytest.approx(truth.turnover.tolist(), abs=1e-8)
        assert heard.count(FundingSettled) == 60
        assert heard.count(OpenInterestPoint) == 0  # dollars alone: the answer states no price of their time
        assert (there.counters.limited, there.counters.bans) == (0, 0)


async def test_a_gap_of_an_inverse_book_is_seen_and_healed(tmp_path: Path) -> None:
    async with inverse(tmp_path, {"at": {"topic": BOOK, "message": 8}, "fault": "gap"}) as (there, heard):
        await heard.until(lambda: heard.valid(BTC), SETTLED_S)
        await heard.until(lambda: heard.state.counters["book_gaps"] == 1, 30)
        assert await heard.until(lambda: heard.valid(BTC)) <= 2.0
        await heard.pass_time(1)
        assert true(there, heard)
