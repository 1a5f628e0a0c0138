from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sextant.model.view import Books, View
from sextant.strategies.depth import depth_usd, imbalance
from support.markets import bars_of, closes_of, framed, view_of

NAN = float("nan")


def market(valid: bool = True) -> View:
    """One book around 100: 9.99 bps away 7 and 1, and 20 bps away 100 on either side."""
    view = view_of(framed("1h", bars_of(closes_of([np.zeros(4)]))))
    books = Books(
        bid_price=np.array([[99.99, 99.9001, 99.8, NAN]]),
        bid_size=np.array([[3.0, 4.0, 100.0, NAN]]),
        ask_price=np.array([[100.01, 100.0999, 100.2, NAN]]),
        ask_size=np.array([[1.0, 2.0, 100.0, NAN]]),
        valid=np.array([valid]),
        event_ns=np.array([view.as_of_ns]),
    )
    return dataclasses.replace(view, books=books)


def test_the_imbalance_is_that_of_the_best_levels() -> None:
    assert imbalance(market().books, 1)[0] == pytest.approx((3 - 1) / 4)
    assert imbalance(market().books, 2)[0] == pytest.approx((7 - 3) / 10)
    assert imbalance(market().books, 50)[0] == pytest.approx((107 - 103) / 210)


def test_depth_is_the_value_near_mid_on_the_thinner_side() -> None:
    assert depth_usd(market(), 10.0)[0] == pytest.approx(100.01 + 2 * 100.0999)
    assert depth_usd(market(), 1.5)[0] == pytest.approx(100.01)


def test_an_invalid_book_says_nothing() -> None:
    view = market(valid=False)
    assert np.isnan(imbalance(view.books, 5)[0])
    assert np.isnan(depth_usd(view, 10.0)[0])
