from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from sextant.confluence import decision
from sextant.confluence.catalog import voices
from sextant.confluence.decision import STATES
from sextant.confluence.explain import Breakdown, breakdown, change_1h, levels, state_of, why_not
from sextant.confluence.scorer import evaluate
from sextant.model.times import SECOND_NS
from support import minutes
from support.lively import SIZE, found, market


@cache
def told() -> Breakdown:
    return breakdown(found(), 1)


def test_points_sum_to_the_score_minus_fifty() -> None:
    for column in range(SIZE):
        one = breakdown(found(), column)
        assert one.confluence is not None
        assert sum(part.points for part in one.dimensions) == pytest.approx(50 * one.confluence, abs=1e-9)
        assert sum(sub.points for part in one.dimensions for sub in part.signals) == pytest.approx(
            50 * one.confluence, abs=1e-9
        )


def test_used_weights_sum_to_one_over_what_is_present() -> None:
    used = [sub.weight_used for part in told().dimensions for sub in part.signals]
    assert sum(used) == pytest.approx(1.0, abs=1e-12)
    for part in told().dimensions:
        for sub in part.signals:
            assert (sub.weight_used == 0) == (sub.absent is not None) == (sub.signal is None)


def test_every_sub_score_is_told_with_inputs_and_ages() -> None:
    subs = [sub for part in told().dimensions for sub in part.signals]
    assert len(subs) == len(voices())
    for sub in subs:
        if sub.absent is None:
            assert any(one.value is not None for one in sub.inputs)
            assert sub.age_s == pytest.approx(1.0) or sub.age_s is not None
            assert all(one.age_s is None or one.age_s >= 0 for one in sub.inputs)


def test_input_is_the_indicators_value_on_its_interval() -> None:
    technical = next(part for part in told().dimensions if part.name == "technical")
    cci = next(sub for sub in technical.signals if sub.name == "cci")
    shown = {one.indicator: one for one in cci.inputs}
    assert set(shown) == {"cci@1m", "cci@5m", "cci@30m", "cci@4h"}
    value = shown["cci@1m"].value
    assert value is not None
    assert cci.intervals["1m"] == pytest.approx(value / 150 / np.sqrt(1 + (value / 150) ** 2))
    assert cci.intervals["4h"] is None


def test_missing_are_named_heaviest_first_with_their_reasons() -> None:
    names = [name for name, _ in told().missing]
    weight = {voice.name: voice.weight for voice in voices()}
    assert [weight[name] for name in names] == sorted((weight[name] for name in names), reverse=True)
    reasons = {name: why.reason for name, why in told().missing}
    assert reasons["orderflow.open_interest"] == "FEED_DOWN"
    assert reasons["volume.adl"] == "WARMING"
    assert reasons["sentiment.liquidations"] == "UNSUPPORTED"


def test_binding_factor_is_the_stream_with_gaps() -> None:
    book = next(part for part in told().dimensions if part.name == "orderbook")
    depth = next(sub for sub in book.signals if sub.name == "depth")
    assert depth.quality == pytest.approx(0.9)
    assert depth.binding == "book"
    passport = {line.name: line for line in told().passport}
    assert passport["book"].quality == pytest.approx(0.9)
    assert passport["book"].gap_frac == pytest.approx(0.0095)


def test_below_the_floor_there_is_no_score_but_every_reason() -> None:
    bare = evaluate(minutes.walked(300, 1))
    one = breakdown(bare, 0)
    assert one.confluence is None
    assert one.state == "unknown"
    assert one.flips == ()
    assert one.why_not is not None
    assert one.why_not.startswith("Coverage is 0.")
    assert sum(part.points for part in one.dimensions) == 0
    assert len(one.missing) > 15


def test_one_evaluation_below_the_floor_is_told_as_unknown_though_the_state_is_kept() -> None:
    view, extra = market()
    late = evaluate(replace(view, as_of_ns=view.as_of_ns + 50 * SECOND_NS), extra)
    assert state_of(found(), 1) == "neutral"
    assert STATES[late.now.machine[0, 1]] == "neutral"
    assert state_of(late, 1) == "unknown"


def test_why_not_names_the_line_and_the_distance() -> None:
    one = told()
    assert one.state == "neutral"
    assert one.confluence is not None
    assert why_not(found(), 1) == one.why_not
    assert one.why_not is not None
    missing = 0.40 - abs(one.confluence)
    assert f"{missing:.3f} more" in one.why_not


def test_change_of_an_hour_is_in_points_and_needs_an_hour() -> None:
    history = found().history
    expected = 50 * (history.confluence[-1, 2] - history.confluence[-61, 2])
    assert change_1h(found(), 2) == pytest.approx(expected)
    assert change_1h(evaluate(minutes.walked(50, 1)), 0) is None


def test_levels_stand_on_their_sides_of_the_close() -> None:
    close = market()[0].bars["1m"].close[-1]
    for column in range(SIZE):
        one = levels(found(), column)
        assert one["support"] is None or one["support"] < close[column] * 1.05
        assert one["poc"] is None  # a day of minutes is more than this market has


def test_a_line_that_coverage_puts_out_of_reach_is_said_to_be() -> None:
    """g = ramp(K, .50, .90): .60 of the weight makes at most .25, and long is entered at .40."""
    whole = found()
    now = whole.now
    neutral = now.machine.copy()
    neutral[:, 3] = 0
    neutral[0, 3] = decision.NEUTRAL
    lines = []
    for coverage, factor in ((0.6, 0.25), (0.9, 1.0)):
        folded = replace(
            now.folded,
            coverage=np.full_like(now.folded.coverage, coverage),
            factor=np.full_like(now.folded.factor, factor),
            confluence=np.full_like(now.folded.confluence, 0.1),
        )
        lines.append(why_not(replace(whole, now=replace(now, machine=neutral, folded=folded)), 3) or "")
    assert lines[0].endswith("At a coverage of 0.600 it reaches 0.250 at most.")
    assert "at most" not in lines[1]
