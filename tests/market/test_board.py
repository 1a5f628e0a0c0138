from __future__ import annotations

import numpy as np
import pytest

from sextant.market.board import BOOK_LEVELS
from sextant.model.events import DerivativesUpdate, QuoteUpdate
from support.market import delta, instrument, listed, snapshot, state_of, trade

LATER = 2**62


def _quote(event_ns: int, bid: float, ask: float, base: str = "BTC") -> QuoteUpdate:
    return QuoteUpdate(instrument(base), event_ns, event_ns, bid=bid, ask=ask, bid_size=1.0, ask_size=2.0)


def test_unknown_is_nan_and_never_zero() -> None:
    view = state_of(listed()).view(LATER)
    assert np.isnan(view.quotes.bid).all()
    assert np.isnan(view.books.bid_price).all()
    assert not view.books.valid.any()
    assert np.isnan(view.derivatives.mark).all()
    assert view.quotes.event_ns.tolist() == [0]


def test_book_levels_are_shown_best_first_and_absent_ones_are_unknown() -> None:
    bids = [(100.0 - step, 1.0 + step) for step in range(60)]
    state = state_of(listed(), snapshot(5, bids, [(100.5, 9.0)], levels=200))
    books = state.view(LATER).books
    assert books.bid_price.shape == (1, BOOK_LEVELS)
    assert books.bid_price[0, :3].tolist() == [100.0, 99.0, 98.0]
    assert books.bid_size[0, :3].tolist() == [1.0, 2.0, 3.0]
    assert (books.ask_price[0, 0], books.ask_size[0, 0]) == (100.5, 9.0)
    assert np.isnan(books.ask_price[0, 1:]).all()
    assert (books.valid[0], books.event_ns[0]) == (True, 5)


def test_book_that_is_not_valid_shows_no_levels() -> None:
    state = state_of(listed(), snapshot(5, [(100.0, 1.0)], [(100.5, 1.0)]))
    before = state.view(LATER)
    state.apply(delta(9))
    after = state.view(LATER)
    assert np.isnan(after.books.bid_price).all()
    assert np.isnan(after.quotes.bid).all()
    assert (before.books.valid[0], before.quotes.bid[0]) == (True, 100.0)


@pytest.mark.parametrize(("quote_ns", "bid"), [(4, 100.0), (5, 100.0), (6, 90.0)])
def test_newest_of_book_and_quote_is_the_quote(quote_ns: int, bid: float) -> None:
    state = state_of(
        listed(), snapshot(5, [(100.0, 3.0)], [(100.5, 4.0)], event_ns=5), _quote(quote_ns, 90.0, 91.0)
    )
    quotes = state.view(LATER).quotes
    assert (quotes.bid[0], quotes.event_ns[0]) == (bid, max(5, quote_ns))
    assert quotes.bid_size[0] == (3.0 if bid == 100.0 else 1.0)
    assert quotes.ask_size[0] == (4.0 if bid == 100.0 else 2.0)


@pytest.mark.parametrize("ask", [90.0, 89.0])
def test_crossed_or_locked_quote_is_held_back(ask: float) -> None:
    quotes = state_of(listed(), _quote(5, 90.0, ask)).view(LATER).quotes
    assert np.isnan([quotes.bid[0], quotes.ask[0], quotes.bid_size[0]]).all()


def test_one_side_of_a_quote_is_shown_alone() -> None:
    state = state_of(listed(), QuoteUpdate(instrument(), 5, 5, bid=90.0))
    quotes = state.view(LATER).quotes
    assert quotes.bid[0] == 90.0
    assert np.isnan(quotes.ask[0])


def test_last_price_is_the_newest_of_trade_and_statement() -> None:
    state = state_of(
        listed(), DerivativesUpdate(instrument(), 5, 5, last=10.0, mark=9.0), trade("a", 6, price=11.0)
    )
    facts = state.view(LATER).derivatives
    assert (facts.last[0], facts.mark[0], facts.event_ns[0]) == (11.0, 9.0, 6)
    state.apply(DerivativesUpdate(instrument(), 7, 7, last=12.0))
    assert state.view(LATER).derivatives.last[0] == 12.0


def test_funding_interval_is_the_stated_one_else_that_of_the_rules() -> None:
    state = state_of(listed(), listed("ETH", kind="spot"))
    assert np.array_equal(
        state.view(LATER).derivatives.funding_interval_s, [28_800.0, np.nan], equal_nan=True
    )
    state.apply(
        DerivativesUpdate(instrument(), 5, 5, funding_interval_s=3_600, next_funding_ns=99, funding_rate=None)
    )
    facts = state.view(LATER).derivatives
    assert (facts.funding_interval_s[0], facts.next_funding_ns.tolist()) == (3_600.0, [99, 0])
    assert np.isnan(facts.funding_rate[0])


def test_what_became_known_only_later_is_unknown() -> None:
    state = state_of(
        listed(),
        snapshot(5, [(100.0, 3.0)], [(100.5, 4.0)], event_ns=50),
        DerivativesUpdate(instrument(), 50, 50, mark=9.0),
    )
    early, late = state.view(49), state.view(50)
    assert np.isnan([early.quotes.bid[0], early.books.bid_price[0, 0], early.derivatives.mark[0]]).all()
    assert (early.books.valid[0], early.quotes.event_ns[0], early.derivatives.event_ns[0]) == (False, 0, 0)
    assert (late.quotes.bid[0], late.books.valid[0], late.derivatives.mark[0]) == (100.0, True, 9.0)


def test_arrays_of_a_view_are_read_only_and_do_not_change() -> None:
    state = state_of(listed(), snapshot(5, [(100.0, 3.0)], [(100.5, 4.0)]))
    view = state.view(LATER)
    state.apply(delta(6, [(100.0, 7.0)]))
    assert view.books.bid_size[0, 0] == 3.0
    assert state.view(LATER).books.bid_size[0, 0] == 7.0
    for array in (view.quotes.bid, view.books.bid_price, view.books.valid, view.derivatives.last):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
