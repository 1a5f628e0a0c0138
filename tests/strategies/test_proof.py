from __future__ import annotations

import pytest

from sextant.model.scorecard import Scorecard
from sextant.strategies.proof import Evidence, Proof, grade_of, proof_of
from support.cards import UNPROVEN, proven


def test_the_mean_and_its_error_shrink_together() -> None:
    assert proof_of(proven()) == Proof(pytest.approx(120.0), pytest.approx(16.0))  # type: ignore[arg-type]  # approx


class _Cards:
    """Cards that count how often all of one was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, float]] = []

    def __call__(self, column: int, direction: int, strength: float) -> Scorecard:
        self.asked.append((column, direction, strength))
        return proven(variance_frac=0.04)

    def glance(self, column: int, direction: int, strength: float) -> Scorecard:
        return UNPROVEN

    def variance(self, direction: int, strength: float) -> float | None:
        return 0.01 * direction * strength


def test_evidence_makes_a_whole_card_once_and_only_for_whoever_reads_it() -> None:
    cards = _Cards()
    evidence = Evidence(cards, 3, 1, 2.0)
    assert (evidence.glance, evidence.variance(), cards.asked) == (UNPROVEN, 0.02, [])
    assert evidence.whole() is evidence.whole()
    assert cards.asked == [(3, 1, 2.0)]
    assert evidence.variance() == 0.04


def test_cards_without_a_glance_are_whole_at_once() -> None:
    evidence = Evidence(lambda *_: proven(variance_frac=0.04), 0, 1, 1.0)
    assert evidence.whole() is evidence.glance
    assert evidence.variance() == 0.04


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
