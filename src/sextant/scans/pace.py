"""How long the parts of scoring take, against what they may."""

from __future__ import annotations

from collections import deque
from statistics import median_low
from typing import Final

from sextant.kit.conditions import Conditions

SCORES: Final = "scores"
RUNS: Final = 20
"""The median of so many runs is judged."""
CALM: Final = 0.8
"""Share of its budget below which a slow part is slow no longer."""
FAR: Final = 5.0
"""At so many times its budget a part that no score needs is left out once."""
BESIDE: Final = 5.0
"""Times the budget of scores that a part may take which comes after them and which none of them waits for."""
LEAST_S, LEAST_SIZE = 0.015, 50
MOST_S, MOST_SIZE = 0.100, 1_000


def budget_s(size: int) -> float:
    """Seconds a part may take at a bar's close: 15 ms for 50 instruments and fewer, 100 ms for 1,000, on a line between and beyond.

    Examples
    --------
    >>> budget_s(10), budget_s(1_000)
    (0.015, 0.1)
    """
    share = max(0, size - LEAST_SIZE) / (MOST_SIZE - LEAST_SIZE)
    return round(LEAST_S + share * (MOST_S - LEAST_S), 9)


class Pace:
    """Judges the parts of scoring by the time they took.

    Parameters
    ----------
    conditions
        Where ``slow_calculation`` opens and closes.
    """

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self._taken: dict[str, deque[float]] = {}
        self._slow: set[str] = set()
        self._skip: set[str] = set()

    def note(self, part: str, seconds: float, size: int) -> None:
        """Take the time of one run over so many instruments."""
        runs = self._taken.setdefault(part, deque(maxlen=RUNS))
        runs.append(seconds)
        allowed = budget_s(size) * (1.0 if part == SCORES else BESIDE)
        if seconds > FAR * allowed:
            self._skip.add(part)
        if len(runs) < RUNS:
            return
        usual = median_low(runs)
        if usual > allowed:
            self._slow.add(part)
        elif usual < CALM * allowed:
            self._slow.discard(part)
        self._conditions.note(
            "slow_calculation",
            part,
            holds=part in self._slow,
            median_s=round(usual, 4),
            allowed_s=allowed,
        )

    def skips(self, part: str) -> bool:
        """Whether a part is left out this once because its last run took far too long."""
        if part in self._skip:
            self._skip.discard(part)
            return True
        return False
