"""How often earlier entries of the same strength reached their first target: a probability with its number, or nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from sextant.confluence.passport import Absent, absent
from sextant.model.instrument import Instrument
from sextant.model.times import INTERVAL_NS, MINUTE_NS
from sextant.model.view import BarFrame

HORIZON_NS: Final = INTERVAL_NS["4h"]
EDGES: Final = (0.40, 0.50, 0.60, 0.80)
"""Lower edges of the buckets of abs(D) at entry; the last has no end."""
LEAST: Final = 30
Z_90: Final = 1.6448536269514722
"""Nine tenths of a normal distribution lie within so many deviations."""


@dataclass(frozen=True)
class Trial:
    """An entry that had a plan.

    Parameters
    ----------
    strength
        abs(D) when the state was entered.
    entry, stop, target
        Prices of the plan; the target is the first.
    cost_frac
        Round trip, fraction of the entry, that a return at the horizon must beat.
    """

    instrument: Instrument
    at_ns: int
    side: Literal["long", "short"]
    strength: float
    entry: float
    stop: float
    target: float
    cost_frac: float = 0.0


@dataclass(frozen=True)
class Confidence:
    """A probability with its sample.

    Parameters
    ----------
    probability
        (k+1)/(n+2).
    low, high
        Wilson's interval of 90 %.
    hits, count
        k and n of the bucket, neighbours pooled.
    least, most
        The strengths that were pooled; ``most`` is None where it has no end.
    """

    probability: float
    low: float
    high: float
    hits: int
    count: int
    least: float
    most: float | None


def outcome(trial: Trial, bars: BarFrame, column: int) -> int | None:
    """Whether an entry came good: 1 for the target first, 0 for the stop first, else the sign of the net return after 4 h.

    Parameters
    ----------
    trial
        The entry.
    bars
        1m bars.
    column
        Of the instrument.

    Notes
    -----
    A minute that reached both counts as the stop: nobody can say which came first. None while it is open, and where a minute is missing.
    """
    first = -(-trial.at_ns // MINUTE_NS) * MINUTE_NS
    start = int(np.searchsorted(bars.open_ns, first))
    if start >= bars.rows or bars.open_ns[start] != first:
        return None
    end = min(bars.rows, start + HORIZON_NS // MINUTE_NS)
    high, low, close = (x[start:end, column] for x in (bars.high, bars.low, bars.close))
    up = trial.side == "long"
    stopped = low <= trial.stop if up else high >= trial.stop
    reached = high >= trial.target if up else low <= trial.target
    done = np.flatnonzero(stopped | reached)
    last = int(done[0]) if len(done) else end - start - 1
    if np.isnan(close[: last + 1]).any():
        return None
    if len(done):
        return int(not stopped[last])
    if end - start < HORIZON_NS // MINUTE_NS:
        return None
    gross = float(close[-1]) / trial.entry - 1.0
    return int((gross if up else -gross) - trial.cost_frac > 0)


def apart(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """The entries of which no two of one instrument overlap: the first of each four hours stays."""
    kept: list[Trial] = []
    until: dict[Instrument, int] = {}
    for trial in sorted(trials, key=lambda one: (one.at_ns, str(one.instrument))):
        if trial.at_ns >= until.get(trial.instrument, 0):
            kept.append(trial)
            until[trial.instrument] = trial.at_ns + HORIZON_NS
    return tuple(kept)


def confidence(strength: float, scored: Sequence[tuple[float, int]]) -> Confidence | Absent:
    """What earlier entries say of one of this strength.

    Parameters
    ----------
    strength
        abs(D) now.
    scored
        Strength and outcome, 0 or 1, of entries that are over.

    Notes
    -----
    Buckets are pooled with their neighbours until the rates do not fall with the strength (pool adjacent violators).
    """
    pools = _pooled(scored)
    at = max((k for k, pool in enumerate(pools) if strength >= pool[0]), default=0)
    least, hits, count = pools[at]
    if count < LEAST:
        return absent("SHORT_HISTORY", float(count), float(LEAST))
    low, high = wilson(hits, count)
    most = pools[at + 1][0] if at + 1 < len(pools) else None
    return Confidence((hits + 1) / (count + 2), low, high, hits, count, least, most)


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The interval of 90 % of a share after Wilson 1927."""
    share, z2 = hits / count, Z_90 * Z_90
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z_90 * math.sqrt(share * (1 - share) / count + z2 / (4 * count * count)) / (1 + z2 / count)
    return middle - half, middle + half


def _pooled(scored: Sequence[tuple[float, int]]) -> list[tuple[float, int, int]]:
    """Lower edge, hits and number of each pool, weakest first; a pool without entries joins the one before it."""
    pools: list[tuple[float, int, int]] = []
    for at, least in enumerate(EDGES):
        most = EDGES[at + 1] if at + 1 < len(EDGES) else math.inf
        inside = [hit for strength, hit in scored if least <= strength < most]
        pools.append((least, sum(inside), len(inside)))
        while len(pools) > 1 and _falls(pools[-2], pools[-1]):
            (first, hits, count), (_, more, further) = pools[-2:]
            pools[-2:] = [(first, hits + more, count + further)]
    return pools


def _falls(weaker: tuple[float, int, int], stronger: tuple[float, int, int]) -> bool:
    if not weaker[2] or not stronger[2]:
        return True
    return stronger[1] * weaker[2] < weaker[1] * stronger[2]
