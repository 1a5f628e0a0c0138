"""Coverage: why each candidate is where it is; the dispositions of a strategy sum to what it looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final, get_args

from sextant.model.opportunity import Disposition, DispositionKind
from sextant.scans.records import FunnelStage
from sextant.strategies.answers import Answers, Readings

NEAR: Final = 0.25  # strategies.md 1.3: every failed gate within this distance
MOST_NEAR_MISSES: Final = 20  # shown per strategy; the rest is in the coverage rows

_ECONOMIC: Final = frozenset({"payoff", "break_even_s", "edge_annual_frac", "edge_lcb_bps", "min_capital"})
"""Gates that stand behind the net edge, so that a loss reads as a loss (strategies.md 1.3)."""

_STAGE_OF: Final[Mapping[DispositionKind, str]] = {
    "insufficient_data": "inputs",
    "negative_net_edge": "min_edge_bps",
    "below_min_notional": "min_notional",
    "filtered_by_user": "request_filters",
}
_OUTSIDE_GATES: Final[tuple[DispositionKind, ...]] = ("not_entitled", "late", "failed")


def tally(dispositions: Answers) -> dict[DispositionKind, int]:
    """How many candidates ended in each disposition; all nine are named, also those of none."""
    counts = Counter(item.kind for item in dispositions.own.values())
    for kind, _, count in dispositions.refused.counts(dispositions.rest):
        counts[kind] += count
    return {kind: counts.get(kind, 0) for kind in get_args(DispositionKind)}


def funnel_of(dispositions: Answers) -> tuple[FunnelStage, ...]:
    """Candidates entering and leaving each stage: inputs, the gates in declared order, edge, size, filters.

    A stage takes what the one before it let pass; the last lets pass exactly the opportunities.
    """
    left = len(dispositions)
    ends = Counter((item.kind, item.stage) for item in dispositions.own.values())
    for kind, stage, count in dispositions.refused.counts(dispositions.rest):
        ends[kind, stage] += count
    stopped: Counter[str] = Counter()
    for (kind, stage), count in ends.items():
        if kind != "opportunity":
            stopped[_stage(kind, stage)] += count
    failed = {stage for kind, stage in ends if kind == "gate_failed"}
    stages: list[FunnelStage] = []
    for stage in _stages(_longest(dispositions), failed, stopped):
        passed = left - stopped.get(stage, 0)
        stages.append(FunnelStage(stage, left, passed))
        left = passed
    return tuple(stages)


def near_misses_of(dispositions: Answers) -> tuple[Disposition, ...]:
    """Refused candidates whose every failed gate is within a quarter of its limit, nearest first."""
    near = [
        item
        for item in dispositions.own.values()
        if item.kind in ("gate_failed", "negative_net_edge")
        and item.distance is not None
        and _worst(item) <= NEAR
    ]
    near += dispositions.refused.near(dispositions.rest, NEAR, MOST_NEAR_MISSES)
    return tuple(
        sorted(near, key=lambda item: (item.failed_count, _worst(item), item.unit))[:MOST_NEAR_MISSES]
    )


def _worst(item: Disposition) -> float:
    readings = [gate.distance for gate in item.gates if not gate.passed and gate.distance is not None]
    return max([*readings, item.distance if item.distance is not None else 0.0])


def _stage(kind: DispositionKind, stage: str) -> str:
    return stage if kind == "gate_failed" else _STAGE_OF.get(kind, kind)


def _longest(dispositions: Answers) -> Readings:
    """The longest list of readings, the first of those equally long."""
    column, readings = dispositions.refused.longest(dispositions.rest)
    for own, item in dispositions.own.items():
        if len(item.gates) > len(readings) or (len(item.gates) == len(readings) and own < column):
            column, readings = own, item.gates
    return readings


def _stages(longest: Readings, failed: Collection[str], present: Collection[str]) -> list[str]:
    """All stages in the order a candidate meets them; gates as declared, read from the longest list of readings."""
    gates = [reading.gate for reading in longest if reading.gate != "min_edge_bps"]
    gates += sorted(set(failed) - set(gates))
    outside = [kind for kind in _OUTSIDE_GATES if kind in present]
    first = [gate for gate in gates if gate not in _ECONOMIC]
    last = [gate for gate in gates if gate in _ECONOMIC]
    return [*outside, "inputs", *first, "min_edge_bps", *last, "min_notional", "request_filters"]
