from __future__ import annotations

from pathlib import Path

from sextant.kit.clock import ManualClock
from sextant.monitoring.records import BudgetReading
from sextant.monitoring.upstreams import reader_of
from sextant.venues.asking import broker_of
from sextant.venues.broker import Allowance, Budget
from sextant.venues.catalog import venue
from sextant.venues.feed import Away, Feed, Wanted
from sextant.venues.link import LinkCounts, LinkState


class Stand:
    """A feed with one connection that has dropped twice."""

    venue = "bybit"
    told: Allowance | None = None

    def __init__(self, gone: Away | None = None) -> None:
        self._gone = gone

    def away(self) -> Away | None:
        return self._gone

    def allowance(self) -> Allowance | None:
        return self.told

    def states(self) -> list[LinkState]:
        counts = LinkCounts(drops=2, resyncs=3, wire_errors=1)
        return [LinkState("bybit.linear.0", False, "silent", 0, 5, 20, counts, 12.5)]

    def silence(self) -> tuple[float, str]:
        return 30.0, "418"


def test_a_feed_is_read_when_it_is_asked() -> None:
    told = reader_of(Stand())()
    assert (told.venue, told.blocked_s, told.blocked_reason) == ("bybit", 30.0, "418")
    [socket] = told.sockets
    assert (socket.name, socket.up, socket.reason, socket.last_message_age_s) == (
        "bybit.linear.0",
        False,
        "silent",
        12.5,
    )
    assert (socket.drops, socket.resyncs, socket.wire_errors) == (2, 3, 1)


def test_several_feeds_of_a_venue_are_one_reading_and_it_is_away_when_all_are() -> None:
    gone, later = Stand(Away(5, "unreachable")), Stand(Away(9, "silent"))
    one = reader_of(gone, Stand())()
    assert (len(one.sockets), one.away_since_ns, one.away_reason) == (2, None, "")
    both = reader_of(gone, later)()
    assert (both.away_since_ns, both.away_reason) == (9, "silent")


def test_what_a_call_would_meet_is_read_from_whichever_feed_knows_it() -> None:
    quiet, asking = Stand(), Stand()
    asking.told = Allowance("half_open", Budget(40.0, 50.0, 5.0, 1.5))
    one = reader_of(quiet, asking)()
    assert (one.circuit, one.budget) == ("half_open", BudgetReading(40.0, 50.0, 5.0, 1.5))
    asking.told = Allowance("closed", None)
    other = reader_of(asking)()
    assert (other.circuit, other.budget) == ("closed", None)
    nobody = reader_of(quiet)()
    assert (nobody.circuit, nobody.budget) == (None, None)


def test_a_real_feed_asks_its_broker(tmp_path: Path) -> None:
    clock = ManualClock()
    feed = Feed(venue("bybit"), clock, lambda _: (), Wanted())
    feed.within(broker_of(venue("bybit"), clock, tmp_path))
    told = reader_of(feed)()
    assert told.circuit == "closed"
    assert told.budget is not None
    assert (told.budget.used, told.budget.room_s) == (0.0, 0.0)
    assert told.budget.most > 0


def test_a_real_feed_that_has_not_begun_has_no_connection() -> None:
    feed = Feed(venue("bybit"), ManualClock(), lambda _: (), Wanted())
    told = reader_of(feed)()
    assert (told.venue, told.blocked_s, told.sockets) == ("bybit", 0.0, ())
