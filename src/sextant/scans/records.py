"""What a scan is asked and what it answers, in the room's own units; fractions in [0, 1], times in ns UTC."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

import msgspec

from sextant.errors import InputError
from sextant.model.account import Account
from sextant.model.opportunity import Disposition, DispositionKind, Opportunity, Outcome, RiskLevel
from sextant.model.view import Feed

Status = Literal["scanning", "complete", "failed"]
ScanOutcome = Literal["ok", "partial", "insufficient", "late", "failed"]
AssetTier = Literal[
    "tier_institutional",
    "tier_enterprise",
    "tier_professional",
    "tier_retail",
    "tier_emerging",
    "tier_micro",
    "tier_any",
]
Timeframe = Literal["1h", "4h", "24h", "7d"]
GradeFilter = Literal["A", "B", "C", "unproven"]
PhaseName = Literal["started", "portfolio_fetch", "asset_discovery", "strategies_scan", "completed", "failed"]
StepStatus = Literal["pending", "starting", "completed", "failed", "cancelled"]

RISK_LEVELS: Final[tuple[RiskLevel, ...]] = get_args(RiskLevel)
"""From calm to wild; a filter keeps its own level and all before it."""

SCAN_HARD_STOP_S: Final = 60.0  # api.md 2.3 rule 4
STRATEGY_HARD_STOP_S: Final = 30.0  # api.md 2.3 rule 4
STUCK_AFTER_S: Final = 15.0  # api.md 2.4: no version change for this long
LEASE_S: Final = 3.0  # api.md 2.3 rule 4: a lost scan is taken over within 5 s; the sweep needs the rest
LEASE_NS: Final = round(LEASE_S * 1e9)
MOST_STRATEGIES: Final = 32  # api.md 4
MOST_PATTERNS: Final = 200  # api.md 1.6: list entries


class ScanRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The filters of a scan; each of them changes the answer.

    Parameters
    ----------
    instruments
        ``BTC``, ``BTC/USDT``, ``BTC-USDT`` or an instrument id; empty means all.
    asset_tiers
        Bands of 24 h turnover in USD.
    strategy_ids
        Catalogue ids; None means the whole catalogue.
    opportunity_types
        Keeps these types; strategies that emit none of them are not run.
    risk_level
        Keeps this level and calmer.
    min_profit_usd, max_capital_usd
        Keeps earn-lane rows with a known profit of at least this; rows that fit this capital.
    timeframes
        Keeps horizons up to 1 h, 1-4 h, 4-24 h, above 24 h.
    min_grade
        Keeps this grade and better; analytic counts as B.
    recommendations
        Whether strategies are suggested to the caller.
    """

    instruments: tuple[str, ...] = ()
    asset_tiers: tuple[AssetTier, ...] = ()
    strategy_ids: tuple[str, ...] | None = None
    opportunity_types: tuple[str, ...] = ()
    risk_level: RiskLevel | None = None
    min_profit_usd: float | None = None
    max_capital_usd: float | None = None
    timeframes: tuple[Timeframe, ...] = ()
    min_grade: GradeFilter = "unproven"
    recommendations: bool = True

    def __post_init__(self) -> None:
        """Refuse filters out of bounds, by name, value and limit."""
        if len(self.instruments) > MOST_PATTERNS:
            raise InputError(
                f"{len(self.instruments)} instruments; at most {MOST_PATTERNS}.",
                reason="out_of_range",
                field="symbols",
            )
        if self.strategy_ids is not None and not 1 <= len(self.strategy_ids) <= MOST_STRATEGIES:
            raise InputError(
                f"{len(self.strategy_ids)} strategy_ids; allowed are 1..{MOST_STRATEGIES}.",
                reason="out_of_range",
                field="strategy_ids",
            )
        if self.min_profit_usd is not None and not 0 <= self.min_profit_usd < float("inf"):
            raise InputError(
                f"min_profit_potential is {self.min_profit_usd}; it must be 0 or above.",
                reason="out_of_range",
                field="min_profit_potential",
            )
        if self.max_capital_usd is not None and not 0 < self.max_capital_usd < float("inf"):
            raise InputError(
                f"max_required_capital is {self.max_capital_usd}; it must be above 0.",
                reason="out_of_range",
                field="max_required_capital",
            )


class FunnelStage(msgspec.Struct, frozen=True):
    """Candidates that entered and left one gate."""

    gate: str
    entered: int
    passed: int


class StrategyReport(msgspec.Struct, frozen=True, kw_only=True):
    """How one strategy ended in one scan.

    Parameters
    ----------
    outcome
        None while it has not ended.
    execution_ms
        Wall time it took; None while running and in replays, whose answers hold no timings.
    candidates
        What it looked at; equals the sum of ``dispositions``.
    """

    strategy_id: str
    name: str
    outcome: Outcome | None = None
    reason: str | None = None
    opportunities: int = 0
    execution_ms: float | None = None
    candidates: int = 0
    dispositions: dict[DispositionKind, int] = {}
    funnel: tuple[FunnelStage, ...] = ()
    near_misses: tuple[Disposition, ...] = ()


class Found(msgspec.Struct, frozen=True):
    """A stored opportunity; ``rank`` counts from 1 and is None until the scan has ranked."""

    opportunity_id: str
    rank: int | None
    discovered_ns: int
    opportunity: Opportunity


class Recommendation(msgspec.Struct, frozen=True):
    """A strategy the caller might want, and why."""

    strategy_id: str
    name: str
    reason: str


class ScanError(msgspec.Struct, frozen=True):
    """Why a scan failed."""

    code: str
    reason: str
    detail: str


class ScanStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a scan as its row says it; ``version`` only rises."""

    scan_id: str
    user_id: str
    status: Status
    outcome: ScanOutcome | None
    phase: PhaseName
    version: int
    message: str
    total_strategies: int
    ended_strategies: int
    found_count: int
    outcomes: dict[Outcome, int]
    started_ns: int
    updated_ns: int
    finished_ns: int | None
    as_of_ns: int | None
    view_hash: str | None
    code_version: str
    feed: Feed
    simulated: bool
    request: ScanRequest
    unmatched: tuple[str, ...]
    error: ScanError | None
    remaining_s: float | None
    universe_count: int | None
    tiers: tuple[AssetTier, ...]

    @property
    def percentage(self) -> int:
        """Share of ended strategies in percent; 100 only in the end state."""
        if self.status == "complete":
            return 100
        return min(99, 100 * self.ended_strategies // max(1, self.total_strategies))

    @property
    def complete_coverage(self) -> bool:
        """Whether every strategy ended by itself."""
        return self.ended_strategies == self.total_strategies and not (
            self.outcomes.get("late") or self.outcomes.get("failed")
        )


class Lease(msgspec.Struct, frozen=True):
    """The right to write a scan: who has it, and the token that tells it from every other one of this scan."""

    holder: str
    token: int


class Inputs(msgspec.Struct, frozen=True):
    """What any process needs to run a scan: (strategy id, why it is skipped or None), and the account."""

    planned: tuple[tuple[str, str | None], ...]
    account: Account


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a request for a scan, given after its row was committed."""

    scan_id: str
    joined: bool
    replayed: bool
    total_strategies: int
    ended_strategies: int
    estimated_s: float | None
    request: ScanRequest
    unmatched: tuple[str, ...]


class ScanResults(msgspec.Struct, frozen=True, kw_only=True):
    """A scan with what it found, ranked once it has ended."""

    status: ScanStatus
    found: tuple[Found, ...]
    strategies: tuple[StrategyReport, ...]
    recommendations: tuple[Recommendation, ...]
    phase_ms: dict[PhaseName, float]


class ScanEvent(msgspec.Struct, frozen=True):
    """One durable event of a scan; ``version`` is its position, ``found`` what an opportunity event tells of."""

    version: int
    kind: Literal["phase", "strategy", "opportunity", "progress", "done"]
    time_ns: int
    body: dict[str, Any]
    found: Found | None = None


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """One disposition for each candidate of each strategy."""

    status: ScanStatus
    strategies: tuple[StrategyReport, ...]
    candidates: tuple[tuple[str, Disposition], ...]


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """A phase of a scan's life as it was entered and left."""

    phase: PhaseName
    status: Literal["in_progress", "completed", "error", "timeout"]
    time_ns: int
    duration_ms: float | None
    error: str | None
    extras: dict[str, Any]


class Lifecycle(msgspec.Struct, frozen=True, kw_only=True):
    """The phases of a scan and whether it is stuck."""

    status: ScanStatus
    phases: tuple[Phase, ...]
    stuck_s: float | None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One planned step of a scan; all are listed from the start."""

    number: int
    name: str
    status: StepStatus
    time_ns: int | None
    execution_ms: float | None
    error: str | None
    error_type: str | None


class Steps(msgspec.Struct, frozen=True):
    """All steps of a scan."""

    status: ScanStatus
    steps: tuple[Step, ...]


class DayMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Scans of one UTC day."""

    day: str
    total_scans: int
    successful_scans: int
    failed_scans: int
    total_opportunities: int
    total_strategies: int
    mean_execution_ms: float | None


class ScanMetrics(msgspec.Struct, frozen=True):
    """The day and the newest scans."""

    day: DayMetrics
    recent: tuple[ScanStatus, ...]


def phase_event(
    phase: PhaseName,
    status: str,
    *,
    duration_ms: float | None = None,
    error: str | None = None,
    **extras: Any,
) -> tuple[str, dict[str, Any]]:
    """The event that tells a phase was entered or left."""
    return "phase", {
        "phase": phase,
        "status": status,
        "duration_ms": duration_ms,
        "error": error,
        "extras": extras,
    }
