from __future__ import annotations

from sextant.market.freshness import STREAMS
from sextant.market.streams import Losses, StreamSum, sums_of
from sextant.model.events import QuoteUpdate, StreamAlive, StreamDown
from sextant.model.times import SECOND_NS
from support.market import delta, instrument, listed, snapshot, state_of, trade

BTC, ETH = instrument("BTC"), instrument("ETH")


def sums(state: object, now_ns: int) -> dict[str, StreamSum]:
    held = state.held()  # type: ignore[attr-defined]  # a market state
    return {row.stream: row for row in sums_of(state.freshness(now_ns), held.tally.rows())}  # type: ignore[attr-defined]


def test_every_kind_of_stream_of_a_venue_is_one_row_in_order() -> None:
    state = state_of(listed("BTC"), listed("ETH"))
    rows = sums(state, SECOND_NS)
    assert tuple(rows) == STREAMS
    assert {row.venue for row in rows.values()} == {"bybit"}
    book = rows["book"]
    assert book.counts == {"live": 0, "unsupported": 2, "late": 0, "stale": 0, "invalid": 0}
    assert (book.since_ns, book.reason, book.youngest_ns) == (None, "", None)
    assert book.lost == Losses(0, 0, 0)


def test_a_gap_is_counted_with_the_book_that_must_be_asked_for_anew() -> None:
    state = state_of(
        listed("BTC"),
        listed("ETH"),
        snapshot(1, [(99.5, 1.0)], [(100.5, 1.0)], base="BTC", event_ns=SECOND_NS),
        snapshot(1, [(99.5, 1.0)], [(100.5, 1.0)], base="ETH", event_ns=SECOND_NS),
        delta(3, base="BTC", event_ns=2 * SECOND_NS),
    )
    book = sums(state, 2 * SECOND_NS)["book"]
    assert (book.counts["live"], book.counts["invalid"]) == (1, 1)
    assert (book.since_ns, book.reason) == (2 * SECOND_NS, "gap")
    assert book.lost == Losses(gaps=1, resyncs=1, losses=0)
    assert book.youngest_ns == 0


def test_a_lost_connection_is_counted_once_an_instrument_and_stream() -> None:
    state = state_of(
        listed("BTC"),
        listed("ETH"),
        trade("a", 5),
        StreamDown((BTC, ETH), ("book", "trades"), 7 * SECOND_NS, 7 * SECOND_NS, "closed_1006"),
    )
    rows = sums(state, 8 * SECOND_NS)
    assert {name: row.lost.losses for name, row in rows.items() if row.lost.losses} == {
        "book": 2,
        "trades": 2,
    }
    assert (rows["trades"].since_ns, rows["trades"].reason) == (7 * SECOND_NS, "closed_1006")
    assert rows["trades"].counts["invalid"] == 2
    assert rows["quote"].counts["unsupported"] == 2


def test_the_worst_state_is_told_of_the_one_that_has_been_in_it_the_longest() -> None:
    state = state_of(
        listed("BTC"),
        listed("ETH"),
        QuoteUpdate(BTC, SECOND_NS, SECOND_NS, bid=1.0, ask=2.0),
        QuoteUpdate(ETH, 3 * SECOND_NS, 3 * SECOND_NS, bid=1.0, ask=2.0),
    )
    quote = sums(state, 7 * SECOND_NS)["quote"]  # a quote is late after 5 s and stale after 10 s
    assert (quote.counts["live"], quote.counts["late"]) == (1, 1)
    assert quote.since_ns == 6 * SECOND_NS
    later = sums(state, 12 * SECOND_NS)["quote"]
    assert (later.counts["late"], later.counts["stale"]) == (1, 1)
    assert (later.since_ns, later.reason) == (11 * SECOND_NS, "silent")
    state.apply(StreamAlive((BTC, ETH), ("quote",), 12 * SECOND_NS, 12 * SECOND_NS))
    again = sums(state, 13 * SECOND_NS)["quote"]
    assert (again.counts["live"], again.since_ns, again.youngest_ns) == (2, None, SECOND_NS)
