"""Opportunities and dispositions: what a scan says about each candidate, and why."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from sextant.errors import InputError
from sextant.model.account import Grade
from sextant.model.instrument import Instrument
from sextant.model.scorecard import Scorecard

Lane = Literal["earn", "protect"]
Direction = Literal["long", "short", "neutral", "reduce"]
RiskLevel = Literal["low", "medium", "medium_high", "high", "very_high"]
Outcome = Literal["ok", "empty", "skipped", "late", "failed"]
DispositionKind = Literal[
    "opportunity",
    "insufficient_data",
    "gate_failed",
    "negative_net_edge",
    "below_min_notional",
    "filtered_by_user",
    "not_entitled",
    "late",
    "failed",
]


class CostLine(msgspec.Struct, frozen=True):
    """One line of the cost waterfall.

    ``bps`` and ``usd`` are signed for the caller: costs are negative, income positive; None when
    unknown, and then the candidate cannot be an opportunity.
    """

    item: Literal[
        "gross", "fee_entry", "fee_exit", "spread", "slippage", "funding", "borrow", "transfer", "delivery"
    ]
    bps: float | None
    usd: float | None
    source: str
    as_of_ns: int | None
    basis: str


class Leg(msgspec.Struct, frozen=True):
    """One order of an opportunity; ``quantity`` is a multiple of the lot, ``price`` of the tick."""

    instrument: Instrument
    side: Literal["buy", "sell"]
    quantity: Decimal
    price: Decimal
    order_kind: Literal["market", "limit", "limit_post_only"]
    reduce_only: bool
    notional_usd: float
    leverage: float | None
    margin_usd: float | None
    role: Literal["entry", "hedge"]
    quote_age_ms: float | None

    def __post_init__(self) -> None:
        """Refuse a leg of no quantity or no price."""
        if not (self.quantity > 0 and self.price > 0):
            raise InputError(
                f"A leg of {self.instrument} has quantity {self.quantity} at price {self.price}; both must be above 0."
            )


class Target(msgspec.Struct, frozen=True):
    """A price at which ``share_frac`` of the position is closed."""

    price: Decimal
    share_frac: float


class Transfer(msgspec.Struct, frozen=True):
    """Moving an asset between two venues; told to the owner, who alone can do it.

    Parameters
    ----------
    asset, quantity
        What, and how much of it.
    from_venue, to_venue
        Between which venues.
    value_usd
        Its value.
    fee_usd, minutes
        Withdrawal fee and usual duration; None where the venue's are not known.
    """

    asset: str
    quantity: Decimal
    from_venue: str
    to_venue: str
    value_usd: float
    fee_usd: float | None
    minutes: float | None

    def __post_init__(self) -> None:
        """Refuse a transfer of nothing, or to where it comes from."""
        if not self.quantity > 0 or not self.value_usd > 0:
            raise InputError(f"A transfer of {self.quantity} {self.asset} is none.")
        if self.from_venue == self.to_venue:
            raise InputError(f"A transfer of {self.asset} from {self.from_venue} leads to the same venue.")


class CapacityPoint(msgspec.Struct, frozen=True):
    """Net edge at a size."""

    size_usd: float
    edge_bps: float


class InputAge(msgspec.Struct, frozen=True):
    """An input, how old it was, and how old it may be."""

    name: str
    as_of_ns: int
    age_ms: float
    greatest_age_ms: float


class GateReading(msgspec.Struct, frozen=True, gc=False):
    """What a gate read on the last row and what it asks for; ``distance`` 0 when passed, None when it could not be read."""

    gate: str
    value: float | None
    threshold: float
    passed: bool
    distance: float | None


class Size(msgspec.Struct, frozen=True):
    """The proposed size and what bound it."""

    quantity: Decimal
    notional_usd: float
    risk_usd: float
    binding: Literal["kelly", "risk", "capital", "capacity", "position_cap", "lot"]
    required_capital_usd: float
    illustrative: bool


class Opportunity(msgspec.Struct, frozen=True, kw_only=True):
    """Something worth acting on, with edge, cost and evidence: strategies.md 1.4.

    ``edge_bps`` and ``edge_usd`` are expected returns net of the stated costs at the proposed
    size, None when unproven; ``confidence`` is a calibrated probability of a positive net outcome
    in [0, 1], or None. ``entry`` is None where nothing or more than one thing is traded. ``transfer``
    stands in the place of legs where an asset is to be moved between venues. ``level_unit`` says what
    entry, stop and targets are where they are no prices in quote units.
    """

    opportunity_key: str
    first_seen_ns: int
    strategy_id: str
    strategy_name: str
    opportunity_type: str
    lane: Lane
    legs: tuple[Leg, ...]
    direction: Direction
    entry: Decimal | None
    stop: Decimal | None
    stop_reason: str | None
    targets: tuple[Target, ...]
    horizon_s: float
    expected_s: float | None
    gross_bps: float | None
    costs: tuple[CostLine, ...]
    edge_bps: float | None
    edge_usd: float | None
    edge_lcb_bps: float | None
    es95_usd: float | None
    break_even_s: float | None
    break_even_hit_frac: float | None
    capacity_usd: float | None
    capacity_curve: tuple[CapacityPoint, ...]
    size_min_usd: float | None
    expires_ns: int
    half_life_s: float | None
    strength: float
    confidence: float | None
    confidence_low: float | None
    confidence_high: float | None
    grade: Grade
    evidence: Scorecard
    risk_level: RiskLevel
    risk_facts: dict[str, float]
    size: Size
    inputs: tuple[InputAge, ...]
    gates: tuple[GateReading, ...]
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    rank_group: int
    rank_score: float | None
    as_of_ns: int
    transfer: Transfer | None = None
    level_unit: str | None = None


class Disposition(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What became of one candidate: strategies.md 1.3; the dispositions of a strategy sum to its universe.

    Parameters
    ----------
    unit
        The instrument, couple, cycle or holding, in words.
    kind
        Which of the nine dispositions.
    stage
        The gate, input or filter that decided; empty for opportunities.
    value, limit
        What it read and what it asked for; None where it could not be read.
    distance
        Relative distance to passing; None where it does not apply.
    failed_count
        How many gates failed.
    flips_if
        What would change the answer, in words.
    since_ns
        Since when the deciding gate has failed; None where unknown.
    """

    unit: str
    instruments: tuple[Instrument, ...]
    kind: DispositionKind
    stage: str = ""
    value: float | None = None
    limit: float | None = None
    value_unit: str = ""
    distance: float | None = None
    failed_count: int = 0
    gross_bps: float | None = None
    cost_bps: float | None = None
    flips_if: str | None = None
    since_ns: int | None = None
    opportunity_key: str | None = None
    gates: tuple[GateReading, ...] = ()
