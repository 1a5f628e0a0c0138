from __future__ import annotations

from sextant.kit.clock import ManualClock
from sextant.monitoring.upstreams import reader_of
from sextant.venues.catalog import venue
from sextant.venues.feed import Feed, Wanted
from sextant.venues.link import LinkCounts, LinkState


class Stand:
    """A feed with one connection that has dropped twice."""

    venue = "bybit"

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


def test_a_real_feed_that_has_not_begun_has_no_connection() -> None:
    feed = Feed(venue("bybit"), ManualClock(), lambda _: (), Wanted())
    told = reader_of(feed)()
    assert (told.venue, told.blocked_s, told.sockets) == ("bybit", 0.0, ())
