from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

from sextant.errors import InputError
from sextant.model.bar import Floats, Integers
from sextant.model.times import HOUR_NS
from sextant.model.view import BarFrame, LiquidationTape, TradeTape, View, bar_frame, no_quotes
from support.views import empty_view


def _frame(**changes: Any) -> BarFrame:
    close = np.arange(6.0).reshape(3, 2) + 100
    return bar_frame("1h", np.arange(3) * HOUR_NS, {"close": close} | changes)


def _view(**changes: Any) -> View:
    return dataclasses.replace(empty_view("BTC", "ETH"), bars={"1h": _frame()}, **changes)


def _tape() -> tuple[Integers, Floats, Floats, Floats]:
    return np.array([1]), np.array([100.0]), np.array([2.0]), np.array([1.0])


def test_equal_content_has_an_equal_hash() -> None:
    assert _view().content_hash == _view().content_hash


def test_every_part_of_a_view_is_in_its_hash() -> None:
    base = _view()
    quotes = dataclasses.replace(no_quotes(2), bid=np.array([1.0, np.nan]))
    spec = msgspec.structs.replace(base.instruments[0], tick=Decimal("0.5"))
    others = [
        dataclasses.replace(base, as_of_ns=1),
        dataclasses.replace(base, feed="live"),
        dataclasses.replace(base, simulated=True),
        dataclasses.replace(base, quotes=quotes),
        dataclasses.replace(base, instruments=(spec, base.instruments[1])),
        dataclasses.replace(base, bars={"1h": _frame(volume=np.ones((3, 2)))}),
        dataclasses.replace(base, bars={}),
        dataclasses.replace(base, trades={spec.instrument: TradeTape(*_tape())}),
        dataclasses.replace(base, liquidations={spec.instrument: LiquidationTape(*_tape())}),
    ]
    assert len({view.content_hash for view in [base, *others]}) == len(others) + 1


def test_every_point_of_a_history_is_in_its_digest() -> None:
    time_ns = np.array([1, 2, 3])
    columns = [np.array([100.0, 101.0, 102.0]), np.array([2.0, 3.0, 4.0]), np.array([1.0, -1.0, 0.0])]
    whole = TradeTape(time_ns, *columns)
    changed = [TradeTape(time_ns + (time_ns == point), *columns) for point in (1, 2, 3)]
    for place in range(3):
        for point in range(3):
            other = [column.copy() for column in columns]
            other[place][point] += 0.5
            changed.append(TradeTape(time_ns, *other))
    shorter = TradeTape(time_ns[:2], *(column[:2] for column in columns))
    assert len({tape.digest for tape in (whole, shorter, *changed)}) == 2 + 12
    assert whole.digest == TradeTape(time_ns.copy(), *(column.copy() for column in columns)).digest


def test_columns_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        _frame().close[0, 0] = 1.0


def test_what_is_not_given_is_unknown() -> None:
    assert np.isnan(_frame().taker_buy_volume).all()


def test_rows_must_be_consecutive() -> None:
    with pytest.raises(InputError, match="not consecutive"):
        bar_frame("1h", np.array([0, 2 * HOUR_NS]), {"close": np.ones((2, 1))})


def test_the_last_close_is_one_interval_after_the_last_open() -> None:
    assert _frame().last_close_ns == 3 * HOUR_NS
    assert bar_frame("1h", np.empty(0, dtype=np.int64), {"close": np.empty((0, 2))}).last_close_ns is None


def test_each_instrument_has_its_column() -> None:
    view = _view()
    assert [view.column_of[spec.instrument] for spec in view.instruments] == [0, 1]
