"""From a score to a state with hysteresis, and how far the state is from another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.indicators.compiling import compiled
from sextant.model.bar import Floats, Integers

STATES: Final = ("unknown", "neutral", "long", "short")
UNKNOWN: Final = 0
NEUTRAL: Final = 1
LONG: Final = 2
SHORT: Final = 3

LOSE: Final = 0.50
"""Coverage below which, twice running, nothing is known."""
REGAIN: Final = 0.55
ENTER: Final = 0.40
STRESS: Final = 0.10
LEAVE: Final = 0.30
TWICE: Final = 2
REPEAT_NS: Final = 300_000_000_000
"""A change for the same instrument and side is told again at the earliest after this time."""


@dataclass(frozen=True)
class Lines:
    """Where a state is entered and left, in units of D; symmetric unless an operator says otherwise.

    Parameters
    ----------
    long, short
        Entered at ``D >= long`` and ``D <= -short``, both above 0.
    """

    long: float = ENTER
    short: float = ENTER

    @property
    def symmetric(self) -> bool:
        """Whether long and short are asked the same."""
        return self.long == self.short


SYMMETRIC: Final = Lines()

Machine = Integers
"""(5, S): state; evaluations running without coverage, with regained coverage, above the line, below it."""


def machine(columns: int) -> Machine:
    """Columns of which nothing is known."""
    return np.zeros((5, columns), dtype=np.int64)


def entry(hv: Floats, ll: Floats) -> Floats:
    """What stress adds to the entering lines, 0 to .10."""
    out: Floats = STRESS * np.maximum(hv, ll)
    return out


def decide(
    state: Machine, confluence: Floats, coverage: Floats, stress: Floats, lines: Lines = SYMMETRIC
) -> Integers:
    """The state after each evaluation, positions in :data:`STATES`, int64 (R, S); ``state`` moves past them.

    Parameters
    ----------
    state
        As from :func:`machine`.
    confluence, coverage
        D and K, float64 (R, S); D may be NaN only where K < .50.
    stress
        From :func:`entry`, (R, S).
    lines
        Where a state is entered.
    """
    out = np.empty(coverage.shape, dtype=np.int64)
    d, k, e = (np.ascontiguousarray(np.broadcast_to(x, out.shape)) for x in (confluence, coverage, stress))
    _decide(state, (d, k, e), (lines.long, lines.short), out)
    return out


@compiled
def _decide(
    state: Machine, rows: tuple[Floats, Floats, Floats], lines: tuple[float, float], out: Integers
) -> None:
    confluence, coverage, stress = rows
    now, lost, regained, above, below = state[0], state[1], state[2], state[3], state[4]
    for t in range(out.shape[0]):
        for s in range(out.shape[1]):
            d, k = confluence[t, s], coverage[t, s]
            lost[s] = lost[s] + 1 if k < LOSE else 0
            regained[s] = regained[s] + 1 if now[s] == UNKNOWN and k >= REGAIN else 0
            if k < LOSE:
                above[s], below[s] = 0, 0
                if lost[s] >= TWICE:
                    now[s] = UNKNOWN
            elif now[s] == UNKNOWN:
                above[s], below[s] = 0, 0
                if regained[s] >= TWICE:
                    now[s] = NEUTRAL
            else:
                if (now[s] == LONG and d < LEAVE) or (now[s] == SHORT and d > -LEAVE):
                    now[s] = NEUTRAL
                above[s] = above[s] + 1 if d >= lines[0] + stress[t, s] else 0
                below[s] = below[s] + 1 if d <= -(lines[1] + stress[t, s]) else 0
                if now[s] == NEUTRAL and above[s] >= TWICE:
                    now[s] = LONG
                elif now[s] == NEUTRAL and below[s] >= TWICE:
                    now[s] = SHORT
            out[t, s] = now[s]


def leave_line(state: int) -> float:
    """D at which a state is left; 0 for those that have none."""
    return {LONG: LEAVE, SHORT: -LEAVE}.get(state, 0.0)
