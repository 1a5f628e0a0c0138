"""Our own sessions of Binance and KuCoin against their simulators, over real loopback sockets."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sextant.kit.clock import ManualClock
from sextant.model.bar import BarBlock
from sextant.model.events import (
    BarUpdate,
    BookCleared,
    BookSnapshot,
    DerivativesUpdate,
    FundingSettled,
    OpenInterestPoint,
    QuoteUpdate,
    StreamDown,
    Trade,
)
from sextant.model.instrument import Instrument, parse_instrument
from sextant.sim import binance as simulated_binance
from sextant.sim import kucoin as simulated_kucoin
from sextant.sim.binance import BinanceSimulation
from sextant.sim.books import Level
from sextant.sim.kucoin import KucoinSimulation
from sextant.sim.universe import Listing
from sextant.venues.backfill import Plan
from sextant.venues.feed import Wanted
from sextant.venues.library import binance, kucoin
from support.listening import Listening, listening

START_NS = 1_790_000_010_000_000_000
PERPETUAL = parse_instrument("binance:BTC-USDT:perpetual")
SPOT = parse_instrument("binance:BTC-USDT:spot")
KUCOIN = parse_instrument("kucoin:BTC-USDT:spot")
NO_PAST = Wanted(bases=frozenset({"BTC", "ETH"}), history=None)


@asynccontextmanager
async def at_binance(
    folder: Path, *faults: Mapping[str, Any], wanted: Wanted = NO_PAST
) -> AsyncIterator[tuple[BinanceSimulation, Listening]]:
    clock = ManualClock(START_NS)
    async with (
        simulated_binance.start(clock, seed=7, instruments=12, faults=faults) as there,
        listening(binance.VENUE, there, clock, folder, wanted) as heard,
    ):
        yield there, heard


@asynccontextmanager
async def at_kucoin(
    folder: Path, *faults: Mapping[str, Any], wanted: Wanted = NO_PAST
) -> AsyncIterator[tuple[KucoinSimulation, Listening]]:
    clock = ManualClock(START_NS)
    async with (
        simulated_kucoin.start(clock, seed=7, instruments=12, faults=faults) as there,
        listening(kucoin.VENUE, there, clock, folder, wanted) as heard,
    ):
        yield there, heard


def same(
    heard: Listening,
    instrument: Instrument,
    listing: Listing,
    truth: tuple[list[Level], list[Level]],
    depth: int,
) -> bool:
    """Whether our book is the simulator's, to a depth."""
    book = heard.state.book(instrument)
    for ours, theirs in ((book.bids, truth[0]), (book.asks, truth[1])):
        told = [
            (round(ticks * listing.tick, 8), round(lots * listing.lot, 8)) for ticks, lots in theirs[:depth]
        ]
        assert [(round(price, 8), round(size, 8)) for price, size in ours[:depth]] == told
    return book.bids[0][0] < book.asks[0][0]


def true_at_binance(there: BinanceSimulation, heard: Listening, instrument: Instrument) -> bool:
    category = "spot" if instrument.kind == "spot" else "linear"
    symbol = f"{instrument.base}USDT"
    listing = there.model.find(category, symbol)
    truth = there.book_at(
        symbol, heard.state.book(instrument).sequence, "spot" if category == "spot" else "linear"
    )
    assert listing is not None
    assert truth is not None
    return same(heard, instrument, listing, truth, 500)


def true_at_kucoin(there: KucoinSimulation, heard: Listening, instrument: Instrument) -> bool:
    """Whether every level we hold is the simulator's, and the best are its best: of what lay beyond the hundred it began
    with, some is unknown.
    """
    symbol = f"{instrument.base}-USDT"
    listing, book = there.model.find("spot", symbol), heard.state.book(instrument)
    truth = there.book_at(symbol, book.sequence)
    assert listing is not None
    assert truth is not None
    for ours, theirs in ((book.bids, truth[0]), (book.asks, truth[1])):
        assert round(ours[0][0], 8) == round(theirs[0][0] * listing.tick, 8)
        told = {(round(ticks * listing.tick, 8), round(lots * listing.lot, 8)) for ticks, lots in theirs}
        assert {(round(price, 8), round(size, 8)) for price, size in ours} <= told
        assert len(ours) >= 50
    return book.bids[0][0] < book.asks[0][0]


async def test_books_of_binance_are_the_simulators_at_the_same_number(tmp_path: Path) -> None:
    async with at_binance(tmp_path) as (there, heard):
        every = [SPOT, PERPETUAL, parse_instrument("binance:ETH-USDT:spot")]
        await heard.until(lambda: heard.valid(*every))
        for _ in range(20):
            await heard.pass_time(1)
            assert all(true_at_binance(there, heard, each) for each in every)
        assert heard.state.counters["book_gaps"] == 0
        assert heard.count(StreamDown) == 0
        kinds = {type(event) for event in heard.events}
        assert {Trade, QuoteUpdate, BarUpdate, DerivativesUpdate} <= kinds
        depths = there.counters.paths["/fapi/v1/depth"], there.counters.paths["/api/v3/depth"]
        assert depths == (2, 2)  # each book was asked for once


async def test_books_of_kucoin_are_the_simulators_at_the_same_number(tmp_path: Path) -> None:
    async with at_kucoin(tmp_path) as (there, heard):
        every = [KUCOIN, parse_instrument("kucoin:ETH-USDT:spot")]
        await heard.until(lambda: heard.valid(*every))
        for _ in range(20):
            await heard.pass_time(1)
            assert all(true_at_kucoin(there, heard, each) for each in every)
        assert heard.state.counters["book_gaps"] == 0
        kinds = {type(event) for event in heard.events}
        assert {Trade, QuoteUpdate, BarUpdate, DerivativesUpdate} <= kinds
        outrun = heard.count(BookCleared)
        assert outrun > 0
        assert there.counters.paths["/api/v1/market/orderbook/level2_100"] == 2 + outrun


async def test_a_book_of_kucoin_is_whole_again_once_it_was_begun_anew(tmp_path: Path) -> None:
    async with at_kucoin(tmp_path, wanted=Wanted(bases=frozenset({"BTC"}), history=None)) as (there, heard):
        await heard.until(lambda: heard.valid(KUCOIN))
        await heard.until(lambda: heard.count(BookSnapshot) == 2, 90)
        book, listing = heard.state.book(KUCOIN), there.model.find("spot", "BTC-USDT")
        truth = there.book_at("BTC-USDT", book.sequence)
        assert listing is not None
        assert truth is not None
        assert same(heard, KUCOIN, listing, truth, 90)
        assert heard.state.counters["book_gaps"] == 0


@pytest.mark.parametrize(("fault", "gaps"), [("gap", 1), ("swap", 1), ("duplicate", 0)])
@pytest.mark.parametrize("market", ["spot", "usdm"])
async def test_a_change_of_binance_out_of_order_costs_the_book_its_belief_until_it_is_asked_for_again(
    tmp_path: Path, market: str, fault: str, gaps: int
) -> None:
    instrument = SPOT if market == "spot" else PERPETUAL
    script = [{"at": {"topic": "btcusdt@depth@100ms", "message": 40}, "fault": fault}]
    wanted = Wanted(bases=frozenset({"BTC"}), history=None, kinds=frozenset({instrument.kind}))
    async with at_binance(tmp_path, *script, wanted=wanted) as (there, heard):
        await heard.until(lambda: heard.valid(instrument))
        before = heard.count(BookSnapshot)
        await heard.until(lambda: len(there.plan.history) > 0, 60)
        await heard.pass_time(3)
        assert heard.valid(instrument)
        assert heard.state.counters["book_gaps"] == gaps
        assert heard.count(BookSnapshot) - before == gaps
        assert true_at_binance(there, heard, instrument)


async def test_a_gap_of_kucoin_is_seen_at_once_and_healed(tmp_path: Path) -> None:
    script = [{"at": {"topic": "/market/level2:BTC-USDT", "message": 20}, "fault": "gap"}]
    async with at_kucoin(tmp_path, *script) as (there, heard):
        await heard.until(lambda: heard.valid(KUCOIN))
        await heard.until(lambda: heard.state.counters["book_gaps"] == 1, 60)
        assert await heard.until(lambda: heard.valid(KUCOIN)) <= 2.0
        await heard.pass_time(2)
        assert true_at_kucoin(there, heard, KUCOIN)


async def test_a_ban_of_binance_is_obeyed_by_every_call_and_connection(tmp_path: Path) -> None:
    script = [
        {"at": {"after_s": 10}, "fault": "banned"},
        {"at": {"after_s": 11}, "fault": "reset"},
    ]
    async with at_binance(tmp_path, *script) as (there, heard):
        await heard.until(lambda: heard.valid(SPOT, PERPETUAL))
        await heard.pass_time(12)
        assert there.counters.bans == 1
        await heard.pass_time(115)
        tried = there.counters.after_ban
        await heard.until(lambda: heard.valid(SPOT, PERPETUAL), 60)
        # The first try learns of the ban; whatever was under way beside it may learn of it, too.
        assert tried <= 3
        assert there.counters.after_ban == tried
        assert true_at_binance(there, heard, SPOT)


async def test_a_pool_of_kucoin_that_is_empty_is_left_alone_until_it_is_full(tmp_path: Path) -> None:
    script = [{"at": {"call": 2, "path": "/api/v1/market/orderbook/level2_100"}, "fault": "banned"}]
    async with at_kucoin(tmp_path, *script) as (there, heard):
        await heard.until(lambda: there.counters.bans == 1)
        await heard.pass_time(20)
        assert there.counters.after_retry_after == 0
        await heard.until(lambda: heard.valid(KUCOIN, parse_instrument("kucoin:ETH-USDT:spot")), 60)
        assert there.counters.after_retry_after == 0


async def test_a_server_that_stops_is_left_and_found_again(tmp_path: Path) -> None:
    script = [{"at": {"after_s": 10}, "fault": "maintenance", "seconds": 5}]
    async with at_binance(tmp_path, *script) as (there, heard):
        await heard.until(lambda: heard.valid(SPOT, PERPETUAL))
        connections = there.counters.connections
        await heard.until(lambda: heard.count(StreamDown) > 0)
        assert await heard.until(lambda: heard.valid(SPOT, PERPETUAL)) <= 10
        assert there.counters.connections == 2 * connections
        assert true_at_binance(there, heard, PERPETUAL)


async def test_a_connection_of_a_day_is_opened_again(tmp_path: Path) -> None:
    async with at_binance(tmp_path) as (there, heard):
        await heard.until(lambda: heard.valid(SPOT, PERPETUAL))
        connections = there.counters.connections
        heard.clock.advance(86_400)
        await heard.until(lambda: there.counters.connections > connections, 60)
        await heard.until(lambda: heard.valid(SPOT, PERPETUAL), 60)
        assert true_at_binance(there, heard, PERPETUAL)


async def test_history_is_filled_within_the_weights_that_the_venue_tells(tmp_path: Path) -> None:
    plan = Plan(bars={"1m": 1_500, "1h": 500}, funding=200, open_interest=600, account_ratio=600)
    wanted = Wanted(bases=frozenset({"BTC", "ETH"}), history=plan)
    async with at_binance(tmp_path, wanted=wanted) as (there, heard):
        await heard.until(lambda: bool(heard.filled), 120)
        assert heard.filled == [()]
        blocks = [event for event in heard.events if isinstance(event, BarBlock)]
        assert {block.instruments[0].kind for block in blocks} == {"spot", "perpetual"}
        assert heard.count(FundingSettled) == 400
        assert heard.count(OpenInterestPoint) == 1_200
        counters = there.counters
        assert (counters.bans, counters.limited, counters.after_retry_after, counters.forbidden) == (
            0,
            0,
            0,
            0,
        )


KINDS_OF_PUSH = (
    "gap",
    "duplicate",
    "swap",
    "crossed",
    "restart",
    "reset",
    "raw",
    "binary",
    "fragments",
    "broken_text",
)
KINDS_OF_CALL = ("reset", "html", "truncated", "status", "body", "drift")
SEEDS = range(int(os.environ.get("VENUE_SEEDS", "1")))


def script_of(seed: int, topic: str, path: str) -> list[dict[str, Any]]:
    """Twelve faults of pushes and six of calls within a minute or so, drawn from a seed."""
    dice = random.Random(seed)  # noqa: S311  # seeded, not secret
    script: list[dict[str, Any]] = []
    for _ in range(12):
        kind = dice.choice(KINDS_OF_PUSH)
        details: dict[str, Any] = {"text": dice.choice(("", "{}", "[", "null"))} if kind == "raw" else {}
        script.append(
            {
                "seed": seed,
                "at": {"topic": topic, "message": dice.randrange(5, 70)},
                "fault": kind,
                **details,
            }
        )
    for _ in range(6):
        kind = dice.choice(KINDS_OF_CALL)
        spoilt: dict[str, dict[str, Any]] = {
            "status": {"status": dice.choice((500, 502, 504))},
            "html": {"status": dice.choice((200, 503))},
            "body": {"text": dice.choice(("", "{}", "[]", "null", '{"bids":[]}'))},
            "drift": {"field": "lastUpdateId" if "depth" in path else "data.sequence", "value": "x"},
        }
        details = spoilt.get(kind, {})
        script.append(
            {"seed": seed, "at": {"path": path, "call": dice.randrange(1, 12)}, "fault": kind, **details}
        )
    return script


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_goes_wrong_a_book_of_binance_becomes_true_again(tmp_path: Path, seed: int) -> None:
    script = script_of(seed, "btcusdt@depth@100ms", "/fapi/v1/depth")
    wanted = Wanted(bases=frozenset({"BTC"}), history=None, kinds=frozenset({"perpetual"}))
    async with at_binance(tmp_path, *script, wanted=wanted) as (there, heard):
        for _ in range(75):
            await heard.pass_time(1)
            if heard.valid(PERPETUAL) and heard.state.book(PERPETUAL).bids:
                book = heard.state.book(PERPETUAL)
                assert book.bids[0][0] < book.asks[0][0]

        def followed() -> bool:
            number = heard.state.book(PERPETUAL).sequence if heard.valid(PERPETUAL) else 0
            return there.book_at("BTCUSDT", number) is not None

        await heard.until(followed, 120)
        await heard.pass_time(3)
        assert followed()
        assert true_at_binance(there, heard, PERPETUAL)
        assert len(there.plan.history) > 6
        assert (there.counters.limited, there.counters.after_ban, there.counters.forbidden) == (0, 0, 0)


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_goes_wrong_a_book_of_kucoin_becomes_true_again(tmp_path: Path, seed: int) -> None:
    script = script_of(seed, "/market/level2:BTC-USDT", "/api/v1/market/orderbook/level2_100")
    async with at_kucoin(tmp_path, *script, wanted=Wanted(bases=frozenset({"BTC"}), history=None)) as (
        there,
        heard,
    ):
        await heard.pass_time(75)

        def followed() -> bool:
            number = heard.state.book(KUCOIN).sequence if heard.valid(KUCOIN) else 0
            return there.book_at("BTC-USDT", number) is not None

        await heard.until(followed, 120)
        await heard.pass_time(3)
        assert followed()
        assert true_at_kucoin(there, heard, KUCOIN)
        assert len(there.plan.history) > 6
        assert (there.counters.limited, there.counters.forbidden) == (0, 0)
