from __future__ import annotations

import pytest

from sextant.errors import Denied, InputError, Insufficient
from sextant.scans.budget import in_turn, plan, planned_steps, step_number
from sextant.scans.records import ScanRequest
from sextant.strategies.catalog import strategies

_ALL = strategies()
_MOMENTUM = "ai_spot_momentum_strategy"


def test_the_whole_catalogue_is_planned_and_what_is_not_granted_is_skipped() -> None:
    planned = plan(ScanRequest(), {_MOMENTUM}, _ALL)
    assert [item.id for item in planned] == list(_ALL)
    assert {item.id for item in planned if item.skip is None} == {_MOMENTUM}
    assert {item.skip for item in planned if item.id != _MOMENTUM} == {"not_entitled"}


def test_strategies_asked_for_by_name_must_exist_and_be_granted() -> None:
    with pytest.raises(InputError, match="Strategy 'nope' is none of"):
        plan(ScanRequest(strategy_ids=("nope",)), {_MOMENTUM}, _ALL)
    with pytest.raises(Denied) as refused:
        plan(ScanRequest(strategy_ids=("ai_spot_breakout_strategy",)), {_MOMENTUM}, _ALL)
    assert refused.value.reason == "not_entitled"


def test_a_caller_without_any_grant_is_told_to_onboard() -> None:
    with pytest.raises(Insufficient) as refused:
        plan(ScanRequest(), frozenset(), _ALL)
    assert refused.value.reason == "nothing_granted"


def test_strategies_that_cannot_emit_a_wanted_type_are_not_run() -> None:
    planned = plan(ScanRequest(opportunity_types=("spot_momentum",)), frozenset(_ALL), _ALL)
    assert [item.id for item in planned] == [_MOMENTUM]
    with pytest.raises(InputError, match="No strategy emits lottery"):
        plan(ScanRequest(opportunity_types=("lottery",)), frozenset(_ALL), _ALL)


def test_strategies_that_compute_longest_begin_first_and_keep_their_places_in_the_plan() -> None:
    planned = plan(ScanRequest(), frozenset(_ALL), _ALL)
    turns = in_turn(planned)
    costs = [item.strategy.cost_class for _, item in turns]
    assert costs == sorted(costs, key=["heavy", "medium", "light"].index)
    assert [item for _, item in sorted(turns, key=lambda turn: turn[0])] == list(planned)
    heavy = [place for place, item in turns if item.strategy.cost_class == "heavy"]
    assert heavy == sorted(heavy)
    assert len(heavy) > 1


def test_all_steps_are_listed_from_the_start_under_the_numbers_earlier_clients_know() -> None:
    planned = plan(ScanRequest(), frozenset(_ALL), _ALL)
    steps = planned_steps(planned, _ALL, 5)
    assert len(steps) == 14 + len(planned)
    assert [step.number for step in steps] == sorted(step.number for step in steps)
    assert steps[0].status == "completed"
    assert {step.status for step in steps[1:]} == {"pending"}
    assert [
        step_number(name, _ALL) for name in (_MOMENTUM, "ai_spot_mean_reversion", "ai_spot_breakout_strategy")
    ] == [100, 101, 102]


def test_further_strategies_follow_in_catalogue_order() -> None:
    further = {name: one for name, one in _ALL.items() if name.startswith("ai_")} | {
        "basis_carry": _ALL[_MOMENTUM],
        "parity_violation": _ALL[_MOMENTUM],
    }
    assert [step_number(name, further) for name in ("basis_carry", "parity_violation")] == [114, 115]
