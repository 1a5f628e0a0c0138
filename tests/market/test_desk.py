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
from sextant.model.times import SECOND_NS
from support.market import delta, instrument, listed, snapshot, trade

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


def test_live_open_interest_fills_the_grid_point_it_was_fresh_for(desk: Desk) -> None:
    five = 300 * SECOND_NS

    def facts(at_ns: int, interest: float) -> DerivativesUpdate:
        return DerivativesUpdate(instrument(), at_ns, at_ns, open_interest=interest)

    desk.take_facts(facts(5 * five - 20 * SECOND_NS, 100.0))
    desk.take_facts(facts(5 * five + SECOND_NS, 110.0))
    desk.take_facts(facts(5 * five + 2 * SECOND_NS, 120.0))
    # Nothing came for over a minute before the next point: nobody knows what it was.
    desk.take_facts(facts(6 * five + SECOND_NS, 130.0))
    found = desk.open_interest.series()
    assert found is not None
    assert found.time_ns.tolist() == [5 * five]
    assert found.value.tolist() == [100.0]


def test_a_point_that_the_venue_stated_is_left_alone(desk: Desk) -> None:
    five = 300 * SECOND_NS
    desk.take_facts(DerivativesUpdate(instrument(), five - SECOND_NS, five - SECOND_NS, open_interest=100.0))
    desk.take_point(OpenInterestPoint(instrument(), five, five, 99.0))
    desk.take_facts(DerivativesUpdate(instrument(), five + 1, five + 1, open_interest=101.0))
    found = desk.open_interest.series()
    assert found is not None
    assert found.value.tolist() == [99.0]


def test_shares_of_accounts_are_a_history(desk: Desk) -> None:
    for at_ns, share in ((10, 0.6), (20, 0.7)):
        desk.take_facts(DerivativesUpdate(instrument(), at_ns, at_ns, long_share=share))
    found = desk.long_share.series()
    assert found is not None
    assert found.value.tolist() == [0.6, 0.7]
