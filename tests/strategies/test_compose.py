from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sextant.model.bar import Floats
from sextant.model.view import View
from sextant.strategies.columns import Columns
from sextant.strategies.compose import Spoken, compose, silent
from sextant.strategies.contract import Gate, Need, Verdict
from sextant.strategies.gates import Admission, assess
from sextant.strategies.refusals import refusals
from support.markets import bars_of, closes_of, framed, quoted, view_of

NEEDS = (Need("bars", "1h", 40, 5_400.0), Need("quotes", None, 1, 15.0))
ROWS = 60


def market() -> View:
    return view_of(framed("1h", bars_of(closes_of([np.zeros(ROWS)]))))


def spoken(view: View, **changes: object) -> Spoken:
    ones: Floats = np.ones((ROWS, view.size))
    facts = {
        "direction": ones,
        "strength": 1.2 * ones,
        "stop": 98.0 * ones,
        "target": 104.0 * ones,
        "gates": (Gate("probe", ones, 0.5, 1),),
        "horizon_rows": 12,
        "facts": {"sigma": 0.01 * ones},
        "params": {"probe": 0.5},
        "settle_rows": 30,
    }
    return Spoken(**(facts | changes))  # type: ignore[arg-type]  # names are those above


def composed(view: View, **changes: object) -> Verdict:
    return compose(Columns(view), "1h", NEEDS, spoken(view, **changes))


def test_rows_signal_once_four_recursive_lengths_lie_behind_them_or_the_need_if_less() -> None:
    view = market()
    assert np.flatnonzero(composed(view).signals.direction[:, 0])[0] == 29
    assert np.flatnonzero(composed(view, settle_rows=500).signals.direction[:, 0])[0] == 39


def test_no_direction_without_prices_for_stop_and_target() -> None:
    view = market()
    for broken in (0.0, -5.0, float("nan")):
        prices = np.full((ROWS, 1), 98.0)
        prices[-1] = broken
        signals = composed(view, stop=prices).signals
        assert signals.direction[-2:, 0].tolist() == [1, 0]
        assert np.isnan(signals.stop[-1, 0])
        assert np.isnan(signals.target[-1, 0])


def test_the_common_gates_stand_around_the_strategys_own() -> None:
    names = [gate.name for gate in composed(market()).gates]
    assert names == [
        "kind", "status", "volume_24h_usd", "spread_bps", "stable_quote",
        "probe", "room_to_stop", "room_to_target", "trigger_age_rows",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("mid", "gate", "left"),
    [(97.0, "room_to_stop", -0.5), (98.9, "room_to_stop", 0.45), (102.1, "room_to_target", 0.475)],
)
def test_a_quote_that_has_used_up_half_of_a_way_ends_the_idea(mid: float, gate: str, left: float) -> None:
    view = market()
    view = dataclasses.replace(view, quotes=quoted(np.array([mid]), view.as_of_ns))
    readings = {
        reading.gate: reading.passed for reading in assess(composed(view).gates, view.size).readings(0)
    }
    assert [name for name, good in readings.items() if not good and name != "trigger_age_rows"] == [gate]
    told = assess(composed(view).gates, view.size).readings(0)
    assert next(reading.value for reading in told if reading.gate == gate) == pytest.approx(left)


@pytest.mark.parametrize("mid", [99.0, 100.0, 102.0])
def test_a_quote_that_has_half_of_both_ways_left_may_still_be_followed(mid: float) -> None:
    view = market()
    view = dataclasses.replace(view, quotes=quoted(np.array([mid]), view.as_of_ns))
    told = {reading.gate: reading.passed for reading in assess(composed(view).gates, view.size).readings(0)}
    assert (told["room_to_stop"], told["room_to_target"]) == (True, True)


def test_no_way_is_left_to_a_target_that_was_behind_at_the_close_and_none_is_used_up_without_a_direction() -> (
    None
):
    view = market()
    behind = composed(view, target=np.full((ROWS, 1), 99.0))
    nowhere = composed(view, direction=np.zeros((ROWS, 1)))
    for verdict, left in ((behind, 0.0), (nowhere, 1.0)):
        told = {r.gate: r.value for r in assess(verdict.gates, view.size).readings(0)}
        assert told["room_to_target"] == left


def test_a_verdict_keeps_the_parameters_it_was_asked_with() -> None:
    assert composed(market()).params == {"probe": 0.5}


def test_a_frame_that_nobody_feeds_silences_a_strategy_with_the_reason() -> None:
    view = market()
    assert silent("1h", view) is None
    verdict = silent("4h", view)
    assert verdict is not None
    assert verdict.skipped == "no 4h bars"
    assert verdict.signals.direction.shape == (0, 1)


def test_a_view_without_an_instrument_of_its_kind_silences_a_strategy_with_the_reason() -> None:
    verdict = silent("1h", market(), Admission(("perpetual",)))
    assert verdict is not None
    assert verdict.skipped == "no perpetual instruments"


def test_an_instrument_of_another_kind_is_told_so_whatever_else_is_unknown() -> None:
    view = market()
    unknown = Gate("probe", np.full((ROWS, 1), np.nan), 0.5, 1)
    verdict = composed(view, gates=(unknown,), admission=Admission(("perpetual",)))
    answer = refusals(verdict, view).told(0)
    assert answer is not None
    assert (answer.kind, answer.stage) == ("gate_failed", "kind")


def test_orders_rest_only_where_there_is_a_direction() -> None:
    view = market()
    prices = np.full((ROWS, 1), 99.5)
    limit = composed(view, limit=prices).signals.limit
    assert limit is not None
    assert np.isnan(limit[:29, 0]).all()
    assert (limit[29:, 0] == 99.5).all()
    assert composed(view).signals.limit is None
    assert composed(view, largest_usd=np.array([500.0])).largest_usd == np.array([500.0])
