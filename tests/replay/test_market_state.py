"""Recorded markets through the state: equal hashes in every process, and books and bars of second implementations."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from sextant.market.ingest import ingest
from sextant.market.state import MarketState
from sextant.model.events import BookDelta, Event
from sextant.model.instrument import parse_instrument
from sextant.model.times import HOUR_NS
from sextant.venues.packs import bar_pack_events
from sextant.venues.recordings import read_recording
from sextant.venues.replay import replay_events

pytestmark = pytest.mark.data

BYBIT = "cryptofeed/v3/BYBIT_btc_eth.jsonl.zst"
HOURS = "ohlcv/binance_spot_1h_136symbols_2024.parquet"
LEVELS = 200


def _replayed(events: list[Event]) -> MarketState:
    state = MarketState("replay", simulated=False)
    ingest(state, events)
    return state


@pytest.fixture(scope="module")
def bybit(data_dir: Path) -> list[Event]:
    return list(replay_events([data_dir / BYBIT]).events)


def test_recording_gives_one_hash_in_every_process(data_dir: Path, bybit: list[Event]) -> None:
    expected = _replayed(bybit).state_hash()
    assert _replayed(bybit).state_hash() == expected
    for seed in ("1", "2"):
        done = subprocess.run(  # our own program
            [sys.executable, "-m", "sextant", "replay", str(data_dir / BYBIT), "--json"],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        assert json.loads(done.stdout)["state_hash"] == expected


def test_books_of_a_recording_equal_those_of_plain_dictionaries(data_dir: Path, bybit: list[Event]) -> None:
    """The raw frames once more, read by nothing but a JSON parser and two dictionaries per book."""
    product: dict[str, str] = {}
    books: dict[tuple[str, str], dict[str, dict[float, float]]] = {}
    for frame in read_recording(data_dir / BYBIT):
        if frame.kind == "open":
            product[frame.connection] = frame.address.rsplit("/", 1)[-1]
        if frame.kind != "received" or b'"orderbook.' not in frame.data:
            continue
        message = json.loads(frame.data)
        if "data" not in message:
            continue
        key = (product[frame.connection], message["data"]["s"])
        if message["type"] == "snapshot":
            books[key] = {"b": {}, "a": {}}
        for side in ("b", "a"):
            for price, size in message["data"][side]:
                books[key][side][float(price)] = float(size)
                if float(size) == 0:
                    del books[key][side][float(price)]
    state = _replayed(bybit)
    assert len(books) == 4
    for (kind, symbol), sides in books.items():
        name = f"bybit:{symbol.removesuffix('USDT')}-USDT:{'perpetual' if kind == 'linear' else 'spot'}"
        book = state.book(parse_instrument(name))
        assert book.valid
        assert book.bids == tuple(sorted(sides["b"].items(), reverse=True)[:LEVELS])
        assert book.asks == tuple(sorted(sides["a"].items())[:LEVELS])


def test_one_lost_message_invalidates_that_book_alone(bybit: list[Event]) -> None:
    whole = _replayed(bybit)
    lost = next(at for at, event in enumerate(bybit) if at > 500 and isinstance(event, BookDelta))
    victim = bybit[lost]
    assert isinstance(victim, BookDelta)
    state = _replayed(bybit[:lost] + bybit[lost + 1 :])
    assert state.drain_resyncs() == [(victim.instrument, "gap")]
    assert state.counters["book_gaps"] == 1
    for spec in state.instruments:
        assert state.book(spec.instrument).valid == (spec.instrument != victim.instrument)
        if spec.instrument != victim.instrument:
            # As they are hashed: what is not known is not equal to itself.
            told, meant = (
                msgspec.msgpack.encode(one.desk(spec.instrument).content()) for one in (state, whole)
            )
            assert told == meant


def test_every_message_twice_changes_no_book_bar_or_trade(bybit: list[Event]) -> None:
    once = _replayed(bybit)
    twice = _replayed([event for event in bybit for _ in range(2)])
    assert twice.drain_resyncs() == []
    newest = max(event.event_ns for event in bybit)
    one, other = once.view(newest + HOUR_NS), twice.view(newest + HOUR_NS)
    assert one.content_hash == other.content_hash


@pytest.mark.parametrize("symbol", ["BTCUSDT", "SOLUSDT"])
def test_four_hour_and_daily_bars_of_a_pack_equal_a_plain_loop(data_dir: Path, symbol: str) -> None:
    pack = bar_pack_events(data_dir / HOURS)
    state = _replayed(list(pack.events))
    view = state.view(pack.period[1])
    table = pq.read_table(data_dir / HOURS)
    rows = table.filter(pc.equal(table["symbol"], symbol)).to_pydict()
    bars = {
        int(date.timestamp()) // 3_600: (first, high, low, close, volume)
        for date, first, high, low, close, volume in zip(
            *(rows[name] for name in ("date", "open", "high", "low", "close", "volume")), strict=True
        )
    }
    column = view.column_of[parse_instrument(f"binance:{symbol.removesuffix('USDT')}-USDT:spot")]
    for interval, hours in (("4h", 4), ("1d", 24)):
        frame = view.bars[interval]  # type: ignore[index]
        checked = 0
        for at, open_ns in enumerate(frame.open_ns.tolist()):
            parts = [bars.get(open_ns // HOUR_NS + hour) for hour in range(hours)]
            known = [part for part in parts if part is not None]
            shown = [frame.open, frame.high, frame.low, frame.close, frame.volume]
            values = [column_of[at, column] for column_of in shown]
            if len(known) < hours:
                assert np.isnan(values).all()
                continue
            checked += 1
            assert values[0] == known[0][0]
            assert values[1] == max(part[1] for part in known)
            assert values[2] == min(part[2] for part in known)
            assert values[3] == known[-1][3]
            assert values[4] == pytest.approx(sum(part[4] for part in known), rel=1e-14)
        assert checked > 200
