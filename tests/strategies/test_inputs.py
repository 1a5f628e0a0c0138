from __future__ import annotations

import dataclasses

import numpy as np

from sextant.model.times import HOUR_NS, SECOND_NS
from sextant.model.view import Books, Series, View
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Need
from sextant.strategies.inputs import missing_inputs
from support.markets import bars_of, closes_of, framed, quoted_earlier, specs_of, view_of
from support.views import empty_view


def hours(rows: int = 48) -> View:
    return view_of(framed("1h", bars_of(closes_of([np.zeros(rows)]))))


NEEDS = (Need("bars", "1h", 40, 5_400.0), Need("quotes", None, 1, 15.0))


def test_inputs_are_missing_when_too_short_too_old_or_absent() -> None:
    assert missing_inputs(Columns(hours()), NEEDS) == (None,)
    assert missing_inputs(Columns(hours(39)), NEEDS) == (("bars.1h", 39.0, 40.0, "rows"),)
    stale = quoted_earlier(hours(), 16.0)
    assert missing_inputs(Columns(stale), NEEDS) == (("quote.age_ms", 16_000.0, 15_000.0, "ms"),)
    late = dataclasses.replace(hours(), as_of_ns=hours().as_of_ns + 5_401 * 10**9)
    assert missing_inputs(Columns(late), NEEDS) == (("bars.1h.age_s", 5_401.0, 5_400.0, "s"),)
    unseen = dataclasses.replace(hours(), quotes=empty_view("C000").quotes)
    assert missing_inputs(Columns(unseen), NEEDS) == (("quotes", 0.0, 1.0, "quotes"),)


def test_a_hole_begins_the_rows_anew() -> None:
    closes = closes_of([np.zeros(48)])
    fields = bars_of(closes)
    fields["low"][20, 0] = np.nan
    view = view_of(framed("1h", fields))
    assert missing_inputs(Columns(view), NEEDS) == (("bars.1h", 27.0, 40.0, "rows"),)


def test_optional_needs_are_never_missing() -> None:
    needs = (Need("bars", "1h", 1_000, 5_400.0, required=False),)
    assert missing_inputs(Columns(hours()), needs) == (None,)


def perpetual(age_s: float = 0.0, settlements: int = 30) -> View:
    view = view_of(framed("1h", bars_of(closes_of([np.zeros(48)]))), specs_of(1, "perpetual"))
    facts = dataclasses.replace(
        view.derivatives,
        funding_rate=np.array([1e-4]),
        event_ns=np.array([view.as_of_ns - round(age_s * SECOND_NS)]),
    )
    times = view.as_of_ns - 8 * HOUR_NS * np.arange(settlements, 0, -1)
    history = {view.instruments[0].instrument: Series(times, np.full(settlements, 1e-4))}
    return dataclasses.replace(view, derivatives=facts, funding_history=history)


def test_funding_is_missing_without_a_rate_too_old_or_with_too_few_settlements() -> None:
    needs = (Need("funding", None, 30, 120.0),)
    assert missing_inputs(Columns(perpetual()), needs) == (None,)
    assert missing_inputs(Columns(hours()), needs) == (("funding", 0.0, 1.0, "rates"),)
    assert missing_inputs(Columns(perpetual(121.0)), needs) == (("funding.age_s", 121.0, 120.0, "s"),)
    few = (("funding.settled", 29.0, 30.0, "settlements"),)
    assert missing_inputs(Columns(perpetual(settlements=29)), needs) == few


def test_open_interest_is_missing_without_points_or_too_old() -> None:
    needs = (Need("open_interest", None, 2, 600.0),)
    view = hours()

    def known(*ages_s: int) -> View:
        times = view.as_of_ns - np.array(ages_s) * SECOND_NS
        series = Series(times, np.ones(len(ages_s)))
        return dataclasses.replace(view, open_interest_history={view.instruments[0].instrument: series})

    assert missing_inputs(Columns(known(900, 600)), needs) == (None,)
    assert missing_inputs(Columns(known(901, 601)), needs) == (("open_interest.age_s", 601.0, 600.0, "s"),)
    assert missing_inputs(Columns(known(10)), needs) == (("open_interest", 1.0, 2.0, "points"),)
    assert missing_inputs(Columns(view), needs) == (("open_interest", 0.0, 2.0, "points"),)


def test_books_are_missing_when_invalid_or_too_old() -> None:
    needs = (Need("books", None, 1, 2.0),)
    view = hours()
    price = np.array([[99.0]])

    def booked(valid: bool, age_s: int) -> View:
        event_ns = np.array([view.as_of_ns - age_s * SECOND_NS])
        books = Books(price, price, price + 1.0, price, np.array([valid]), event_ns)
        return dataclasses.replace(view, books=books)

    assert missing_inputs(Columns(booked(valid=True, age_s=2)), needs) == (None,)
    assert missing_inputs(Columns(booked(valid=True, age_s=3)), needs) == (
        ("book.age_ms", 3_000.0, 2_000.0, "ms"),
    )
    assert missing_inputs(Columns(booked(valid=False, age_s=0)), needs) == (
        ("books", 0.0, 1.0, "valid books"),
    )


def test_instruments_that_are_not_asked_about_lack_nothing() -> None:
    view = view_of(framed("1h", bars_of(closes_of([np.zeros(39), np.zeros(39)]))))
    lack = ("bars.1h", 39.0, 40.0, "rows")
    assert missing_inputs(Columns(view), NEEDS) == (lack, lack)
    assert missing_inputs(Columns(view), NEEDS, np.array([False, True])) == (None, lack)
