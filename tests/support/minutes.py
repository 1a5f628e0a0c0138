"""Views of made minutes, with the longer bars folded from them, for tests of confluence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sextant.model.bar import Floats
from sextant.model.instrument import InstrumentSpec
from sextant.model.times import INTERVAL_NS, MINUTE_NS, SECOND_NS, Interval
from sextant.model.view import BarFrame, View, bar_frame, no_books, no_derivatives, no_quotes
from support.indicators import walk
from support.views import spec

FIRST = 29_000_160
"""Index of a minute that opens at a UTC midnight."""
FIELDS = ("open", "high", "low", "close", "volume", "quote_volume", "taker_buy_volume")


def folded(bars: dict[str, Floats], first: int, interval: Interval) -> BarFrame:
    """The whole bars of an interval made of minutes; one with a hole inside is a hole."""
    n = INTERVAL_NS[interval] // MINUTE_NS
    skip = -first % n
    rows = (len(bars["close"]) - skip) // n
    cut = {name: x[skip : skip + rows * n].reshape(rows, n, x.shape[1]) for name, x in bars.items()}
    columns = {
        "open": cut["open"][:, 0],
        "high": cut["high"].max(axis=1),
        "low": cut["low"].min(axis=1),
        "close": cut["close"][:, -1],
        "volume": cut["volume"].sum(axis=1),
        "quote_volume": cut["quote_volume"].sum(axis=1),
        "taker_buy_volume": cut["taker_buy_volume"].sum(axis=1),
    }
    hole = np.isnan(cut["close"]).any(axis=1)
    columns = {name: np.where(hole, np.nan, x) for name, x in columns.items()}
    open_ns = (np.arange(rows, dtype=np.int64) + (first + skip) // n) * INTERVAL_NS[interval]
    return bar_frame(interval, open_ns, columns)


def view_of(bars: dict[str, Floats], specs: Sequence[InstrumentSpec], first: int = FIRST) -> View:
    """A view of some minutes one second after the last closed."""
    rows, size = bars["close"].shape
    minutes = (np.arange(rows, dtype=np.int64) + first) * MINUTE_NS
    kept = {name: bars[name] for name in FIELDS}
    frames = {"1m": bar_frame("1m", minutes, kept)}
    for interval in ("5m", "30m", "4h"):
        frames[interval] = folded(kept, first, interval)
    return View(
        as_of_ns=(first + rows) * MINUTE_NS + SECOND_NS,
        feed="replay",
        simulated=False,
        instruments=tuple(specs),
        bars=frames,  # type: ignore[arg-type]  # as above
        quotes=no_quotes(size),
        books=no_books(size),
        derivatives=no_derivatives(size),
        funding_history={},
        open_interest_history={},
        trades={},
    )


def perpetuals(count: int) -> list[InstrumentSpec]:
    """Perpetuals of which the first is of BTC."""
    return [spec("BTC" if at == 0 else f"A{at}", "perpetual") for at in range(count)]


def walked(rows: int, size: int, seed: int = 5) -> View:
    """A view of random minutes of perpetuals."""
    return view_of(walk(rows, size, seed), perpetuals(size))


def upto(view: View, rows: int, first: int = FIRST) -> View:
    """The same view as it was known when only some of its minutes had closed."""
    as_of_ns = (first + rows) * MINUTE_NS + SECOND_NS
    frames: dict[Any, BarFrame] = {}
    for interval, frame in view.bars.items():
        count = int(np.searchsorted(frame.open_ns + INTERVAL_NS[interval], as_of_ns, side="right"))
        columns = {name: getattr(frame, name)[:count] for name in FIELDS}
        frames[interval] = bar_frame(interval, frame.open_ns[:count], columns)
    return replace(view, as_of_ns=as_of_ns, bars=frames)
