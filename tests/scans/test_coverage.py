from __future__ import annotations

from sextant.scans.coverage import funnel_of, near_misses_of, tally
from sextant.strategies.answers import listed
from support.scans import disposition, gate

_FAILED_FIRST = (gate("trend", passed=False, distance=0.2), gate("volume", passed=True))
_PASSED = (gate("trend", passed=True), gate("volume", passed=True))
_FAILED_SECOND = (gate("trend", passed=True), gate("volume", passed=False, distance=0.5))


def test_the_tally_names_all_nine_dispositions() -> None:
    counts = tally(listed([disposition("a", "opportunity"), disposition("b", "late")]))
    assert len(counts) == 9
    assert (counts["opportunity"], counts["late"], counts["failed"]) == (1, 1, 0)


def test_the_funnel_chains_from_all_candidates_to_the_opportunities() -> None:
    candidates = [
        disposition("a", "insufficient_data", stage="bars"),
        disposition("b", "gate_failed", stage="trend", distance=0.2, gates=_FAILED_FIRST),
        disposition("c", "gate_failed", stage="volume", distance=0.5, gates=_FAILED_SECOND),
        disposition("d", "negative_net_edge", distance=0.1, gates=_PASSED),
        disposition("e", "filtered_by_user", stage="min_grade", gates=_PASSED),
        disposition("f", "opportunity", gates=_PASSED),
    ]
    funnel = funnel_of(listed(candidates))
    assert [(stage.gate, stage.entered, stage.passed) for stage in funnel] == [
        ("inputs", 6, 5),
        ("trend", 5, 4),
        ("volume", 4, 3),
        ("min_edge_bps", 3, 2),
        ("min_notional", 2, 2),
        ("request_filters", 2, 1),
    ]


def test_the_net_edge_is_one_stage_also_when_it_is_among_the_readings() -> None:
    edge = gate("min_edge_bps", passed=True)
    lost = gate("min_edge_bps", passed=False, distance=2.0)
    funnel = funnel_of(
        listed(
            [
                disposition(
                    "a", "negative_net_edge", stage="min_edge_bps", distance=2.0, gates=(*_PASSED, lost)
                ),
                disposition(
                    "b", "gate_failed", stage="payoff", gates=(*_PASSED, edge, gate("payoff", passed=False))
                ),
                disposition("c", "opportunity", gates=(*_PASSED, edge, gate("payoff", passed=True))),
            ]
        )
    )
    assert [(stage.gate, stage.entered, stage.passed) for stage in funnel] == [
        ("inputs", 3, 3),
        ("trend", 3, 3),
        ("volume", 3, 3),
        ("min_edge_bps", 3, 2),
        ("payoff", 2, 1),
        ("min_notional", 1, 1),
        ("request_filters", 1, 1),
    ]


def test_near_misses_are_those_whose_every_failed_gate_is_near() -> None:
    near = disposition("b", "gate_failed", stage="trend", distance=0.2, failed_count=1, gates=_FAILED_FIRST)
    far = disposition("c", "gate_failed", stage="volume", distance=0.5, failed_count=1, gates=_FAILED_SECOND)
    both = disposition(
        "g",
        "gate_failed",
        stage="trend",
        distance=0.1,
        failed_count=2,
        gates=(gate("trend", passed=False, distance=0.1), gate("volume", passed=False, distance=0.9)),
    )
    assert near_misses_of(listed([far, both, near])) == (near,)
