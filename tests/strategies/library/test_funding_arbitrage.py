"""strategies.md 3.11 beyond its fixtures (those stand in test_couple_propose): gates, the live estimate, and the past by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from sextant.model.bar import Floats
from sextant.model.view import Series, View
from sextant.scans.run import past_events
from sextant.strategies.catalog import strategy
from support.carries import BPS, Carried, carrying, constant, spot_carry
from support.couple_runs import answer, evaluated, scanned, single, without_history

NAME = "ai_funding_arbitrage"


def facing(settled: Floats, rate: float, rows: int = 600, **changes: Any) -> View:
    """Spot and an eight-hourly perpetual of given settlements and estimate."""
    perpetual = Carried("bybit", "perpetual", spread_bps=2.0, interval_h=8, rate=rate, settled=settled)
    legs = (Carried("bybit", "spot", spread_bps=2.0), dataclasses.replace(perpetual, **changes))
    return carrying(legs, rows=rows)


def with_facts(view: View, **changes: Any) -> View:
    return dataclasses.replace(view, derivatives=dataclasses.replace(view.derivatives, **changes))


def test_the_carry_must_have_had_its_sign_in_six_of_the_last_nine_spans() -> None:
    settled = constant(6 * BPS, 60, 8)
    settled[-9:] = np.where(np.arange(9) < 4, -1.0, 6.0) * BPS
    item = answer(scanned(NAME, facing(settled, 6 * BPS, rows=360)))
    assert (item.kind, item.stage, item.value, item.limit) == ("gate_failed", "persistence", 5.0, 6.0)
    settled[-6] = 6 * BPS
    assert single(scanned(NAME, facing(settled, 6 * BPS, rows=360))).strategy_id == NAME


def test_an_estimate_of_the_other_sign_is_not_followed() -> None:
    item = answer(scanned(NAME, facing(constant(BPS, 60, 8), -60 * BPS, rows=360)))
    assert (item.kind, item.stage) == ("gate_failed", "estimate_bps")


def test_little_or_unknown_open_interest_is_refused() -> None:
    small = answer(scanned(NAME, facing(constant(6 * BPS, 60, 8), 6 * BPS, rows=360, interest_usd=4e6)))
    assert (small.kind, small.stage) == ("gate_failed", "open_interest_usd")
    assert small.value == pytest.approx(4e6)
    view = spot_carry(days=60)
    unknown = answer(scanned(NAME, with_facts(view, open_interest=np.full(2, np.nan))))
    assert (unknown.kind, unknown.stage) == ("insufficient_data", "gate.open_interest_usd")


def test_a_perpetual_far_below_spot_is_not_sold() -> None:
    item = answer(scanned(NAME, facing(constant(6 * BPS, 60, 8), 6 * BPS, rows=360, price=99.8)))
    assert (item.kind, item.stage) == ("gate_failed", "basis_entry")
    assert item.value == pytest.approx(1e4 * np.log(0.998), abs=1e-6)


def test_a_premium_of_the_sold_leg_is_gained_when_it_closes() -> None:
    row = single(scanned(NAME, facing(constant(6 * BPS, 250, 8), 6 * BPS, rows=1_500, price=100.2)))
    assert row.gross_bps == pytest.approx(126.0 + 20.0)
    # It is there at the end only: the costs are earned by settlements, and six of them are needed as without it.
    assert row.break_even_s == 6 * 8 * 3600.0
    assert row.entry is not None
    assert float(row.entry) == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("changes", "stage"),
    [
        ({"funding_rate": np.full(2, np.nan)}, "funding"),
        ({"event_ns": np.ones(2, dtype=np.int64)}, "funding.age_s"),
        ({"funding_interval_s": np.full(2, np.nan)}, "funding.clock"),
        ({"next_funding_ns": np.zeros(2, dtype=np.int64)}, "funding.clock"),
    ],
)
def test_an_unknown_or_old_rate_is_insufficient(changes: dict[str, Any], stage: str) -> None:
    item = answer(scanned(NAME, with_facts(spot_carry(days=60), **changes)))
    assert (item.kind, item.stage) == ("insufficient_data", stage)


def test_too_few_settlements_are_counted_out_loud() -> None:
    item = answer(scanned(NAME, facing(np.full(29, 6 * BPS), 6 * BPS, rows=360)))
    assert (item.kind, item.stage, item.value, item.limit) == (
        "insufficient_data", "funding.settled", 29.0, 30.0,
    )  # fmt: skip
    none = answer(scanned(NAME, without_history(spot_carry(days=60))))
    assert (none.stage, none.value) == ("funding.settled", 0.0)


def test_a_settlement_without_a_rate_leaves_a_hole_and_no_guess() -> None:
    view = spot_carry(days=60)
    name = view.instruments[1].instrument
    series = view.funding_history[name]
    rates = series.value.copy()
    rates[-5] = np.nan
    holed = dataclasses.replace(view, funding_history={name: Series(series.time_ns, rates)})
    item = answer(scanned(NAME, holed))
    assert item.kind == "insufficient_data"


def test_the_past_earns_what_was_settled_less_nothing_and_never_overlaps() -> None:
    view = spot_carry()
    chosen = strategy(NAME)
    table = past_events(chosen, evaluated(NAME, view), view)
    # Thirty settlements are there after ten days; from the close of row 59 on a week's positions follow each other to the
    # end of 1,500 rows: (1,500 - 60) / 42 = 34.
    assert table.row[0] == 59
    assert table.count == 34
    assert (np.diff(table.row) >= 42).all()
    assert table.gross.tolist() == pytest.approx([126 * BPS] * 34)
    assert table.cluster.max() + 1 == 34
    card = single(scanned(NAME, view)).evidence
    assert card.kind == "funding"
    assert card.expectancy_bps == pytest.approx(91.0)
    assert (card.n, card.n_eff, card.hit_frac) == (34, 34.0, 1.0)


def test_a_carry_that_has_turned_is_left_before_its_horizon() -> None:
    settled = constant(6 * BPS, 120, 8)
    settled[-60:] = -40 * BPS  # the last twenty days cost what no forecast had said
    view = facing(settled, -40 * BPS, rows=720)
    chosen = strategy(NAME)
    past = evaluated(NAME, view).couples
    assert past is not None
    flagged = past.past().leave_row
    table = past_events(chosen, evaluated(NAME, view), view)
    turned = 720 - 120  # the first row at whose close a negative rate had been settled
    hit = table.exit_row[(table.entry_row < turned) & (table.entry_row + 42 > turned)]
    assert (flagged >= turned - 2).any()
    assert len(hit) == 1
    assert turned - 2 <= hit[0] <= turned + 8


def test_the_sizes_of_errors_are_those_of_forecast_and_basis() -> None:
    view = spot_carry()
    frame = view.bars["4h"]
    wobble = np.where(np.arange(frame.rows) % 2 == 0, 5.0, -5.0) * BPS
    closes = np.column_stack((frame.close[:, 0], frame.close[:, 0] * np.exp(wobble)))
    legs = (
        Carried("bybit", "spot", spread_bps=2.0),
        Carried(
            "bybit",
            "perpetual",
            spread_bps=2.0,
            interval_h=8,
            rate=6 * BPS,
            settled=constant(6 * BPS, 250, 8),
        ),
    )
    verdict = evaluated(NAME, carrying(legs, rows=frame.rows, prices=closes))
    assert verdict.couples is not None
    assert verdict.couples.model is not None
    # Funding comes as forecast; the basis is 5 bps to either side of where it was taken to close.
    assert verdict.couples.model.error_bps[0] == pytest.approx(5.0, rel=1e-3)
    assert verdict.couples.stop[0] - verdict.couples.entry[0] == pytest.approx(3 * 5.0, rel=0.01)
