"""Shapes of bodies about scans; the one place for the words of earlier clients."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sextant.api.opportunity_schemas import OpportunityBody, Percent, Spelled
from sextant.api.schemas import Time
from sextant.model.opportunity import DispositionKind, Outcome, RiskLevel
from sextant.model.view import Feed
from sextant.scans.diff import Cause
from sextant.scans.diff import Kind as ChangeKind
from sextant.scans.records import GradeFilter, PhaseName, ScanOutcome, Status

Amount = Annotated[
    Decimal,
    Meta(
        extra_json_schema={"type": ["number", "string"]},
        description="A number, or a string of digits.",
        examples=[100],
    ),
]
Words = Annotated[list[str], Meta(max_length=200)] | Annotated[str, Meta(max_length=8_192)]
"""A list, as an array or as text with commas."""

PageSize = Annotated[int, Meta(ge=1, le=200)]
Cursor = Annotated[str, Meta(max_length=512, description="From `next_cursor` of the page before.")]
ScanStateWord = Literal["pending", "partial", "complete", "failed"]


class DiscoverBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The filters of a scan; each of them changes the answer."""

    force_refresh: bool = False
    symbols: Words = []
    asset_tiers: Words = []
    strategy_ids: Words | None = None
    opportunity_type: Words = []
    strategy_types: Annotated[Words, Meta(description="Another name of opportunity_type.")] = []
    filter_by_risk_level: RiskLevel | None = None
    min_profit_potential: Amount | None = None
    max_required_capital: Amount | None = None
    preferred_timeframes: Words = []
    min_grade: GradeFilter = "unproven"
    include_strategy_recommendations: bool = True


class OnboardBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which starting package is wanted."""

    welcome_package: Literal["standard"] = "standard"


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """The filters a scan was run with."""

    symbols: list[str]
    asset_tiers: list[str]
    strategy_ids: Annotated[list[str] | None, Meta(description="Null: the whole catalogue.")]
    opportunity_type: list[str]
    filter_by_risk_level: RiskLevel | None
    min_profit_potential: float | None
    max_required_capital: float | None
    preferred_timeframes: list[str]
    min_grade: GradeFilter
    include_strategy_recommendations: bool
    unmatched: Annotated[list[str], Meta(description="Entries of symbols that name nothing.")]


class StartProgress(msgspec.Struct, frozen=True):
    """How far a scan is when it is accepted."""

    strategies_completed: int
    total_strategies: int


class DiscoverAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A scan whose row is committed; `initiated` if it is new, `scanning` if it was joined."""

    success: bool
    scan_id: str
    status: Literal["initiated", "scanning"]
    message: str
    estimated_completion_seconds: Annotated[float | None, Meta(description="Null before the first scan.")]
    poll_url: str
    results_url: str
    events_url: str
    polling_interval_seconds: int
    instructions: str
    filters: Filters
    progress: StartProgress


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a scan is; no member ever falls."""

    strategies_completed: int
    total_strategies: int
    opportunities_found_so_far: int
    percentage: Annotated[int, Meta(ge=0, le=100)]


class ScanErrorBody(msgspec.Struct, frozen=True):
    """Why a scan failed."""

    code: str
    reason: str
    detail: str


class StatusBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of a scan as its row says it."""

    success: bool
    scan_id: str
    status: Status
    scan_state: ScanStateWord
    outcome: ScanOutcome | None
    version: int
    phase: PhaseName
    message: str
    progress: Progress
    outcomes: dict[str, int]
    partial_results: list[OpportunityBody]
    estimated_time_remaining_seconds: Annotated[
        float | None, Meta(description="Null before the first scan ever, and after the end.")
    ]
    started_at: Time
    as_of: Annotated[Time | None, Meta(description="Null until the view is taken.")]
    age_s: Annotated[float | None, Meta(description="Null until the view is taken.")]
    feed: Feed
    simulated: bool
    total_opportunities: int | msgspec.UnsetType = msgspec.UNSET
    results_url: str | msgspec.UnsetType = msgspec.UNSET
    complete_coverage: bool | msgspec.UnsetType = msgspec.UNSET
    execution_time_ms: float | msgspec.UnsetType = msgspec.UNSET
    error: ScanErrorBody | msgspec.UnsetType = msgspec.UNSET


class StrategyPerformance(msgspec.Struct, frozen=True, kw_only=True):
    """How one strategy ended."""

    count: int
    total_potential: Annotated[float | None, Meta(description="USD; null where no profit is known.")]
    avg_confidence: Annotated[Percent | None, Meta(description="Null where no confidence is known.")]
    outcome: Annotated[Outcome | None, Meta(description="Null while it runs.")]
    reason: str | None
    execution_time_ms: float | None


class AssetDiscovery(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at."""

    total_assets_scanned: Annotated[int | None, Meta(description="Null until the view is taken.")]
    asset_tiers: list[str]
    max_tier_accessed: str | None


class ScanProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller was entitled to."""

    active_strategies: list[str]
    active_strategy_count: int
    scan_limit: None
    strategy_fingerprint: str


class RecommendationBody(msgspec.Struct, frozen=True):
    """A strategy the caller might want, and why."""

    strategy_id: str
    name: str
    reason: str


class PerformanceMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Where the time went, and what went wrong."""

    portfolio_fetch_time_ms: float | None
    asset_discovery_ms: float | None
    strategies_ms: float | None
    total_timeouts: int
    total_errors: int


class ResultsMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the scan beside its results."""

    scan_state: ScanStateWord
    strategies_completed: int
    total_strategies: int
    remaining_strategies: int
    message: str
    generated_at: Time
    filters: Filters
    view_hash: str | None
    code_version: str


class ResultsBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan found."""

    success: bool
    scan_id: str
    user_id: str
    status: Status
    outcome: ScanOutcome | None
    error: ScanErrorBody | None
    opportunities: list[OpportunityBody]
    total_opportunities: int
    strategy_performance: dict[str, StrategyPerformance]
    asset_discovery: AssetDiscovery
    user_profile: ScanProfile
    strategy_recommendations: list[RecommendationBody]
    execution_time_ms: Annotated[float | None, Meta(description="Null while it runs.")]
    last_updated: Time
    performance_metrics: PerformanceMetrics
    metadata: ResultsMetadata
    coverage_url: str
    signal_analysis: None
    threshold_transparency: None
    as_of: Time | None
    age_s: float | None
    feed: Feed
    simulated: bool


class OnboardResults(msgspec.Struct, frozen=True):
    """What onboarding granted."""

    free_strategies: list[str]
    strategy_portfolio: list[str]


class OnboardAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The first answer to onboarding; repeats give it again."""

    onboarding_id: str
    user_id: str
    results: OnboardResults
    execution_time_ms: float
    onboarded_at: Time
    next_steps: list[str]


class OnboardingStatus(msgspec.Struct, frozen=True):
    """Whether the caller has strategies."""

    onboarded: bool
    active_strategies: int
    needs_onboarding: bool


class LastScan(msgspec.Struct, frozen=True):
    """The caller's newest scan; all null before the first."""

    scan_id: str | None
    last_scan: Time | None
    time_since_last_scan: float | None


class Advice(msgspec.Struct, frozen=True):
    """What to do next, and what a scan usually finds."""

    next_action: Literal["onboard", "connect_exchange", "scan", "wait"]
    estimated_opportunities: Annotated[
        float | None, Meta(description="Median of the last ten scans; null before the first.")
    ]


class UserStatusAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Where the caller stands."""

    success: bool
    user_id: str
    onboarding_status: OnboardingStatus
    last_scan_info: LastScan
    discovery_available: bool
    recommendations: Advice


class DiscoveryMetrics(msgspec.Struct, frozen=True):
    """Failed scans of this UTC day."""

    daily_errors: int
    system_status: Literal["operational", "degraded", "critical"]
    last_updated: Time


class ScansQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which of the caller's scans."""

    status: Status | None = None
    since: Time | None = None
    until: Time | None = None
    cursor: Cursor | None = None
    limit: PageSize = 50


class ScanRow(msgspec.Struct, frozen=True, kw_only=True):
    """A scan in a list."""

    scan_id: str
    status: Status
    outcome: ScanOutcome | None
    scan_state: ScanStateWord
    started_at: Time
    finished_at: Time | None
    execution_time_ms: float | None
    total_opportunities: int
    outcomes: dict[str, int]
    filters: Filters
    feed: Feed
    simulated: bool


class ScansAnswer(msgspec.Struct, frozen=True):
    """A page of scans, newest first."""

    scans: list[ScanRow]
    next_cursor: str | None


class DiffQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Two scans of the caller, the earlier one first."""

    a: Annotated[str, Meta(max_length=64)]
    b: Annotated[str, Meta(max_length=64)]
    cursor: Cursor | None = None
    limit: PageSize = 50


class CauseShare(msgspec.Struct, frozen=True):
    """A cause and the share of the change it explains; null where it cannot be told from the rest."""

    cause: Cause
    share_frac: float | None


class DiffRow(msgspec.Struct, frozen=True, kw_only=True):
    """One idea that two scans rank or size differently."""

    opportunity_key: str
    strategy_id: str
    instruments: list[str]
    change: ChangeKind
    rank_a: int | None
    rank_b: int | None
    edge_a_bps: float | None
    edge_b_bps: float | None
    causes: list[CauseShare]


class DiffAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What changed from one scan to another, by the rank in the second."""

    a: str
    b: str
    changes: list[DiffRow]
    unchanged_count: int
    next_cursor: str | None


class ReplayDifference(msgspec.Struct, frozen=True):
    """One thing that a scan and its replay say differently, as JSON text; null where one of them says nothing."""

    strategy_id: str
    subject: str
    field: str
    then: str | None
    now: str | None


class ReplayAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A scan held against its replay from the same input."""

    scan_id: str
    input_hash: str
    view_hash: str
    config_hash: str
    code_version_then: str
    code_version_now: str
    stored_hash: str
    replayed_hash: str
    identical: bool
    differences: list[ReplayDifference]
    seconds: float


class CoverageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which candidates of a scan."""

    strategy_id: Annotated[str, Meta(max_length=64)] | None = None
    instrument: Annotated[str, Meta(max_length=128)] | None = None
    disposition: DispositionKind | None = None
    cursor: Cursor | None = None
    limit: PageSize = 50


class FunnelBody(msgspec.Struct, frozen=True, rename={"entered": "in", "passed": "out"}):
    """Candidates that entered and left one gate."""

    gate: str
    entered: int
    passed: int


class NearMiss(msgspec.Struct, frozen=True, kw_only=True):
    """A refused candidate close to passing, and what would change the answer."""

    instrument: str
    gate: str
    value: float | None
    limit: float | None
    unit: str
    value_bps: Annotated[float | None, Meta(description="Null where the gate is not in basis points.")]
    limit_bps: Annotated[float | None, Meta(description="Null where the gate is not in basis points.")]
    distance_frac: float | None
    failed_count: Annotated[int, Meta(description="How many gates failed; `gate` is the first of them.")]
    flips_if: str | None
    since: Annotated[Time | None, Meta(description="Null where the time is not known.")]


class StrategyCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """What one strategy looked at; the dispositions sum to `candidates`."""

    strategy_id: str
    outcome: Outcome | None
    reason: str | None
    execution_time_ms: float | None
    candidates: int
    dispositions: dict[str, int]
    funnel: list[FunnelBody]
    near_misses: list[NearMiss]


class CandidateBody(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one candidate."""

    strategy_id: str
    unit: str
    instruments: list[Spelled]
    disposition: DispositionKind
    gate: str
    value: float | None
    limit: float | None
    value_unit: str
    distance_frac: float | None
    flips_if: str | None
    since: Time | None
    opportunity_key: str | None


class CoverageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Why each candidate is where it is."""

    scan_id: str
    complete_coverage: bool
    universe: int | None
    strategies: list[StrategyCoverage]
    candidates: list[CandidateBody]
    next_cursor: str | None
    as_of: Time | None
    age_s: float | None
    feed: Feed
    simulated: bool
