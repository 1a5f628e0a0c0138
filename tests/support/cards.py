"""Scorecards as evidence gives them, with round numbers."""

from __future__ import annotations

from typing import Any

import msgspec

from sextant.model.scorecard import Scorecard

UNPROVEN = Scorecard(
    kind="bars",
    status="insufficient_history",
    reason="3 of 30 independent events",
    source="strategy",
    bucket="1.00..1.15",
    n=3,
    n_eff=3.0,
    clusters_count=3,
)


def proven(**changes: Any) -> Scorecard:
    """200 independent events with a shrunk gross mean of 120 bps and a standard error of 16 bps."""
    card = Scorecard(
        kind="bars",
        status="scored",
        reason=None,
        source="strategy",
        bucket="1.15..1.35",
        n=250,
        n_eff=200.0,
        clusters_count=90,
        gross_mean_bps=150.0,
        gross_se_bps=20.0,
        shrink_frac=0.8,
        variance_frac=0.02**2,
        es95_bps=310.0,
        median_s=36_000.0,
        exits={"target": 120, "stop": 80, "time": 50},
        confidence=0.62,
        confidence_low=0.55,
        confidence_high=0.68,
        deflated_p=0.97,
        half_life_s=7_200.0,
        grade="A",
    )
    return msgspec.structs.replace(card, **changes)
