"""Coverage: why each candidate is where it is; the dispositions of a strategy sum to what it looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, get_args

from sextant.model.opportunity import Disposition, DispositionKind
from sextant.scans.records import FunnelStage

NEAR: Final = 0.25  # strategies.md 1.3: every failed gate within this distance
MOST_NEAR_MISSES: Final = 20  # shown per strategy; the rest is in the coverage rows

_ECONOMIC: Final = frozenset({"payoff", "break_even_s", "edge_annual_frac", "edge_lcb_bps", "min_capital"})
"""Gates that stand behind the net edge, so that a loss reads as a loss (strategies.md 1.3)."""

_OUTSIDE_GATES: Final[tuple[DispositionKind, ...]] = ("not_entitled", "late", "failed")


def tally(dispositions: Sequence[Disposition]) -> dict[DispositionKind, int]:
    """How many candidates ended in each disposition; all nine are named, also those of none."""
    counts = Counter(item.kind for item in dispositions)
    return {kind: counts.get(kind, 0) for kind in get_args(DispositionKind)}


def funnel_of(dispositions: Sequence[Disposition]) -> tuple[FunnelStage, ...]:
    """Candidates entering and leaving each stage: inputs, the gates in declared order, edge, size, filters.

    A stage takes what the one before it let pass; the last lets pass exactly the opportunities.
    """
    left = len(dispositions)
    stopped = Counter(_stage(item) for item in dispositions if item.kind != "opportunity")
    stages: list[FunnelStage] = []
    for stage in _stages(dispositions):
        passed = left - stopped.get(stage, 0)
        stages.append(FunnelStage(stage, left, passed))
        left = passed
    return tuple(stages)


def near_misses_of(dispositions: Sequence[Disposition]) -> tuple[Disposition, ...]:
    """Refused candidates whose every failed gate is within a quarter of its limit, nearest first."""
    near = [
        item
        for item in dispositions
        if item.kind in ("gate_failed", "negative_net_edge")
        and item.distance is not None
        and _worst(item) <= NEAR
    ]
    return tuple(
        sorted(near, key=lambda item: (item.failed_count, _worst(item), item.unit))[:MOST_NEAR_MISSES]
    )


def _worst(item: Disposition) -> float:
    readings = [gate.distance for gate in item.gates if not gate.passed and gate.distance is not None]
    return max([*readings, item.distance if item.distance is not None else 0.0])


def _stage(item: Disposition) -> str:
    if item.kind == "insufficient_data":
        return "inputs"
    if item.kind == "gate_failed":
        return item.stage
    if item.kind == "negative_net_edge":
        return "min_edge_bps"
    if item.kind == "below_min_notional":
        return "min_notional"
    if item.kind == "filtered_by_user":
        return "request_filters"
    return item.kind


def _stages(dispositions: Sequence[Disposition]) -> list[str]:
    """All stages in the order a candidate meets them; gates as declared, read from the longest list of readings."""
    present = {_stage(item) for item in dispositions if item.kind != "opportunity"}
    longest = max((item.gates for item in dispositions), key=len, default=())
    gates = [reading.gate for reading in longest if reading.gate != "min_edge_bps"]
    gates += sorted({item.stage for item in dispositions if item.kind == "gate_failed"} - set(gates))
    outside = [kind for kind in _OUTSIDE_GATES if kind in present]
    first = [gate for gate in gates if gate not in _ECONOMIC]
    last = [gate for gate in gates if gate in _ECONOMIC]
    return [*outside, "inputs", *first, "min_edge_bps", *last, "min_notional", "request_filters"]
