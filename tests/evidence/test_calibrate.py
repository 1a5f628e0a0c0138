"""Stated probabilities against simulated outcomes whose probabilities are known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from sextant.evidence.calibrate import (
    ALL_LASTS,
    CELLS,
    SPREADS,
    Lasting,
    OutOfSample,
    Results,
    calibrate,
    rising,
    walk_forward,
)
from sextant.model.bar import Floats, Integers


def results_of(won: Floats, column: Integers, cell: Integers, per_cluster: int = 5) -> Results:
    """Outcomes one row after the other, a few to the cluster."""
    n = len(won)
    rows = np.arange(n)
    return Results(
        column=column,
        cell=cell,
        cluster=rows // per_cluster,
        row=rows,
        exit_row=rows + 3,
        gross=np.where(won > 0, 0.02, -0.02),
        won=won > 0,
    )


def simulated(rng: np.random.Generator, n: int, share: float, columns: int = 20, cell: int = 0) -> Results:
    return results_of(
        (rng.random(n) < share).astype(np.float64), rng.integers(0, columns, n), np.full(n, cell)
    )


def test_pooling_of_violators_is_as_worked_by_hand() -> None:
    assert rising(np.array([3.0, 2.0, 1.0]), np.array([1.0, 1.0, 2.0])).tolist() == [1.75, 1.75, 1.75]
    assert rising(np.array([0.1, 0.5, 0.4, 0.6]), np.ones(4)).tolist() == [0.1, 0.45, 0.45, 0.6]
    kept = np.array([0.1, 0.2, 0.2, 0.9])
    assert rising(kept, np.ones(4)).tolist() == kept.tolist()


def test_a_cell_is_shrunk_to_the_strategy_by_thirty_events() -> None:
    # Cell 0: 40 of 40 won; cell 4: 0 of 40. p_0 = 0.5; every event is its own cluster, so n_eff = n.
    won = np.repeat([1.0, 0.0], 40)
    cell = np.repeat([0, 4], 40)
    known = calibrate(results_of(won, np.zeros(80, dtype=np.int64), cell, per_cluster=1), 1)
    assert known is not None
    assert known.strategy_frac == 0.5
    assert known.cell_frac[0] == pytest.approx((40 + 15) / 70)
    assert known.cell_frac[4] == pytest.approx(15 / 70)
    # A bucket without events says what the strategy says, but not less than a weaker bucket that was seen.
    assert known.cell_frac[1:4].tolist() == pytest.approx([55 / 70] * 3)
    assert known.cell_frac[5:].tolist() == pytest.approx([0.5] * 3)


def test_buckets_rise_with_strength_in_each_direction() -> None:
    rng = np.random.default_rng(2)
    cell = rng.integers(0, CELLS, 4000)
    share = np.array([0.7, 0.5, 0.6, 0.4, 0.3, 0.4, 0.5, 0.6])[cell]
    won = (rng.random(4000) < share).astype(np.float64)
    known = calibrate(results_of(won, rng.integers(0, 5, 4000), cell), 5)
    assert known is not None
    assert np.all(np.diff(known.cell_frac[:4]) >= 0)
    assert np.ptp(known.cell_frac[:4]) < 0.05  # shares that fall with strength are pooled to one
    assert known.cell_frac[4:].tolist() == pytest.approx([0.3, 0.4, 0.5, 0.6], abs=0.06)


def test_too_few_independent_events_state_nothing() -> None:
    rng = np.random.default_rng(3)
    assert calibrate(simulated(rng, 29, 0.5), 20) is None
    alike = results_of(
        np.repeat(rng.random(10) < 0.5, 50).astype(np.float64),
        np.zeros(500, dtype=np.int64),
        np.zeros(500, dtype=np.int64),
        50,
    )
    assert calibrate(alike, 1) is None
    assert walk_forward(alike, 1, 520, 3) is None


def _likelihood(hits: Floats, counts: Floats, p: float, m: float) -> float:
    return float(stats.betabinom.logpmf(hits, counts, m * p, m * (1 - p)).sum())


@pytest.mark.parametrize(("own", "expected"), [(0.0, "high"), (0.18, "low")])
def test_the_spread_between_instruments_is_the_likeliest_of_the_grid(own: float, expected: str) -> None:
    rng = np.random.default_rng(5)
    column = np.repeat(np.arange(40), 50)
    share = np.clip(0.5 + own * rng.normal(size=40), 0.02, 0.98)[column]
    won = (rng.random(2000) < share).astype(np.float64)
    known = calibrate(results_of(won, column, np.zeros(2000, dtype=np.int64), per_cluster=1), 40)
    assert known is not None
    hits, counts = known.hits[:, 0], known.counts[:, 0]
    assert counts.tolist() == [50.0] * 40
    best = max(SPREADS, key=lambda m: _likelihood(hits, counts, float(known.cell_frac[0]), m))
    assert known.spread[0] == best
    assert (best >= 100) == (expected == "high")
    stated = known.stated(np.arange(40), np.zeros(40, dtype=np.int64))
    assert stated.tolist() == pytest.approx(((hits + best * known.cell_frac[0]) / (50 + best)).tolist())


def test_a_stated_bucket_of_70_percent_lies_in_its_own_interval() -> None:
    """strategies.md 2.8 (c): in about 90 of 100 campaigns; binomial(100, 0.9) stays above 82 in 99.5 %."""
    inside = 0
    for seed in range(100):
        known = calibrate(simulated(np.random.default_rng(seed), 300, 0.7), 20)
        assert known is not None
        low, high = known.interval(3, 0)
        inside += low <= 0.7 <= high
    assert inside >= 83


def test_a_sure_strategy_states_a_point() -> None:
    known = calibrate(
        results_of(np.ones(60), np.zeros(60, dtype=np.int64), np.zeros(60, dtype=np.int64), 1), 1
    )
    assert known is not None
    assert known.interval(0, 0) == (1.0, 1.0)


def test_probabilities_stated_beforehand_hold_afterwards() -> None:
    rng = np.random.default_rng(8)
    n = 4000
    cell = rng.integers(0, 4, n)
    share = np.array([0.35, 0.45, 0.55, 0.7])[cell]
    results = results_of((rng.random(n) < share).astype(np.float64), rng.integers(0, 10, n), cell)
    held = walk_forward(results, 10, n, 3)
    assert held is not None
    # The least Brier score that anybody can have is the mean of p(1 - p); entropy for the log loss.
    assert held.brier == pytest.approx(float((share * (1 - share)).mean()), abs=0.01)
    entropy = -(share * np.log(share) + (1 - share) * np.log1p(-share))
    assert held.log_loss == pytest.approx(float(entropy.mean()), abs=0.02)
    assert sum(row.n for row in held.reliability) == pytest.approx(n * 8 / 9, rel=0.01)
    for row in held.reliability:
        assert row.bucket_low <= row.stated_frac <= row.bucket_high
        if row.n > 200:
            assert row.stated_frac == pytest.approx(row.observed_frac, abs=0.06)


def test_what_comes_later_never_changes_what_was_stated_before() -> None:
    """Outcomes after the last cut cannot move predictions; turned round, only the score of those rows moves."""
    rng = np.random.default_rng(10)
    n, horizon = 900, 20
    results = simulated(rng, n, 0.6)
    last_cut = n * 8 // 9
    late = results.row >= last_cut + horizon
    turned = results._replace(won=np.where(late, ~results.won, results.won))
    first = walk_forward(results, 20, n, horizon)
    second = walk_forward(turned, 20, n, horizon)
    assert first is not None
    assert second is not None
    stated = [row.stated_frac for row in first.reliability]
    assert stated == [row.stated_frac for row in second.reliability]
    assert first.brier != second.brier


def test_the_embargo_keeps_signals_of_the_next_horizon_out() -> None:
    """With everything won until one cut and lost after it, the table of that cut speaks only a horizon later."""
    n, horizon = 900, 90
    row = np.arange(n)
    won = row < 500
    results = Results(
        np.zeros(n, dtype=np.int64),
        np.zeros(n, dtype=np.int64),
        row,
        row,
        row + horizon,
        np.where(won, 0.01, -0.01),
        won,
    )
    held = walk_forward(results, 1, n, horizon)
    assert held is not None
    # The table of the first cut (row 100) holds rows 0..10: too few. From the second on, rows 200 + 90 .. 899.
    assert sum(r.n for r in held.reliability) == n - 290


def season(
    seed: int, own: float = 0.0, by_cell: tuple[float, ...] = (0.0,) * CELLS, turns: float = 0.0
) -> Results:
    """5,000 events of 100 instruments over 250 days; days favour longs or shorts by ``turns``, instruments by ``own``."""
    rng = np.random.default_rng(seed)
    n, days, columns = 5_000, 250, 100
    day = np.sort(rng.integers(0, days, n))
    column = rng.integers(0, columns, n)
    cell = rng.integers(0, CELLS, n)
    share = 0.5 + np.array(by_cell)[cell] + (own * rng.standard_normal(columns))[column]
    share += np.where(cell < CELLS // 2, 1.0, -1.0) * (turns * rng.standard_normal(days))[day]
    won = rng.random(n) < np.clip(share, 0.02, 0.98)
    row = day * 24 + rng.integers(0, 24, n)
    row.sort()
    return Results(column, cell, day, row, row + 12, np.where(won, 0.01, -0.01), won)


def held(results: Results) -> OutOfSample:
    known = walk_forward(results, 100, 250 * 24 + 13, 24)
    assert known is not None
    return known


def inside(seasons: list[OutOfSample]) -> tuple[int, int]:
    rows = [row for known in seasons for row in known.reliability if row.n >= 30]
    return sum(row.low_frac <= row.stated_frac <= row.high_frac for row in rows), len(rows)


def test_differences_that_are_luck_are_hardly_stated() -> None:
    """All events win half of the time: what the luckiest cells and instruments showed must not be promised."""
    seasons = [held(season(seed)) for seed in range(12)]
    assert np.mean([known.lasting.cells for known in seasons]) < 0.25
    assert np.mean([known.lasting.instruments for known in seasons]) < 0.25
    # Nobody can score less than 0.25.
    assert np.mean([known.brier for known in seasons]) < 0.2503
    good, rows = inside(seasons)
    assert good >= 0.75 * rows


def test_what_days_favour_is_not_taken_for_a_difference_that_lasts() -> None:
    seasons = [held(season(seed, turns=0.15)) for seed in range(12)]
    assert np.mean([known.brier for known in seasons]) < 0.2505
    assert np.mean([known.lasting.cells for known in seasons]) < 0.4


def test_differences_that_last_are_stated_and_a_bucket_of_70_percent_holds() -> None:
    by_cell = (-0.2, -0.05, 0.1, 0.22, -0.2, -0.05, 0.1, 0.22)
    seasons = [held(season(seed, by_cell=by_cell)) for seed in range(12)]
    assert np.mean([known.lasting.cells for known in seasons]) > 0.9
    rows = [row for known in seasons for row in known.reliability if row.bucket_low == 0.7 and row.n >= 30]
    assert len(rows) >= 8
    for row in rows:
        assert row.observed_frac == pytest.approx(0.72, abs=0.06)
    # Nine of ten, less what is not yet known when the first tables speak.
    assert sum(row.low_frac <= row.stated_frac <= row.high_frac for row in rows) >= 0.7 * len(rows)


def test_instruments_that_differ_are_told_apart() -> None:
    seasons = [held(season(seed, own=0.15)) for seed in range(6)]
    assert np.mean([known.lasting.instruments for known in seasons]) > 0.6
    blind = [held(season(seed)) for seed in range(6)]
    assert np.mean([known.brier for known in seasons]) < np.mean([known.brier for known in blind]) - 0.002


def test_before_two_tables_were_tested_only_the_fraction_of_the_strategy_is_stated() -> None:
    results = season(1, by_cell=(-0.3, -0.3, 0.3, 0.3, -0.3, -0.3, 0.3, 0.3))
    known = held(results)
    second_cut = (250 * 24 + 13) * 3 // 9 + 24
    early = results.row[known.event] < second_cut
    assert early.any()
    assert len(np.unique(known.stated[early])) == 2
    assert len(np.unique(known.stated[~early])) > 20


def test_what_lasts_by_half_is_stated_by_half() -> None:
    results = season(3, own=0.2)
    whole = calibrate(results, 100)
    assert whole is not None
    assert whole.lasting == ALL_LASTS
    column, cell = np.arange(100), np.zeros(100, dtype=np.int64)
    by_cell, by_instrument = whole.differences(column, cell)
    half = dataclasses.replace(whole, lasting=Lasting(1.0, 0.5)).stated(column, cell)
    assert half.tolist() == pytest.approx((whole.strategy_frac + by_cell + 0.5 * by_instrument).tolist())
    assert whole.stated(column, cell).tolist() == pytest.approx(
        (whole.strategy_frac + by_cell + by_instrument).tolist()
    )
