"""Shapes of opportunities; the words of earlier clients are kept."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sextant.api.schemas import Time
from sextant.model.account import Grade
from sextant.model.instrument import Kind
from sextant.model.opportunity import Direction, Lane, RiskLevel
from sextant.model.view import Feed

Price = Annotated[
    Decimal, Meta(extra_json_schema={"type": "number"}, description="A JSON number with its own digits.")
]
Percent = Annotated[float, Meta(ge=0, le=100)]
Spelled = Annotated[str, Meta(description="An instrument id.", examples=["bybit:BTC-USDT:perpetual"])]


class OpportunityBody(msgspec.Struct, frozen=True, kw_only=True):
    """Something worth acting on, as a row of results."""

    opportunity_id: str
    opportunity_key: str
    rank: Annotated[int | None, Meta(description="Null until the scan has ended.")]
    lane: Lane
    grade: Grade
    signal_strength: Annotated[float, Meta(ge=0, le=10)]
    strategy_id: str
    strategy_name: str
    opportunity_type: str
    symbol: str
    exchange: str
    instruments: list[Spelled]
    direction: Direction
    profit_potential_usd: Annotated[float | None, Meta(description="Null while unproven or protective.")]
    edge_bps: Annotated[float | None, Meta(description="Null while unproven.")]
    confidence_score: Annotated[Percent | None, Meta(description="Null with confidence_reason.")]
    confidence_n: int
    confidence_reason: str | None
    risk_level: RiskLevel
    size_usd: float
    required_capital_usd: float
    capacity_usd: Annotated[float | None, Meta(description="Null where no depth is known.")]
    estimated_timeframe: Literal["1h", "4h", "24h", "7d"]
    horizon_s: float
    entry_price: Price | None
    exit_price: Price | None
    stop_price: Price | None
    risk_reduction_usd: Annotated[float | None, Meta(description="Null unless protective.")]
    half_life_s: float | None
    rank_reasons: list[str]
    metadata: dict[str, Any]
    discovered_at: Time
    as_of: Time
    age_s: float


class WaterfallLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line from gross to net; `basis` says what a null or a zero means."""

    item: str
    bps: float | None
    basis: str
    source: str
    as_of: Time | None


class CapacityBody(msgspec.Struct, frozen=True):
    """Net edge at a size."""

    size_usd: float
    edge_bps: float


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """How often such rows came true."""

    state: Literal["calibrated", "analytic", "insufficient_history", "miscalibrated", "not_applicable"]
    n: int
    hit_rate_pct: Percent | None
    interval_pct: list[float] | None
    mean_net_bps: float | None
    brier: float | None
    bucket: str
    reason: str | None


class EvidenceFact(msgspec.Struct, frozen=True, kw_only=True):
    """An input of the row and how old it was."""

    fact_id: str
    name: str
    as_of: Time
    age_s: float
    greatest_age_s: float


class GateBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate read and what it asks for."""

    gate: str
    value: Annotated[float | None, Meta(description="Null where it could not be read.")]
    limit: float
    passed: bool


class LegBody(msgspec.Struct, frozen=True, kw_only=True):
    """One order of the idea."""

    instrument: Spelled
    kind: Kind
    side: Literal["buy", "sell"]
    quantity: Price
    price: Price
    order_kind: str
    notional_usd: float
    role: str


class SeenBefore(msgspec.Struct, frozen=True):
    """The same idea in the caller's earlier scans."""

    first_at: Time
    count: int


class OpportunityDetail(OpportunityBody, frozen=True, kw_only=True):
    """One opportunity with its costs, capacity, evidence and gates."""

    scan_id: str
    break_even_s: float | None
    waterfall: list[WaterfallLine]
    capacity: list[CapacityBody]
    calibration: Calibration
    evidence: list[EvidenceFact]
    gates: list[GateBody]
    legs: list[LegBody]
    warnings: list[str]
    seen_before: SeenBefore | None
    feed: Feed
    simulated: bool
