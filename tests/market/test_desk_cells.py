from __future__ import annotations

from decimal import Decimal

import msgspec

from sextant.market import desk_cells as layout
from sextant.market.counters import Counters
from sextant.market.desk import Desk
from sextant.model.instrument import Instrument
from sextant.model.times import DAY_NS
from support.market import listed


def test_a_desk_tells_kernels_where_its_parts_are() -> None:
    desk = Desk(listed().spec, Counters())
    assert desk.minutes is not None
    ints = desk.cells.ints
    assert ints[layout.CHANGED] == 1
    assert ints[layout.BOOK] == desk.book.cells.at
    assert ints[layout.SAMPLES] == desk.minutes.samples.cells.at
    assert ints[layout.SUMS] == desk.minutes.cells.at
    assert (ints[layout.QUOTE], ints[layout.KNOWN]) == (desk.quote.cells.at, desk.facts.cells.at)
    assert (ints[layout.FLOW], ints[layout.NAMES]) == (desk.flow.cells.at, desk.flow.names.cells.at)
    for cell, stream in (
        (layout.BOOK_PULSE, "book"),
        (layout.QUOTE_PULSE, "quote"),
        (layout.FACTS_PULSE, "derivatives"),
        (layout.TRADES_PULSE, "trades"),
    ):
        assert ints[cell] == desk.pulses[stream].cells.at  # type: ignore[index]  # a stream


def test_a_desk_of_an_option_has_no_minutes() -> None:
    option = Instrument("bybit", "BTC", "USDT", "option", 2_000 * DAY_NS, Decimal(100), "call")
    spec = msgspec.structs.replace(listed().spec, instrument=option)
    ints = Desk(spec, Counters()).cells.ints
    assert (ints[layout.SAMPLES], ints[layout.SUMS]) == (0, 0)
