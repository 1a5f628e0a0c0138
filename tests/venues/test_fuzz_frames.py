"""Damaged messages through every parser and keeper: typed errors only, nothing that is not finite, and no hang.

``make fuzz`` runs a million; the seeded short run is part of every test.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import msgspec
import pytest

from sextant.errors import SextantError, VenueError, WireError
from sextant.market.state import MarketState
from sextant.model.events import Event, Listed
from sextant.venues.catalog import venue, venues
from sextant.venues.port import SymbolTable, Venue
from support.fuzzing import answers_of, damaged, frames_of

NAMES = sorted(venues())
FRAMES = int(os.environ.get("FUZZ_FRAMES", "7000")) // len(NAMES)
SEED = int(os.environ.get("FUZZ_SEED", "11"))
AT = 1_786_310_819_700_000_000
LONGEST_S = 1.0  # of processor time, for one message: far beyond any, and a hang is longer
UNKNOWN = re.compile(r"(quote|taker_buy)_volume=nan")  # NaN there means that it is not said
ODD = re.compile(r"\b(nan|inf)\b")

pytestmark = [pytest.mark.data, pytest.mark.parametrize("name", NAMES)]


class Reading:
    """A venue's frames read as a connection reads them, into a market state."""

    def __init__(self, found: Venue, symbols: SymbolTable) -> None:
        self.found = found
        self.symbols = symbols
        make = found.variations.keeper
        self.keepers = {category: make(category, symbols) for category in found.sockets} if make else {}
        self.state = MarketState("replay", simulated=False)
        for listing in symbols:
            self.state.apply(Listed(listing.spec, 1, 1))
        self.refused = 0

    def take(self, category: str, data: bytes) -> None:
        try:
            for event in self._read(category, data):
                self._check(event)
                self.state.apply(event)
        except WireError as error:
            assert 0 < len(error.message) < 600  # noqa: PT017  # an error is allowed, not demanded
            self.refused += 1
        keeper = self.keepers.get(category)
        if keeper is not None:
            for instrument in keeper.wants():
                keeper.forget(instrument)
        self.state.drain_resyncs()

    def _read(self, category: str, data: bytes) -> list[Event]:
        events = self.found.parse_frame(category, data, AT, self.symbols)
        if not events:
            self.found.parse_control(category, data, self.symbols)
        keeper = self.keepers.get(category)
        return events if keeper is None else keeper.take(data, events, AT)

    def _check(self, event: Event) -> None:
        assert not ODD.search(UNKNOWN.sub("", repr(event)))
        msgspec.json.encode(event)  # every integer fits 64 bits
        assert 0 <= event.event_ns < 2**63


def test_damaged_frames_are_events_or_wire_errors(name: str, data_dir: Path) -> None:
    found = venue(name)
    frames, symbols = frames_of(data_dir, found)
    reading = Reading(found, symbols)
    per_category = {category: [data for of, data in frames if of == category] for category in found.sockets}
    for category, some in per_category.items():
        for data in some:
            reading.take(category, data)
        assert reading.refused == 0
        for data in damaged(some, SEED, FRAMES // len(per_category)) if some else ():
            begun = time.process_time()
            reading.take(category, data)
            assert time.process_time() - begun < LONGEST_S, data[:200]
        assert not some or reading.refused > 0
        reading.refused = 0


def test_damaged_answers_are_values_or_typed_errors(name: str, data_dir: Path) -> None:
    found = venue(name)
    _, symbols = frames_of(data_dir, found)
    listing = next(iter(symbols))
    history, snapshots, door = found.history, found.variations.snapshots, found.variations.door
    refused = 0
    for body in damaged(answers_of(data_dir, found), SEED, max(200, FRAMES // 20)):
        begun = time.process_time()
        for read in (
            lambda body=body: found.parse_instruments(body, AT),
            lambda body=body: found.parse_quotes(body, AT, symbols),
            lambda body=body: history.parse_bars(body, AT, listing.instrument, "1m"),
            lambda body=body: history.parse_funding(body, AT, listing.instrument),
            lambda body=body: history.parse_open_interest(body, AT, listing.instrument),
            lambda body=body: history.parse_account_ratio(body, AT, listing.instrument),
            lambda body=body: snapshots and snapshots.parse(body, AT, listing),
            lambda body=body: door and door.parse(body),
        ):
            try:
                read()
            except SextantError as error:
                assert isinstance(error, VenueError)  # noqa: PT017  # an error is allowed, not demanded
                refused += 1
        assert found.refusal(200, body) is None or isinstance(found.refusal(200, body), VenueError)
        assert time.process_time() - begun < LONGEST_S, body[:200]
    assert refused > 0
