from __future__ import annotations

from sextant.market.applying import apply_messages
from sextant.market.state import MarketState
from sextant.model import event_block as layout
from sextant.model.cells import Cells, digest_of
from sextant.model.event_block import EventBlock
from sextant.model.events import Listed, QuoteUpdate
from sextant.model.times import SECOND_NS
from support.market import NOW_NS, delta, instrument, listed, snapshot, state_of, trade

SIDES = [(100.0 - at, 1.0) for at in range(12)], [(101.0 + at, 1.0) for at in range(12)]


def _begun() -> MarketState:
    """A book whose next change needs no second look, and a quote."""
    return state_of(
        listed(tick="1"),
        snapshot(1, *SIDES, event_ns=NOW_NS),
        delta(2, [(100.0, 2.0)], event_ns=NOW_NS + 1),
        QuoteUpdate(instrument(), NOW_NS, NOW_NS, bid=100.0, ask=101.0),
        trade("a", NOW_NS + 2),
        trade("b", NOW_NS + 3),
    )


def _changes(*told: tuple[int, int, float, float]) -> EventBlock:
    """Changes of one bid each: number, time, price and size."""
    heads, bodies = Cells(layout.HEAD * len(told)), Cells(3 * len(told))
    for at, (sequence, event_ns, price, size) in enumerate(told):
        heads.put_ints(layout.HEAD * at, [layout.CHANGES, 0, event_ns, event_ns, 1, 3 * at, 1, 0])
        bodies.ints[3 * at] = sequence
        bodies.put_reals(3 * at + 1, [price, size])
    return EventBlock((instrument(),), heads, bodies, b"", len(told))


def _trades(*rows: tuple[int, str, float, int, bool]) -> EventBlock:
    """One message of trades: time, name, price, side and whether it was negotiated."""
    heads, bodies = Cells(layout.HEAD), Cells(layout.TRADE * len(rows))
    text = "".join(name for _, name, *_ in rows).encode()
    heads.put_ints(0, [layout.TRADES, 0, NOW_NS, NOW_NS, len(rows), 0, len(rows), 0])
    name_at = 0
    for at, (event_ns, name, price, side, block) in enumerate(rows):
        first = at * layout.TRADE
        bodies.put_ints(first, [event_ns, 0, 0, side, block, name_at, len(name), digest_of(name.encode())])
        bodies.put_reals(first + layout.PRICE, [price, 0.5])
        name_at += len(name)
    return EventBlock((instrument(),), heads, bodies, text, 1)


def _both(block: EventBlock) -> MarketState:
    """The state after a block, which is the one after its events."""
    state, other = _begun(), _begun()
    state.apply(block)
    for event in block:
        other.apply(event)
    assert state.state_hash() == other.state_hash()
    assert state.counters == other.counters
    assert state.drain_resyncs() == other.drain_resyncs()
    return state


def test_changes_in_turn_are_applied_as_one_after_another() -> None:
    state = _both(_changes((3, NOW_NS + 2, 99.0, 5.0), (4, NOW_NS + 3 * SECOND_NS, 100.0, 0.0)))
    assert state.book(instrument()).bids[:2] == ((99.0, 5.0), (98.0, 1.0))
    assert state.counters["events.BookDelta"] == 3


def test_what_needs_a_second_look_gets_it_in_its_turn() -> None:
    later = NOW_NS + 90 * SECOND_NS
    for block in (
        _changes((3, NOW_NS + 2, 99.0, 5.0), (3, NOW_NS + 2, 99.0, 5.0), (4, NOW_NS + 2, 98.0, 5.0)),
        _changes((3, NOW_NS + 2, 99.0, 5.0), (9, NOW_NS + 3, 99.0, 5.0), (10, NOW_NS + 4, 98.0, 5.0)),
        _changes((3, NOW_NS + 2, 105.0, 5.0), (4, NOW_NS + 3, 105.0, 0.0), (5, NOW_NS + 4, 90.5, 1.0)),
        _changes((3, later, 99.0, 5.0), (4, later + 1, 98.0, 5.0), (5, later + 2, 97.0, 5.0)),
    ):
        _both(block)


def test_trades_of_a_message_that_need_a_second_look_get_it_in_their_turn() -> None:
    later = NOW_NS + 61 * SECOND_NS
    for rows in (
        [(NOW_NS + 5, "c", 100.0, 1, False), (NOW_NS + 6, "d", 101.0, -1, False)],
        [
            (NOW_NS + 5, "c", 100.0, 1, False),
            (NOW_NS + 5, "c", 100.0, 1, False),
            (NOW_NS + 7, "d", 99.0, 1, False),
        ],
        [
            (NOW_NS + 5, "c", 100.0, 1, True),
            (NOW_NS + 4, "d", 100.0, 1, False),
            (NOW_NS + 9, "e", 100.0, 1, False),
        ],
        [(NOW_NS + 9, "c", 100.0, 1, False), (later, "d", 100.0, 1, False), (later, "e", 100.5, -1, False)],
    ):
        state = _both(_trades(*rows))
        assert state.counters["events.Trade"] == 2 + len(rows)
        assert state.desk(instrument()).flow.last() is not None


def test_kernels_stop_at_the_first_message_that_is_not_theirs() -> None:
    block = _changes((3, NOW_NS + 2, 99.0, 5.0), (3, NOW_NS + 2, 99.0, 5.0))
    state, seen = _begun(), Cells(8)
    desks = Cells(1)
    desks.ints[0] = state.desk(instrument()).cells.at
    assert apply_messages(desks.at, block.heads.at, block.bodies.at, 0, 2, seen.at) == 1
    assert seen.ints[0] == 1
    assert state.desk(instrument()).changed
    desks.ints[0] = 0
    assert apply_messages(desks.at, block.heads.at, block.bodies.at, 0, 2, seen.at) == 0


def test_a_block_of_an_instrument_listed_later_finds_its_desk() -> None:
    state = MarketState("replay", simulated=False)
    block = _changes((3, NOW_NS + 2, 99.0, 5.0))
    state.apply(block)
    assert state.counters["unknown_instruments"] == 1
    state.apply(Listed(listed(tick="1").spec, 1, 1))
    state.apply(block)
    assert state.counters["book_waiting"] == 1
