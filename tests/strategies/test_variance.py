"""Forecasts of variance against plain loops and least squares of another library."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sextant.model.bar import Floats
from sextant.strategies.variance import (
    FEWEST_PAIRS,
    MOST_PAIRS,
    complete_tail,
    garman_klass,
    outlook,
)
from support.option_markets import daily

AHEAD = 14


def series(scale: float = 0.0314) -> tuple[Floats, Floats]:
    frame = daily(scale)
    parts = [part[:, 0] for part in (frame.open, frame.high, frame.low, frame.close)]
    return garman_klass(*parts), frame.close[:, 0]


def slow_forecast(v: Floats, row: int) -> float:
    """One forecast by an explicit loop over the pairs that had ended before the row."""
    pairs = [
        (
            [1.0, math.log(v[t]), math.log(v[t - 6 : t + 1].mean()), math.log(v[t - 29 : t + 1].mean())],
            math.log(v[t + 1 : t + AHEAD + 1].mean()),
        )
        for t in range(29, row - AHEAD)
    ][-MOST_PAIRS:]
    assert len(pairs) >= FEWEST_PAIRS
    x, y = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])
    fit, *_ = np.linalg.lstsq(x, y, rcond=None)
    spread = float(((y - x @ fit) ** 2).sum() / (len(y) - 4))
    here = np.array(
        [1.0, math.log(v[row]), math.log(v[row - 6 : row + 1].mean()), math.log(v[row - 29 : row + 1].mean())]
    )
    return math.exp(float(here @ fit) + spread / 2)


def test_the_variance_of_a_bar_is_worked_by_hand() -> None:
    """h/l = e^0.04, c/o = e^0.02: 0.5 x 0.0016 - 0.38629 x 0.0004 = 0.00064548."""
    one = np.ones(1)
    found = garman_klass(one, one * math.exp(0.03), one * math.exp(-0.01), one * math.exp(0.02))
    assert found[0] == pytest.approx(0.000645482, rel=1e-6)
    assert math.isnan(garman_klass(one, one, one, one)[0])


def test_the_forecast_of_the_last_row_is_the_slow_one() -> None:
    v, close = series()
    found = outlook(v, close, AHEAD)
    assert found is not None
    assert found.sigma_day == pytest.approx(math.sqrt(slow_forecast(v, len(v) - 1)), rel=1e-9)


def test_past_outcomes_are_out_of_sample_and_what_came_is_divided_by_what_was_forecast() -> None:
    v, close = series()
    found = outlook(v, close, AHEAD)
    assert found is not None
    rows = range(29 + FEWEST_PAIRS + AHEAD, len(v) - AHEAD)
    assert len(found.z) == len(rows)
    some = list(rows)[::97]
    raw = np.array(
        [math.log(close[j + AHEAD] / close[j]) / math.sqrt(slow_forecast(v, j) * AHEAD) for j in some]
    )
    at = np.array([j - rows[0] for j in some])
    np.testing.assert_allclose(found.z[at] - found.z[at[0]], raw - raw[0], rtol=1e-8)
    assert found.z.mean() == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("scale", "volatility"), [(0.0314, 0.53), (0.0209, 0.354)])
def test_forecast_volatility_of_the_pages_histories(scale: float, volatility: float) -> None:
    found = outlook(*series(scale), AHEAD)
    assert found is not None
    assert found.volatility == pytest.approx(volatility, rel=0.02)
    assert found.n_eff == pytest.approx(49.5, abs=0.1)
    assert found.loss < found.plain_loss


def test_scenarios_have_the_forward_as_mean_and_the_forecast_as_spread() -> None:
    found = outlook(*series(), AHEAD)
    assert found is not None
    prices = found.scenarios(61_000.0, 10.0)
    assert prices.mean() == pytest.approx(61_000.0, rel=1e-12)
    spread = float(np.std(np.log(prices), ddof=1)) * math.sqrt(365 / 10.0)
    assert spread == pytest.approx(found.volatility, rel=1e-9)


def test_later_days_never_change_an_earlier_outlook() -> None:
    v, close = series()
    whole = outlook(v[:900], close[:900], AHEAD)
    changed = v.copy()
    changed[900:] *= 50.0
    assert whole is not None
    again = outlook(changed[:900], close[:900], AHEAD)
    assert again is not None
    assert (again.sigma_day, again.z.tobytes()) == (whole.sigma_day, whole.z.tobytes())


def test_too_few_rows_give_nothing() -> None:
    v, close = series()
    fewest = 29 + FEWEST_PAIRS + AHEAD + 1
    assert outlook(v[: fewest - 1], close[: fewest - 1], AHEAD) is None
    assert (
        outlook(v[: fewest + AHEAD], close[: fewest + AHEAD], AHEAD) is None
    )  # a single past outcome has no spread
    assert outlook(v[: fewest + AHEAD + 1], close[: fewest + AHEAD + 1], AHEAD) is not None


def test_a_gap_ends_the_tail() -> None:
    column = np.array([1.0, math.nan, 1.0, 1.0])
    assert complete_tail(column, np.ones(4)) == 2
    assert complete_tail(np.array([1.0, math.nan])) == 0
    assert complete_tail(np.ones(3)) == 3
