"""The recorded session of Deribit through the state: counts as its README states, books of a second implementation."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from sextant.market.ingest import ingest
from sextant.market.state import MarketState
from sextant.model.events import BookDelta, BookSnapshot, Event, OptionUpdate
from sextant.venues.recordings import read_recording
from sextant.venues.replay import replay_events

pytestmark = pytest.mark.data

DERIBIT = "cryptofeed/v3/DERIBIT.jsonl.zst"


@pytest.fixture(scope="module")
def events(data_dir: Path) -> list[Event]:
    return list(replay_events([data_dir / DERIBIT]).events)


def replayed(events: list[Event]) -> MarketState:
    state = MarketState("replay", simulated=False)
    ingest(state, events)
    return state


def test_every_channel_is_counted_and_read(data_dir: Path) -> None:
    replay = replay_events([data_dir / DERIBIT])
    read = Counter(type(event) for event in replay.events)
    assert replay.messages() == 136
    # One further message answers the subscription.
    assert replay.channels() == {"book change": 36, "book snapshot": 10, "ticker": 89, "unnamed": 1}
    assert (read[BookSnapshot], read[BookDelta], read[OptionUpdate]) == (10, 36, 89)
    assert replay.untranslated() == {}
    assert replay.notes() == ()


def test_no_gap_is_in_it_and_one_that_is_made_is_detected(events: list[Event]) -> None:
    whole = replayed(events)
    assert (whole.counters["book_gaps"], whole.counters["book_crossed"]) == (0, 0)
    deltas = [at for at, event in enumerate(events) if isinstance(event, BookDelta)]
    undetected = 0
    for lost in deltas:
        victim = events[lost]
        assert isinstance(victim, BookDelta)
        later = [events[at] for at in deltas if at > lost and events[at].instrument == victim.instrument]  # type: ignore[union-attr]  # deltas have one
        state = replayed(events[:lost] + events[lost + 1 :])
        undetected += bool(later) and state.drain_resyncs() != [(victim.instrument, "gap")]
    assert undetected == 0


def test_books_equal_those_of_plain_dictionaries(data_dir: Path, events: list[Event]) -> None:
    books: dict[str, dict[str, dict[float, float]]] = {}
    for frame in read_recording(data_dir / DERIBIT):
        message = json.loads(frame.data) if frame.kind == "received" else {}
        data = message.get("params", {}).get("data", {})
        if "change_id" not in data:
            continue
        if data["type"] == "snapshot":
            books[data["instrument_name"]] = {"bids": {}, "asks": {}}
        for side in ("bids", "asks"):
            for action, price, amount in data[side]:
                if action == "delete":
                    del books[data["instrument_name"]][side][price]
                else:
                    books[data["instrument_name"]][side][price] = amount
    state = replayed(events)
    assert len(books) == 10
    for chain in state.view(2**62 - 1).chains.values():
        assert chain.size == 0
    told = {event.instrument for event in events if isinstance(event, BookSnapshot)}
    for instrument in told:
        expiry = np.datetime64(instrument.expiry_ns, "ns").astype("datetime64[s]").item()
        right = "C" if instrument.right == "call" else "P"
        name = f"{instrument.base}-{expiry.day}{expiry:%b%y}-{instrument.strike:f}-{right}".upper()
        book = state.book(instrument)
        assert book.bids == tuple(sorted(books[name]["bids"].items(), reverse=True))
        assert book.asks == tuple(sorted(books[name]["asks"].items()))


def test_the_chain_shows_what_was_last_said(events: list[Event]) -> None:
    state = replayed(events)
    last = {event.instrument: event for event in events if isinstance(event, OptionUpdate)}
    view = state.view(max(event.receive_ns for event in events))
    assert (sorted(view.chains), view.size) == (["deribit:BTC-USD", "deribit:ETH-USD"], 0)
    shown = 0
    for chain in view.chains.values():
        for row, spec in enumerate(chain.instruments):
            event = last[spec.instrument]
            told = {
                name: getattr(event, name) for name in ("bid", "ask", "mark_iv", "forward", "delta", "vega")
            }
            for name, value in told.items():
                np.testing.assert_equal(chain.column(name)[row], np.nan if value is None else value)
            shown += 1
    assert shown == 10


def test_the_same_recording_gives_the_same_hash(events: list[Event]) -> None:
    assert replayed(events).state_hash() == replayed(events).state_hash()
