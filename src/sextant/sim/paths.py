"""Bars refined into smaller bars whose fold is exactly the larger one, and the fold itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sextant.sim.noise import Floats, Integers, Noise

MARKET_LANE: Final = 1_000_000
"""Lane of the factor that moves all instruments."""

_STEP: Final = 10
_SIZE: Final = 12
_BURST: Final = 13
_BURST_SHARE: Final = 0.02


@dataclass(frozen=True, slots=True)
class Nodes:
    """Bars before rounding: logarithms of prices, and whole lots.

    Parameters
    ----------
    open, high, low, close
        float64 (N,): natural logarithms of prices; low <= open, close <= high.
    lots
        float64 (N,): whole numbers.
    """

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    lots: Floats


@dataclass(frozen=True, slots=True)
class Voice:
    """Whose randomness moves a path.

    Parameters
    ----------
    lane, leader
        Own lane; lane of the base it follows (its own, if none).
    common, led
        Share of variance from the whole market, and from the leader, in [0, 1].
    """

    lane: int
    leader: int
    common: float
    led: float

    def draw(self, noise: Noise, stream: int, index: Integers) -> Floats:
        """Correlated draws of mean 0 and variance 1, shape of ``index``."""
        market = noise.normal(stream, MARKET_LANE, index)
        drawn = math.sqrt(self.common) * market
        drawn += math.sqrt(1.0 - self.common) * noise.normal(stream, self.leader, index)
        if self.led < 1.0:
            drawn *= math.sqrt(self.led)
            drawn += math.sqrt(1.0 - self.led) * noise.normal(stream + 500, self.lane, index)
        return drawn


@dataclass(frozen=True, slots=True)
class Cut:
    """How one level is made from the one above.

    Parameters
    ----------
    level
        Number of the level; separates its noise from the others'.
    parts
        Children of each parent.
    a_day
        Children in a day; for the pattern of the day.
    fewest
        Whole lots that every child trades at least.
    balanced
        Whether volume leans so that the children's mean price comes near the parent's.
    """

    level: int
    parts: int
    a_day: int
    fewest: int
    balanced: bool = False


def refine(noise: Noise, parents: Nodes, voice: Voice, first: Integers, cut: Cut) -> Nodes:
    """Children of all parents, in order of time; shape (N * parts,).

    Parameters
    ----------
    noise
        Where chance comes from.
    parents
        N bars.
    voice
        Whose randomness.
    first
        int64 (N,): index of each parent's first child, counted from 1970 in units of the child's length.
    cut
        The level.

    Notes
    -----
    Exact by construction: the first child opens at the parent's open, each next one where the last closed, the last closes at
    the parent's close; the child that reaches highest is lifted to the parent's high, the lowest lowered to its low; whole
    lots are partitioned. In between a bridge of the parent's own width wanders, reflected at the
    parent's extremes.
    """
    rows, parts = len(parents.open), cut.parts
    index = (first[:, None] + np.arange(parts, dtype=np.int64)).ravel()
    stream = 1_000 * (cut.level + 1) + 7 * parts
    season, loud, wick = _moods(noise, voice, stream, index, cut.a_day)
    steps = (voice.draw(noise, stream + _STEP, index) * np.sqrt(season)).reshape(rows, parts)
    width = (parents.high - parents.low) / (1.6 * math.sqrt(parts))
    closes = _bridge(np.where(loud.reshape(rows, parts), 2.6, 1.0) * steps, parents, width)
    opens = np.empty_like(closes)
    opens[:, 0] = parents.open
    opens[:, 1:] = closes[:, :-1]
    high, low = _extremes(opens, closes, wick.reshape(rows, parts), width[:, None], parents)
    ranges = (high - low) / np.maximum(width[:, None], 1e-12)
    loudness = noise.normal(stream + _SIZE, voice.leader, index)
    weight = np.exp(0.4 * loudness) * season * np.where(loud, 4.0, 1.0)
    weight = weight.reshape(rows, parts) * (0.35 + np.minimum(ranges, 4.0))
    if cut.balanced:
        middles = (opens + high + low + closes) * 0.25
        target = (parents.open + parents.high + parents.low + parents.close) * 0.25
        weight = _tilted(weight, middles, target)
    lots = _partition(parents.lots, weight, cut.fewest)
    return Nodes(opens.ravel(), high.ravel(), low.ravel(), closes.ravel(), lots.ravel())


def _moods(
    noise: Noise, voice: Voice, stream: int, index: Integers, a_day: int
) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """Each child's part of the day's pattern, whether it is a burst, and how far its wicks reach in [0, 1)."""
    pattern = 1.0 + 0.45 * np.cos((np.arange(a_day) * (24.0 / a_day) - 15.0) * (2.0 * math.pi / 24.0))
    bits = noise.bits(stream + _BURST, voice.leader, index)
    loud = (bits >> np.uint64(40)) < np.uint64(int(_BURST_SHARE * (1 << 24)))
    wick = (bits & np.uint64(0xFFFFFFFF)).astype(np.float64) * (1.0 / (1 << 32))
    return pattern[index % a_day], loud, wick


def _bridge(steps: Floats, parents: Nodes, width: Floats) -> Floats:
    parts = steps.shape[1]
    walk = np.cumsum(steps, axis=1)
    share: Floats = np.arange(1, parts + 1) / parts
    wander = (walk - walk[:, -1:] * share) * width[:, None]
    closes = parents.open[:, None] + (parents.close - parents.open)[:, None] * share + wander
    # Reflected, not clipped: a clipped path would stick to the extremes for hours.
    low, span = parents.low[:, None], np.maximum(parents.high - parents.low, 1e-12)[:, None]
    place = np.abs(1.0 - np.abs(1.0 - np.abs((closes - low) / span)))
    closes = np.clip(low + place * span, low, parents.high[:, None])
    closes[:, -1] = parents.close
    found: Floats = closes
    return found


def _extremes(
    opens: Floats, closes: Floats, wick: Floats, width: Floats, parents: Nodes
) -> tuple[Floats, Floats]:
    rows = np.arange(len(opens))
    reach = wick * wick * width
    high = np.minimum(np.maximum(opens, closes) + reach, parents.high[:, None])
    low = np.maximum(np.minimum(opens, closes) - (1.0 - wick) ** 2 * width, parents.low[:, None])
    high[rows, np.argmax(high, axis=1)] = parents.high
    low[rows, np.argmin(low, axis=1)] = parents.low
    return high, low


def _tilted(weight: Floats, middles: Floats, target: Floats) -> Floats:
    """Weights leaning so that the mean of ``middles`` comes near ``target``: one Newton step of an exponential tilt.

    Notes
    -----
    Without it the mean price of the children is not that of the parent, and no turnover would suit both.
    """
    total = weight.sum(axis=1)
    away = middles - ((weight * middles).sum(axis=1) / total)[:, None]
    spread = (weight * away * away).sum(axis=1) / total
    missing = target - (weight * middles).sum(axis=1) / total
    lean = missing / np.maximum(spread, 1e-18)
    found: Floats = weight * np.exp(np.clip(lean[:, None] * away, -2.0, 2.0))
    return found


def _partition(lots: Floats, weight: Floats, fewest: int) -> Floats:
    parts = weight.shape[1]
    edges = np.cumsum(weight, axis=1)
    edges /= edges[:, -1:]
    spare = lots - float(fewest * parts)
    marks = np.rint(edges * spare[:, None])
    marks[:, -1] = spare
    marks[:, 1:] -= marks[:, :-1].copy()
    found: Floats = marks + float(fewest)
    return found


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars as the venue states them: prices in whole ticks, sizes in whole lots, all shape (N,).

    Parameters
    ----------
    open, high, low, close
        int64: prices in ticks.
    lots
        int64: base volume in lots.
    turnover
        float64: quote units.
    """

    open: Integers
    high: Integers
    low: Integers
    close: Integers
    lots: Integers
    turnover: Floats

    def __len__(self) -> int:
        """Number of bars."""
        return len(self.open)

    def slice(self, first: int, last: int) -> Bars:
        """Bars ``first`` up to and without ``last``, sharing memory."""
        return Bars(
            self.open[first:last],
            self.high[first:last],
            self.low[first:last],
            self.close[first:last],
            self.lots[first:last],
            self.turnover[first:last],
        )


def whole(nodes: Nodes, tick: float) -> Bars:
    """The bars rounded to ticks of ``tick`` quote units; their turnover is not stated (NaN)."""
    return Bars(
        _ticks(nodes.open, tick),
        _ticks(nodes.high, tick),
        _ticks(nodes.low, tick),
        _ticks(nodes.close, tick),
        nodes.lots.astype(np.int64),
        np.full(len(nodes.lots), np.nan),
    )


def _ticks(logarithm: Floats, tick: float) -> Integers:
    found: Integers = np.rint(np.exp(logarithm) / tick).astype(np.int64)
    return found


def fold(bars: Bars, parts: int) -> Bars:
    """Larger bars of ``parts`` smaller ones each; the number of bars must be a multiple of ``parts``."""
    if parts == 1:
        return bars
    shape = (len(bars) // parts, parts)
    return Bars(
        bars.open.reshape(shape)[:, 0],
        bars.high.reshape(shape).max(axis=1),
        bars.low.reshape(shape).min(axis=1),
        bars.close.reshape(shape)[:, -1],
        bars.lots.reshape(shape).sum(axis=1),
        bars.turnover.reshape(shape).sum(axis=1),
    )


def join(blocks: list[Bars]) -> Bars:
    """All bars of the blocks, one after another."""
    return Bars(
        np.concatenate([block.open for block in blocks]),
        np.concatenate([block.high for block in blocks]),
        np.concatenate([block.low for block in blocks]),
        np.concatenate([block.close for block in blocks]),
        np.concatenate([block.lots for block in blocks]),
        np.concatenate([block.turnover for block in blocks]),
    )
