from __future__ import annotations

from sextant.model.scorecard import Scorecard


def test_a_card_without_history_holds_no_number() -> None:
    card = Scorecard(
        kind="bars",
        status="insufficient_history",
        reason="0 of 30 events",
        source="strategy",
        bucket="all",
        n=0,
        n_eff=0.0,
        clusters_count=0,
    )
    numbers = (
        card.hit_frac,
        card.expectancy_bps,
        card.confidence,
        card.brier,
        card.deflated_p,
        card.live_hit_frac,
    )
    assert numbers == (None,) * len(numbers)
    assert card.grade == "unproven"
