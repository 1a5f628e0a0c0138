"""Where kernels find what is known of an instrument."""

from __future__ import annotations

from typing import Final

from sextant.market.freshness import STREAMS
from sextant.model.times import INTERVAL_NS

CHANGED, BOOK, SAMPLES, SUMS, QUOTE, KNOWN, FLOW, NAMES = range(8)
"""Cells of a desk: whether anything came since it was read, and the addresses of its book, its samples and minutes, which are 0
of an option, its quote, its facts, its trades and their names."""
PULSES: Final = 8
"""The addresses of its pulses, in the order of ``STREAMS``."""
DESK_CELLS: Final = PULSES + len(STREAMS)

BOOK_PULSE: Final = PULSES + STREAMS.index("book")
QUOTE_PULSE: Final = PULSES + STREAMS.index("quote")
FACTS_PULSE: Final = PULSES + STREAMS.index("derivatives")
TRADES_PULSE: Final = PULSES + STREAMS.index("trades")

GRID_NS: Final = INTERVAL_NS["5m"]
"""Between two points of the history of open interest."""
