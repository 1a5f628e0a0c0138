"""How a scan moves: each function gives the change of one step of its life, nothing else writes rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from sextant.model.opportunity import Outcome
from sextant.scans.blobs import pack
from sextant.scans.records import (
    Found,
    PhaseName,
    Recommendation,
    ScanError,
    ScanOutcome,
    ScanStatus,
    Step,
    StepStatus,
    StrategyReport,
    phase_event,
)
from sextant.scans.store import Change
from sextant.scans.universe import Universe

_ENDED_BY_ITSELF: Final[tuple[Outcome, ...]] = ("ok", "empty", "skipped")
LATE_REASONS: Final = frozenset({"budget_exceeded"})


def step(number: int, name: str, status: StepStatus, time_ns: int, **facts: Any) -> Step:
    """A step as it stands at a time; facts are ``execution_ms``, ``error`` and ``error_type``."""
    known = {"execution_ms": None, "error": None, "error_type": None} | facts
    return Step(number=number, name=name, status=status, time_ns=time_ns, **known)


def entered(
    phase: PhaseName, message: str, *, left: tuple[PhaseName, float] | None = None, steps: Sequence[Step] = ()
) -> Change:
    """The scan enters a phase; ``left`` is the one before it and the milliseconds it took."""
    before = [] if left is None else [phase_event(left[0], "completed", duration_ms=left[1])]
    return Change(
        facts={"phase": phase, "message": message},
        events=[*before, phase_event(phase, "in_progress")],
        steps=list(steps),
    )


def view_taken(as_of_ns: int, view_hash: str, universe: Universe, spent_ms: float) -> Change:
    """The frozen view and the universe are known; strategies begin."""
    left = phase_event("asset_discovery", "completed", duration_ms=spent_ms, universe=universe.count)
    return Change(
        facts={
            "phase": "strategies_scan",
            "message": f"{universe.count} instruments are scanned.",
            "as_of_ns": as_of_ns,
            "view_hash": view_hash,
            "universe_count": universe.count,
            "tiers": list(universe.tiers),
        },
        events=[left, phase_event("strategies_scan", "in_progress")],
    )


def strategy_ended(
    status: ScanStatus,
    position: int,
    report: StrategyReport,
    coverage: bytes,
    found: Sequence[Found],
) -> Change:
    """One strategy has ended; its opportunities are readable from now on, not yet ranked.

    Parameters
    ----------
    coverage
        What it said of its candidates, see :func:`sextant.scans.blobs.pack_answers`.
    """
    outcome = report.outcome
    if outcome is None:
        raise AssertionError(f"{report.strategy_id} has not ended")
    outcomes = dict(status.outcomes) | {outcome: status.outcomes.get(outcome, 0) + 1}
    ended = status.ended_strategies + 1
    count = status.found_count + len(found)
    told = {
        "strategy_id": report.strategy_id,
        "outcome": outcome,
        "reason": report.reason,
        "opportunities": report.opportunities,
        "execution_ms": report.execution_ms,
    }
    progress = {
        "ended_strategies": ended,
        "total_strategies": status.total_strategies,
        "found_count": count,
        "outcomes": outcomes,
    }
    events: list[tuple[str, dict[str, Any]]] = [("strategy", told)]
    events += [("opportunity", {"opportunity_id": item.opportunity_id}) for item in found]
    events.append(("progress", progress))
    return Change(
        facts={
            "ended_strategies": ended,
            "found_count": count,
            "outcomes": outcomes,
            "message": f"{ended} of {status.total_strategies} strategies have ended.",
        },
        events=events,
        reports=[(position, report, coverage)],
        found=list(found),
        owner=status.user_id,
    )


@dataclass(frozen=True)
class Closing:
    """What a scan ends with.

    Parameters
    ----------
    outcome
        Of the whole scan.
    ranks
        Opportunity ids, best first.
    recommendations
        Strategies the caller might want.
    phase_ms
        Milliseconds of each phase.
    """

    outcome: ScanOutcome
    ranks: tuple[str, ...]
    recommendations: tuple[Recommendation, ...]
    phase_ms: Mapping[PhaseName, float]


def outcome_of(reports: Sequence[StrategyReport]) -> ScanOutcome:
    """The outcome of a scan whose strategies have all ended (api.md 2.3 rule 3)."""
    by_itself = [report for report in reports if report.outcome in _ENDED_BY_ITSELF]
    if not by_itself:
        return "late" if all(report.outcome == "late" for report in reports) else "failed"
    if len(by_itself) < len(reports):
        return "partial"
    asked = [
        report for report in reports if not (report.outcome == "skipped" and report.reason == "not_entitled")
    ]
    without_data = [
        report
        for report in asked
        if report.outcome == "skipped"
        or (report.candidates and report.dispositions.get("insufficient_data") == report.candidates)
    ]
    if asked and len(without_data) == len(asked):
        return "insufficient"
    return "partial" if any(report.outcome == "skipped" for report in asked) else "ok"


def completed(status: ScanStatus, time_ns: int, closing: Closing) -> Change:
    """At least one strategy ended by itself: the results are final and ranked."""
    after = msgspec.structs.replace(status, status="complete")
    done = {
        "status": "complete",
        "outcome": closing.outcome,
        "total_opportunities": status.found_count,
        "complete_coverage": after.complete_coverage,
        "error": None,
    }
    spent_ms = closing.phase_ms["strategies_scan"]
    return Change(
        facts={
            "status": "complete",
            "outcome": closing.outcome,
            "phase": "completed",
            "message": f"{status.found_count} opportunities from {status.total_strategies} strategies.",
            "finished_ns": time_ns,
            "recommendations": pack(closing.recommendations),
            "phase_ms": dict(closing.phase_ms),
        },
        events=[
            phase_event("strategies_scan", "completed", duration_ms=spent_ms),
            phase_event("completed", "completed"),
            ("done", done),
        ],
        ranks=list(closing.ranks),
    )


def failed(status: ScanStatus, error: ScanError, time_ns: int, steps: Sequence[Step] = ()) -> Change:
    """The scan ends as failed; what it had found stays readable."""
    late = error.reason in LATE_REASONS
    done = {
        "status": "failed",
        "outcome": "late" if late else "failed",
        "total_opportunities": status.found_count,
        "complete_coverage": False,
        "error": msgspec.to_builtins(error),
    }
    word = "timeout" if late else "error"
    return Change(
        facts={
            "status": "failed",
            "outcome": done["outcome"],
            "phase": "failed",
            "message": error.detail,
            "finished_ns": time_ns,
            "error": pack(error),
        },
        events=[
            phase_event(status.phase, word, error=error.detail),
            phase_event("failed", word, error=error.detail),
            ("done", done),
        ],
        steps=list(steps),
    )
