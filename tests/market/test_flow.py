from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sextant.market.flow import HELD, KEEP_MINUTES, KEEP_TRADES, TRIM_TRADES, Flow, TakerFlow, add, continues
from sextant.market.names import KEEP_NAMES
from sextant.model.times import MINUTE_NS
from support.market import trade


def test_flow_without_trades_knows_nothing() -> None:
    flow = Flow()
    assert flow.tape() is None
    assert flow.last() is None
    assert flow.minutes() == ()


def test_trades_are_kept_oldest_first() -> None:
    flow = Flow()
    for name, time_ns in (("a", 10), ("b", 20), ("c", 20)):
        assert flow.take(trade(name, time_ns, price=float(time_ns), size=2.0, aggressor=-1)) is None
    tape = flow.tape()
    assert tape is not None
    assert tape.event_ns.tolist() == [10, 20, 20]
    assert tape.price.tolist() == [10.0, 20.0, 20.0]
    assert tape.aggressor.tolist() == [-1.0, -1.0, -1.0]
    assert flow.tape() is tape
    assert flow.last() == (20.0, 20)


def test_tape_that_was_handed_out_does_not_change() -> None:
    flow = Flow()
    flow.take(trade("a", 10))
    tape = flow.tape()
    flow.take(trade("b", 20))
    assert tape is not None
    assert tape.event_ns.tolist() == [10]
    with pytest.raises(ValueError, match="read-only"):
        tape.price[0] = 1.0


def test_repeated_id_is_dropped() -> None:
    flow = Flow()
    flow.take(trade("a", 10))
    assert flow.take(trade("a", 10)) == "duplicate"
    assert flow.minutes() == (TakerFlow(0, 1.0, 0.0, 1, 0),)


def test_at_least_the_last_thousand_ids_are_remembered_and_memory_is_bounded() -> None:
    flow = Flow()
    for number in range(5 * KEEP_NAMES):
        flow.take(trade(str(number), number))
    assert sum(map(len, flow.names.content())) <= 2 * KEEP_NAMES
    for number in range(4 * KEEP_NAMES, 5 * KEEP_NAMES):
        assert flow.take(trade(str(number), number)) == "duplicate"


def test_the_newest_thousand_trades_are_kept() -> None:
    flow = Flow()
    for number in range(3 * KEEP_TRADES):
        flow.take(trade(str(number), number))
        assert flow.cells.ints[HELD] < KEEP_TRADES + TRIM_TRADES
    tape = flow.tape()
    assert tape is not None
    assert tape.event_ns.tolist() == list(range(2 * KEEP_TRADES, 3 * KEEP_TRADES))


def test_late_trade_goes_where_its_time_belongs() -> None:
    flow = Flow()
    flow.take(trade("a", 10))
    flow.take(trade("c", 30))
    assert flow.take(trade("b", 20, price=7.0)) == "late"
    tape = flow.tape()
    assert tape is not None
    assert tape.price.tolist() == [100.0, 7.0, 100.0]


def test_trade_older_than_the_whole_tape_only_counts_in_its_minute() -> None:
    flow = Flow()
    for number in range(KEEP_TRADES):
        flow.take(trade(str(number), MINUTE_NS + number))
    assert flow.take(trade("old", 5, size=3.0)) == "too_old"
    assert flow.cells.ints[HELD] == KEEP_TRADES
    assert flow.minutes()[0] == TakerFlow(0, 3.0, 0.0, 1, 0)


def test_many_late_trades_stay_bounded() -> None:
    flow = Flow()
    flow.take(trade("last", 10_000))
    for number in range(2 * KEEP_TRADES):
        flow.take(trade(str(number), 5_000 + number))
    assert flow.cells.ints[HELD] < KEEP_TRADES + TRIM_TRADES


def test_block_trade_is_no_flow_but_its_id_is_remembered() -> None:
    flow = Flow()
    assert flow.take(trade("a", 10, block=True)) == "block"
    assert flow.take(trade("a", 10, block=True)) == "duplicate"
    assert flow.tape() is None


@pytest.mark.parametrize(("price", "size"), [(0.0, 1.0), (1.0, 0.0), (math.nan, 1.0), (1.0, math.inf)])
def test_trade_that_no_market_can_have_made_is_refused(price: float, size: float) -> None:
    flow = Flow()
    assert flow.take(trade("a", 10, price, size)) == "refused"
    assert flow.take(trade("a", 10)) is None


def test_unknown_side_takes_the_sign_of_the_last_price_change() -> None:
    flow = Flow()
    for number, price in enumerate([100.0, 101.0, 101.0, 100.5, 100.5]):
        flow.take(trade(str(number), number, price, 1.0, 0))
    # The first has nothing to compare with; then up, still up, down, still down.
    minute = flow.minutes()[0]
    assert (minute.buy, minute.sell, minute.trades_count, minute.inferred_count) == (2.0, 2.0, 5, 5)
    assert minute.delta == 0.0


def test_minutes_are_kept_in_a_ring() -> None:
    flow = Flow()
    for minute in range(KEEP_MINUTES + 5):
        flow.take(trade(str(minute), minute * MINUTE_NS, size=1.0 + minute, aggressor=-1))
    kept = flow.minutes()
    assert [row.open_ns // MINUTE_NS for row in kept] == list(range(5, KEEP_MINUTES + 5))
    assert kept[-1].delta == -(KEEP_MINUTES + 5.0)
    assert flow.minute(9 * MINUTE_NS) == kept[4]
    assert flow.minute(4 * MINUTE_NS) is None
    flow.take(trade("gone", 0))
    assert flow.minutes() == kept
    assert flow.minutes(2) == kept[-2:]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 300), st.sampled_from([-1, 1])), max_size=80))
def test_any_trades_give_the_sums_of_a_naive_count(trades: list[tuple[int, int, int]]) -> None:
    flow = Flow()
    seen: dict[int, tuple[int, int]] = {}
    for name, second, side in trades:
        flow.take(trade(str(name), second * 1_000_000_000, 100.0, 1.0, side))
        seen.setdefault(name, (second, side))
    for minute in flow.minutes():
        rows = [side for second, side in seen.values() if second // 60 == minute.open_ns // MINUTE_NS]
        assert (minute.buy, minute.sell) == (float(rows.count(1)), float(rows.count(-1)))
    assert sum(minute.trades_count for minute in flow.minutes()) == len(seen)
    tape = flow.tape()
    if tape is not None:
        assert np.array_equal(tape.event_ns // 1_000_000_000, sorted(second for second, _ in seen.values()))


def test_a_trade_that_continues_the_tape_is_added_as_one_that_is_taken() -> None:
    one, other = Flow(), Flow()
    for number in range(70):
        event = trade(str(number), MINUTE_NS + number, price=100.0 + number % 3, size=0.5, aggressor=1)
        one.take(event)
        if continues(other.cells.at, event.event_ns):
            other.names.take(event.trade_id)
            add(other.cells.at, event.event_ns, event.price, event.size, event.aggressor)
        else:
            assert number in (0, 64)  # the first of the minute, and one without room
            other.take(event)
    assert other.content() == one.content()
    assert not continues(other.cells.at, MINUTE_NS + 68)
    assert not continues(other.cells.at, 2 * MINUTE_NS)
