"""The evidence report as data: what JSON says and the page shows."""

from __future__ import annotations

import msgspec

from sextant.model.scorecard import Scorecard
from sextant.model.times import Interval


class Curve(msgspec.Struct, frozen=True):
    """Net outcomes added up in the order they became known.

    ``count`` events whose cost is known; at most 400 points of their sum: times in ns UTC, sums in basis points of
    one notional.
    """

    count: int
    time_ns: tuple[int, ...]
    sum_bps: tuple[float, ...]


class StrategyEvidence(msgspec.Struct, frozen=True):
    """One strategy on one pack; ``skipped`` says why it could not speak."""

    strategy_id: str
    name: str
    skipped: str | None
    both: Scorecard | None
    long: Scorecard | None
    short: Scorecard | None
    curve: Curve


class Bucket(msgspec.Struct, frozen=True):
    """Stated probabilities of one tenth against what came, on data later than what they were stated from.

    ``strategy_id`` is ``all`` over the strategies of the pack; ``low_frac`` to ``high_frac`` is the 90 % Wilson interval of
    what was observed, and ``inside`` whether what was stated lies in it.
    """

    strategy_id: str
    bucket_low: float
    bucket_high: float
    stated_frac: float
    n: int
    hits: int
    observed_frac: float
    low_frac: float
    high_frac: float
    inside: bool


class PackEvidence(msgspec.Struct, frozen=True):
    """All strategies on one pack."""

    pack: str
    instruments: int
    interval: Interval
    start_ns: int
    end_ns: int
    mean_cost_bps: float | None
    notes: tuple[str, ...]
    strategies: tuple[StrategyEvidence, ...]
    reliability: tuple[Bucket, ...] = ()


class Report(msgspec.Struct, frozen=True):
    """Evidence on recorded bars."""

    code_version: str
    spread_bps_assumed: float
    packs: tuple[PackEvidence, ...]
