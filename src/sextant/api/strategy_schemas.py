"""Shapes of bodies about strategies and what they have earned."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sextant.api.opportunity_schemas import Percent
from sextant.api.schemas import Time
from sextant.model.view import Feed

ScoreState = Literal["scored", "insufficient_history", "silent", "unknown"]
DecayState = Literal["steady", "decayed", "unknown"]
Window = Literal["30d", "90d", "365d"]


class StrategiesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which strategies."""

    granted: Annotated[bool, Meta(description="Only those granted, or only those not granted.")] | None = None


class StrategyQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Over which past, and as believed when."""

    window: Window = "90d"
    as_of: Time | None = None


class NeedsBody(msgspec.Struct, frozen=True):
    """What a strategy reads: inputs, the longest look-back in seconds, and how old the freshest may be."""

    columns: list[str]
    lookback_s: float
    greatest_age_s: float


class ParameterBody(msgspec.Struct, frozen=True):
    """A number of a strategy with its bounds, both inclusive."""

    name: str
    value: float
    low: float
    high: float
    unit: str


class ScorecardBody(msgspec.Struct, frozen=True, kw_only=True):
    """What past signals earned net of the venues' entry fees and today's spread; null where too few are known."""

    state: ScoreState
    reason: str | None
    n: int
    n_independent: float
    hit_rate_pct: Percent | None
    interval_pct: list[float] | None
    gross_mean_bps: float | None
    mean_net_bps: float | None
    net_interval_bps: list[float] | None
    grade: str
    live_count: int
    live_hit_rate_pct: Percent | None


class StrategyRow(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy in the catalogue."""

    strategy_id: str
    name: str
    category: str
    tier: str
    min_capital_usd: float
    types: list[str]
    granted: bool
    needs: NeedsBody
    cost_class: str
    parameters: list[ParameterBody]
    known_gaps: list[str]
    references: list[str]
    scorecard: ScorecardBody


class StrategiesAnswer(msgspec.Struct, frozen=True):
    """The catalogue, in its order."""

    strategies: list[StrategyRow]


class ReliabilityBody(msgspec.Struct, frozen=True):
    """How often predictions of one bucket came true, out of sample."""

    bucket_low: float
    bucket_high: float
    n: int
    stated_pct: Percent
    observed_pct: Percent
    interval_pct: list[float]


class DecayBody(msgspec.Struct, frozen=True):
    """The later half of the events against the earlier half."""

    state: DecayState
    mean_recent_bps: float | None
    mean_before_bps: float | None


class LastRunBody(msgspec.Struct, frozen=True):
    """The caller's newest scan in which the strategy ended."""

    scan_id: str
    started_at: Time
    outcome: str
    reason: str | None
    opportunities: int
    execution_time_ms: float | None


class StrategyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy: its card over a window, its two sides, and how it has held."""

    strategy: StrategyRow
    window: Window
    long: ScorecardBody
    short: ScorecardBody
    reliability: list[ReliabilityBody]
    brier: float | None
    log_loss: float | None
    decay: DecayBody
    outcome_rates: dict[str, float]
    runs_count: int
    last_run: LastRunBody | None
    as_of: Time | None
    age_s: float | None
    feed: Feed
    simulated: bool
