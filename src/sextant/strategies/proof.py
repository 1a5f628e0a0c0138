"""What evidence allows to be said about an idea: its gross edge, how sure, and its grade."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sextant.model.account import Grade
from sextant.model.scorecard import Scorecard

PROVEN_EVENTS: Final = 30.0
CAUTION: Final = 0.84  # standard errors between an edge and its lower bound


Cards = Callable[[int, int, float], Scorecard]
"""``card(column, direction, strength)``: the evidence for a signal of the last row."""


class Evidence:
    """The evidence for a signal: a glance at what needs no cost, and all of it where that is asked for.

    Parameters
    ----------
    cards
        Where it is from; where it has a ``glance`` that is asked first: the counts and the gross figures alone.
    column, direction, strength
        The signal.
    """

    def __init__(self, cards: Cards, column: int, direction: int, strength: float) -> None:
        self._signal: tuple[int, int, float] = column, direction, strength
        self._cards = cards
        look: Cards | None = getattr(cards, "glance", None)
        self.glance = (look or cards)(column, direction, strength)
        self._whole = self.glance if look is None else None

    def whole(self) -> Scorecard:
        """All of it."""
        if self._whole is None:
            self._whole = self._cards(*self._signal)
        return self._whole

    def variance(self) -> float | None:
        """Variance of past outcomes after costs; where the cards tell it by itself, nothing else is computed."""
        told: Callable[[int, float], float | None] | None = getattr(self._cards, "variance", None)
        if told is None or self._whole is not None:
            return self.whole().variance_frac
        return told(*self._signal[1:])


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


def contractual(gross_bps: float, edge_bps: float, seconds: float) -> Scorecard:
    """The evidence for what follows from prices and contracts: no past outcome stands behind it, and nothing is uncertain
    but whether all orders are filled.

    Parameters
    ----------
    gross_bps, edge_bps
        Before and after all costs.
    seconds
        Until it is earned.
    """
    return Scorecard(
        kind="analytic",
        status="analytic",
        reason="contractual: no past outcome stands behind it",
        source="contract",
        bucket="all",
        n=0,
        n_eff=0.0,
        clusters_count=0,
        gross_mean_bps=gross_bps,
        gross_se_bps=0.0,
        shrink_frac=1.0,
        expectancy_bps=edge_bps,
        expectancy_low_bps=edge_bps,
        expectancy_high_bps=edge_bps,
        median_s=seconds,
        grade="analytic",
    )


def grade_of(n_eff: float, edge_bps: float, edge_lcb_bps: float, deflated_p: float | None) -> Grade:
    """The grade of evidence from past events at given costs.

    Parameters
    ----------
    n_eff
        Independent events.
    edge_bps, edge_lcb_bps
        Shrunk gross mean less costs, and the same 0.84 standard errors lower.
    deflated_p
        Probability that survives multiple testing; None where it cannot be computed.

    Notes
    -----
    A: deflated_p >= 0.95 and n_eff >= 100. B: lower bound above 0 and n_eff >= 50. C: edge above 0 and n_eff >= 30. Without
    an edge above 0 nothing is graded.

    Examples
    --------
    >>> grade_of(120.0, 30.0, 12.0, 0.97), grade_of(60.0, 30.0, 12.0, 0.97), grade_of(60.0, 30.0, -1.0, 0.5)
    ('A', 'B', 'C')
    """
    if n_eff < PROVEN_EVENTS or not edge_bps > 0:
        return "unproven"
    if deflated_p is not None and deflated_p >= 0.95 and n_eff >= 100:
        return "A"
    return "B" if edge_lcb_bps > 0 and n_eff >= 50 else "C"
