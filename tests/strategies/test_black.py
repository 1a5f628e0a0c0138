"""Black's formula against integration of the lognormal payoff, differences, published values and a recorded chain."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq

from sextant.model.bar import Floats, Integers
from sextant.strategies.black import greeks, implied, payoff, price

CALL, PUT = 1, -1


def one(value: float) -> Floats:
    return np.array([value])


def side(right: int) -> Integers:
    return np.array([right], dtype=np.int64)


def value(forward: float, strike: float, iv: float, years: float, right: int) -> float:
    return float(price(one(forward), one(strike), one(iv), one(years), side(right))[0])


def integrated(forward: float, strike: float, iv: float, years: float, right: int) -> float:
    """The mean payoff under a lognormal price of mean ``forward``, by quadrature: no formula in common."""
    spread = iv * math.sqrt(years)

    def at(x: float) -> float:
        settled = forward * math.exp(spread * x - 0.5 * spread * spread)
        return max(right * (settled - strike), 0.0) * math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)

    edge = (math.log(strike / forward) + 0.5 * spread * spread) / spread
    parts = [(-12.0, edge), (edge, 12.0)] if abs(edge) < 12 else [(-12.0, 12.0)]
    return math.fsum(quad(at, low, high, epsabs=1e-10, epsrel=1e-12, limit=200)[0] for low, high in parts)


def test_the_textbook_example_of_a_futures_option() -> None:
    """Hull, Options, Futures and Other Derivatives, 18.8: F = K = 20, 25 %, 4 months, 9 %: put 1.12 (undiscounted 1.1516)."""
    undiscounted = 1.12 / math.exp(-0.09 * 4 / 12)
    assert value(20.0, 20.0, 0.25, 4 / 12, PUT) == pytest.approx(undiscounted, abs=0.005)


@pytest.mark.parametrize("right", [CALL, PUT])
@pytest.mark.parametrize(("strike", "iv", "days"), [(60_000, 0.4, 14), (50_000, 0.62, 14), (90_000, 1.2, 300), (59_000, 0.2, 1)])  # fmt: skip
def test_values_equal_the_integrated_payoff(strike: float, iv: float, days: float, right: int) -> None:
    expected = integrated(60_000.0, strike, iv, days / 365, right)
    assert value(60_000.0, strike, iv, days / 365, right) == pytest.approx(expected, rel=1e-8, abs=1e-6)


def test_the_straddle_worked_by_hand() -> None:
    """strategies.md 3.9: 2 x 60,000 x (2 N(0.0401) - 1) = 3,843 at 41 % and 14 days."""
    spread = 0.41 * math.sqrt(14 / 365)
    expected = 2 * 60_000 * math.erf(0.5 * spread / math.sqrt(2))
    both = value(6e4, 6e4, 0.41, 14 / 365, CALL) + value(6e4, 6e4, 0.41, 14 / 365, PUT)
    assert both == pytest.approx(expected, rel=1e-12)
    assert both == pytest.approx(3_843.05, abs=0.01)


def test_without_time_or_volatility_the_value_is_intrinsic() -> None:
    assert value(100.0, 90.0, 0.0, 1.0, CALL) == 10.0
    assert value(100.0, 90.0, 0.5, 0.0, PUT) == 0.0
    assert math.isnan(value(100.0, 90.0, math.nan, 1.0, CALL))


@settings(max_examples=200, deadline=None)
@given(
    strike=st.floats(20_000, 200_000),
    iv=st.floats(0.1, 3.0),
    days=st.floats(1.0, 400.0),
)
def test_parity_monotony_and_the_way_back(strike: float, iv: float, days: float) -> None:
    years = days / 365
    call, put = (value(60_000.0, strike, iv, years, right) for right in (CALL, PUT))
    assert call - put == pytest.approx(60_000.0 - strike, abs=1e-6)
    assert value(60_000.0, strike * 1.01, iv, years, CALL) <= call
    for right, worth in ((CALL, call), (PUT, put)):
        intrinsic = max(right * (60_000.0 - strike), 0.0)
        if worth > intrinsic + 1.0:  # a time value of a dollar still determines the volatility
            back = implied(one(worth), one(60_000.0), one(strike), one(years), side(right))
            assert back[0] == pytest.approx(iv, rel=1e-6)


def test_a_value_outside_its_bounds_implies_nothing() -> None:
    values = np.array([9.9, 10.0, 100.0, 120.0, math.nan])
    ones = np.ones(5)
    assert np.isnan(implied(values, 100 * ones, 90 * ones, ones, np.ones(5, dtype=np.int64))).all()


@pytest.mark.parametrize("right", [CALL, PUT])
def test_greeks_equal_differences(right: int) -> None:
    forward, strike, iv, years = 60_000.0, 66_000.0, 0.62, 14 / 365
    found = greeks(one(forward), one(strike), one(iv), one(years), side(right))
    step = 1.0
    up, down = (value(forward + d, strike, iv, years, right) for d in (step, -step))
    here = value(forward, strike, iv, years, right)
    assert found.delta[0] == pytest.approx((up - down) / (2 * step), rel=1e-6)
    assert found.gamma[0] == pytest.approx((up - 2 * here + down) / step**2, rel=1e-3)
    point = value(forward, strike, iv + 1e-4, years, right) - value(forward, strike, iv - 1e-4, years, right)
    assert found.vega[0] == pytest.approx(point / 2e-4 / 100, rel=1e-6)
    hour = 1 / 24 / 365
    decay = value(forward, strike, iv, years - hour, right) - value(forward, strike, iv, years + hour, right)
    assert found.theta[0] == pytest.approx(decay * 12, rel=1e-4)


def test_a_payoff_is_what_lies_beyond_the_strike() -> None:
    settled = np.array([50.0, 100.0, 130.0])
    assert payoff(settled, 100.0, CALL).tolist() == [0.0, 0.0, 30.0]
    assert payoff(settled, 100.0, PUT).tolist() == [50.0, 0.0, 0.0]


@pytest.mark.data
def test_marks_and_greeks_of_a_recorded_chain_are_met(data_dir: Path) -> None:
    """330 BTC options of one moment: the venue's own marks, to half a tick, and its own greeks, to its digits."""
    with gzip.open(data_dir / "deribit_options" / "btc_chain_20260627T0926Z.json.gz") as packed:
        chain = json.load(packed)
    rules = {row["instrument_name"]: row for row in chain["instruments"]}
    rows = [row for row in chain["tickers"].values() if row["mark_iv"] > 0]
    assert len(rows) == 330
    forward = np.array([row["underlying_price"] for row in rows])
    strike = np.array([rules[row["instrument_name"]]["strike"] for row in rows])
    expiry = np.array([rules[row["instrument_name"]]["expiration_timestamp"] for row in rows])
    sent = np.array([row["timestamp"] for row in rows])
    years = (expiry - sent) / 1e3 / 86_400 / 365
    iv = np.array([row["mark_iv"] for row in rows]) / 100
    right = np.array([1 if rules[row["instrument_name"]]["option_type"] == "call" else -1 for row in rows])
    marks = np.array([row["mark_price"] for row in rows])
    off = np.abs(price(forward, strike, iv, years, right) / forward - marks)
    assert off.max() < 0.5 * 0.0005  # half the tick of all but the cheapest options
    assert np.median(off) < 0.5 * 0.0001  # the marks were recorded to four digits
    found = greeks(forward, strike, iv, years, right)
    told = {name: np.array([row["greeks"][name] for row in rows]) for name in ("delta", "vega", "theta")}
    assert np.abs(found.delta - told["delta"]).max() < 1e-4
    assert np.abs(found.vega - told["vega"]).max() < 0.02
    assert np.median(np.abs(found.theta / told["theta"] - 1.0)) < 1e-3


@settings(max_examples=200, deadline=None)
@given(
    forward=st.floats(0.01, 1e5),
    distance=st.floats(-5.0, 5.0),
    iv=st.floats(0.01, 15.0),
    years=st.floats(1e-4, 3.0),
    right=st.sampled_from([CALL, PUT]),
)
def test_the_volatility_of_any_value_gives_the_value_back_as_a_root_finder_does(
    forward: float, distance: float, iv: float, years: float, right: int
) -> None:
    strike = forward * math.exp(distance * iv * math.sqrt(years))
    assume(1e-300 < strike < 1e300)
    worth = value(forward, strike, iv, years, right)
    found = float(implied(one(worth), one(forward), one(strike), one(years), side(right))[0])
    intrinsic, ceiling = max(right * (forward - strike), 0.0), forward if right > 0 else strike
    if not intrinsic + 2e-9 * forward < worth < ceiling - 2e-9 * forward:
        return
    back = value(forward, strike, found, years, right)
    # The search ends when a step changes nothing that counts: in the wings that is some 1e-11 of a small value.
    assert back == pytest.approx(worth, abs=4e-15 * max(forward, strike) + 1e-10 * worth)
    root = brentq(lambda x: value(forward, strike, x, years, right) - worth, 1e-9, 20.0, xtol=1e-13)
    # As far apart as rounding of the value lets any two of them be.
    vega = 100.0 * float(greeks(one(forward), one(strike), one(iv), one(years), side(right)).vega[0])
    assert found == pytest.approx(root, abs=1e-9 + 1e-14 * max(forward, strike) / vega)


def test_a_value_that_only_more_than_twenty_would_explain_is_told_as_twenty() -> None:
    worth = value(100.0, 100.0, 25.0, 0.01, CALL)
    assert implied(one(worth), one(100.0), one(100.0), one(0.01), side(CALL)).tolist() == pytest.approx(
        [20.0]
    )
