from __future__ import annotations

import dataclasses
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from sextant.model.instrument import Instrument
from sextant.model.times import HOUR_NS
from sextant.model.view import View
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Gate, Signals, Verdict
from sextant.strategies.gates import (
    Admission,
    Assessment,
    assess,
    distances,
    failing_since_ns,
    first_gates,
    flips_if,
    fold,
    historic_pass,
    last_row,
    lean,
    passed,
    trigger_age,
    volume_24h_usd,
    without,
)
from support.markets import aimless_market, bars_of, closes_of, framed, specs_of, view_of
from support.views import empty_view, spec

NAN = float("nan")


def gate(*values: float, threshold: float = 0.5, sense: int = 1, **facts: object) -> Gate:
    """A gate of one instrument with these rows."""
    return Gate("probe", np.array(values)[:, None], threshold, sense, **facts)  # type: ignore[arg-type]  # probe


def verdict_of(*gates: Gate, rows: int = 3) -> Verdict:
    nothing = np.full((rows, 1), NAN)
    signals = Signals(
        direction=np.ones((rows, 1), dtype=np.int8),
        strength=nothing,
        stop=nothing,
        target=nothing,
        exit_flag=np.zeros((rows, 1, 2), dtype=np.bool_),
        horizon_rows=6,
    )
    return Verdict("1h", signals, gates, (None,), {})


def hours(rows: int = 48, kind: str = "spot") -> View:
    frame = framed("1h", bars_of(closes_of([np.zeros(rows)])))
    return view_of(frame, specs_of(1, kind))  # type: ignore[arg-type]  # a literal in every caller


def common(view: View) -> dict[str, Gate]:
    return {item.name: item for item in first_gates(Columns(view), "1h")}


def test_a_gate_passes_at_its_threshold_and_not_on_nan() -> None:
    assert passed(gate(0.4, 0.5, NAN))[:, 0].tolist() == [False, True, False]
    assert passed(gate(0.4, 0.5, 0.6, sense=-1))[:, 0].tolist() == [True, True, False]


def test_nan_passes_an_optional_gate_only() -> None:
    assert passed(gate(0.4, NAN, optional=True))[:, 0].tolist() == [False, True]


def test_the_distance_is_the_missing_share_of_the_threshold() -> None:
    assert distances(gate(0.375))[0] == pytest.approx(0.25)
    assert distances(gate(0.9))[0] == 0.0
    assert distances(gate(0.3, threshold=0.0, sense=-1))[0] == pytest.approx(0.3)
    assert distances(gate(0.3, scale=0.1))[0] == pytest.approx(2.0)
    assert np.isnan(distances(gate(NAN))[0])


def test_each_instrument_may_have_its_own_threshold() -> None:
    both = Gate("volume", np.array([[2e6, 2e6]]), 1e6, 1, thresholds=np.array([1e6, 5e6]))
    assert passed(both).tolist() == [[True, False]]
    assert distances(both).tolist() == [0.0, pytest.approx(0.6)]


def test_history_leaves_out_live_gates_and_says_which() -> None:
    verdict = verdict_of(gate(0.4, 0.6, 0.6), gate(0.0, live_only=True))
    assert historic_pass(verdict)[:, 0].tolist() == [False, True, True]
    assert without(verdict) == ("probe",)


def test_an_unreadable_required_gate_is_told_apart_from_a_failed_one() -> None:
    read = assess((gate(0.0, 0.0, NAN), gate(0.0, 0.0, NAN, optional=True), gate(0.0, 0.0, 0.1)), 1)
    assert read.unreadable[:, 0].tolist() == [True, False, False]
    assert [reading.value for reading in read.readings(0)] == [None, None, 0.1]
    assert [reading.passed for reading in read.readings(0)] == [False, True, False]
    assert read.blind_places[0] == 0


def test_a_gate_has_failed_since_the_close_of_the_first_row_of_its_present_run() -> None:
    view = hours(4)
    opened = view.bars["1h"].open_ns
    read = assess((gate(0.1, 0.6, 0.1, 0.2), gate(0.1, 0.1, 0.1, 0.1), gate(0.1, live_only=True)), 1)
    assert failing_since_ns(read, 0, view, "1h")[0] == int(opened[2]) + HOUR_NS
    assert failing_since_ns(read, 1, view, "1h")[0] == int(opened[0]) + HOUR_NS
    assert failing_since_ns(read, 2, view, "1h")[0] == -1


def test_what_would_flip_a_gate_is_said_in_words() -> None:
    assert flips_if(gate(0.3, sense=-1, unit="atr"), 0.7, 0.5) == "probe falls from 0.7 to 0.5 atr"


def test_the_trigger_ages_from_the_row_where_all_gates_first_passed_in_one_direction() -> None:
    probe = gate(0.6, 0.6, 0.4, 0.6, 0.6, 0.6)
    direction = np.array([1.0, 1.0, 1.0, 1.0, 1.0, -1.0])[:, None]
    age = trigger_age(fold((probe,), np.ones(direction.shape, dtype=np.bool_)), direction, 30)
    assert age.values[:, 0].tolist() == [0, 1, 0, 0, 1, 0]
    assert age.threshold == 5.0
    assert (
        trigger_age(fold((probe,), np.ones(direction.shape, dtype=np.bool_)), direction, 6).threshold == 2.0
    )


def test_common_gates_hold_kind_status_volume_spread_and_stable_quotes() -> None:
    assert all(passed(item)[-1, 0] for item in common(hours()).values())
    assert common(hours())["volume_24h_usd"].values[-1, 0] == 24e6
    halted = hours()
    specs = (msgspec.structs.replace(halted.instruments[0], status="halted"),)
    assert not passed(common(dataclasses.replace(halted, instruments=specs))["status"])[-1, 0]
    stable = Instrument("binance", "USDC", "USDT", "spot")
    specs = (msgspec.structs.replace(halted.instruments[0], instrument=stable),)
    assert not passed(common(dataclasses.replace(halted, instruments=specs))["stable_quote"])[-1, 0]
    future = Instrument("binance", "BTC", "USDT", "future", expiry_ns=10**18)
    specs = (msgspec.structs.replace(halted.instruments[0], instrument=future),)
    assert not passed(common(dataclasses.replace(halted, instruments=specs))["kind"])[-1, 0]


def test_perpetuals_need_more_volume_and_a_tighter_spread() -> None:
    gates = common(hours(kind="perpetual"))
    assert gates["volume_24h_usd"].thresholds is not None
    assert gates["volume_24h_usd"].thresholds.tolist() == [5e6]
    assert gates["spread_bps"].thresholds is not None
    assert gates["spread_bps"].thresholds.tolist() == [15.0]


def test_a_strategy_may_ask_for_other_kinds_volume_and_spread() -> None:
    view = hours(kind="perpetual")
    asked = Admission(("spot",), floor_usd=5e7, spread_cap_bps=4.0)
    gates = {item.name: item for item in first_gates(Columns(view), "1h", asked)}
    assert not passed(gates["kind"])[-1, 0]
    assert [gates[name].thresholds.tolist() for name in ("volume_24h_usd", "spread_bps")] == [[5e7], [4.0]]  # type: ignore[union-attr]  # both have their own
    assert asked.admits(view).tolist() == [False]


def test_no_bar_strategy_speaks_about_an_inverse_contract() -> None:
    view = hours(kind="perpetual")
    inverse = tuple(msgspec.structs.replace(one, style="inverse") for one in view.instruments)
    assert Admission().admits(view).all()
    assert not Admission().admits(dataclasses.replace(view, instruments=inverse)).any()


def test_less_than_a_day_of_minutes_counts_once_it_reaches_the_floor() -> None:
    minutes = view_of(framed("1m", bars_of(closes_of([np.zeros(8)]), 2e5)))
    volume = next(item for item in first_gates(Columns(minutes), "1m") if item.name == "volume_24h_usd")
    assert np.isnan(volume.values[:4, 0]).all()
    assert volume.values[4:, 0].tolist() == pytest.approx([1.0e6, 1.2e6, 1.4e6, 1.6e6])


def test_the_day_is_the_venues_own_figure_or_the_sum_of_its_bars() -> None:
    view = hours()
    assert volume_24h_usd(view).tolist() == [24e6]
    stated = dataclasses.replace(view.derivatives, turnover_24h=np.array([7e6]))
    assert volume_24h_usd(dataclasses.replace(view, derivatives=stated)).tolist() == [7e6]
    assert np.isnan(volume_24h_usd(hours(20))[0])
    assert np.isnan(volume_24h_usd(empty_view("BTC"))[0])
    assert volume_24h_usd(aimless_market()).tolist() == [6e6]


def test_turnover_in_another_asset_is_converted() -> None:
    frame = framed("1h", bars_of(closes_of([np.zeros(48), np.zeros(48)])))
    crossed = msgspec.structs.replace(
        spec("ETH"), instrument=Instrument("binance", "ETH", "BTC", "spot"), tick=Decimal("0.00001")
    )
    assert volume_24h_usd(view_of(frame, (spec("BTC"), crossed))).tolist() == [24e6, 24e8]


def test_a_lean_gate_says_what_the_whole_one_says_of_the_last_row_and_since_when() -> None:
    values = np.array([[2.0, 0.0, 2.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]])
    whole = Gate("probe", values, 1.0, 1)
    kept = lean(whole)
    assert (kept.values.shape, kept.past) == ((1, 3), 2)
    told = [[last_row(gate).reading(column) for column in range(3)] for gate in (kept, whole)]
    assert told[0] == told[1]
    read = Assessment((kept,), (last_row(kept),), passed(kept)[-1:], np.zeros((1, 3), dtype=np.bool_))
    assert read.failing_from(0).tolist() == [1, 2, 3]
    assert lean(kept) is kept


def test_live_gates_and_single_rows_have_nothing_to_let_go() -> None:
    live = Gate("live", np.ones((1, 2)), 1.0, 1, live_only=True)
    assert lean(live) is live


def test_rows_that_were_let_go_cannot_be_folded() -> None:
    kept = lean(Gate("probe", np.ones((3, 2)), 1.0, 1))
    with pytest.raises(AssertionError, match="probe were let go"):
        fold((kept,), np.ones((3, 2), dtype=np.bool_))
