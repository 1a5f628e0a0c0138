from __future__ import annotations

import msgspec
import pytest

from sextant.market.counters import Counters
from sextant.market.desk import Desk
from sextant.model.events import (
    BookCleared,
    DerivativesUpdate,
    FundingSettled,
    Liquidation,
    OpenInterestPoint,
    QuoteUpdate,
)
from sextant.model.times import INTERVAL_NS, SECOND_NS
from support.market import bar_update, delta, instrument, listed, snapshot, trade

BIDS, ASKS = [(100.0, 1.0)], [(100.5, 1.0)]


@pytest.fixture
def counters() -> Counters:
    return Counters()


@pytest.fixture
def desk(counters: Counters) -> Desk:
    return Desk(listed().spec, counters)


def test_troubles_of_the_book_are_counted_and_only_lasting_ones_ask_for_a_snapshot(
    desk: Desk, counters: Counters
) -> None:
    assert desk.take_delta(delta(1)) is None
    assert desk.take_snapshot(snapshot(10, BIDS, ASKS)) is None
    assert desk.take_delta(delta(10)) is None
    assert desk.take_delta(delta(11, [(101.0, 1.0)])) is None
    assert desk.take_delta(delta(12, [(101.5, 1.0)])) == "crossed"
    assert desk.take_snapshot(snapshot(20, BIDS, ASKS)) is None
    assert desk.take_delta(delta(22)) == "gap"
    assert desk.take_snapshot(snapshot(30, BIDS, ASKS)) is None
    assert desk.take_delta(delta(31, [(99.99, 1.0)])) == "off_tick"
    assert desk.take_snapshot(snapshot(40, [(-1.0, 1.0)], ASKS)) == "bad_level"
    counted = {name: count for name, count in counters.copy().items() if count}
    assert counted == {
        "book_waiting": 1,
        "book_duplicates": 1,
        "book_crossed": 2,
        "book_gaps": 1,
        "book_refused": 2,
    }


def test_other_tick_asks_for_a_snapshot_and_other_rules_do_not(desk: Desk) -> None:
    desk.take_snapshot(snapshot(10, BIDS, ASKS))
    halted = msgspec.structs.replace(desk.spec, status="halted")
    assert desk.take_spec(halted, 5) is None
    assert desk.spec.status == "halted"
    assert desk.take_spec(listed(tick="0.1").spec, 6) == "tick_changed"


def test_cleared_book_names_the_venues_reason(desk: Desk) -> None:
    desk.take_snapshot(snapshot(10, BIDS, ASKS))
    desk.take_cleared(BookCleared(instrument(), 12, 12, "auction"))
    assert (desk.book.reason, desk.book.since_ns) == ("auction", 12)


def test_quotes_trades_facts_and_liquidations_are_counted(desk: Desk, counters: Counters) -> None:
    desk.take_quote(QuoteUpdate(instrument(), 5, 5, bid=1.0))
    desk.take_quote(QuoteUpdate(instrument(), 4, 4, bid=1.0))
    desk.take_quote(QuoteUpdate(instrument(), 6, 6, ask=-1.0))
    for name, aggressor in (("a", 1), ("a", 1), ("b", 0)):
        desk.take_trade(trade(name, 5, aggressor=aggressor))
    desk.take_facts(DerivativesUpdate(instrument(), 5, 5, mark=1.0))
    desk.take_facts(DerivativesUpdate(instrument(), 4, 4, mark=1.0, index=-1.0))
    desk.take_point(FundingSettled(instrument(), 5, 5, -0.0001))
    desk.take_point(OpenInterestPoint(instrument(), 5, 5, 0.0))
    desk.take_point(OpenInterestPoint(instrument(), 6, 6, -1.0))
    desk.take_liquidation(Liquidation(instrument(), 5, 5, "short", 1.0, 1.0))
    desk.take_liquidation(Liquidation(instrument(), 5, 5, "short", 0.0, 1.0))
    counted = {name: count for name, count in counters.copy().items() if count}
    assert counted == {
        "quotes_old": 1,
        "quotes_refused": 1,
        "trades_duplicate": 1,
        "trades_unknown_side": 1,
        "facts_old": 1,
        "facts_refused": 2,
        "liquidations_refused": 1,
    }


def test_forming_bar_is_kept_until_its_final_one_or_a_later_one(desk: Desk, counters: Counters) -> None:
    desk.take_forming(bar_update(10, final=False), -1)
    desk.take_forming(bar_update(9, final=False), -1)
    desk.take_forming(bar_update(10, close=55.0, final=False), -1)
    assert desk.forming["1m"].close == 55.0
    desk.settle_forming("1m", 9 * INTERVAL_NS["1m"])
    assert "1m" in desk.forming
    desk.settle_forming("1m", 10 * INTERVAL_NS["1m"])
    desk.settle_forming("5m", 10 * INTERVAL_NS["1m"])
    assert desk.forming == {}
    desk.take_forming(bar_update(10, final=False), 10 * INTERVAL_NS["1m"])
    assert desk.forming == {}
    assert (counters.get("bars_forming"), counters.get("bars_forming_old")) == (2, 2)


def test_minute_bar_gets_its_taker_volume_from_trades_that_add_up_to_it(
    desk: Desk, counters: Counters
) -> None:
    for name, size, aggressor in (("a", 2.0, 1), ("b", 1.0, -1), ("c", 1.0, 1)):
        desk.take_trade(trade(name, 10 * INTERVAL_NS["1m"] + 5, size=size, aggressor=aggressor))
    assert desk.with_takers(bar_update(10, volume=4.0)).bar.taker_buy_volume == 3.0
    assert desk.with_takers(bar_update(10, volume=4.02)).bar.taker_buy_volume == 3.0
    assert counters.get("bars_takers_added") == 2
    for volume in (4.03, 3.97):
        unknown = bar_update(10, volume=volume)
        assert desk.with_takers(unknown) is unknown
    assert counters.get("bars_unreconciled") == 2
    for other in (bar_update(11), bar_update(10, "5m"), bar_update(10, volume=4.0, taker=1.0)):
        assert desk.with_takers(other) is other


def test_minute_without_any_volume_has_no_taker_volume_either(desk: Desk) -> None:
    assert desk.with_takers(bar_update(10, volume=0.0)).bar.taker_buy_volume == 0.0


def test_taker_volume_never_exceeds_the_volume_of_its_bar(desk: Desk) -> None:
    desk.take_trade(trade("a", 5, size=4.01))
    assert desk.with_takers(bar_update(0, volume=4.0)).bar.taker_buy_volume == 4.0


def test_smallest_interval_that_comes_sets_the_cadence_of_bars(desk: Desk) -> None:
    desk.note_bars("1h", 1_000, 1_000)
    assert desk.pulses["bars"].cadence_ns == 3_600 * SECOND_NS
    desk.note_bars("1m", 2_000, 2_000)
    desk.note_bars("1h", 3_000, 3_000)
    assert desk.pulses["bars"].cadence_ns == 60 * SECOND_NS


def test_book_that_is_not_believed_is_invalid_however_young(desk: Desk) -> None:
    assert desk.freshness("book", 5).state == "unsupported"
    desk.take_snapshot(snapshot(10, BIDS, ASKS))
    assert desk.freshness("book", 12).state == "live"
    desk.take_delta(delta(15))
    judged = desk.freshness("book", 16)
    assert (judged.state, judged.reason, judged.since_ns, judged.age_ns) == ("invalid", "gap", 15, 1)
    assert desk.freshness("book", 15 + 11 * SECOND_NS).state == "stale"


def test_lost_connection_ends_the_belief_in_book_and_quote(desk: Desk) -> None:
    desk.take_snapshot(snapshot(10, BIDS, ASKS))
    desk.take_quote(QuoteUpdate(instrument(), 5, 5, bid=1.0, ask=2.0))
    desk.take_trade(trade("a", 5))
    for stream in ("book", "quote", "trades"):
        desk.lose(stream, "closed", 20)
        assert desk.freshness(stream, 21).state == "invalid"
    assert desk.book.reason == "stream_down"
    assert not desk.quote.bid > 0
    assert desk.flow.tape() is not None
