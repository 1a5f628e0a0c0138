"""Recorded sessions with messages repeated, lost or swapped: a book is the true one, or it is not believed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import msgspec
import pytest

from sextant.kit.frames import Frame
from sextant.market.ingest import ingest
from sextant.market.state import MarketState
from sextant.model.instrument import Instrument
from sextant.venues.catalog import venues
from sextant.venues.recordings import Recording, read_recording
from sextant.venues.replay import Replay

SESSIONS = {
    "binance": "cryptofeed/v3/BINANCE.jsonl.zst",
    "binance_usdm": "cryptofeed/v3/BINANCE_FUTURES.jsonl.zst",
    "bybit": "cryptofeed/v3/BYBIT_btc_eth.jsonl.zst",
    "coinbase": "cryptofeed/v3/COINBASE.jsonl.zst",
    "kraken": "kraken/orderbook-v2.json.gz",
    "kucoin": "cryptofeed/v3/KUCOIN.jsonl.zst",
    "okx": "cryptofeed/v3/OKX.jsonl.zst",
}
BOOKS = (b"depth@", b"orderbook.", b"l2_data", b'"book"', b"/market/level2", b'"books"')
"""By which a frame is known to be of a book, whatever the venue."""

TRIALS = 10
LEVELS = 10

Books = dict[Instrument, tuple[object, object]]

pytestmark = [pytest.mark.data, pytest.mark.parametrize("name", SESSIONS)]


@cache
def session(data_dir: Path, name: str) -> tuple[Frame, ...]:
    return tuple(read_recording(data_dir / SESSIONS[name]))


def replayed(frames: Iterable[Frame]) -> MarketState:
    recording = Recording(Path("disorder"), "sextant", iter(frames))
    state = MarketState("replay", simulated=False)
    ingest(state, Replay([recording], venues()).events)
    return state


def believed(state: MarketState) -> Books:
    """The best levels of every book that is valid."""
    books = {spec.instrument: state.book(spec.instrument, LEVELS) for spec in state.instruments}
    return {instrument: (book.bids, book.asks) for instrument, book in books.items() if book.valid}


def trades(state: MarketState) -> dict[Instrument, list[float]]:
    """The prices of all trades kept, in their order."""
    tapes = {spec.instrument: state.desk(spec.instrument).flow.tape() for spec in state.instruments}
    return {instrument: tape.price.tolist() for instrument, tape in tapes.items() if tape is not None}


@cache
def truth(data_dir: Path, name: str) -> Books:
    books = believed(replayed(session(data_dir, name)))
    assert books
    return books


def places(frames: tuple[Frame, ...]) -> list[int]:
    """Where changes of books stand, without the first frames, in which books begin, and the last."""
    found = [
        at
        for at, frame in enumerate(frames)
        if frame.kind == "received" and any(mark in frame.data for mark in BOOKS)
    ]
    return found[len(found) // 10 : -1]


def disturbed(data_dir: Path, name: str, change: Callable[[list[Frame], int], None]) -> list[Books]:
    """What is believed at the end of sessions with one place changed."""
    frames = session(data_dir, name)
    chance = random.Random(5)  # noqa: S311  # seeded, not secret
    results: list[Books] = []
    for at in chance.sample(places(frames), TRIALS):
        changed = list(frames)
        change(changed, at)
        results.append(believed(replayed(changed)))
    return results


def test_every_message_twice_gives_the_same_books_and_trades(data_dir: Path, name: str) -> None:
    once = replayed(session(data_dir, name))
    twice = replayed(
        frame for frame in session(data_dir, name) for _ in range(1 + (frame.kind == "received"))
    )
    assert believed(twice) == believed(once)
    assert trades(twice) == trades(once)


def test_a_lost_message_leaves_no_false_book(data_dir: Path, name: str) -> None:
    true = truth(data_dir, name)
    results = disturbed(data_dir, name, lambda frames, at: frames.pop(at))  # type: ignore[arg-type]  # what is popped is dropped
    for books in results:
        assert {instrument: true[instrument] for instrument in books} == books
    assert any(len(books) < len(true) for books in results)


def test_two_swapped_messages_leave_no_false_book(data_dir: Path, name: str) -> None:
    def swap(frames: list[Frame], at: int) -> None:
        one, other = frames[at], frames[at + 1]
        frames[at] = msgspec.structs.replace(other, receive_ns=one.receive_ns)
        frames[at + 1] = msgspec.structs.replace(one, receive_ns=other.receive_ns)

    true = truth(data_dir, name)
    for books in disturbed(data_dir, name, swap):
        assert {instrument: true[instrument] for instrument in books} == books
