"""From the room's words to the wire's and back: percent, BASE/QUOTE, ISO times, null with a reason."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeVar, get_args

from msgspec.structs import replace

from sextant.api.opportunity_wire import age_s, opportunity, percent
from sextant.api.scan_schemas import (
    AssetDiscovery,
    CandidateBody,
    DiscoverBody,
    Filters,
    FunnelBody,
    NearMiss,
    PerformanceMetrics,
    Progress,
    RecommendationBody,
    ResultsBody,
    ResultsMetadata,
    ScanErrorBody,
    ScanProfile,
    ScanStateWord,
    StatusBody,
    StrategyCoverage,
    StrategyPerformance,
)
from sextant.errors import InputError
from sextant.model.opportunity import Disposition, Opportunity
from sextant.model.times import iso_ms
from sextant.scans.budget import NOT_ENTITLED
from sextant.scans.records import (
    AssetTier,
    Found,
    ScanRequest,
    ScanResults,
    ScanStatus,
    StrategyReport,
    Timeframe,
)

BASE: Final = "/api/v1"
OUTCOMES: Final = ("ok", "empty", "skipped", "late", "failed")
MOST_ENTRIES: Final = 200  # api.md 1.6

_T = TypeVar("_T")


def scan_request(body: DiscoverBody) -> ScanRequest:
    """The request of the room that a body asks for.

    Raises
    ------
    InputError
        If a list holds something that is none of its choices, or both names of the type filter are used.
    """
    types, alias = _words(body.opportunity_type), _words(body.strategy_types)
    if types and alias:
        raise InputError(
            "opportunity_type and strategy_types are one filter; give one of them.",
            reason="unknown_field",
            field="strategy_types",
        )
    strategy_ids = None if body.strategy_ids is None else _words(body.strategy_ids)
    return ScanRequest(
        instruments=tuple(dict.fromkeys(_upper(word) for word in _words(body.symbols))),
        asset_tiers=_choices(_words(body.asset_tiers), get_args(AssetTier), "asset_tiers"),
        strategy_ids=strategy_ids,
        opportunity_types=types or alias,
        risk_level=body.filter_by_risk_level,
        min_profit_usd=_float(body.min_profit_potential),
        max_capital_usd=_float(body.max_required_capital),
        timeframes=_choices(_words(body.preferred_timeframes), get_args(Timeframe), "preferred_timeframes"),
        min_grade=body.min_grade,
        recommendations=body.include_strategy_recommendations,
    )


def filters(request: ScanRequest, unmatched: Sequence[str]) -> Filters:
    """The filters of a request, echoed."""
    return Filters(
        symbols=list(request.instruments),
        asset_tiers=list(request.asset_tiers),
        strategy_ids=None if request.strategy_ids is None else list(request.strategy_ids),
        opportunity_type=list(request.opportunity_types),
        filter_by_risk_level=request.risk_level,
        min_profit_potential=request.min_profit_usd,
        max_required_capital=request.max_capital_usd,
        preferred_timeframes=list(request.timeframes),
        min_grade=request.min_grade,
        include_strategy_recommendations=request.recommendations,
        unmatched=list(unmatched),
    )


def scan_state(status: ScanStatus) -> ScanStateWord:
    """The older word for how far a scan is."""
    if status.status != "scanning":
        return status.status
    return "partial" if status.ended_strategies else "pending"


def outcomes(status: ScanStatus) -> dict[str, int]:
    """All five outcomes, also those of none."""
    counts: Mapping[Any, int] = status.outcomes
    return {word: counts.get(word, 0) for word in OUTCOMES}


def progress(status: ScanStatus) -> Progress:
    """How far a scan is."""
    return Progress(
        strategies_completed=status.ended_strategies,
        total_strategies=status.total_strategies,
        opportunities_found_so_far=status.found_count,
        percentage=status.percentage,
    )


def execution_ms(status: ScanStatus) -> float | None:
    """Wall time of an ended scan; None while it runs, and where both its times are that of its view (decision 5)."""
    if status.finished_ns in (None, status.started_ns):
        return None
    return (status.finished_ns - status.started_ns) / 1e6


def stamps(status: ScanStatus, now_ns: int) -> dict[str, Any]:
    """``as_of`` and ``age_s`` of a scan's facts; null until its view is taken."""
    if status.as_of_ns is None:
        return {"as_of": None, "age_s": None}
    return {"as_of": iso_ms(status.as_of_ns), "age_s": age_s(status.as_of_ns, now_ns)}


def status_body(status: ScanStatus, best: Sequence[Found], now_ns: int) -> StatusBody:
    """The answer to a poll."""
    further: dict[str, Any] = {}
    if status.status == "complete":
        further = {
            "total_opportunities": status.found_count,
            "results_url": f"{BASE}/opportunities/results/{status.scan_id}",
            "complete_coverage": status.complete_coverage,
            "execution_time_ms": execution_ms(status),
        }
    elif status.error is not None:
        further = {"error": _error(status)}
    return StatusBody(
        success=status.status != "failed",
        scan_id=status.scan_id,
        status=status.status,
        scan_state=scan_state(status),
        outcome=status.outcome,
        version=status.version,
        phase=status.phase,
        message=status.message,
        progress=progress(status),
        outcomes=outcomes(status),
        partial_results=[opportunity(item, now_ns) for item in best],
        estimated_time_remaining_seconds=status.remaining_s,
        started_at=iso_ms(status.started_ns),
        feed=status.feed,
        simulated=status.simulated,
        **stamps(status, now_ns),
        **further,
    )


def aged(body: StatusBody, status: ScanStatus, best: Sequence[Found], now_ns: int) -> StatusBody:
    """The answer to a later poll of the same version: only what passes with time is told anew."""
    return replace(
        body,
        partial_results=[
            replace(row, age_s=age_s(item.opportunity.as_of_ns, now_ns))
            for row, item in zip(body.partial_results, best, strict=True)
        ],
        estimated_time_remaining_seconds=status.remaining_s,
        age_s=None if status.as_of_ns is None else age_s(status.as_of_ns, now_ns),
    )


def results(answer: ScanResults, now_ns: int) -> ResultsBody:
    """The body that tells what a scan found."""
    status = answer.status
    return ResultsBody(
        success=status.status != "failed",
        scan_id=status.scan_id,
        user_id=status.user_id,
        status=status.status,
        outcome=status.outcome,
        error=None if status.error is None else _error(status),
        opportunities=[opportunity(item, now_ns) for item in answer.found],
        total_opportunities=len(answer.found),
        strategy_performance=_performance(answer),
        asset_discovery=asset_discovery(status),
        user_profile=_profile(answer.strategies),
        strategy_recommendations=[
            RecommendationBody(item.strategy_id, item.name, item.reason) for item in answer.recommendations
        ],
        execution_time_ms=execution_ms(status),
        last_updated=iso_ms(status.updated_ns),
        performance_metrics=PerformanceMetrics(
            portfolio_fetch_time_ms=answer.phase_ms.get("portfolio_fetch"),
            asset_discovery_ms=answer.phase_ms.get("asset_discovery"),
            strategies_ms=answer.phase_ms.get("strategies_scan"),
            total_timeouts=status.outcomes.get("late", 0),
            total_errors=status.outcomes.get("failed", 0),
        ),
        metadata=ResultsMetadata(
            scan_state=scan_state(status),
            strategies_completed=status.ended_strategies,
            total_strategies=status.total_strategies,
            remaining_strategies=status.total_strategies - status.ended_strategies,
            message=status.message,
            generated_at=iso_ms(now_ns),
            filters=filters(status.request, status.unmatched),
            view_hash=status.view_hash,
            code_version=status.code_version,
        ),
        coverage_url=f"{BASE}/scans/{status.scan_id}/coverage",
        signal_analysis=None,
        threshold_transparency=None,
        feed=status.feed,
        simulated=status.simulated,
        **stamps(status, now_ns),
    )


def asset_discovery(status: ScanStatus) -> AssetDiscovery:
    """What a scan looked at."""
    return AssetDiscovery(
        total_assets_scanned=status.universe_count,
        asset_tiers=list(status.tiers),
        max_tier_accessed=status.tiers[0] if status.tiers else None,
    )


def strategy_coverage(report: StrategyReport) -> StrategyCoverage:
    """What one strategy looked at."""
    return StrategyCoverage(
        strategy_id=report.strategy_id,
        outcome=report.outcome,
        reason=report.reason,
        execution_time_ms=report.execution_ms,
        candidates=report.candidates,
        dispositions={str(kind): count for kind, count in report.dispositions.items()},
        funnel=[FunnelBody(stage.gate, stage.entered, stage.passed) for stage in report.funnel],
        near_misses=[_near_miss(item) for item in report.near_misses],
    )


def candidate(strategy_id: str, item: Disposition) -> CandidateBody:
    """What became of one candidate."""
    return CandidateBody(
        strategy_id=strategy_id,
        unit=item.unit,
        instruments=[str(instrument) for instrument in item.instruments],
        disposition=item.kind,
        gate=item.stage,
        value=item.value,
        limit=item.limit,
        value_unit=item.value_unit,
        distance_frac=item.distance,
        flips_if=item.flips_if,
        since=None if item.since_ns is None else iso_ms(item.since_ns),
        opportunity_key=item.opportunity_key,
    )


def _performance(answer: ScanResults) -> dict[str, StrategyPerformance]:
    rows: dict[str, list[Opportunity]] = {}
    for item in answer.found:
        rows.setdefault(item.opportunity.strategy_id, []).append(item.opportunity)
    table = {}
    for report in answer.strategies:
        found = rows.get(report.strategy_id, [])
        profits = [row.edge_usd for row in found if row.edge_usd is not None and row.lane == "earn"]
        stated = [row.confidence for row in found if row.confidence is not None]
        table[report.strategy_id] = StrategyPerformance(
            count=report.opportunities,
            total_potential=sum(profits) if profits else None,
            avg_confidence=percent(sum(stated) / len(stated)) if stated else None,
            outcome=report.outcome,
            reason=report.reason,
            execution_time_ms=report.execution_ms,
        )
    return table


def _profile(reports: Sequence[StrategyReport]) -> ScanProfile:
    active = [report.strategy_id for report in reports if report.reason != NOT_ENTITLED]
    return ScanProfile(
        active_strategies=active,
        active_strategy_count=len(active),
        scan_limit=None,
        strategy_fingerprint=hashlib.sha256("\n".join(sorted(active)).encode()).hexdigest()[:16],
    )


def _near_miss(item: Disposition) -> NearMiss:
    in_bps = item.value_unit == "bps"
    return NearMiss(
        instrument=item.unit,
        gate=item.stage,
        value=item.value,
        limit=item.limit,
        unit=item.value_unit,
        value_bps=item.value if in_bps else None,
        limit_bps=item.limit if in_bps else None,
        distance_frac=item.distance,
        failed_count=item.failed_count,
        flips_if=item.flips_if,
        since=None if item.since_ns is None else iso_ms(item.since_ns),
    )


def _error(status: ScanStatus) -> ScanErrorBody:
    if status.error is None:
        raise AssertionError(f"{status.scan_id} has no error")
    return ScanErrorBody(status.error.code, status.error.reason, status.error.detail)


def _float(number: Decimal | None) -> float | None:
    return None if number is None else float(number)


def _words(given: list[str] | str) -> tuple[str, ...]:
    """A list given as an array or with commas: trimmed, without empty entries and repetitions."""
    words = given.split(",") if isinstance(given, str) else given
    return tuple(dict.fromkeys(word.strip() for word in words if word.strip()))


def _upper(word: str) -> str:
    return word if ":" in word else word.upper()


def _choices(words: tuple[str, ...], allowed: Sequence[_T], field: str) -> tuple[_T, ...]:
    by_word = {str(item): item for item in allowed}
    for word in words:
        if word.lower() not in by_word:
            raise InputError(
                f"An entry of {field} is none of {', '.join(by_word)}.", reason="not_a_choice", field=field
            )
    return tuple(dict.fromkeys(by_word[word.lower()] for word in words))
