from __future__ import annotations

import math

import pytest

from sextant.market.quotes import Quote
from sextant.model.events import QuoteUpdate
from support.market import instrument


def _update(event_ns: int, **sides: float | None) -> QuoteUpdate:
    return QuoteUpdate(instrument(), event_ns, event_ns, **sides)


def test_sides_that_are_not_mentioned_stay() -> None:
    quote = Quote()
    assert quote.take(_update(1, bid=99.0, bid_size=1.0, ask=100.0, ask_size=0.0)) is None
    assert quote.take(_update(2, bid=99.5)) is None
    assert (quote.sides, quote.event_ns) == ([99.5, 1.0, 100.0, 0.0], 2)


def test_side_that_does_not_apply_is_unknown() -> None:
    quote = Quote()
    quote.take(_update(1, bid=99.0, ask=100.0))
    quote.take(_update(2, bid=None))
    assert math.isnan(quote.bid)
    assert quote.ask == 100.0


def test_older_update_is_not_taken() -> None:
    quote = Quote()
    quote.take(_update(5, bid=99.0))
    assert quote.take(_update(4, bid=1.0)) == "old"
    assert quote.bid == 99.0


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_price_that_no_market_can_have_forgets_the_quote(value: float) -> None:
    quote = Quote()
    quote.take(_update(5, bid=99.0))
    assert quote.take(_update(6, ask=value)) == "refused"
    assert math.isnan(quote.bid)
    assert quote.event_ns == 0
