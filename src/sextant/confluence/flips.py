"""What would change a decision: the value of each signal, or the shift of a dimension, that takes D to a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.confluence.catalog import dimensions, voices
from sextant.confluence.contract import Family
from sextant.confluence.score import fold
from sextant.model.bar import Floats

_HALVINGS: Final = 54
"""From an interval of 2 to the last bit of a signal."""


@dataclass(frozen=True)
class Tree:
    """One instrument's signals and qualities, (J,), and what the regime makes of its weights."""

    signals: Floats
    quality: Floats
    multipliers: Mapping[Family, float]

    def confluence(self, signals: Floats) -> Floats:
        """D of some variants of the signals, (J, n) to (n,)."""
        n = signals.shape[1]
        found = fold(
            dimensions(),
            list(signals),
            [np.full(n, q) for q in self.quality],
            {family: np.full(n, m) for family, m in self.multipliers.items()},
        )
        return found.confluence


@dataclass(frozen=True)
class Flip:
    """A change of one signal, or one shift of a whole dimension, that takes D to a line.

    Parameters
    ----------
    name
        ``dimension.sub_score``, or the name of a dimension.
    line
        D that is reached.
    now, to
        Value of the signal now and then; of a dimension the shift, 0 now.
    """

    name: str
    line: float
    now: float
    to: float

    @property
    def distance(self) -> float:
        """How far it is."""
        return abs(self.to - self.now)


def flips(tree: Tree, line: float) -> tuple[Flip, ...]:
    """What alone takes D to a line, nearest first; where no signal can, what a dimension as a whole would need.

    Parameters
    ----------
    tree
        The instrument.
    line
        D to reach.
    """
    present = np.flatnonzero(tree.quality > 0)
    if not len(present):
        return ()
    base = np.where(tree.quality > 0, tree.signals, 0.0)

    def alone(x: Floats) -> Floats:
        variants = np.repeat(base[:, None], len(present), axis=1)
        variants[present, np.arange(len(present))] = x
        return tree.confluence(variants)

    ends = (np.full(len(present), -1.0), np.full(len(present), 1.0))
    found = [
        Flip(voices()[j].name, line, float(base[j]), x)
        for j, x in zip(present.tolist(), _reach(alone, ends, line), strict=True)
        if x is not None
    ]
    return tuple(sorted(found or _shifted(tree, base, line), key=lambda flip: (flip.distance, flip.name)))


def _shifted(tree: Tree, base: Floats, line: float) -> list[Flip]:
    """Shifts of whole dimensions, each signal held in [-1, 1]."""
    names = [dimension.name for dimension in dimensions()]
    of = np.array([names.index(voice.dimension.name) for voice in voices()])
    member = (of[:, None] == np.arange(len(names))[None, :]) & (tree.quality[:, None] > 0)

    def together(shift: Floats) -> Floats:
        moved = np.clip(base[:, None] + shift[None, :], -1.0, 1.0)
        return tree.confluence(np.where(member, moved, base[:, None]))

    ends = (np.full(len(names), -2.0), np.full(len(names), 2.0))
    return [
        Flip(name, line, 0.0, x)
        for name, x in zip(names, _reach(together, ends, line), strict=True)
        if x is not None
    ]


def _reach(value: Callable[[Floats], Floats], ends: tuple[Floats, Floats], line: float) -> list[float | None]:
    """Where each of some rising functions passes a line within its ends; None where it does not."""
    low, high = ends[0].copy(), ends[1].copy()
    inside = (value(low) <= line) & (value(high) >= line)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        below = value(middle) < line
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return [float(x) if good else None for x, good in zip(0.5 * (low + high), inside, strict=True)]
