"""Scorecards: what a strategy's past signals would have earned, net of cost."""

from __future__ import annotations

from typing import Literal

import msgspec

from sextant.model.account import Grade

EvidenceKind = Literal["bars", "couple", "funding", "flow", "analytic", "portfolio"]
EvidenceStatus = Literal["scored", "insufficient_history", "analytic", "not_applicable"]


class ReliabilityRow(msgspec.Struct, frozen=True):
    """Stated against observed hit fraction in one bucket of out-of-sample predictions."""

    bucket_low: float
    bucket_high: float
    n: int
    stated_frac: float
    observed_frac: float
    low_frac: float
    high_frac: float


class Scorecard(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence for one candidate: strategies.md 2.6.

    Every number is None when there is too little history; ``reason`` then says what is missing.
    Gross figures are before cost, net figures after the caller's stated costs. Fractions are in
    [0, 1], ``_bps`` are basis points of the event's notional, ``_ns`` times UTC. ``miscalibrated``: live ideas
    of this bucket have refuted what was stated, so confidence is withheld; ``edge_decay_z``: live mean less past
    mean in standard errors.
    """

    kind: EvidenceKind
    status: EvidenceStatus
    reason: str | None
    source: str
    bucket: str
    n: int
    n_eff: float
    clusters_count: int
    hit_frac: float | None = None
    hit_low_frac: float | None = None
    hit_high_frac: float | None = None
    gross_mean_bps: float | None = None
    gross_se_bps: float | None = None
    shrink_frac: float | None = None
    expectancy_bps: float | None = None
    expectancy_low_bps: float | None = None
    expectancy_high_bps: float | None = None
    median_bps: float | None = None
    variance_frac: float | None = None
    profit_factor: float | None = None
    es95_bps: float | None = None
    median_s: float | None = None
    mae_median_bps: float | None = None
    mfe_median_bps: float | None = None
    ambiguous_frac: float | None = None
    void_count: int = 0
    unfilled_count: int = 0
    exits: dict[str, int] = {}
    confidence: float | None = None
    confidence_low: float | None = None
    confidence_high: float | None = None
    brier: float | None = None
    log_loss: float | None = None
    reliability: tuple[ReliabilityRow, ...] = ()
    deflated_p: float | None = None
    reality_p: float | None = None
    without: tuple[str, ...] = ()
    window_start_ns: int | None = None
    window_end_ns: int | None = None
    half_life_s: float | None = None
    live_count: int = 0
    live_hit_frac: float | None = None
    miscalibrated: bool = False
    edge_decay_z: float | None = None
    grade: Grade = "unproven"
