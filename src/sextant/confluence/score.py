"""The fold of signals and qualities into one score, coverage, disagreement and consensus.

Notes
-----
Sums run in the declared order of the sub-scores, one after the other, so that a column alone has the bits
of the column among many. Raising any signal never lowers D; negating all of them negates D exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.confluence.contract import Dimension, Family
from sextant.confluence.normalise import ramp
from sextant.model.bar import Floats

LEAST_COVERAGE: Final = 0.50
FULL_COVERAGE: Final = 0.90
DISSENT: Final = 2.0
"""The constant of C = 1/(1 + 2V): the largest under which D never falls when a signal rises."""

STRONG: Final = 70.0
LEANING: Final = 55.0
AGREED: Final = 0.8
SPLIT: Final = 0.6


@dataclass(frozen=True, eq=False)
class Folded:
    """What all sub-scores say together; arrays share the shape of one signal.

    Parameters
    ----------
    direction
        S, the weighted mean of the signals, in [-1, 1]; NaN where nothing is present.
    coverage
        K in [0, 1]: presence, age, gaps and venue agreement in one number.
    dissent
        V in [0, 1], disagreement between dimensions.
    consensus
        C in [1/3, 1].
    factor
        g in [0, 1], what the coverage leaves of the score.
    confluence
        D = S*C*g in [-1, 1]; NaN where nothing is present.
    weight
        Z, the sum of the used weights.
    dimensions
        U and n by dimension, in declared order; n is NaN where a dimension is empty.
    """

    direction: Floats
    coverage: Floats
    dissent: Floats
    consensus: Floats
    factor: Floats
    confluence: Floats
    weight: Floats
    dimensions: tuple[tuple[Floats, Floats], ...]

    @property
    def score(self) -> Floats:
        """50 + 50 D, 0..100."""
        out: Floats = 50.0 + 50.0 * self.confluence
        return out

    @property
    def points_lost(self) -> Floats:
        """Points that missing coverage took from the score, at least 0."""
        out: Floats = 50.0 * np.abs(self.direction) * self.consensus * (1.0 - self.factor)
        return out


def fold(
    dimensions: Sequence[Dimension],
    signals: Sequence[Floats],
    quality: Sequence[Floats],
    multipliers: Mapping[Family, Floats],
) -> Folded:
    """All sub-scores folded into one confluence.

    Parameters
    ----------
    dimensions
        Weights and order.
    signals, quality
        One array per sub-score in declared order, all of one shape: s in [-1, 1], read only where q > 0, and
        q in [0, 1], 0 where absent.
    multipliers
        What the regime makes of the weight of each family, above 0.
    """
    coverage = np.zeros(np.shape(signals[0]))
    parts: list[tuple[Floats, Floats]] = []
    at = 0
    for dimension in dimensions:
        used, moved = np.zeros(coverage.shape), np.zeros(coverage.shape)
        for sub in dimension.sub_scores:
            nominal = dimension.weight * sub.weight
            q = quality[at]
            coverage += nominal * q
            u = nominal * multipliers[sub.family] * q
            used += u
            moved += u * np.where(q > 0, signals[at], 0.0)
            at += 1
        parts.append((used, moved))
    return _together(coverage, parts)


def _together(coverage: Floats, parts: Sequence[tuple[Floats, Floats]]) -> Folded:
    weight, moved = np.zeros(coverage.shape), np.zeros(coverage.shape)
    for used, moment in parts:
        weight += used
        moved += moment
    with np.errstate(invalid="ignore", divide="ignore"):
        direction = np.where(weight > 0, moved / weight, np.nan)
        means = [np.where(used > 0, moment / used, np.nan) for used, moment in parts]
        spread = np.zeros(coverage.shape)
        for (used, _), mean in zip(parts, means, strict=True):
            apart = np.where(used > 0, mean - direction, 0.0)
            spread += used * (apart * apart)
        dissent = np.where(weight > 0, spread / weight, np.nan)
    consensus = 1.0 / (1.0 + DISSENT * dissent)
    factor = ramp(coverage, LEAST_COVERAGE, FULL_COVERAGE)
    return Folded(
        direction=direction,
        coverage=coverage,
        dissent=dissent,
        consensus=consensus,
        factor=factor,
        confluence=direction * consensus * factor,
        weight=weight,
        dimensions=tuple((used, mean) for (used, _), mean in zip(parts, means, strict=True)),
    )


def words(score: float) -> str:
    """What a score of 0..100 is called."""
    if score >= STRONG:
        return "strong long"
    if score >= LEANING:
        return "leaning long"
    if score > 100.0 - LEANING:
        return "neutral"
    return "leaning short" if score > 100.0 - STRONG else "strong short"


def agreement(consensus: float) -> str:
    """How far the dimensions agree: ``agreed``, ``split`` or ``mixed``."""
    if consensus >= AGREED:
        return "agreed"
    return "split" if consensus >= SPLIT else "mixed"
