"""Baskets: weights of bought and sold instruments that leave no exposure to what all of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.model.bar import Floats
from sextant.model.view import Flags

LEAST_SHARE: Final = 0.25
"""Share of the mean weight under which a leg is dropped."""

MOST_ROUNDS: Final = 5


@dataclass(frozen=True, eq=False)
class Weights:
    """Signed weights, float64 (n,), 0 where a leg was dropped; the larger side sums to 1."""

    value: Floats

    @property
    def kept(self) -> Flags:
        """Legs that remain, bool (n,)."""
        stays: Flags = self.value != 0.0
        return stays

    @property
    def longs(self) -> int:
        """Bought legs."""
        return int(np.count_nonzero(self.value > 0))

    @property
    def shorts(self) -> int:
        """Sold legs."""
        return int(np.count_nonzero(self.value < 0))


def neutral(wanted: Floats, exposures: Floats) -> Weights:
    """The weights nearest to those wanted that sum to 0 and carry no factor.

    Parameters
    ----------
    wanted
        Signed weights, float64 (n,), none of them 0.
    exposures
        float64 (n, k): exposure of each leg to each factor.

    Notes
    -----
    ``w = w0 - A (A'A)^-1 A' w0`` with A = [1, exposures]. Legs whose sign has flipped, or whose weight is under a
    quarter of the mean, are dropped and the rest is projected again, at most five times; then nothing is dropped any
    more. With no more legs than constraints nothing remains.
    """
    kept = np.ones(len(wanted), dtype=np.bool_)
    weights = np.zeros(len(wanted))
    for _ in range(MOST_ROUNDS):
        weights = np.zeros(len(wanted))
        if np.count_nonzero(kept) <= exposures.shape[1] + 1:
            break
        weights[kept] = _projected(wanted[kept], exposures[kept])
        size = np.abs(weights)
        weak = kept & ((weights * wanted <= 0) | (size < LEAST_SHARE * size[kept].mean()))
        if not weak.any():
            break
        kept &= ~weak
    else:
        weights[~kept] = 0.0
    larger = max(float(weights[weights > 0].sum()), float(-weights[weights < 0].sum()))
    return Weights(weights / larger if larger > 0 else np.zeros(len(wanted)))


def _projected(wanted: Floats, exposures: Floats) -> Floats:
    common = np.column_stack((np.ones(len(wanted)), exposures))
    part, *_ = np.linalg.lstsq(common, wanted, rcond=None)
    result: Floats = wanted - common @ part
    return result
