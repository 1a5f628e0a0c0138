"""Rows of a venue's history of bars as one checked block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sextant.errors import InputError, WireError
from sextant.model.bar import BarBlock, Floats, Integers
from sextant.model.instrument import Instrument
from sextant.model.times import INTERVAL_NS, Interval


@dataclass(frozen=True, slots=True)
class Past:
    """Whose bars an answer holds, and when it was made and received; ``what`` names the answer in errors."""

    what: str
    instrument: Instrument
    interval: Interval
    answered_ns: int
    receive_ns: int


def table_of(rows: Sequence[Sequence[Any]], width: int) -> Floats:
    """Rows of numbers as ``(row, column)``, float64."""
    return np.array(rows, dtype=np.float64).reshape(len(rows), width)


def bar_block(past: Past, open_ns: Integers, columns: dict[str, Floats]) -> BarBlock:
    """The final bars of an answer, oldest first; a bar that ends after the answer is left out.

    Parameters
    ----------
    past
        Whose bars they are.
    open_ns
        Shape (row,), rising.
    columns
        Shape (row,) each: open, high, low, close, volume, and quote_volume and taker_buy_volume where the
        venue states them; they are NaN where it does not.

    Raises
    ------
    WireError
        If a row is out of order or states a price outside its own low and high.
    """
    final = open_ns + INTERVAL_NS[past.interval] <= past.answered_ns
    shape = (int(final.sum()), 1)
    unknown = np.full(shape, np.nan)
    shown = {name: np.ascontiguousarray(column[final].reshape(shape)) for name, column in columns.items()}
    first, close = shown["open"], shown["close"]
    broken = (shown["low"] > np.minimum(first, close)) | (shown["high"] < np.maximum(first, close))
    if broken.any():
        at = int(open_ns[final][broken[:, 0]][0])
        raise WireError(
            f"{past.what}: bar {at} breaks low <= open, close <= high.", reason="value", field="list"
        )
    try:
        return BarBlock(
            interval=past.interval,
            instruments=(past.instrument,),
            open_ns=open_ns[final],
            event_ns=past.answered_ns,
            receive_ns=past.receive_ns,
            **{"quote_volume": unknown, "taker_buy_volume": unknown, **shown},
        )
    except InputError as error:
        raise WireError(f"{past.what}: {error.message}", reason="value", field="list") from error
