from __future__ import annotations

import numpy as np
import pytest

from sextant.confluence.market_wide import (
    DWELL_NS,
    LEAD_ROWS,
    NO_LEAD,
    Held,
    Mood,
    Paid,
    Share,
    breadth,
    dispersion,
    following,
    leads_of,
    liquidation_risk,
    pulse,
    ranks,
    regime_of,
)
from sextant.model.bar import Floats

N = np.nan


def everyone(x: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.ones(len(x), dtype=np.bool_)


def test_breadth_counts_the_still_half_and_tells_of_how_many() -> None:
    moved = np.array([0.1, -0.1, 0.0, 0.2, N])
    found = breadth(moved, everyone(moved))
    assert (found.frac, found.n, found.of) == (2.5 / 4, 4, 5)
    weighted = breadth(moved, everyone(moved), np.array([1.0, 7.0, 1.0, 1.0, 1.0]))
    assert weighted.frac == 2.5 / 10
    assert breadth(np.array([N]), np.array([True])).frac is None


def test_breadth_of_the_mirror_is_the_rest() -> None:
    moved = np.random.default_rng(1).normal(size=41).round(1)
    one, other = breadth(moved, everyone(moved)).frac, breadth(-moved, everyone(moved)).frac
    assert one is not None
    assert other is not None
    assert one + other == pytest.approx(1.0)


def test_dispersion_is_the_scaled_lower_median_distance() -> None:
    moved = np.array([0.0, 0.01, 0.02, 0.05, N])  # lower median .01, distances 0 .01 .01 .04
    found = dispersion(moved, everyone(moved))
    assert found.frac == pytest.approx(1.4826 * 0.01)
    assert (found.n, found.of) == (4, 5)


def mood(**changes: float | None) -> Mood:
    usual: dict[str, float | None] = {
        "up_24h": 0.5,
        "median_24h": 0.001,
        "leader_24h": 0.0,
        "dispersion": 0.02,
        "usual_dispersion": 0.02,
        "leader_hv": 0.0,
    }
    return Mood(**usual | changes)


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({}, "mixed"),
        ({"up_24h": None}, "unknown"),
        ({"dispersion": 0.041}, "stress"),
        ({"leader_hv": 0.6}, "stress"),
        ({"up_24h": 0.6}, "broad_up"),
        ({"up_24h": 0.4, "median_24h": -0.001}, "broad_down"),
        ({"leader_24h": 0.011, "median_24h": -0.001}, "narrow_up"),
        ({"leader_24h": -0.011}, "narrow_down"),
    ],
)
def test_market_has_a_regime(changes: dict[str, float | None], label: str) -> None:
    assert regime_of(mood(**changes), Held("unknown", 0), 5).label == label


def test_regime_dwells_and_a_broad_one_is_left_later_than_entered() -> None:
    up = regime_of(mood(up_24h=0.6), Held("unknown", 0), 0)
    assert regime_of(mood(up_24h=0.2), up, DWELL_NS - 1) == up
    assert regime_of(mood(up_24h=0.56), up, DWELL_NS).label == "broad_up"
    assert regime_of(mood(up_24h=0.54), up, DWELL_NS).label == "mixed"


def test_beta_of_the_leader_to_itself_is_one_and_of_doubled_returns_two() -> None:
    r = np.random.default_rng(2).normal(0, 0.01, 300)
    found = following(np.stack([r, 2 * r + 0.001, np.full(300, N), np.zeros(300)], axis=1), 0)
    assert found.beta[:2] == pytest.approx([1.0, 2.0])
    assert found.alpha[:2] == pytest.approx([0.0, 0.001], abs=1e-12)
    assert found.explained[:2] == pytest.approx([1.0, 1.0])
    assert np.isnan(found.beta[2])
    assert np.isnan(found.corr[3])
    assert found.n.tolist() == [300, 300, 0, 300]


def test_beta_needs_four_rows_in_five_and_a_leader_that_moves() -> None:
    r = np.random.default_rng(3).normal(size=(100, 2))
    r[:21, 1] = N
    assert np.isnan(following(r, 0).beta[1])
    assert np.isnan(following(np.stack([np.zeros(50), r[50:, 0]], axis=1), 0).beta).all()


def test_leader_that_goes_ahead_is_found_with_its_lag() -> None:
    rng = np.random.default_rng(4)
    led = rng.normal(size=LEAD_ROWS)
    behind = np.concatenate([rng.normal(size=3), led[:-3]]) + 0.3 * rng.normal(size=LEAD_ROWS)
    hole = np.where(np.arange(LEAD_ROWS) == 7, N, behind)
    moved = np.stack([behind, led, -behind, rng.normal(size=LEAD_ROWS), hole, np.zeros(LEAD_ROWS)], axis=1)
    assert leads_of(moved, 1).tolist() == [3, NO_LEAD, 3, NO_LEAD, NO_LEAD, NO_LEAD]
    assert leads_of(moved[:100], 1).tolist() == [NO_LEAD] * 6
    assert leads_of(moved, 4).tolist() == [NO_LEAD] * 6


def test_lag_is_that_of_the_largest_correlation_of_what_both_have() -> None:
    rng = np.random.default_rng(5)
    led = rng.normal(size=LEAD_ROWS)
    other = np.concatenate([rng.normal(size=5), 0.5 * led[:-5]]) + rng.normal(size=LEAD_ROWS)
    by_hand = [abs(float(np.corrcoef(led[: LEAD_ROWS - lag], other[lag:])[0, 1])) for lag in range(11)]
    assert int(np.argmax(by_hand)) == 5
    assert leads_of(np.stack([led, other], axis=1), 0).tolist() == [NO_LEAD, 5]


def paid(size: int = 4, **known: list[float]) -> Paid:
    return Paid(**{name: np.array(known.get(name, [N] * size)) for name in Paid.__dataclass_fields__})


def test_pulse_is_measured_or_absent() -> None:
    found = pulse(
        paid(
            f8=[0.0001, 0.0003, -0.0001, N],
            interest_usd=[100.0, 300.0, N, 50.0],
            before_usd=[80.0, N, 10.0, 50.0],
            long_share=[0.4, N, 0.9, 0.7],
            closed_long_usd=[5.0, N, N, 7.0],
        ),
        np.ones(4, dtype=np.bool_),
    )
    assert found.f8_weighted.frac == pytest.approx((0.0001 * 100 + 0.0003 * 300) / 400)
    assert found.f8_weighted.n == 2
    assert found.f8_median.frac == 0.0001
    assert found.f8_positive.frac == pytest.approx(2 / 3)
    assert found.open_interest_usd.frac == 450
    assert found.open_interest_change == Share(150 / 130 - 1, 2, 4)
    assert found.long_share_weighted == Share((40 + 35) / 150, 2, 4)
    assert found.closed_long_usd == Share(12.0, 2, 4)
    assert found.closed_short_usd == Share(None, 0, 4)
    assert (found.basis_median.frac, found.basis_median.n) == (None, 0)


def test_risk_is_made_of_ranks_so_that_an_outlier_decides_nothing() -> None:
    interest = np.array([1.0, 2.0, 1e12])
    same = np.array([0.1, 0.1, 0.1])
    found = liquidation_risk(interest, same, same, same)
    assert found == pytest.approx(0.65 * 0.5 + 0.35 * np.array([0, 0.5, 1.0]))
    assert np.isnan(ranks(np.array([N, 2.0]))[0])
