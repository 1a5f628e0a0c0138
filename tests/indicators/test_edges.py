"""Still markets, tolerated holes, and windows as long as they come."""

from __future__ import annotations

import numpy as np
import pytest

from sextant.indicators.catalog import compute, indicators
from sextant.model.view import Flags
from support import indicators as market

MIDDLE = (
    ("rsi", "rsi", 50.0),
    ("stochastic_rsi", "k", 50.0),
    ("stochastic_rsi", "d", 50.0),
    ("williams_r", "williams_r", -50.0),
    ("money_flow_index", "money_flow_index", 50.0),
    ("cci", "cci", 0.0),
    ("efficiency_ratio", "efficiency_ratio", 0.0),
    ("adx", "adx", 0.0),
    ("chaikin_money_flow", "chaikin_money_flow", 0.0),
    ("volume_delta", "ratio", 0.0),
    ("relative_volume", "relative_volume", 0.0),
    ("range_position", "position", 0.0),
    ("price_gaps", "pull", 0.0),
    ("structure_breaks", "event", 0.0),
    ("levels", "pull", 0.0),
)


@pytest.mark.parametrize("price", [42.5, 0.7837, 1e-8 / 3, 95505.4])
@pytest.mark.parametrize(("name", "output", "middle"), MIDDLE, ids=[f"{row[0]}.{row[1]}" for row in MIDDLE])
def test_still_market_reads_as_the_middle(name: str, output: str, middle: float, price: float) -> None:
    still = {
        k: x * (price / 42.5) if k in {"open", "high", "low", "close"} else x
        for k, x in market.constant(150, 1).items()
    }
    x = compute(name, still, bar_index=7)[output]
    assert (x[~np.isnan(x)] == middle).all()


def test_market_that_moved_and_then_stood_still_reads_as_the_middle() -> None:
    bars = market.walk(260, 1, 4)
    close = bars["close"].copy()
    close[130:] = close[130]
    k = compute("stochastic_rsi", {"close": close}, bar_index=0)["k"]
    assert (k[200:] == 50.0).all()


def with_holes() -> tuple[market.Columns, Flags]:
    """A market of which single rows, and a run of five, were not received; and where."""
    bars = {name: x.copy() for name, x in market.walk(500, 1, 9).items()}
    holes = np.zeros(500, dtype=np.bool_)
    holes[[0, 1, 150, 170, 190, 300]] = True
    holes[350:355] = True
    for x in bars.values():
        x[holes] = np.nan
    return bars, holes


def test_tolerated_hole_adds_nothing_and_more_than_a_twentieth_of_them_hide_the_value() -> None:
    bars, holes = with_holes()
    found = compute("volume_balance", bars, bar_index=3, window=60)
    close, volume = bars["close"][:, 0], bars["volume"][:, 0]
    last, signs = np.nan, np.zeros(500)
    for t in range(500):
        if not holes[t]:
            signs[t] = np.sign(close[t] - last) if last == last else 0.0  # noqa: PLR0124  # NaN before the first row
            last = close[t]
    for t in range(500):
        rows = slice(max(0, t - 59), t + 1)
        missing = holes[rows].sum() if t >= 62 else 0
        x = found["obv_ratio"][t, 0]
        if t < 2 + 60 or holes[t] or missing > 3:
            assert np.isnan(x), t
        else:
            expected = np.nansum(signs[rows] * volume[rows]) / np.nansum(volume[rows])
            assert x == pytest.approx(expected, abs=1e-12), t


def test_profile_tolerates_as_many_holes() -> None:
    bars, holes = with_holes()
    x = compute("volume_profile", bars, bar_index=3, window=60, **market.CONSTANTS)["poc"][:, 0]
    for t in range(500):
        missing = holes[max(2, t - 59) : t + 1].sum()
        assert np.isnan(x[t]) == (t < 2 + 59 or holes[t] or missing > 3), t


def test_vwap_leaves_a_hole_out_of_its_sums() -> None:
    bars, holes = with_holes()
    found = compute("vwap", bars, bar_index=1440)["vwap"][:, 0]
    typical = ((bars["high"] + bars["low"] + bars["close"]) / 3)[:, 0]
    volume = bars["volume"][:, 0]
    assert np.isnan(found[holes]).all()
    assert found[499] == pytest.approx(np.nansum(typical * volume) / np.nansum(volume), rel=1e-12)


LONG = sorted(
    (indicator.name, param.name)
    for indicator in indicators().values()
    for param in indicator.params
    if param.name in {"window", "lookback"}
)


@pytest.mark.parametrize(("name", "param"), LONG)
@pytest.mark.parametrize("end", ["low", "high"])
def test_value_is_missing_exactly_while_warming_at_both_bounds_of_the_window(
    name: str, param: str, end: str
) -> None:
    indicator = indicators()[name]
    bound = next(int(getattr(one, end)) for one in indicator.params if one.name == param)
    constants = {key: market.CONSTANTS[key] for key in indicator.constants}
    params = {param: bound, **constants}
    warmups = indicator.warmups(indicator.values(**params))
    bars = market.walk(max(warmups.values()) + 40, 1, 5)
    for output, x in compute(name, bars, bar_index=777, **params).items():
        assert np.array_equal(np.isnan(x[:, 0]), np.arange(len(x)) < warmups[output]), output
