from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from sextant.errors import WireError
from sextant.market.ingest import learn
from sextant.market.state import MarketState
from sextant.model.events import Listed
from sextant.model.instrument import Instrument
from sextant.venues.arrivals import BlockTaker
from sextant.venues.catalog import venue
from sextant.venues.library.bybit.messages import read_block
from sextant.venues.port import Category, SymbolTable
from support.fuzzing import damaged, frames_of
from support.recordings import read_session

Told = tuple[Category, bytes, int]
FRAMES = int(os.environ.get("FUZZ_FRAMES", "6000")) // 2
SEEDS = 4

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def recorded(data_dir: Path) -> tuple[list[Told], SymbolTable]:
    session = read_session(data_dir, venue("bybit"))
    return [(category, frame, at) for category, frame, at in session.frames], session.symbols(venue("bybit"))


def test_every_recorded_frame_that_is_read_gives_the_events_of_the_ordinary_reader(
    recorded: tuple[list[Told], SymbolTable],
) -> None:
    frames, symbols = recorded
    for category in ("linear", "spot"):
        some = [(frame, at) for of, frame, at in frames if of == category]
        block = read_block(category, [frame for frame, _ in some], [at for _, at in some], symbols)
        unread = set(block.unread())
        assert len(unread) < 0.12 * len(some)
        for at, (frame, receive_ns) in enumerate(some):
            if at not in unread:
                expected = venue("bybit").parse_frame(category, frame, receive_ns, symbols)
                assert repr(block.events(at)) == repr(expected)


def test_no_damaged_frame_is_read_otherwise_than_by_the_ordinary_reader(data_dir: Path) -> None:
    frames, symbols = frames_of(data_dir, venue("bybit"))
    read = 0
    for category in ("linear", "spot"):
        some = [frame for of, frame in frames if of == category]
        for frame in damaged(some, 3, FRAMES):
            block = read_block(category, [frame], [7], symbols)
            if not block.unread():
                expected = venue("bybit").parse_frame(category, frame, 7, symbols)
                assert repr(block.events(0)) == repr(expected)
                read += 1
    assert read > 0.01 * FRAMES


class Reader:
    """A state that hears frames one by one, or together as they come."""

    def __init__(self, symbols: SymbolTable) -> None:
        self.symbols = symbols
        self.state = MarketState("replay", simulated=False)
        for listing in symbols:
            self.state.apply(Listed(listing.spec, 1, 1))
        self.asked: list[Instrument] = []
        self.odd = 0

    def alone(self, category: Category, frame: bytes, receive_ns: int) -> None:
        try:
            events = venue("bybit").parse_frame(category, frame, receive_ns, self.symbols)
        except WireError:
            self.odd += 1
        else:
            self.asked += learn(self.state, events)

    def together(self, frames: Sequence[Told]) -> None:
        category = frames[0][0]
        taker = BlockTaker(
            read_block,
            (category, self.symbols),
            lambda events: self.asked.extend(learn(self.state, events)),
            lambda receive_ns, frame: self.alone(category, frame, receive_ns),
        )
        taker.take([frame for _, frame, _ in frames], [at for *_, at in frames])


@pytest.mark.parametrize("seed", range(SEEDS))
def test_frames_together_leave_the_state_of_frames_one_by_one(
    recorded: tuple[list[Told], SymbolTable], seed: int
) -> None:
    frames, symbols = recorded
    chance = random.Random(seed)  # noqa: S311  # seeded, not secret
    stream = _disturbed(frames, chance) if seed else list(frames)
    one_by_one, together = Reader(symbols), Reader(symbols)
    for told in stream:
        one_by_one.alone(*told)
    while stream:
        most = chance.choice((1, 5, 20, 300))
        count = next(
            (at for at, told in enumerate(stream[:most]) if told[0] != stream[0][0]), len(stream[:most])
        )
        together.together(stream[:count])
        stream = stream[count:]
    assert together.state.counters == one_by_one.state.counters
    assert together.odd == one_by_one.odd
    assert sorted(together.asked) == sorted(one_by_one.asked)
    assert together.state.state_hash() == one_by_one.state.state_hash()
    assert together.state.counters["events.BookDelta"] > 1_000


def _disturbed(frames: list[Told], chance: random.Random) -> list[Told]:
    """Some of them damaged, lost, or told twice."""
    stream: list[Told] = []
    for category, frame, at in frames:
        damage = len(frame) < 4_000 and chance.random() < 0.02
        told = next(damaged([frame], chance.randrange(10**9), 1)) if damage else frame
        stream += [(category, told, at)] * chance.choice((0, 2, *([1] * 98)))
    return stream
