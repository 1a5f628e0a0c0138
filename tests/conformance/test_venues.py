"""Whoever claims to be a venue passes these; a venue in the catalog is found and tested unasked."""

from __future__ import annotations

import json
import math
import re
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sextant.errors import VenueError, WireError
from sextant.model.events import Event, Listed, StreamAlive, StreamDown, Trade
from sextant.model.times import MINUTE_NS
from sextant.venues.catalog import venue, venues
from sextant.venues.channels import channel_of
from sextant.venues.port import SymbolTable, Venue
from support.recordings import RECORDINGS, Recording, read_examples, read_session

NAMES = sorted(venues())
AT = 1_786_310_819_700_000_000
PUBLIC = ("market", "public", "klines", "exchangeInfo", "ticker", "depth", "products", "symbols")
"""Parts of the paths of questions that need no key."""
LARGE = 4_096

pytestmark = [pytest.mark.data, pytest.mark.parametrize("name", NAMES)]


@cache
def _session(data_dir: Path, name: str) -> tuple[Venue, Recording, SymbolTable]:
    found = venue(name)
    recording = read_session(data_dir, found)
    return found, recording, recording.symbols(found)


@cache
def _kinds(data_dir: Path, name: str) -> list[tuple[str, bytes]]:
    """One frame of every category, channel and kind of message that was recorded."""
    _, recording, _ = _session(data_dir, name)
    first: dict[object, tuple[str, bytes]] = {}
    for category, frame, _at in recording.frames:
        message = json.loads(frame)
        kind = tuple(
            str(message.get(name)) for name in ("type", "op", "method", "event", "action", "subject")
        )
        shown = json.dumps(_short(message)).encode() if len(frame) > LARGE else frame
        first.setdefault((category, channel_of(frame), kind), (category, shown))
    return list(first.values())


@cache
def _bodies(data_dir: Path, name: str) -> list[bytes]:
    """Answers to questions that need no key."""
    return [
        body
        for path, some in read_examples(data_dir, name).items()
        if any(word in path for word in PUBLIC)
        for body in some
    ]


def _short(value: Any) -> Any:
    """The value with the beginning of every list, so that a whole book is not damaged a thousand times."""
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    return [_short(item) for item in value[:3]] if isinstance(value, list) else value


def test_every_venue_has_a_recording(name: str) -> None:
    assert name in RECORDINGS


def test_every_recorded_frame_is_events_or_a_known_answer(name: str, data_dir: Path) -> None:
    found, recording, symbols = _session(data_dir, name)
    kinds: set[str] = set()
    pages = [found.parse_instruments(body, AT) for body in recording.bodies.values()]
    left_out = {symbol for page in pages for symbol, _ in page.left_out}
    for category, frame, receive_ns in recording.frames:
        events = found.parse_frame(category, frame, receive_ns, symbols)
        if not events:
            control = found.parse_control(category, frame, symbols)
            if control.kind != "unlisted" or control.detail.rpartition(":")[2] not in left_out:
                kinds.add(control.kind)
        for event in events:
            _check(event, found, receive_ns)
    assert kinds <= {"acknowledged", "pong", "quiet"}


def _check(event: Event, found: Venue, receive_ns: int) -> None:
    assert not isinstance(event, Listed | StreamDown | StreamAlive)
    assert event.receive_ns == receive_ns
    assert event.event_ns < receive_ns + MINUTE_NS
    # Venues repeat their last trades when they are asked for them.
    assert isinstance(event, Trade) or event.event_ns > receive_ns - MINUTE_NS
    (instrument,) = getattr(event, "instruments", None) or (event.instrument,)  # type: ignore[union-attr]  # one or the other
    assert instrument.venue == found.name
    assert instrument.kind in found.kinds
    numbers = [value for value in msgspec.structs.astuple(event) if isinstance(value, float)]
    assert all(math.isfinite(number) for number in numbers)


def test_parsing_is_pure(name: str, data_dir: Path) -> None:
    found, _, symbols = _session(data_dir, name)
    for category, frame in _kinds(data_dir, name):
        first = found.parse_frame(category, frame, AT, symbols)
        assert repr(found.parse_frame(category, frame, AT, symbols)) == repr(first)


def test_symbols_round_trip(name: str, data_dir: Path) -> None:
    found, _, symbols = _session(data_dir, name)
    assert len(symbols) > 0
    seen: set[object] = set()
    for listing in symbols:
        assert symbols.instrument(listing.category, listing.symbol) is symbols.instrument(
            listing.category, listing.symbol
        )
        assert symbols.instrument(listing.category, listing.symbol) == listing.instrument
        assert symbols.listing(listing.instrument) is listing
        assert listing.category in found.sockets
        seen.add(listing.instrument)
    assert len(seen) == len(symbols)


def test_topics_are_within_the_limits_and_distinct(name: str, data_dir: Path) -> None:
    found, _, symbols = _session(data_dir, name)
    every = [
        topic
        for listing in symbols
        for topic in found.topics(listing, found.capabilities.streams[listing.category])
    ]
    by_category = {(listing.category, topic) for listing in symbols for topic in found.topics(listing, found.capabilities.streams[listing.category])}  # fmt: skip
    assert len(by_category) == len(every)
    assert max(map(len, every)) < found.limits.topic_characters


def _strangers(value: Any) -> Any:
    """The value with an unknown field in every object, before and after the known ones."""
    if isinstance(value, dict):
        inner = {key: _strangers(item) for key, item in value.items()}
        return {"aStranger": {"x": [None, "1"]}, **inner, "zStranger": "?"}
    if isinstance(value, list):
        return [_strangers(item) for item in value]
    return value


def _reversed(value: Any) -> Any:
    """The value with the fields of every object in the opposite order."""
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in reversed(value)}
    if isinstance(value, list):
        return [_reversed(item) for item in value]
    return value


def test_unknown_fields_and_the_order_of_fields_change_nothing(name: str, data_dir: Path) -> None:
    found, recording, symbols = _session(data_dir, name)
    for category, frame in _kinds(data_dir, name):
        expected = repr(found.parse_frame(category, frame, AT, symbols))
        for change in (_strangers, _reversed):
            changed = json.dumps(change(json.loads(frame))).encode()
            assert repr(found.parse_frame(category, changed, AT, symbols)) == expected
    for body in recording.bodies.values():
        changed = json.dumps(_reversed(_strangers(json.loads(body)))).encode()
        assert found.parse_instruments(changed, AT) == found.parse_instruments(body, AT)


def _junk() -> st.SearchStrategy[Any]:
    texts = st.sampled_from(
        ["", "NaN", "Infinity", "-Infinity", "1e400", "-1", "null", "1" * 60, "\x00", "true"]
    )
    numbers = st.sampled_from([-1, 0, 10**30, -(10**30), 1.5, 2**63, 2**64])
    return st.one_of(texts, numbers, st.none(), st.booleans(), st.just([]), st.just({}), st.just([[]]))


def _places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here] * bool(here) + [place for key, item in items for place in _places(item, (*here, key))]


def _replace(value: Any, place: tuple[Any, ...], junk: Any) -> None:
    for key in place[:-1]:
        value = value[key]
    value[place[-1]] = junk


RELAXED = settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@RELAXED
@given(data=st.data())
def test_junk_in_any_field_is_a_wire_error_or_finite(name: str, data_dir: Path, data: st.DataObject) -> None:
    found, _, symbols = _session(data_dir, name)
    category, frame = data.draw(st.sampled_from(_kinds(data_dir, name)))
    message = json.loads(frame)
    _replace(message, data.draw(st.sampled_from(_places(message))), data.draw(_junk()))
    _read_or_refuse(found, category, json.dumps(message).encode(), symbols)


@RELAXED
@given(data=st.data())
def test_any_damage_to_the_bytes_is_a_wire_error_or_finite(
    name: str, data_dir: Path, data: st.DataObject
) -> None:
    found, _, symbols = _session(data_dir, name)
    category, frame = data.draw(st.sampled_from(_kinds(data_dir, name)))
    damaged = bytearray(frame)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        action = data.draw(st.sampled_from(["set", "drop", "insert", "cut"]))
        if action == "set":
            damaged[at] = data.draw(st.integers(0, 255))
        elif action == "insert":
            damaged.insert(at, data.draw(st.integers(0, 255)))
        elif action == "cut":
            del damaged[at + 1 :]
        elif len(damaged) > 1:
            del damaged[at]
    _read_or_refuse(found, category, bytes(damaged), symbols)


def _read_or_refuse(found: Venue, category: str, frame: bytes, symbols: SymbolTable) -> None:
    try:
        events = found.parse_frame(category, frame, AT, symbols)
        if not events:
            found.parse_control(category, frame, symbols)
    except WireError as error:
        assert 0 < len(error.message) < 500  # noqa: PT017  # an error is allowed, not demanded
        return
    for event in events:
        stated = re.sub(
            r"(quote|taker_buy)_volume=nan", "", repr(event)
        )  # NaN there means that it is not said
        assert not re.search(r"\b(nan|inf)\b", stated)
        msgspec.json.encode(event)  # every integer fits 64 bits
        assert 0 <= event.event_ns < 2**63


@RELAXED
@given(data=st.data())
def test_junk_in_any_answer_is_a_typed_error(name: str, data_dir: Path, data: st.DataObject) -> None:
    found, _, symbols = _session(data_dir, name)
    message = json.loads(data.draw(st.sampled_from(_bodies(data_dir, name))))
    if data.draw(st.booleans()):
        _replace(message, data.draw(st.sampled_from(_places(message))), data.draw(_junk()))
    body = json.dumps(message).encode()
    instrument = next(iter(symbols)).instrument
    history = found.history
    snapshots = found.variations.snapshots
    for read in (
        lambda: found.parse_instruments(body, AT),
        lambda: found.parse_quotes(body, AT, symbols),
        lambda: history.parse_bars(body, AT, instrument, "1m"),
        lambda: history.parse_funding(body, AT, instrument),
        lambda: history.parse_open_interest(body, AT, instrument),
        lambda: history.parse_account_ratio(body, AT, instrument),
        lambda: snapshots and snapshots.parse(body, AT, next(iter(symbols))),
    ):
        try:
            read()
        except VenueError as error:
            assert error.message  # noqa: PT017  # an error is allowed, not demanded
