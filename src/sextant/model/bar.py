"""Bars: one value, and blocks of many as time-major arrays."""

from __future__ import annotations

import math
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from sextant.errors import InputError
from sextant.model.instrument import Instrument
from sextant.model.times import INTERVAL_NS, Interval

BAR_FIELDS: Final = ("open", "high", "low", "close", "volume", "quote_volume", "taker_buy_volume")

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Bar(msgspec.Struct, frozen=True):
    """Open, high, low, close and volume of one interval, named by its open time.

    Parameters
    ----------
    open_ns
        Open time, a multiple of the interval.
    open, high, low, close
        Prices in quote units; low <= open, close <= high.
    volume
        Traded base units, >= 0.
    quote_volume, taker_buy_volume
        Traded quote units; base units bought by aggressors; NaN where the venue does not say.

    Raises
    ------
    InputError
        If a price is not finite and above 0, the order of prices is broken, or a volume is negative.
    """

    open_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float = math.nan
    taker_buy_volume: float = math.nan

    def __post_init__(self) -> None:
        """Refuse a bar that no market can have traded."""
        if not (0 < self.low <= self.open <= self.high < math.inf and self.low <= self.close <= self.high):
            raise InputError(
                f"Bar {self.open_ns}: open {self.open} high {self.high} low {self.low} close {self.close} "
                "breaks 0 < low <= open, close <= high < inf."
            )
        if not 0 <= self.volume < math.inf:
            raise InputError(f"Bar {self.open_ns}: volume {self.volume} is not finite and >= 0.")
        if self.quote_volume < 0 or self.taker_buy_volume < 0:
            raise InputError(f"Bar {self.open_ns}: a negative volume.")


class BarBlock(msgspec.Struct, frozen=True, eq=False):
    """Final bars of several instruments on one time axis.

    Parameters
    ----------
    interval
        Length of each bar.
    instruments
        S instruments, the columns.
    open_ns
        int64 (T,): open times, strictly rising multiples of the interval; gaps are allowed.
    open, high, low, close, volume, quote_volume, taker_buy_volume
        float64 (T, S); NaN where absent.
    event_ns, receive_ns
        When the source stated it and when it arrived; for history both are the time of the fetch.

    Raises
    ------
    InputError
        If shapes or times do not agree.
    """

    interval: Interval
    instruments: tuple[Instrument, ...]
    open_ns: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    quote_volume: Floats
    taker_buy_volume: Floats
    event_ns: int
    receive_ns: int

    def __post_init__(self) -> None:
        """Refuse blocks whose shapes or times disagree."""
        shape = (len(self.open_ns), len(self.instruments))
        for name in BAR_FIELDS:
            column: Floats = getattr(self, name)
            if column.shape != shape or column.dtype != np.float64:
                raise InputError(
                    f"Column {name} is {column.dtype} {column.shape}; the block needs float64 {shape}."
                )
        step = INTERVAL_NS[self.interval]
        if len(self.open_ns) and (np.any(self.open_ns % step) or np.any(np.diff(self.open_ns) <= 0)):
            raise InputError(f"Open times are not strictly rising multiples of {self.interval}.")
