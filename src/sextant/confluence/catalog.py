"""The six dimensions, heaviest first, and every sub-score of them in the one order of all arrays."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from sextant.confluence.contract import Dimension, SubScore
from sextant.errors import ConfigError
from sextant.kit.plugins import collect

_UNIT = 1e-9


@dataclass(frozen=True)
class Voice:
    """A sub-score within the tree.

    Parameters
    ----------
    dimension, sub
        What it is.
    weight
        Its share of the whole; those of all voices sum to 1.
    """

    dimension: Dimension
    sub: SubScore
    weight: float

    @property
    def name(self) -> str:
        """Dimension and sub-score, as ``orderflow.cvd``."""
        return f"{self.dimension.name}.{self.sub.name}"


@functools.cache
def dimensions() -> tuple[Dimension, ...]:
    """All dimensions, heaviest first.

    Raises
    ------
    ConfigError
        If a file of the library is broken, or the weights do not sum to 1.
    """
    found = collect("sextant.confluence.library", "DIMENSION", Dimension)
    for name, dimension in found.items():
        if dimension.name != name:
            raise ConfigError(f"The dimension of {name}.py calls itself {dimension.name}.")
    total = sum(dimension.weight for dimension in found.values())
    if abs(total - 1.0) > _UNIT:
        raise ConfigError(f"The weights of all dimensions sum to {total}, not to 1.")
    return tuple(sorted(found.values(), key=lambda one: -one.weight))


@functools.cache
def voices() -> tuple[Voice, ...]:
    """All sub-scores in the order of every array of this room."""
    return tuple(
        Voice(dimension, sub, dimension.weight * sub.weight)
        for dimension in dimensions()
        for sub in dimension.sub_scores
    )
