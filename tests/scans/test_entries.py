from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np

from sextant.confluence.decision import LONG, SHORT, UNKNOWN
from sextant.model.times import SECOND_NS
from sextant.scans.entries import decimal, depth_of, entry_of, market_of
from sextant.strategies.plan import Plan, Refusal
from support.lively import COLUMN, changed, found, market, quoted


def test_entry_into_long_and_short_carries_a_plan() -> None:
    view = quoted()
    for state, side in ((LONG, "long"), (SHORT, "short")):
        entry = entry_of(view, found(), changed(state))
        assert isinstance(entry.plan, Plan), entry.plan
        assert entry.plan.side == side
        assert entry.illustrative
        price = view.quotes.ask if side == "long" else view.quotes.bid
        assert float(entry.plan.entry) == round(float(price[COLUMN]), 6)
        assert entry.plan.risk <= 10  # one per cent of 1,000


def test_entry_into_anything_else_has_no_plan() -> None:
    assert entry_of(quoted(), found(), changed(UNKNOWN)).plan is None


def test_unknown_quotes_are_refused_and_never_assumed() -> None:
    view, _ = market()
    made = entry_of(view, found(), changed(LONG)).plan
    assert isinstance(made, Refusal)
    assert made.code == "NO_MARK"


def test_old_book_and_unknown_funding_are_named_as_stale() -> None:
    view = quoted()
    facts = replace(view.derivatives, next_funding_ns=np.zeros(view.size, dtype=np.int64))
    old = replace(view.books, event_ns=view.books.event_ns - 10 * SECOND_NS)
    made = entry_of(replace(view, books=old, derivatives=facts), found(), changed(LONG)).plan
    assert isinstance(made, Refusal)
    assert (made.code, made.text) == ("STALE", "Too old: book, funding.")


def test_depth_counts_the_side_an_exit_takes_from_within_fifty_bps() -> None:
    view = quoted()
    books = view.books
    mid = (books.bid_price[COLUMN, 0] + books.ask_price[COLUMN, 0]) / 2
    inside = books.bid_price[COLUMN] >= mid * (1 - 0.005)
    expected = float(np.sum(books.bid_price[COLUMN][inside] * 500))
    assert depth_of(view, COLUMN, "long") == expected
    broken = replace(books, valid=np.zeros(view.size, dtype=np.bool_))
    assert np.isnan(depth_of(replace(view, books=broken), COLUMN, "short"))


def test_inputs_are_those_of_the_instrument() -> None:
    view = quoted()
    made = market_of(view, found(), COLUMN, "long")
    spec = view.instruments[COLUMN]
    assert (made.price_step, made.lot, made.minimum_notional) == (spec.tick, spec.lot, Decimal(5))
    assert made.rate == Decimal("0.0005")  # the taker's entry tier of binance perpetuals
    assert made.funding is not None
    assert made.funding.next_s == 3_599


def test_numbers_become_decimals_or_nothing() -> None:
    assert decimal(0.1) == Decimal("0.1")
    assert decimal(float("nan")) is None
    assert decimal(float("-inf")) is None
