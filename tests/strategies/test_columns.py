from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from typing import Any

import numpy as np
import pytest

from sextant.model.bar import Floats
from sextant.model.times import Interval
from sextant.model.view import View, bar_frame
from sextant.scans.run import BarColumns
from sextant.strategies.columns import Columns, change, spend
from support.markets import bars_of, closes_of, framed, noise, view_of


def market(rows: int = 60) -> View:
    view = view_of(framed("1h", bars_of(closes_of([0.01 * noise(7, rows), 0.01 * noise(8, rows)]))))
    longer = framed("4h", bars_of(closes_of([np.zeros(rows // 4), np.zeros(rows // 4)])))
    return dataclasses.replace(view, bars={**view.bars, "4h": longer})


def test_a_column_is_computed_once() -> None:
    columns = Columns(market())
    assert columns.log_return("1h") is columns.log_return("1h")
    assert columns.volatility("1h", 10) is columns.volatility("1h", 10)
    assert columns.volatility("1h", 10) is not columns.volatility("1h", 11)
    assert columns.once(("mine",), lambda: 5) == 5
    assert columns.once(("mine",), lambda: 6) == 5


def test_log_returns_begin_at_the_second_row() -> None:
    view = market()
    returns = Columns(view).log_return("1h")
    assert np.isnan(returns[0]).all()
    np.testing.assert_allclose(returns[1:, 0], 0.01 * noise(7, 60)[1:], rtol=1e-9)


def test_indicators_are_those_of_the_catalogue() -> None:
    view = market()
    average = Columns(view).indicator("1h", "sma", "sma", window=5)
    np.testing.assert_allclose(average[4, 0], view.bars["1h"].close[:5, 0].mean(), rtol=1e-12)


def test_turnover_is_stated_or_volume_times_the_typical_price() -> None:
    frame = market().bars["1h"]
    stated = frame.quote_volume.copy()
    stated[3, 0] = np.nan
    fields: dict[str, Floats] = {
        name: getattr(frame, name) for name in ("open", "high", "low", "close", "volume")
    }
    view = view_of(bar_frame("1h", frame.open_ns, fields | {"quote_volume": stated}))
    turnover = Columns(view).turnover("1h")
    typical = (frame.high[3, 0] + frame.low[3, 0] + frame.close[3, 0]) / 3
    assert turnover[3, 0] == pytest.approx(frame.volume[3, 0] * typical)
    assert turnover[4, 0] == 1e6


def test_the_last_day_is_twenty_four_hourly_or_six_longer_rows() -> None:
    columns = Columns(market())
    hours = columns.volume_24h_usd("1h")
    assert np.isnan(hours[22, 0])
    assert hours[23, 0] == 24e6
    assert columns.volume_24h_usd("4h")[5, 0] == 6e6


def test_a_longer_frame_is_seen_only_once_its_bar_has_closed() -> None:
    view = market()
    columns = Columns(view)
    numbers = np.arange(15.0)[:, None] * np.ones(2)
    seen = columns.aligned(numbers, "4h", "1h")[:, 0]
    # The first 4h bar closes together with the fourth hour, row 3.
    assert np.isnan(seen[:3]).all()
    assert seen[3:9].tolist() == [0, 0, 0, 0, 1, 1]
    numbers[1] = np.nan
    assert np.isnan(columns.aligned(numbers, "4h", "1h")[8, 0])


def test_a_lasting_column_is_made_once_for_all_views_of_the_same_bars() -> None:
    made: list[int] = []
    frame = framed("1h", bars_of(closes_of([np.zeros(5)])))
    lasting = BarColumns()

    def asked(view: View, key: str = "a", kept: BarColumns | None = lasting) -> None:
        Columns(view, lasting=kept).once((key,), lambda: made.append(1), lasting="1h")

    view = view_of(frame)
    asked(view)
    asked(dataclasses.replace(view, as_of_ns=view.as_of_ns + 1))
    assert len(made) == 1
    asked(view_of(framed("1h", bars_of(closes_of([np.zeros(6)])))))
    assert len(made) == 2
    asked(view)  # only the newest bars of an interval are kept
    assert len(made) == 3
    asked(view, kept=None)
    assert len(made) == 4


def test_a_lasting_column_is_made_anew_when_the_state_it_also_read_has_changed() -> None:
    view, lasting = market(), BarColumns()

    def asked(state: bytes, value: int) -> int:
        return Columns(view, lasting=lasting).once(("b",), lambda: value, lasting="1h", state=state)

    assert [asked(b"x", 1), asked(b"x", 2), asked(b"y", 3), asked(b"x", 4)] == [1, 1, 3, 4]


def test_what_is_spent_is_let_go_and_made_again_when_asked_for() -> None:
    view = market()
    made: dict[Hashable, Any] = {}

    class Kept:
        def of(self, _view: View, _interval: Interval) -> dict[Hashable, Any]:
            return made

    columns = Columns(view, lasting=Kept())
    first = columns.log_close("4h")
    kept = columns.once(("kept",), object, lasting="4h")
    spend(made)
    assert columns.once(("kept",), object, lasting="4h") is kept
    assert columns.log_close("4h") is not first
    assert columns.log_close("4h").tobytes() == first.tobytes()


def test_what_was_made_of_a_frame_can_be_put_in_another_form() -> None:
    made: dict[Hashable, Any] = {("a",): (b"", 1), ("b",): (b"", 2), "spent": {("b",)}}
    change(made, lambda value: value + 10)
    assert made == {("a",): (b"", 11), ("b",): (b"", 12), "spent": {("b",)}}
