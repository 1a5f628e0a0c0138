from __future__ import annotations

import pytest

from sextant.strategies.proof import Proof, grade_of, proof_of
from support.cards import UNPROVEN, proven


def test_the_mean_and_its_error_shrink_together() -> None:
    assert proof_of(proven()) == Proof(pytest.approx(120.0), pytest.approx(16.0))  # type: ignore[arg-type]  # approx


def test_too_few_events_or_missing_figures_prove_nothing() -> None:
    assert proof_of(UNPROVEN) == Proof(None, None)
    assert proof_of(proven(n_eff=29.9)) == Proof(None, None)
    assert proof_of(proven(gross_se_bps=None)) == Proof(None, None)


@pytest.mark.parametrize(
    ("n_eff", "edge", "lcb", "deflated", "grade"),
    [
        (100.0, 9.0, -1.0, 0.95, "A"),
        (99.0, 9.0, 1.0, 0.99, "B"),
        (50.0, 9.0, 1.0, None, "B"),
        (49.0, 9.0, 1.0, 0.99, "C"),
        (30.0, 9.0, -5.0, 0.99, "C"),
        (29.0, 9.0, 5.0, 0.99, "unproven"),
        (500.0, 0.0, -5.0, 0.99, "unproven"),
    ],
)
def test_grades_follow_the_page(n_eff: float, edge: float, lcb: float, deflated: float, grade: str) -> None:
    assert grade_of(n_eff, edge, lcb, deflated) == grade
