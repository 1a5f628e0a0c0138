"""Changes of state from one evaluation to the next, each with what was behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.confluence import regime
from sextant.confluence.catalog import voices
from sextant.confluence.decision import REPEAT_NS, STATES
from sextant.confluence.explain import number, tree_of
from sextant.confluence.flips import Tree
from sextant.confluence.scorer import Evaluation
from sextant.model.instrument import Instrument

LARGEST: Final = 5


@dataclass(frozen=True)
class Change:
    """One change of state.

    Parameters
    ----------
    at_ns
        Time of the evaluation.
    before, after
        Of ``decision.STATES``.
    confluence, coverage, consensus
        D, K and C; None where nothing is present.
    largest
        The five sub-scores with the most points, largest first.
    regime
        The label.
    passport
        Quality by stream.
    """

    instrument: Instrument
    at_ns: int
    before: str
    after: str
    confluence: float | None
    coverage: float
    consensus: float | None
    largest: tuple[tuple[str, float], ...]
    regime: str
    passport: Mapping[str, float]


def changes(before: Evaluation, after: Evaluation) -> tuple[Change, ...]:
    """What changed from one evaluation to a later one of the same instruments, in the order of the columns."""
    if before.instruments != after.instruments:
        return ()
    moved = np.flatnonzero(before.now.machine[0] != after.now.machine[0])
    return tuple(_change(before, after, int(column)) for column in moved)


def is_repeat(told_ns: int | None, change: Change) -> bool:
    """Whether a change into the same state was told less than five minutes ago."""
    return told_ns is not None and change.at_ns - told_ns < REPEAT_NS


def _change(before: Evaluation, after: Evaluation, column: int) -> Change:
    folded = after.now.folded
    return Change(
        instrument=after.instruments[column].instrument,
        at_ns=after.as_of_ns,
        before=STATES[int(before.now.machine[0, column])],
        after=STATES[int(after.now.machine[0, column])],
        confluence=number(float(folded.confluence[0, column])),
        coverage=float(folded.coverage[0, column]),
        consensus=number(float(folded.consensus[0, column])),
        largest=_largest(after, tree_of(after, column), column),
        regime=regime.LABELS[int(after.history.label[-1, column])],
        passport={name: float(q[column]) for name, q in after.now.stream_quality.items()},
    )


def _largest(found: Evaluation, tree: Tree, column: int) -> tuple[tuple[str, float], ...]:
    folded = found.now.folded
    total = float(folded.weight[0, column])
    if total <= 0:
        return ()
    scale = 50.0 * float(folded.consensus[0, column]) * float(folded.factor[0, column]) / total
    points = [
        (voice.name, scale * voice.weight * tree.multipliers[voice.sub.family] * float(q) * float(s))
        for voice, s, q in zip(voices(), tree.signals, tree.quality, strict=True)
        if q > 0
    ]
    return tuple(sorted(points, key=lambda one: (-abs(one[1]), one[0]))[:LARGEST])
