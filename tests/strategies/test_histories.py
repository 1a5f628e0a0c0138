from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sextant.model.times import HOUR_NS, MINUTE_NS, SECOND_NS
from sextant.model.view import LiquidationTape, Series, View
from sextant.strategies.columns import Columns
from sextant.strategies.histories import (
    HistoryName,
    forced_share,
    newest,
    open_interest,
    settled_rank,
    state_of,
)
from support.markets import FIRST_OPEN_NS, bars_of, closes_of, framed, specs_of, view_of

ROWS = 48


def hours(size: int = 2) -> View:
    return view_of(framed("1h", bars_of(closes_of([np.zeros(ROWS)] * size))), specs_of(size, "perpetual"))


def test_open_interest_is_the_newest_point_at_each_close_that_is_young_enough() -> None:
    view = hours()
    # Points at the closes of rows 0 and 1, five minutes before that of row 2, eleven before that of row 3.
    closes = FIRST_OPEN_NS + HOUR_NS * np.arange(1, 5)
    times = closes - MINUTE_NS * np.array([0, 0, 5, 11])
    series = Series(times, np.array([1.0, 2.0, 3.0, 4.0]))
    view = dataclasses.replace(view, open_interest_history={view.instruments[1].instrument: series})
    read = open_interest(Columns(view), "1h", 600.0)
    assert read[:5, 1].tolist() == pytest.approx([1.0, 2.0, 3.0, np.nan, np.nan], nan_ok=True)
    assert np.isnan(read[:, 0]).all()


def test_a_later_point_never_reaches_an_earlier_row() -> None:
    times = np.array([100, 200]) * SECOND_NS
    asked = np.array([99, 100, 199, 200]) * SECOND_NS
    read = newest(times, np.array([5.0, 6.0]), asked, 10**18)
    assert read.tolist() == pytest.approx([np.nan, 5.0, 5.0, 6.0], nan_ok=True)
    nothing = np.empty(0)
    assert np.isnan(newest(nothing.astype(np.int64), nothing, asked, 1)).all()


def test_the_last_settled_rate_is_ranked_among_those_known_at_each_close() -> None:
    view = hours()
    first_ns = FIRST_OPEN_NS - 4 * 8 * HOUR_NS
    rising = Series(first_ns + 8 * HOUR_NS * np.arange(10), np.arange(10.0))
    level = Series(first_ns + 8 * HOUR_NS * np.arange(4, 10), np.ones(6))
    view = dataclasses.replace(
        view,
        funding_history={
            view.instruments[0].instrument: rising,
            view.instruments[1].instrument: level,
        },
    )
    rank = settled_rank(Columns(view), "1h", 5, 4)
    # By the first close five rates have settled, and the last is the highest: 4 below and half of itself.
    assert rank[0, 0] == pytest.approx(4.5 / 5)
    assert rank[ROWS - 1, 0] == pytest.approx(4.5 / 5)
    # The other has settled four times by row 23, whose close is the 24th hour: equal rates stand in the middle.
    assert np.isnan(rank[:23, 1]).all()
    assert rank[23, 1] == pytest.approx(0.5)


def test_a_history_that_has_ended_ranks_nothing() -> None:
    view = hours(1)
    ended = Series(FIRST_OPEN_NS + 8 * HOUR_NS * np.arange(-4, 1), np.ones(5))
    view = dataclasses.replace(view, funding_history={view.instruments[0].instrument: ended})
    rank = settled_rank(Columns(view), "1h", 5, 4)
    # The last settlement is a day old at the close of row 23.
    assert np.isfinite(rank[:24, 0]).all()
    assert np.isnan(rank[24:, 0]).all()


def test_liquidations_are_held_against_their_usual_value_side_by_side() -> None:
    view = hours()
    closes = FIRST_OPEN_NS + HOUR_NS * np.arange(1, ROWS + 1)
    # 10 USD of longs in each of rows 5..14, 60 in row 15, 40 of shorts in row 16, and one after the last close.
    times = np.concatenate((closes[5:17] - 1, closes[-1:] + 1))
    value = np.array([10.0] * 10 + [60.0, 40.0, 999.0])
    side = np.array([1.0] * 11 + [-1.0, 1.0])
    tape = LiquidationTape(times, value / 2.0, np.full(13, 2.0), side)
    view = dataclasses.replace(view, liquidations={view.instruments[1].instrument: tape})
    longs, shorts = forced_share(Columns(view), "1h", 2, 4)
    # Row 5 is only partly known: two rows and the four before them are there from row 11 on.
    assert np.isnan(longs[:11, 1]).all()
    assert longs[11:17, 1].tolist() == pytest.approx([1.0, 1.0, 1.0, 1.0, 70.0 / 20.0, 60.0 / 20.0])
    assert shorts[16, 1] == pytest.approx(40.0 / 1.0)  # after none at all, 1 USD is the usual
    assert longs[-1, 1] == 0.0
    assert np.isnan(longs[:, 0]).all()


def test_no_liquidation_known_says_nothing() -> None:
    longs, shorts = forced_share(Columns(hours()), "1h", 2, 4)
    assert np.isnan(longs).all()
    assert np.isnan(shorts).all()


def test_no_history_at_all_ranks_nothing() -> None:
    assert np.isnan(settled_rank(Columns(hours()), "1h", 90, 30)).all()


def test_a_state_changes_with_any_point_of_its_histories_and_with_no_others() -> None:
    view = view_of(framed("1h", bars_of(closes_of([np.zeros(5)]))))
    instrument = view.instruments[0].instrument
    times = np.array([10, 20], dtype=np.int64)

    def state(name: HistoryName, *values: float) -> bytes:
        series = {instrument: Series(times, np.array(values))}
        changed = dataclasses.replace(view, funding_history=series)
        return state_of(Columns(changed), name)

    assert state("funding_history", 1.0, 2.0) == state("funding_history", 1.0, 2.0)
    assert state("funding_history", 1.0, 2.0) != state("funding_history", 1.0, 3.0)
    assert state("open_interest_history", 1.0, 2.0) == state("open_interest_history", 1.0, 3.0)
