from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sextant.confluence.inputs import apart_bps, blocks, closes, grid
from sextant.model.times import MINUTE_NS, SECOND_NS
from sextant.model.view import MINUTE_FIELDS, MinuteFrame, Quotes, Series, View, no_quotes
from support import minutes
from support.views import spec

STEP = 5 * MINUTE_NS


def test_leader_is_a_perpetual_of_btc_before_its_spot() -> None:
    specs = [spec("ADA"), spec("BTC", "spot"), spec("BTC", "perpetual")]
    bars = minutes.walked(10, 3).bars["1m"]
    view = minutes.view_of({name: getattr(bars, name) for name in minutes.FIELDS}, specs)
    assert blocks(view)["1m"].columns["leader"][-1].tolist() == [0, 0, 1]


def test_dollars_do_not_stand_for_the_market() -> None:
    specs = [spec("USDC"), spec("ADA"), spec("BTC", "perpetual")]
    bars = minutes.walked(10, 3).bars["1m"]
    view = minutes.view_of({name: getattr(bars, name) for name in minutes.FIELDS}, specs)
    assert blocks(view)["1m"].columns["eligible"][-1].tolist() == [0, 1, 1]


def test_rows_of_a_day_count_from_midnight() -> None:
    view = minutes.walked(40, 1)
    assert blocks(view)["1m"].columns["day_row"][:, 0].tolist() == list(range(40))


def test_facts_stand_on_the_last_row_alone() -> None:
    view = minutes.walked(5, 2)
    facts = replace(
        view.derivatives,
        funding_rate=np.array([0.0001, np.nan]),
        event_ns=np.array([view.as_of_ns - 3 * SECOND_NS, 0]),
    )
    columns = blocks(replace(view, derivatives=facts))["1m"].columns
    assert np.isnan(columns["funding_rate"][:-1]).all()
    assert columns["funding_rate"][-1, 0] == 0.0001
    assert columns["quote_age_s"][-1, 0] == 2.0  # at the close, which was a second before the view


def interest(view: View, times: list[list[int]], values: list[list[float]]) -> View:
    names = [one.instrument for one in view.instruments]
    history = {
        name: Series(np.array(time, dtype=np.int64), np.array(value))
        for name, time, value in zip(names, times, values, strict=True)
        if time
    }
    return replace(view, open_interest_history=history)


def test_points_lie_on_their_grid_and_missing_ones_are_unknown() -> None:
    view = interest(minutes.walked(5, 2), [[STEP * 10, STEP * 12], [STEP * 11]], [[1.0, 3.0], [7.0]])
    found = grid(view, {"open_interest": view.open_interest_history})
    assert closes(found, "grid").tolist() == [STEP * 10, STEP * 11, STEP * 12]
    wanted = [[1.0, np.nan], [np.nan, 7.0], [3.0, np.nan]]
    assert np.array_equal(found.columns["open_interest"], wanted, equal_nan=True)


def test_no_history_is_a_column_without_rows() -> None:
    found = grid(minutes.walked(5, 2), {"open_interest": {}})
    assert found.columns["open_interest"].shape == (0, 2)


def quoted(mids: list[float], venues: list[str], ages_s: list[float]) -> View:
    view = minutes.walked(3, len(mids))
    specs = tuple(spec("BTC", "spot", venue) for venue in venues)
    times = np.array([view.as_of_ns - int(age * SECOND_NS) for age in ages_s], dtype=np.int64)
    mid = np.array(mids)
    quotes = Quotes(mid - 0.01, mid + 0.01, mid, mid, times)
    return replace(view, instruments=specs, quotes=quotes)


def test_venue_is_compared_with_the_lower_median_of_at_least_two_others() -> None:
    view = quoted([100.0, 100.1, 100.2, 101.0], ["a", "b", "c", "d"], [0, 0, 0, 0])
    found = apart_bps(view)
    assert found[0] == pytest.approx(abs(100.0 / 100.2 - 1) * 1e4)
    assert found[3] == pytest.approx(abs(101.0 / 100.1 - 1) * 1e4)


def test_too_few_or_too_old_quotes_are_not_checked() -> None:
    two = apart_bps(quoted([100.0, 101.0], ["a", "b"], [0, 0]))
    late = apart_bps(quoted([100.0, 100.1, 101.0], ["a", "b", "c"], [0, 0, 31]))
    assert np.isnan(two).all()
    assert np.isnan(late).all()
    assert np.isnan(apart_bps(replace(minutes.walked(3, 2), quotes=no_quotes(2)))).all()


def told(view: View, value: float) -> View:
    """The view with minutes beside its bars whose fields all have one value."""
    frame = view.bars["1m"]
    part = np.full((len(MINUTE_FIELDS), frame.rows, view.size), value, dtype=np.float32)
    return replace(view, minutes=MinuteFrame(frame.open_ns, (part,), bytes(16 * frame.rows)))


def test_no_further_rows_have_the_same_columns_as_many() -> None:
    """Which columns there are says whether a run can go on: none must vanish while no minute closes."""
    view = told(minutes.walked(6, 2), 3.0)
    whole = blocks(view)["1m"].columns
    none = blocks(view, after_ns={"1m": int(view.bars["1m"].open_ns[-1])})["1m"].columns
    assert whole.keys() == none.keys()
    assert {len(x) for name, x in none.items()} == {0}
    two = blocks(view, after_ns={"1m": int(view.bars["1m"].open_ns[-3])})["1m"].columns
    assert two["book_samples"].tolist() == [[3.0, 3.0]] * 2
