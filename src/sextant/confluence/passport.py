"""How good an input is: age, gaps and agreement between venues, and the words for what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.confluence.contract import Reason, Stream
from sextant.confluence.nodes import Column, Node, Rolled, Seen, mapped
from sextant.confluence.normalise import ramp
from sextant.model.bar import Floats

GAP_ZERO: Final = 0.05
GAP_FULL: Final = 0.005
VENUE_ZERO_BPS: Final = 60.0
VENUE_FULL_BPS: Final = 15.0
LEAST_VENUES: Final = 2
"""Other venues that must quote the same before agreement can be checked."""
VENUE_AGE_S: Final = 30.0

_MINUTE_S: Final = 60.0
_GRID_S: Final = 300.0


@dataclass(frozen=True, kw_only=True)
class StreamRule:
    """What is expected of a stream.

    Parameters
    ----------
    full_s, zero_s
        Age until which it counts in full, and from which it counts for nothing.
    age
        Seconds since its newest fact on each 1m row, at the close of the row.
    gap
        Share of what was expected lately that is missing; None where nothing can be counted.
    """

    full_s: float
    zero_s: float
    age: Node
    gap: Node | None = None


def _missing(x: Floats) -> Floats:
    return np.where(np.isnan(x), 1.0, 0.0)


def _minutes(rows: Floats) -> Floats:
    return rows * _MINUTE_S


def _points(rows: Floats, late_s: Floats) -> Floats:
    return rows * _GRID_S + late_s


def _apart(volume: Floats, seen: Floats) -> Floats:
    # A bar without volume of which nothing was seen is complete.
    with np.errstate(divide="ignore", invalid="ignore"):
        out: Floats = np.abs(1.0 - seen / volume)
    return np.where((volume == 0) & (seen == 0), 0.0, np.minimum(out, 1.0))


def _lost(samples: Floats) -> Floats:
    """Share of the samples of a bar that were not valid; there is one a second."""
    return np.where(np.isnan(samples), np.nan, 1.0 - np.minimum(samples, _MINUTE_S) / _MINUTE_S)


def _holes(column: str, rows: int) -> Node:
    return Rolled("mean", mapped(_missing, Column(column)), rows)


def _idle(column: str) -> Node:
    return mapped(_minutes, Rolled("idle", Column(column)))


def _grid(column: str) -> Node:
    return mapped(_points, Seen("grid", Rolled("idle", Column(column))), Column("grid_late_s"))


STREAMS: Final[dict[Stream, StreamRule]] = {
    "bars": StreamRule(full_s=70, zero_s=190, age=_idle("close"), gap=_holes("close", 60)),
    "trades": StreamRule(
        full_s=70,
        zero_s=190,
        age=_idle("taker_buy_volume"),
        gap=Rolled("mean", mapped(_apart, Column("volume"), Column("seen_volume")), 15),
    ),
    "book": StreamRule(
        full_s=5,
        zero_s=30,
        age=Column("book_age_s"),
        gap=Rolled("mean", mapped(_lost, Column("book_samples")), 15),
    ),
    "quote": StreamRule(full_s=30, zero_s=120, age=Column("quote_age_s")),
    "open_interest": StreamRule(full_s=420, zero_s=1200, age=_grid("open_interest")),
    "account_ratio": StreamRule(full_s=900, zero_s=3600, age=_grid("long_share")),
    "liquidations": StreamRule(full_s=30, zero_s=120, age=Column("liquidations_age_s")),
}
"""Every stream a sub-score may depend on."""


def q_age(stream: Stream, age_s: Floats) -> Floats:
    """1 while fresh, 0 when too old, 0 where nothing was ever known."""
    rule = STREAMS[stream]
    return np.where(np.isnan(age_s), 0.0, ramp(age_s, rule.zero_s, rule.full_s))


def q_gap(gap: Floats) -> Floats:
    """1 up to half a per cent missing, 0 at five; 1 where nothing can be counted."""
    return np.where(np.isnan(gap), 1.0, ramp(gap, GAP_ZERO, GAP_FULL))


def q_venue(apart_bps: Floats) -> Floats:
    """1 up to 15 bps from the other venues, 0 at 60; 1, and not checked, where there are too few."""
    return np.where(np.isnan(apart_bps), 1.0, ramp(apart_bps, VENUE_ZERO_BPS, VENUE_FULL_BPS))


def soft(count: Floats, need: float, start: float | None = None) -> Floats:
    """Quality of what there should be ``need`` of: 0 at ``start``, a quarter unless stated, 1 at all."""
    return ramp(count, need / 4.0 if start is None else start, need)


@dataclass(frozen=True)
class Absent:
    """Why there is no value.

    Parameters
    ----------
    reason
        Its kind.
    text
        A sentence with the numbers.
    have, need
        What there is and what it takes; None where neither can be counted.
    """

    reason: Reason
    text: str
    have: float | None = None
    need: float | None = None


WORDS: Final[dict[Reason, str]] = {
    "NOT_APPLICABLE": "This kind of instrument has no such input.",
    "UNSUPPORTED": "No feed of this build gives the input",
    "WARMING": "Too few rows since the last hole",
    "HOLE": "The newest bar is missing.",
    "STALE": "The input is too old",
    "GAPPY": "Too much of the input is missing",
    "SHORT_HISTORY": "Too short a history",
    "FEW_TRADES": "Too few trades",
    "FEW_SAMPLES": "Too few samples",
    "SHALLOW_BOOK": "The order book is crossed, empty or too shallow.",
    "FEED_DOWN": "No feed has given the input yet.",
    "VENUE_DISPUTE": "The price is too far from that of the other venues",
    "FAILED": "The calculation gave no number.",
}


def absent(reason: Reason, have: float | None = None, need: float | None = None, of: str = "") -> Absent:
    """An absence with its sentence."""
    text = WORDS[reason]
    if text.endswith("."):
        return Absent(reason, text, have, need)
    if of:
        return Absent(reason, f"{text}: {of}.", have, need)
    if have is not None and need is not None:
        return Absent(reason, f"{text}: {have:g} of {need:g}.", have, need)
    return Absent(reason, f"{text}.", have, need)
