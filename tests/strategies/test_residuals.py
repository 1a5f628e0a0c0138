from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sextant.model.bar import Floats
from sextant.model.times import INTERVAL_NS
from sextant.model.view import View, bar_frame
from sextant.strategies.columns import Columns
from sextant.strategies.residuals import GRID_ROWS, Residuals, residuals_of
from support.bar_markets import residual_market
from support.markets import FIRST_OPEN_NS, bars_of, closes_of, framed, known_at, specs_of, view_of

SEEN = 380


def small(size: int = 12, rows: int = SEEN, seed: int = 3) -> tuple[View, Floats]:
    """Instruments on one common factor with noise of their own; the view and its log returns."""
    rng = np.random.default_rng(seed)
    steps = 0.01 * rng.standard_normal((rows, 1)) * rng.uniform(0.5, 1.5, size)
    steps += 0.004 * rng.standard_normal((rows, size))
    return view_of(framed("4h", bars_of(closes_of(steps.T))), specs_of(size, "perpetual")), steps


def read(view: View) -> Residuals:
    return residuals_of(Columns(view), "4h", np.ones(view.size, dtype=np.bool_))


def test_the_scores_of_the_page_stand_on_the_last_row() -> None:
    score = read(residual_market()).score[-1]
    assert score[[3, 11, 19, 7, 23, 31]] == pytest.approx([-3.1, -2.4, -3.0, 2.9, 2.4, 2.4], abs=0.05)


def test_factors_are_refitted_on_closes_that_are_multiples_of_six_intervals() -> None:
    view, _ = small()
    known = read(view)
    closes = view.bars["4h"].open_ns // INTERVAL_NS["4h"] + 1
    assert [int(closes[fit.row] % GRID_ROWS) for fit in known.fits] == [0] * len(known.fits)
    assert known.fits[0].row == 365  # the first close on the grid with 360 returns up to it
    assert (known.fit[:365] == -1).all()
    assert known.fit[365] == 0
    assert known.fit[371] == 1
    assert np.isnan(known.score[:365]).all()
    assert FIRST_OPEN_NS % (GRID_ROWS * INTERVAL_NS["4h"]) == 0


def test_a_fit_is_that_of_least_squares_on_the_leading_eigenvectors() -> None:
    """Against numpy's full decomposition, its least squares, and the AR(1) of one column by hand."""
    view, _ = small()
    known = read(view)
    fit = known.fits[0]
    r = np.diff(np.log(view.bars["4h"].close), axis=0, prepend=np.nan)
    window, recent = r[fit.row - 359 : fit.row + 1], r[fit.row - 119 : fit.row + 1]
    values, vectors = np.linalg.eigh(np.corrcoef(window.T))
    assert values[-1] / len(values) > 0.55
    assert fit.loadings.shape == (12, 1)
    factor = recent @ (vectors[:, -1] / window.std(axis=0, ddof=1))
    design = np.column_stack((np.ones(120), factor))
    (alpha, beta), *_ = np.linalg.lstsq(design, recent[:, 4], rcond=None)
    rest = recent[:, 4] - design @ np.array([alpha, beta])
    own = recent[:, fit.pool] @ fit.loadings @ fit.beta[:, 4] + fit.alpha[4]
    assert recent[:, 4] - own == pytest.approx(rest, abs=1e-12)
    assert fit.r2[4] == pytest.approx(1.0 - rest.var() / recent[:, 4].var())
    summed = np.cumsum(rest)
    assert summed[-1] == pytest.approx(0.0, abs=1e-12)
    (a, b), *_ = np.linalg.lstsq(np.column_stack((np.ones(119), summed[:-1])), summed[1:], rcond=None)
    noise = summed[1:] - a - b * summed[:-1]
    assert fit.keep[4] == pytest.approx(b)
    error = np.sqrt(noise @ noise / 117 / ((summed[:-1] - summed[:-1].mean()) ** 2).sum())
    assert fit.t_stat[4] == pytest.approx((b - 1.0) / error)
    assert fit.spread[4] == pytest.approx(np.sqrt(noise.var(ddof=1) / (1.0 - b * b)))


def test_between_fits_the_sum_goes_on_at_frozen_exposures() -> None:
    view, _ = small()
    known = read(view)
    fit = known.fits[0]
    r = np.diff(np.log(view.bars["4h"].close), axis=0, prepend=np.nan)
    assert known.score[365] == pytest.approx(-fit.centre / fit.spread)
    rest = r[366:368] - fit.alpha - r[366:368][:, fit.pool] @ fit.loadings @ fit.beta
    assert known.score[367] == pytest.approx((rest.sum(axis=0) - fit.centre) / fit.spread)


def test_the_hedge_of_an_event_earns_what_the_factors_earned_while_it_was_held() -> None:
    view, _ = small()
    known = read(view)
    fit = known.fits[0]
    one = np.array([4]), np.array([366]), np.array([367]), np.array([369])
    bought = fit.loadings @ fit.beta[:, 4]
    close = view.bars["4h"].close[:, fit.pool]
    expected = (close[369] / close[366] - 1.0) @ bought
    assert known.returns(*one)[0] == pytest.approx(expected)
    assert known.exposures()[4] == pytest.approx(known.fits[-1].beta[:, 4])


def test_a_gap_leaves_an_instrument_out_and_the_others_speak() -> None:
    view, _ = small()
    frame = view.bars["4h"]
    fields = {
        name: getattr(frame, name).copy()
        for name in ("open", "high", "low", "close", "volume", "quote_volume")
    }
    fields["close"][350, 4] = np.nan
    known = read(dataclasses.replace(view, bars={"4h": bar_frame("4h", frame.open_ns, fields)}))
    assert 4 not in known.fits[0].pool
    assert np.isnan(known.score[:, 4]).all()
    assert np.isfinite(known.score[365:, :4]).all()


def test_a_price_that_never_moves_reverts_to_nothing() -> None:
    view, _ = small()
    frame = view.bars["4h"]
    fields = {
        name: getattr(frame, name).copy()
        for name in ("open", "high", "low", "close", "volume", "quote_volume")
    }
    fields["close"][:, 4] = 100.0
    known = read(dataclasses.replace(view, bars={"4h": bar_frame("4h", frame.open_ns, fields)}))
    assert 4 not in known.fits[0].pool
    assert not (np.abs(known.score[365:, 4]) > 0).any()


def test_fewer_than_ten_instruments_make_no_factors() -> None:
    view, _ = small(size=9)
    known = read(view)
    assert known.fits == ()
    assert np.isnan(known.score).all()
    assert known.exposures().shape == (9, 0)


def test_a_shorter_past_gives_the_same_rows_bit_for_bit() -> None:
    view, _ = small(rows=400)
    whole = read(view)
    for rows in (366, 367, 370, 371, 372, 399):
        cut = read(known_at(view, int(view.bars["4h"].open_ns[rows - 1]) + INTERVAL_NS["4h"]))
        np.testing.assert_array_equal(cut.score, whole.score[:rows])
