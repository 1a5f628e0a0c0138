from __future__ import annotations

from dataclasses import replace
from functools import cache

import msgspec
import numpy as np
import pytest

from sextant.api.confluence_wire import (
    Beside,
    breakdown_answer,
    breakdown_body,
    history_points,
    points,
    row,
    state_word,
)
from sextant.confluence.market_wide import following
from sextant.confluence.scorer import Evaluation, evaluate
from sextant.model.times import SECOND_NS
from sextant.scans.relations import Relations
from support import minutes


@cache
def found() -> Evaluation:
    return evaluate(minutes.walked(400, 3))


def test_signed_scores_are_told_around_fifty() -> None:
    assert [points(x) for x in (-1.0, 0.0, 0.43286, 1.0)] == pytest.approx([0, 50, 71.643, 100])
    assert points(None) is None


def test_lack_is_named_by_its_kind() -> None:
    view = minutes.walked(400, 3)
    assert state_word(found(), 0) == "warming"
    old = evaluate(replace(view, as_of_ns=view.as_of_ns + 150 * SECOND_NS))
    assert state_word(old, 0) == "stale"
    assert row(old, 0, old.as_of_ns).age_s == 151.0


def test_row_below_the_floor_has_no_number_and_a_reason() -> None:
    one = row(found(), 1, found().as_of_ns)
    assert one.score is None
    assert one.signed_score is None
    assert one.direction == "unknown"
    assert one.reason is not None
    assert one.reason.startswith("Coverage is")


def test_body_is_the_answer_as_json() -> None:
    body = msgspec.json.decode(breakdown_body(found(), 1, ("replay", False)))
    answer = breakdown_answer(found(), 1, found().as_of_ns, ("replay", False))
    assert body["coverage"] == answer.coverage
    assert body["age_s"] == 1.0
    assert [item["name"] for item in body["missing"]] == [item.name for item in answer.missing]


def test_place_in_the_market_is_told_where_it_is_known() -> None:
    view = minutes.walked(400, 3)
    assert breakdown_answer(found(), 1, 0, ("live", False)).market is None
    related = Relations(
        0, {"1m": following(np.diff(view.bars["1m"].close[-241:], axis=0), 0)}, np.array([-1, 2, -1])
    )
    place = breakdown_answer(found(), 1, 0, ("live", False), Beside(relations=related)).market
    assert place is not None
    assert place.leader == str(found().instruments[0].instrument)
    assert (place.lead_minutes, place.liquidation_risk_frac) == (2, None)
    [one] = place.following
    assert (one.interval, one.rows, one.n, one.beta) == (
        "1m",
        240,
        240,
        float(related.following["1m"].beta[1]),
    )
    unled = breakdown_answer(found(), 0, 0, ("live", False), Beside(relations=related)).market
    assert unled is not None
    assert unled.lead_minutes is None


def test_flips_are_spelled_from_and_to() -> None:
    fields = msgspec.json.decode(msgspec.json.encode(breakdown_answer(found(), 1, 0, ("live", False))))
    assert fields["flips"] == []
    assert all("from_" not in str(key) for key in fields)


def test_points_of_the_past_are_unknown_below_the_floor() -> None:
    told = history_points(found(), 0, [0, 399])
    assert [point.direction for point in told] == ["unknown", "unknown"]
    assert told[0].coverage < told[1].coverage
