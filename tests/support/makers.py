"""Books and tapes whose worth to a maker is known: the fixtures of strategies.md 3.7."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from sextant.model.bar import Floats
from sextant.model.times import INTERVAL_NS, SECOND_NS
from sextant.model.view import Books, Quotes, TradeTape, View
from support.markets import alternating, bars_of, closes_of, framed, frozen, specs_of, view_of

SIGMA_MINUTE = 1e-4 * np.sqrt(60.0)  # 1 bps per square root of a second
TRADES = 600


def tape_of(prices: Floats, sides: Floats, end_ns: int, every_s: float = 1.5) -> TradeTape:
    """Trades of one unit, evenly spaced, the last at ``end_ns``."""
    back = np.arange(len(prices) - 1, -1, -1)
    times = end_ns - (back * every_s * SECOND_NS).astype(np.int64)
    return TradeTape(times, prices, np.ones(len(prices)), sides)


def wide_tape(end_ns: int) -> TradeTape:
    """Alternately +-15 bps from 100, the first two of every ten at +-30."""
    sides = alternating(TRADES)
    reach = np.where(np.arange(TRADES) % 10 < 2, 30.0, 15.0)
    return tape_of(100.0 * (1.0 + sides * reach / 1e4), sides, end_ns)


def informed_tape(end_ns: int) -> TradeTape:
    """Runs of 60 trades of one side, while the mid moves 2.5 bps per trade that way."""
    sides = np.where((np.arange(TRADES) // 60) % 2 == 0, 1.0, -1.0)
    mids = 100.0 * np.cumprod(1.0 + sides * 2.5e-4)
    return tape_of(mids * (1.0 + sides * 15e-4), sides, end_ns)


def tight_tape(end_ns: int) -> TradeTape:
    """Alternately at the touch of a spread of 0.02 bps, the first two of every ten at three half spreads."""
    sides = alternating(TRADES)
    reach = np.where(np.arange(TRADES) % 10 < 2, 0.03, 0.01)
    return tape_of(100.0 * (1.0 + sides * reach / 1e4), sides, end_ns)


def maker_market(bid: float = 99.85, ask: float = 100.15, **changes: Any) -> View:
    """One perpetual, 1 bps per square root of a second, 10 levels of 1,000 units a side, and the wide tape."""
    rows = 1_500
    steps = alternating(
        rows, SIGMA_MINUTE * np.sqrt(59.0 / 60.0)
    )  # the sample deviation of 60 of them is sigma
    bars = framed("1m", bars_of(closes_of([steps]), quote_volume=1e5))
    rules = msgspec.structs.replace(
        specs_of(1, "perpetual", "bybit")[0],
        tick=Decimal(changes.pop("tick", "0.01")),
        lot=Decimal("0.001"),
    )
    quotes = Quotes(
        np.array([bid]),
        np.array([ask]),
        np.array([1_000.0]),
        np.array([1_000.0]),
        np.zeros(1, dtype=np.int64),
    )
    view = view_of(bars, (rules,), quotes)
    now = view.as_of_ns
    quotes = dataclasses.replace(quotes, event_ns=np.array([now], dtype=np.int64))
    step = 0.01 * np.arange(10.0)
    sizes = np.full((1, 10), 1_000.0)
    books = Books(
        np.array([bid - step]),
        sizes,
        np.array([ask + step]),
        sizes.copy(),
        np.array([True]),
        np.array([now], dtype=np.int64),
    )
    make = changes.pop("tape", wide_tape)
    tape = make(now - INTERVAL_NS["1m"] // 60)
    facts: dict[str, Any] = {"quotes": quotes, "books": books, "trades": {rules.instrument: tape}} | changes
    return frozen(dataclasses.replace(view, **facts))
