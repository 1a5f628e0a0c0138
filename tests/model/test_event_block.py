from __future__ import annotations

from msgspec import UNSET

from sextant.model import event_block as layout
from sextant.model.cells import Cells, digest_of
from sextant.model.event_block import EventBlock
from sextant.model.events import DerivativesUpdate, QuoteUpdate, Trade
from sextant.model.instrument import Instrument

WHO = Instrument("bybit", "BTC", "USDT", "perpetual")
TEXT = b'{"i":"first-one"}'


def _block() -> EventBlock:
    """A message left unread, facts of which the ask does not apply, and one trade."""
    heads, bodies = Cells(3 * layout.HEAD), Cells(layout.FIELDS + layout.TRADE)
    told = 0b0101 | 1 << layout.NEXT_FUNDING_NS
    heads.put_ints(layout.HEAD, [layout.FACTS, 0, 20, 21, 2, 0, told, 0b0100])
    bodies.reals[0] = 99.5
    bodies.ints[layout.NEXT_FUNDING_NS] = 2**62 + 1
    heads.put_ints(2 * layout.HEAD, [layout.TRADES, 0, 30, 31, 1, layout.FIELDS, 1, 0])
    bodies.put_ints(layout.FIELDS, [29, 0, 0, -1, 1, 6, 9, digest_of(b"first-one")])
    bodies.put_reals(layout.FIELDS + layout.PRICE, [100.5, 0.25])
    return EventBlock((WHO,), heads, bodies, TEXT, 3)


def test_cells_are_the_events_that_they_stand_for() -> None:
    block = _block()
    quote, facts, trade = list(block)
    assert quote == QuoteUpdate(WHO, 20, 21, bid=99.5, ask=None)
    assert facts == DerivativesUpdate(WHO, 20, 21, next_funding_ns=2**62 + 1)
    assert trade == Trade(WHO, 29, 31, "first-one", 100.5, 0.25, -1, True)
    assert (quote.bid_size, facts.last) == (UNSET, UNSET)
    assert len(block) == 3


def test_parts_share_cells_and_name_what_was_not_read() -> None:
    block = _block()
    assert block.unread() == [0]
    assert block.events(0) == []
    part = block.part(2, 3)
    assert (len(part), part.unread(), list(part)) == (1, [], list(block)[2:])
    assert part.heads is block.heads
    assert len(block.part(0, 0)) == 0
