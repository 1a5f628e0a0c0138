from __future__ import annotations

import numpy as np
import pytest

from sextant.confluence.regime import LABELS, known, label_rows, label_state, multipliers, trend_of
from sextant.model.bar import Floats


def test_trend_of_the_worked_example() -> None:
    # adx 31 is .8 of the way from 15 to 35, efficiency .26 is .6 of the way from .05 to .40
    assert trend_of(np.array([31.0]), np.array([0.26])) == pytest.approx(0.7)


def test_multipliers_of_the_worked_example() -> None:
    found = multipliers(np.array([0.7]), np.array([0.0]), np.array([0.0]))
    told = {name: float(x[0]) for name, x in found.items()}
    assert told == pytest.approx({"trend": 1.1, "reversion": 0.9, "flow": 1, "book": 1, "positioning": 1})


def test_stress_takes_weight_from_the_book_but_never_all() -> None:
    found = multipliers(np.array([0.5]), np.array([1.0]), np.array([1.0]))
    assert float(found["book"][0]) == 0.25
    assert float(found["flow"][0]) == 0.75


def test_missing_parts_are_stood_in_for() -> None:
    found = known({})
    assert {name: x.item() for name, x in found.items()} == {"tau": 0.5, "hv": 0.0, "ll": 0.0}
    one = known({"wide_spread": np.array([[0.4]]), "thin_depth": np.array([[np.nan]])})
    assert one["ll"].item() == 0.4


def labels(tau: list[float], sign: list[float], hv: list[float], ll: list[float]) -> list[str]:
    first, second, third, fourth = (np.array(x, dtype=np.float64)[:, None] for x in (tau, sign, hv, ll))
    out = np.empty((len(tau), 1), dtype=np.int64)
    label_rows(label_state(1), (first, second, third, fourth), out)
    return [LABELS[label] for label in out[:, 0]]


def same(value: float, rows: int = 1) -> list[float]:
    return [value] * rows


def test_label_names_the_strongest_in_order() -> None:
    assert labels([0.9], [1], [0.7], [0.7]) == ["low_liquidity"]
    assert labels([0.9], [1], [0.7], [0.5]) == ["high_volatility"]
    assert labels([0.6], [-1], [0], [0]) == ["trend_down"]
    assert labels([0.6], [1], [0], [0]) == ["trend_up"]
    assert labels([0.59], [1], [0], [0]) == ["range"]
    assert labels([np.nan], [1], [0.9], [0.9]) == ["unknown"]


def test_label_is_kept_until_it_is_weak_and_five_rows_old() -> None:
    tau = [0.7, 0.5, 0.5, 0.5, 0.5, 0.5, 0.39, 0.39]
    assert labels(tau, same(1, 8), same(0, 8), same(0, 8)) == ["trend_up"] * 6 + ["range"] * 2
    quick = [0.7, 0.1, 0.1, 0.1, 0.1, 0.1]
    assert labels(quick, same(1, 6), same(0, 6), same(0, 6)) == ["trend_up"] * 5 + ["range"]


def test_weather_of_a_still_market_is_not_high() -> None:
    still: Floats = np.zeros((1, 1))
    assert known({"volatility": still})["hv"].item() == 0.0
