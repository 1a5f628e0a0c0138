"""What evidence allows to be said about an idea: its gross edge, how sure, and its grade."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sextant.model.account import Grade
from sextant.model.scorecard import Scorecard

PROVEN_EVENTS: Final = 30.0
CAUTION: Final = 0.84  # standard errors between an edge and its lower bound


@dataclass(frozen=True)
class Proof:
    """Shrunk gross mean and its standard error, basis points; both None when unproven."""

    gross_bps: float | None
    error_bps: float | None


def proof_of(card: Scorecard) -> Proof:
    """What a scorecard proves; nothing under 30 independent events."""
    mean, se, shrink = card.gross_mean_bps, card.gross_se_bps, card.shrink_frac
    if card.n_eff < PROVEN_EVENTS or mean is None or se is None or shrink is None:
        return Proof(None, None)
    return Proof(shrink * mean, shrink * se)


def grade_of(card: Scorecard, edge_lcb_bps: float | None) -> Grade:
    """The grade of an idea with an edge above 0 at this account's costs; None as lower bound means unproven.

    Notes
    -----
    A: deflated_p >= 0.95 and n_eff >= 100. B: lower bound above 0 and n_eff >= 50. C: n_eff >= 30. Analytic values have no
    letter: their lower bound is above 0, or they are unproven.
    """
    if edge_lcb_bps is None or card.n_eff < PROVEN_EVENTS:
        return "unproven"
    if card.kind == "analytic":
        return "analytic" if edge_lcb_bps > 0 else "unproven"
    if card.deflated_p is not None and card.deflated_p >= 0.95 and card.n_eff >= 100:
        return "A"
    return "B" if edge_lcb_bps > 0 and card.n_eff >= 50 else "C"
