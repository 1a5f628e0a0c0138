"""A market with columns of trades and books beside the bars, so that its coverage is above the floor."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from sextant.confluence.changes import Change, changes
from sextant.confluence.inputs import Extra
from sextant.confluence.scorer import Evaluation, evaluate
from sextant.model.times import SECOND_NS
from sextant.model.view import Books, Quotes, View
from support import minutes
from support.indicators import walk

ROWS = 700
SIZE = 12
COLUMN = 4
"""The instrument whose changes are made up."""


@cache
def market() -> tuple[View, Extra]:
    """Bars, and as many columns of trades and books as lift the coverage above the floor."""
    bars = walk(ROWS, SIZE, 21)
    view = minutes.view_of(bars, minutes.perpetuals(SIZE))
    ones = np.ones((ROWS, SIZE))
    rng = np.random.default_rng(3)
    books = ("depth_imbalance", "top_imbalance", "touch_imbalance", "band_imbalance_50")
    flow = ("buy_turnover", "sell_turnover", "buy_count", "sell_count", "large_buy", "large_sell")
    more = {name: rng.uniform(-0.5, 0.5, (ROWS, SIZE)) for name in books}
    more |= {name: bars[name] for name in flow}
    more |= {"book_age_s": ones, "book_samples": (1.0 - 0.0095) * 60.0 * ones, "seen_volume": bars["volume"]}
    return view, Extra(more)


@cache
def found() -> Evaluation:
    """What is said of it."""
    view, extra = market()
    return evaluate(view, extra)


def quoted() -> View:
    """The lively market with quotes, books, marks and funding of every instrument."""
    view, _ = market()
    close = np.round(view.bars["1m"].close[-1], 4)
    bid, ask = close - 0.005, close + 0.005
    now = np.full(view.size, view.as_of_ns - SECOND_NS)
    steps = np.arange(10) * 0.01
    size = np.full((view.size, 10), 500.0)
    books = Books(
        bid[:, None] - steps, size, ask[:, None] + steps, size, np.ones(view.size, dtype=np.bool_), now
    )
    facts = replace(
        view.derivatives,
        mark=close,
        funding_rate=np.full(view.size, 0.0001),
        funding_interval_s=np.full(view.size, 28_800.0),
        next_funding_ns=now + 3_600 * SECOND_NS,
        event_ns=now,
    )
    return replace(view, quotes=Quotes(bid, ask, close, close, now), books=books, derivatives=facts)


def changed(state: int) -> Change:
    """The change of one instrument into a state."""
    machine = found().now.machine.copy()
    machine[0, COLUMN] = state
    [one] = changes(found(), replace(found(), now=replace(found().now, machine=machine)))
    return one
