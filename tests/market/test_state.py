from __future__ import annotations

import dataclasses
import random
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sextant.errors import InputError, NotFound
from sextant.market.freshness import STREAMS
from sextant.market.state import MarketState
from sextant.model.bar import BAR_FIELDS
from sextant.model.events import (
    BookCleared,
    DerivativesUpdate,
    Event,
    FundingSettled,
    Liquidation,
    OpenInterestPoint,
    QuoteUpdate,
    StreamAlive,
    StreamDown,
    Unfollowed,
)
from sextant.model.times import INTERVAL_NS, MINUTE_NS, SECOND_NS
from sextant.model.view import View, bar_frame, columns_of
from support.market import bar_update, block, block_of, delta, instrument, listed, snapshot, state_of, trade

LATER = 2**62
BIDS, ASKS = [(100.0, 1.0)], [(100.5, 1.0)]


def test_event_of_an_instrument_that_was_never_listed_is_counted_and_not_applied() -> None:
    state = state_of()
    events: list[Event] = [
        snapshot(1, BIDS, ASKS),
        delta(2),
        BookCleared(instrument(), 3, 3, "x"),
        trade("a", 1),
        QuoteUpdate(instrument(), 1, 1, bid=1.0),
        DerivativesUpdate(instrument(), 1, 1, mark=1.0),
        FundingSettled(instrument(), 1, 1, 0.1),
        OpenInterestPoint(instrument(), 1, 1, 0.1),
        Liquidation(instrument(), 1, 1, "long", 1.0, 1.0),
        bar_update(3),
        StreamDown((instrument(),), ("book",), 1, 1, "x"),
        StreamAlive((instrument(),), ("book",), 1, 1),
        block("1h", ["BTC", "ETH"], [1], {"close": np.ones((1, 2))}),
    ]
    for event in events:
        state.apply(event)
    assert state.counters["unknown_instruments"] == len(events) + 1
    assert state.instruments == ()
    assert state.view(LATER).size == 0
    assert state.state_hash() == state_of().state_hash()


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(InputError, match="int is not a model event"):
        state_of().apply(5)  # type: ignore[arg-type]


def test_instruments_are_in_order_of_identity_whatever_the_order_of_listing() -> None:
    one, other = state_of(listed("ETH"), listed("BTC")), state_of(listed("BTC"), listed("ETH"))
    assert [spec.instrument.base for spec in one.instruments] == ["BTC", "ETH"]
    assert one.state_hash() == other.state_hash()
    assert one.view(5).content_hash == other.view(5).content_hash


def test_relisting_changes_the_rules_and_keeps_what_is_known() -> None:
    state = state_of(listed(), snapshot(5, BIDS, ASKS), bar_update(3))
    halted = msgspec.structs.replace(listed().spec, status="delisted")
    state.apply(msgspec.structs.replace(listed(), spec=halted))
    assert state.instruments[0].status == "delisted"
    assert state.book(instrument()).valid
    assert state.view(LATER).bars["1m"].rows == 1
    state.apply(listed(tick="0.1"))
    assert state.drain_resyncs() == [(instrument(), "tick_changed")]


def test_gap_asks_for_a_snapshot_of_that_book_only_and_once() -> None:
    state = state_of(
        listed(),
        listed("ETH"),
        snapshot(5, BIDS, ASKS),
        snapshot(5, BIDS, ASKS, base="ETH"),
        delta(7),
        delta(8),
    )
    assert state.drain_resyncs() == [(instrument(), "gap")]
    assert state.drain_resyncs() == []
    assert not state.book(instrument()).valid
    assert state.book(instrument("ETH")).valid
    assert state.counters["book_resyncs"] == 1


def test_snapshot_or_clearing_that_comes_meanwhile_takes_the_wish_back() -> None:
    down = StreamDown((instrument(),), ("book",), 9, 9, "closed: the session subscribes again by itself")
    for heals in (snapshot(9, BIDS, ASKS), BookCleared(instrument(), 9, 9, "delisted"), down):
        state = state_of(listed(), snapshot(5, BIDS, ASKS), delta(7), heals)
        assert state.drain_resyncs() == []


def test_accessors_refuse_an_instrument_that_is_not_listed() -> None:
    state = state_of()
    for ask in (lambda: state.book(instrument()), lambda: state.bars(instrument(), "1m", 5)):
        with pytest.raises(NotFound, match="bybit:BTC-USDT:perpetual is not listed"):
            ask()


def test_bars_of_one_instrument_end_with_its_own_newest() -> None:
    state = state_of(listed(), listed("ETH"), *(bar_update(row, close=100.0 + row) for row in range(5)))
    state.apply(bar_update(9, base="ETH"))
    frame = state.bars(instrument(), "1m", 2)
    assert frame is not None
    assert frame.close.tolist() == [[103.0], [104.0]]
    everything = state.bars(instrument(), "1m", 100)
    assert everything is not None
    assert everything.rows == 5
    assert state.bars(instrument(), "1d", 2) is None
    assert state.bars(instrument(), "1m", 0) is None
    assert state_of(listed()).bars(instrument(), "1m", 5) is None


def test_view_shows_the_intervals_that_are_asked_for() -> None:
    state = state_of(listed(), *(bar_update(row) for row in range(10)))
    assert list(state.view(LATER).bars) == ["1m", "5m"]
    assert list(state.view(LATER, ("5m", "1d")).bars) == ["5m"]


def test_view_says_where_it_comes_from() -> None:
    view = MarketState("demo", simulated=True).view(7)
    assert (view.feed, view.simulated, view.as_of_ns) == ("demo", True, 7)


def test_histories_end_at_as_of() -> None:
    state = state_of(listed())
    assert state.view(LATER).trades == {}
    for time_ns in (10, 20, 30):
        state.apply(FundingSettled(instrument(), time_ns, time_ns, time_ns / 1e6))
        state.apply(OpenInterestPoint(instrument(), time_ns, time_ns, float(time_ns)))
        state.apply(trade(str(time_ns), time_ns))
        state.apply(Liquidation(instrument(), time_ns, time_ns, "short", 100.0, 2.0))
    view = state.view(20)
    assert view.funding_history[instrument()].time_ns.tolist() == [10, 20]
    assert view.open_interest_history[instrument()].value.tolist() == [10.0, 20.0]
    assert view.trades[instrument()].event_ns.tolist() == [10, 20]
    forced = view.liquidations[instrument()]
    assert (forced.event_ns.tolist(), forced.side.tolist()) == ([10, 20], [-1.0, -1.0])
    assert state.view(30).funding_history[instrument()].time_ns.tolist() == [10, 20, 30]
    nothing = state.view(9)
    assert (nothing.funding_history, nothing.open_interest_history, nothing.trades) == ({}, {}, {})
    assert nothing.liquidations == {}


def test_forming_bars_stay_out_of_every_view() -> None:
    state = state_of(listed(), bar_update(3, final=False))
    assert state.view(LATER).bars == {}
    forming = state.desk(instrument()).forming.bar("1m")
    assert forming is not None
    assert forming.open_ns == 3 * MINUTE_NS
    state.apply(bar_update(3))
    assert state.desk(instrument()).forming.content() == ()
    state.apply(bar_update(3, final=False))
    assert state.desk(instrument()).forming.content() == ()
    assert state.counters["bars_forming_old"] == 1


def test_taker_volume_from_trades_is_folded_and_survives_a_back_fill_without_it() -> None:
    first = 20_000 * 1_440
    state = state_of(listed())
    updates = []
    for row in range(first, first + 5):
        state.apply(trade(str(row), row * MINUTE_NS + 7, size=2.0, aggressor=1 if row % 2 else -1))
        updates.append(bar_update(row, volume=2.0))
        state.apply(updates[-1])
    state.apply(block_of(updates))
    bars = state.view(LATER).bars
    assert bars["1m"].taker_buy_volume[:, 0].tolist() == [0.0, 2.0, 0.0, 2.0, 0.0]
    assert bars["5m"].taker_buy_volume.tolist() == [[4.0]]
    assert (state.counters["bars_duplicate"], state.counters["bars_repaired"]) == (5, 0)


def test_block_takes_known_columns_settles_forming_bars_and_notes_the_stream() -> None:
    columns = dict.fromkeys(("open", "high", "low", "close", "volume"), np.array([[1.0, 2.0, 3.0]]))
    state = state_of(listed("CCC"), listed("AAA"), bar_update(9, "1h", base="AAA", final=False))
    given_block = block("1h", ["AAA", "BBB", "CCC"], [9], columns)
    state.apply(given_block)
    state.apply(given_block)
    assert state.view(LATER).bars["1h"].close.tolist() == [[1.0, 3.0]]
    assert state.counters["unknown_instruments"] == 2
    assert state.counters["bars_duplicate"] == 2
    assert state.desk(instrument("AAA")).forming.content() == ()
    assert state.freshness(10 * INTERVAL_NS["1h"])[instrument("AAA")]["bars"].state == "live"
    state.apply(listed("BBB"))
    state.apply(given_block)
    assert state.view(LATER).bars["1h"].close.tolist() == [[1.0, 2.0, 3.0]]


def test_empty_block_changes_nothing() -> None:
    state = state_of(listed())
    before = state.state_hash()
    state.apply(block("1h", ["BTC"], [], {"close": np.empty((0, 1))}))
    assert state.state_hash() == before


def test_lost_connection_invalidates_books_and_an_answering_one_proves_life() -> None:
    state = state_of(
        listed(),
        listed("ETH"),
        snapshot(5, BIDS, ASKS),
        snapshot(5, BIDS, ASKS, base="ETH"),
        StreamDown((instrument(),), ("book", "trades"), 6, 6, "closed 1006"),
        StreamAlive((instrument("ETH"),), ("trades",), 6, 6),
    )
    ages = state.freshness(7)
    assert set(ages[instrument()]) == set(STREAMS)
    assert ages[instrument()]["book"].state == "invalid"
    assert ages[instrument()]["book"].reason == "closed 1006"
    assert ages[instrument("ETH")]["book"].state == "live"
    assert ages[instrument("ETH")]["trades"].state == "live"
    assert ages[instrument("ETH")]["quote"].state == "unsupported"
    assert state.drain_resyncs() == []
    state.apply(delta(6))
    assert not state.book(instrument()).valid
    state.apply(snapshot(9, BIDS, ASKS))
    assert state.freshness(9)[instrument()]["book"].state == "live"


def test_book_accessor_cuts_to_the_levels_asked_for() -> None:
    state = state_of(listed(), snapshot(5, [(100.0, 1.0), (99.0, 2.0)], ASKS))
    assert state.book(instrument(), 1).bids == ((100.0, 1.0),)


# -- immutability, determinism, interleaving -----------------------------------------------------


def _frozen(view: View) -> list[Any]:
    """A deep copy of everything a view shows."""
    parts: list[Any] = [view.content_hash, view.instruments]
    for frame in view.bars.values():
        parts += [getattr(frame, name).tobytes() for name in BAR_FIELDS]
    for group in (view.quotes, view.books, view.derivatives):
        parts += [column.tobytes() for column in vars(group).values()]
    for history in (view.funding_history, view.open_interest_history, view.trades, view.liquidations):
        parts += [column.tobytes() for series in history.values() for column in columns_of(series)]
    return parts


def _random_events(seed: int, base: str, count: int = 120) -> list[Event]:
    """Plausible and faulty events of one instrument, listed first."""
    chance = random.Random(seed)  # noqa: S311  # seeded test data
    events: list[Event] = [listed(base), snapshot(1, BIDS, ASKS, base=base)]
    sequence, row, who = 1, 1_440, instrument(base)
    for number in range(count):
        now = row * MINUTE_NS + number
        kind = chance.randrange(9)
        if kind == 0:
            sequence += chance.choice([0, 1, 1, 1, 2])
            levels = [(90.0 + chance.randrange(30) / 2, float(chance.randrange(3)))]
            events.append(delta(sequence, levels, base=base, event_ns=now))
        elif kind == 1:
            sequence = chance.randrange(1, 50)
            events.append(snapshot(sequence, BIDS, ASKS, base=base, event_ns=now))
        elif kind == 2:
            name = str(chance.randrange(40))
            events.append(
                trade(name, now - chance.randrange(99), aggressor=chance.choice([-1, 0, 1]), base=base)
            )
        elif kind == 3:
            events.append(QuoteUpdate(who, now, now, bid=float(chance.randrange(90, 99)), ask=100.0))
        elif kind == 4:
            events.append(
                DerivativesUpdate(who, now, now, mark=float(chance.randrange(1, 9)), funding_rate=None)
            )
        elif kind == 5:
            events.append(FundingSettled(who, chance.randrange(50), now, chance.random()))
            events.append(OpenInterestPoint(who, chance.randrange(50), now, chance.random()))
        elif kind == 6:
            events.append(Liquidation(who, now, now, "long", 1.0, 2.0))
            events.append(StreamAlive((who,), ("trades",), now, now))
        elif kind == 7:
            events.append(StreamDown((who,), ("quote", "trades"), now, now, "closed"))
        else:
            row += chance.choice([-2, 0, 1, 1, 1, 3])
            final = chance.random() < 0.8
            events.append(bar_update(row, close=100.0 + chance.randrange(5), base=base, final=final))
    return events


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_views_never_change_while_more_events_arrive(seed: int) -> None:
    state = state_of(keep=4)
    taken = []
    for number, event in enumerate(_random_events(seed, "BTC") + _random_events(seed + 1, "AAA")):
        state.apply(event)
        if number % 3 == 0:
            view = state.view(LATER)
            taken.append((view, _frozen(view)))
    for view, before in taken:
        assert _frozen(dataclasses.replace(view)) == before


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_row_digests_of_any_view_equal_those_computed_from_scratch(seed: int) -> None:
    state = state_of(keep=6)
    for number, event in enumerate(_random_events(seed, "BTC") + _random_events(seed + 1, "AAA")):
        state.apply(event)
        if number % 20:
            continue
        for interval, frame in state.view(LATER).bars.items():
            columns = {name: getattr(frame, name).copy() for name in BAR_FIELDS}
            assert frame.row_digests == bar_frame(interval, frame.open_ns, columns).row_digests


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_same_events_twice_give_the_same_hash_and_taking_views_does_not_matter(seed: int) -> None:
    events = _random_events(seed, "BTC")
    one, other = state_of(*events), state_of()
    for event in events:
        other.apply(event)
        other.view(LATER)
        other.state_hash()
    assert one.state_hash() == other.state_hash()
    assert one.view(LATER).content_hash == other.view(LATER).content_hash
    assert one.counters == other.counters


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_any_interleaving_of_instruments_gives_the_same_state(seed: int) -> None:
    streams = [_random_events(seed + offset, base) for offset, base in enumerate(("BTC", "AAA", "ZZZ"))]
    mixed = []
    chance = random.Random(seed)  # noqa: S311  # seeded test data
    waiting = [list(reversed(stream)) for stream in streams]
    while any(waiting):
        mixed.append(chance.choice([stream for stream in waiting if stream]).pop())
    one, other = state_of(*mixed), state_of(*(event for stream in reversed(streams) for event in stream))
    assert one.state_hash() == other.state_hash()
    assert one.view(LATER).content_hash == other.view(LATER).content_hash
    assert sorted(one.drain_resyncs()) == other.drain_resyncs()


@pytest.mark.parametrize(
    "event",
    [
        delta(2, [(100.0, 5.0)]),
        trade("z", 2),
        QuoteUpdate(instrument(), 2, 2, bid=1.0),
        DerivativesUpdate(instrument(), 2, 2, mark=1.0),
        FundingSettled(instrument(), 2, 2, 0.1),
        OpenInterestPoint(instrument(), 2, 2, 0.1),
        Liquidation(instrument(), 2, 2, "long", 1.0, 1.0),
        bar_update(3),
        bar_update(3, final=False),
        listed("ETH"),
        StreamDown((instrument(),), ("trades",), 2, 2, "x"),
        StreamAlive((instrument(),), ("trades",), 2, 2),
        BookCleared(instrument(), 3, 3, "x"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_every_kind_of_event_changes_the_hash(event: Event) -> None:
    start: list[Event] = [listed(), snapshot(1, BIDS, ASKS)]
    assert state_of(*start).state_hash() != state_of(*start, event).state_hash()


def test_frozen_feed_is_stale_within_twice_its_cadence() -> None:
    state = state_of(listed(), snapshot(1, BIDS, ASKS, event_ns=SECOND_NS))
    for second in range(1, 12):
        now = second * SECOND_NS
        repeat = msgspec.structs.replace(delta(second + 1, event_ns=SECOND_NS), receive_ns=now)
        state.apply(repeat)
        state.apply(StreamAlive((instrument(),), ("book",), now, now))
    judged = state.freshness(11 * SECOND_NS)[instrument()]["book"]
    assert (judged.state, judged.reason, judged.since_ns) == ("stale", "frozen", 11 * SECOND_NS)


def test_what_is_followed_no_more_leaves_the_state_as_if_it_had_never_been_listed() -> None:
    btc, eth = _random_events(5, "BTC"), _random_events(5, "ETH")
    state, never = state_of(*btc, *eth), state_of(*btc)
    before = state.view(LATER)
    closes = {interval: frame.close.copy() for interval, frame in before.bars.items()}
    state.apply(Unfollowed((instrument("ETH"),), 9, 9))
    assert state.state_hash() == never.state_hash()
    assert [spec.instrument.base for spec in state.instruments] == ["BTC"]
    assert state.counters["unknown_instruments"] == never.counters["unknown_instruments"]
    # A view that was taken before keeps what it showed.
    assert before.size == 2
    for interval, frame in before.bars.items():
        np.testing.assert_array_equal(frame.close, closes[interval])
    for event in eth:
        state.apply(event)
    assert state.state_hash() == state_of(*btc, *eth).state_hash()


def test_following_no_more_what_was_never_listed_is_counted_and_changes_nothing() -> None:
    state = state_of(listed())
    before = state.state_hash()
    state.apply(Unfollowed((instrument("ETH"), instrument("SOL")), 1, 1))
    assert state.counters["unknown_instruments"] == 2
    assert state.state_hash() == before
