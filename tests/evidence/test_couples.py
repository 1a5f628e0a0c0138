"""Outcomes of couples by hand: the first instrument stands at 100 and moves, the second stays at 50."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from sextant.evidence.couples import couple_costs_bps, couple_table
from sextant.evidence.events import EventTable
from sextant.evidence.outcomes import FLAG, STOP, TARGET, TIME
from sextant.evidence.store import EvidenceArchive
from sextant.model.account import Account
from sextant.model.times import HOUR_NS
from sextant.model.view import Series, View
from sextant.strategies.catalog import strategy
from sextant.strategies.contract import Verdict
from sextant.strategies.costs import CostAssumptions, Pricing
from sextant.strategies.couples import PastSignals
from support.carries import BPS, Carried, carrying, constant
from support.couple_runs import evaluated
from support.database import sqlite
from support.markets import framed

ROWS = 40
NAME = "ai_funding_arbitrage"
NAN = math.nan


def market(moves: dict[int, float] | None = None, gaps: tuple[int, ...] = ()) -> View:
    """Bars whose close jumps by ``moves`` (log) on a row; the next open is that close, and stays until the next jump."""
    legs = (
        Carried("bybit", "spot"),
        Carried("bybit", "perpetual", price=50.0, interval_h=8, rate=BPS, settled=constant(BPS, 30, 8)),
    )
    view = carrying(legs, rows=ROWS)
    level = np.zeros(ROWS)
    for row, move in (moves or {}).items():
        level[row:] += move
    first = 100.0 * np.exp(level)
    close = np.column_stack((first, np.full(ROWS, 50.0)))
    opens = np.vstack((close[:1], close[:-1]))
    for row in gaps:
        close[row] = NAN
    columns = {
        "open": opens,
        "high": np.maximum(opens, close),
        "low": np.minimum(opens, close),
        "close": close,
    }
    frame = framed("4h", columns | {"quote_volume": np.full(close.shape, 1e7)})
    return dataclasses.replace(view, bars={"4h": frame})


def signals(rows: list[int], direction: int = 1, ratio: float = 1.0, **levels: float) -> PastSignals:
    count = len(rows)
    said = evaluated(NAME, market()).couples
    assert said is not None
    row = np.array(rows, dtype=np.int64)
    return PastSignals(
        couples=said.couples,
        legs=said.legs,
        couple=np.zeros(count, dtype=np.int64),
        row=row,
        direction=np.full(count, direction, dtype=np.int8),
        strength=np.full(count, 1.2),
        ratio=np.full(count, ratio),
        stop=np.full(count, levels.get("stop", NAN)),
        target=np.full(count, levels.get("target", NAN)),
        last_row=row + int(levels.get("horizon", 5)),
        leave_row=np.full(count, int(levels.get("leave", -1))),
    )


def table_of(view: View, past: PastSignals, kind: str = "couple") -> EventTable:
    verdict: Verdict = evaluated(NAME, view)
    assert verdict.couples is not None
    asked = dataclasses.replace(verdict, couples=dataclasses.replace(verdict.couples, past=lambda: past))
    chosen = dataclasses.replace(strategy(NAME), evidence_kind=kind)  # type: ignore[arg-type]  # one of the kinds
    return couple_table(chosen, chosen.defaults(), asked, view)


def quiet(view: View) -> View:
    """The same market without a settlement while anything is held."""
    name = view.instruments[1].instrument
    series = view.funding_history[name]
    return dataclasses.replace(view, funding_history={name: Series(series.time_ns, series.value * 0.0)})


def test_time_is_up_at_the_close_of_the_last_row() -> None:
    table = table_of(quiet(market({12: 0.03})), signals([10]))
    assert table.entry_row.tolist() == [11]
    assert table.exit_row.tolist() == [15]
    assert table.exit_kind.tolist() == [TIME]
    assert table.gross.tolist() == pytest.approx([0.03])
    assert int(table.exit_ns[0] - table.entry_ns[0]) == 5 * 4 * HOUR_NS


def test_the_other_direction_earns_the_opposite() -> None:
    assert table_of(quiet(market({12: 0.03})), signals([10], -1)).gross.tolist() == pytest.approx([-0.03])


def test_the_spread_is_left_at_the_open_after_the_close_that_passed_a_level() -> None:
    spread = math.log(100.0 / 50.0)
    reached = table_of(quiet(market({12: 0.03, 13: 0.01})), signals([10], target=spread + 0.02))
    # The close of row 12 passed the target; the position was left at the open of row 13, which is that close.
    assert (reached.exit_row[0], reached.exit_kind[0]) == (13, TARGET)
    assert reached.gross[0] == pytest.approx(0.03)
    assert reached.exit_ns[0] == market().bars["4h"].open_ns[13]
    stopped = table_of(quiet(market({12: -0.03})), signals([10], stop=spread - 0.02))
    assert (stopped.exit_row[0], stopped.exit_kind[0]) == (13, STOP)
    assert stopped.gross[0] == pytest.approx(-0.03)
    assert stopped.adverse[0] == pytest.approx(0.03)


def test_a_flag_leaves_at_the_next_open() -> None:
    table = table_of(quiet(market({12: 0.03, 14: 0.05})), signals([10], leave=13, horizon=9))
    assert (table.exit_row[0], table.exit_kind[0]) == (14, FLAG)
    assert table.gross[0] == pytest.approx(0.03)


def test_the_larger_side_is_the_unit_of_the_return() -> None:
    view = quiet(market({12: 0.03}))
    assert table_of(view, signals([10], ratio=2.0)).gross[0] == pytest.approx(0.015)
    assert table_of(view, signals([10], ratio=0.5)).gross[0] == pytest.approx(0.03)


def test_funding_of_both_legs_belongs_to_the_return() -> None:
    # Five rows of four hours from the open of row 11 on: settlements lie on every second row's open.
    view = market()
    held = table_of(view, signals([10]))
    frame, name = view.bars["4h"], view.instruments[1].instrument
    times = view.funding_history[name].time_ns
    count = int(((times > frame.open_ns[11]) & (times <= frame.open_ns[16])).sum())
    assert count in (2, 3)
    assert held.gross[0] == pytest.approx(count * BPS)  # the second leg is sold and receives
    assert table_of(view, signals([10], ratio=2.0)).gross[0] == pytest.approx(count * BPS)
    assert table_of(view, signals([10], ratio=0.5)).gross[0] == pytest.approx(0.5 * count * BPS)


def test_where_funding_is_the_gross_events_of_unknown_settlements_are_left_out() -> None:
    view = market()
    name = view.instruments[1].instrument
    series = view.funding_history[name]
    cut = view.bars["4h"].open_ns[30]
    late = series.time_ns > cut
    short = dataclasses.replace(
        view, funding_history={name: Series(series.time_ns[late], series.value[late])}
    )
    assert table_of(short, signals([5, 31]), "funding").row.tolist() == [31]
    both = table_of(short, signals([5, 31]), "couple")
    assert both.row.tolist() == [5, 31]
    assert both.funded.tolist() == [False, True]
    assert "settled_funding" in both.without


def test_a_couple_counts_once_at_a_time_and_unknown_ends_are_pending() -> None:
    table = table_of(quiet(market()), signals([10, 11, 14, 15, 16, 37, 39]))
    # 10 runs to the close of 15; 15 is the first row that is not before it. 37 would end beyond the bars, and after it
    # nothing more is counted of that couple.
    assert table.row.tolist() == [10, 15]
    assert table.pending_count == 1


def test_what_cannot_be_entered_or_followed_is_void() -> None:
    spread = math.log(100.0 / 50.0)
    assert table_of(quiet(market()), signals([10], stop=spread + 0.01)).void.sum() == 1
    assert table_of(quiet(market()), signals([10], target=spread - 0.01)).void.sum() == 1
    lost = table_of(quiet(market(gaps=(13,))), signals([10]))
    assert (lost.count, int(lost.void.sum())) == (0, 1)


def test_entering_a_row_earlier_changes_the_answer() -> None:
    view = quiet(market({11: 0.04}))
    assert table_of(view, signals([10])).gross[0] == pytest.approx(0.04)
    assert table_of(view, signals([11])).gross[0] == pytest.approx(0.0, abs=1e-12)


def test_couples_cost_both_round_trips_in_the_proportion_of_their_legs() -> None:
    view = quiet(market())
    table = table_of(view, signals([10]))
    pricing = Pricing(view, Account(), CostAssumptions())
    # 2 x 10 + 1 bps of spread for spot, 2 x 5.5 + 1 for the perpetual.
    assert couple_costs_bps(pricing, table).tolist() == pytest.approx([33.0])
    halved = dataclasses.replace(table, weights=np.array([[1.0, 0.5]]))
    assert couple_costs_bps(pricing, halved).tolist() == pytest.approx([27.0])
    assert str(table.instruments[0]) == "bybit:BTC-USDT:spot / bybit:BTC-USDT:perpetual"


async def test_events_of_couples_are_stored_under_both_names_and_read_back(tmp_path: Path) -> None:
    view = market({12: 0.03})
    table = table_of(view, signals([10]))
    later = dataclasses.replace(table_of(view, signals([20])), window_start_ns=view.as_of_ns)
    async with sqlite(tmp_path) as db:
        archive = EvidenceArchive(db, asyncio.to_thread)
        assert await archive.keep(table) is table
        found = await archive.keep(later)
    assert found.count == 2
    assert found.gross.tolist() == [table.gross[0], later.gross[0]]
    assert found.kind == "couple"
    assert [str(found.instruments[column]) for column in found.column] == [str(table.instruments[0])] * 2
