"""Everything compiled that learning needs, before the first message waits for it."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from sextant.market.state import MarketState
from sextant.model.cells import Cells
from sextant.model.event_block import EventBlock
from sextant.model.events import BookDelta, BookSnapshot, Event, Listed, Trade
from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.model.times import MINUTE_NS, SECOND_NS

_WHO: Final = Instrument("none", "A", "B", "spot")


def make_ready() -> None:
    """Compile all kernels of a market state, or fetch them compiled, by teaching a small one; may be called in a thread."""
    state = MarketState("demo", simulated=True)
    for event in _lesson():
        state.apply(event)
    state.apply(EventBlock((_WHO,), Cells(1), Cells(1), b"", 0))


def _lesson() -> list[Event]:
    spec = InstrumentSpec(
        instrument=_WHO,
        tick=Decimal(1),
        lot=Decimal(1),
        min_notional=None,
        contract_size=Decimal(1),
        status="trading",
        funding_interval_s=None,
        max_leverage=None,
        as_of_ns=1,
    )
    bids, asks = [(100.0 - at, 1.0) for at in range(12)], [(101.0 + at, 1.0) for at in range(12)]
    times = [MINUTE_NS + at * SECOND_NS for at in range(64)]
    return [
        Listed(spec, 1, 1),
        BookSnapshot(_WHO, times[0], times[0], 1, 50, bids, asks),
        *(
            BookDelta(_WHO, at, at, 2 + place, 2 + place, None, bids[:1], [])
            for place, at in enumerate(times)
        ),
        Trade(_WHO, times[-1], times[-1], "1", 100.0, 1.0, -1),
    ]
