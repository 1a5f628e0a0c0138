"""The table of past events: causal, blind to the order of instruments, honest about funding."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from sextant.evidence.events import FUNDING_UNKNOWN, EventTable, event_table
from sextant.model.bar import Floats
from sextant.model.times import DAY_NS, HOUR_NS
from sextant.model.view import Series, View
from sextant.strategies.catalog import strategy
from sextant.strategies.columns import Columns
from support.evidence import Plan, apart, hashed, noise_of, planned, planned_events, walked_bars, wide
from support.markets import (
    FIRST_OPEN_NS,
    bars_of,
    closes_of,
    framed,
    known_at,
    momentum_market,
    reordered,
    reversion_market,
    specs_of,
    view_of,
)

SIGNAL = (99.0, 100.0, 99.0, 100.0)
CALM = (100.0, 101.0, 99.0, 100.0)
PER_EVENT = ("row", "entry_row", "exit_row", "entry_ns", "exit_ns", "direction", "strength", "cell", "gross")


def _events(name: str, view: View) -> EventTable:
    plugin = strategy(name)
    params = plugin.defaults()
    return event_table(plugin.id, params, plugin.evaluate(view, params, Columns(view)), view)


def _rows(table: EventTable) -> set[tuple[object, ...]]:
    names = [str(table.instruments[column]) for column in table.column]
    return set(zip(names, *(getattr(table, name).tolist() for name in PER_EVENT), strict=True))


@pytest.mark.parametrize(
    ("name", "market"),
    [("ai_spot_momentum_strategy", momentum_market), ("ai_spot_mean_reversion", reversion_market)],
)
def test_the_table_of_a_shorter_view_is_the_beginning_of_the_longer_one(
    name: str, market: Callable[[], View]
) -> None:
    view = market()
    whole = _events(name, view)
    assert whole.count > 100
    rows = whole.rows
    (frame,) = view.bars.values()
    for cut in np.random.default_rng(5).integers(rows // 3, rows, 6).tolist():
        early = _events(name, known_at(view, int(frame.open_ns[cut])))
        known = whole.exit_row < cut
        assert early.count == known.sum()
        for column in ("column", *PER_EVENT, "adverse", "favourable", "ambiguous", "exit_kind"):
            assert np.array_equal(getattr(early, column), getattr(whole, column)[known]), column


def test_instruments_in_another_order_have_the_same_events() -> None:
    view = reversion_market()
    order = np.random.default_rng(3).permutation(view.size).tolist()
    assert _rows(_events("ai_spot_mean_reversion", reordered(view, order))) == _rows(
        _events("ai_spot_mean_reversion", view)
    )


def test_events_stand_in_the_order_of_entry() -> None:
    table = _events("ai_spot_momentum_strategy", momentum_market())
    assert np.all(np.diff(table.entry_ns) >= 0)
    assert np.array_equal(table.entry_row, table.row + 1)
    assert np.array_equal(table.entry_ns, FIRST_OPEN_NS + table.entry_row * 4 * HOUR_NS)


def test_the_planted_trends_are_found_as_the_page_says() -> None:
    """strategies.md 3.1: longs n about 400, hit 0.76, expectancy about +190 bps net of 22."""
    table = _events("ai_spot_momentum_strategy", momentum_market())
    net = table.gross[table.direction > 0] - 0.0022
    assert 320 <= len(net) <= 480
    assert (net > 0).mean() == pytest.approx(0.76, abs=0.02)
    assert net.mean() * 1e4 == pytest.approx(190, abs=15)


def test_the_planted_reversions_are_found_as_the_page_says() -> None:
    """strategies.md 3.2: longs n about 67, hit 0.88, gross about +160 bps."""
    table = _events("ai_spot_mean_reversion", reversion_market())
    gross = table.gross[table.direction > 0]
    assert len(gross) == pytest.approx(67, abs=7)
    assert (gross > 0.0022).mean() == pytest.approx(0.88, abs=0.03)
    assert gross.mean() * 1e4 == pytest.approx(160, abs=10)


def _aimless(rows: int, columns: int, seed: int) -> Floats:
    return closes_of(0.006 * noise_of([seed * 1000 + 7 * i + 1 for i in range(columns)], rows).T)


def test_gates_without_history_are_left_out_and_named() -> None:
    frame = framed("1h", bars_of(_aimless(200, 3, 1)))
    verdict = wide(frame, hashed(3, frame, 0.1, 1), 5)
    table = event_table("hashed", {"b": 2.0, "a": 1.0}, verdict, view_of(frame))
    assert table.without == ("quote",)
    assert table.params == (("a", 1.0), ("b", 2.0))
    closed = dataclasses.replace(verdict.gates[0], values=np.zeros(frame.close.shape))
    none = event_table("hashed", {}, dataclasses.replace(verdict, gates=(closed,)), view_of(frame))
    assert (none.count, none.without, none.median_run_s) == (0, (), None)


def test_every_signal_that_is_apart_becomes_an_event_or_is_pending() -> None:
    frame = framed("1h", bars_of(_aimless(300, 4, 2)))
    direction = hashed(4, frame, 0.08, 2)
    table = event_table("hashed", {}, wide(frame, direction, 6), view_of(frame))
    kept = apart(direction, 6)
    rows, columns = np.nonzero(kept[:-6])
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == set(
        zip(table.row.tolist(), table.column.tolist(), strict=True)
    )
    assert table.void.sum() == 0


@pytest.mark.parametrize(
    ("settled_at_h", "crossed"),
    [
        pytest.param(1, False, id="at-the-instant-of-entry-is-before-it"),
        pytest.param(2, True, id="while-in-position"),
        pytest.param(4, True, id="at-the-close-that-ends-it"),
        pytest.param(5, False, id="after-the-exit"),
    ],
)
@pytest.mark.parametrize("direction", [1, -1])
def test_a_perpetual_pays_the_funding_settled_while_in_position(
    settled_at_h: int, crossed: bool, direction: int
) -> None:
    frame = walked_bars(SIGNAL, *[CALM] * 6)
    plan = Plan((0,), direction, 100 - 10 * direction, 100 + 10 * direction, 3)
    view = view_of(frame, specs_of(1, "perpetual"))
    times = FIRST_OPEN_NS + np.array([-8, settled_at_h, 8]) * HOUR_NS
    history = {view.instruments[0].instrument: Series(times, np.array([0.5, 0.001, 0.5]))}
    table = event_table(
        "planned", {}, planned(frame, plan), dataclasses.replace(view, funding_history=history)
    )
    assert table.gross[0] == pytest.approx(-direction * 0.001 if crossed else 0.0)
    assert table.funded.all()
    assert table.without == ()


def test_a_stop_inside_a_bar_does_not_pay_the_settlement_at_its_close() -> None:
    frame = walked_bars(SIGNAL, (100, 101, 97, 98), CALM, CALM, CALM)
    view = view_of(frame, specs_of(1, "perpetual"))
    times = FIRST_OPEN_NS + np.array([-8, 2, 8]) * HOUR_NS
    history = {view.instruments[0].instrument: Series(times, np.array([0.5, 0.001, 0.5]))}
    verdict = planned(frame, Plan((0,), 1, 98.0, 104.0, 3))
    table = event_table("planned", {}, verdict, dataclasses.replace(view, funding_history=history))
    assert table.gross[0] == pytest.approx(-0.02)


def test_funding_that_is_not_known_is_named_and_not_taken_for_zero() -> None:
    frame = walked_bars(SIGNAL, *[CALM] * 6)
    table = planned_events(frame, Plan((0,), 1, 90.0, 110.0, 3), kind="perpetual")
    assert not table.funded.any()
    assert table.without == (FUNDING_UNKNOWN,)
    assert planned_events(frame, Plan((0,), 1, 90.0, 110.0, 3)).without == ()


def test_a_perpetual_without_events_lacks_no_funding() -> None:
    frame = framed("1h", bars_of(_aimless(50, 2, 6)))
    direction = np.zeros((50, 2), dtype=np.int8)
    direction[5, 0] = 1
    specs = (specs_of(2)[0], specs_of(2, "perpetual")[1])
    table = event_table("planned", {}, wide(frame, direction, 3), view_of(frame, specs))
    assert (table.count, table.without) == (1, ("quote",))


def test_clusters_are_days_across_all_instruments_or_longer_horizons() -> None:
    frame = framed("1h", bars_of(_aimless(100, 2, 3)))
    direction = np.zeros((100, 2), dtype=np.int8)
    direction[[2, 22, 23, 50], 0] = 1
    direction[[10, 60], 1] = -1
    table = event_table("planned", {}, wide(frame, direction, 2), view_of(frame))
    assert table.entry_ns[0] // DAY_NS == FIRST_OPEN_NS // DAY_NS
    assert table.row.tolist() == [2, 10, 22, 50, 60]
    assert table.cluster.tolist() == [0, 0, 0, 1, 1]
    longer = event_table("planned", {}, wide(frame, direction, 36), view_of(frame))
    span = 36 * HOUR_NS
    assert longer.cluster.tolist() == (longer.entry_ns // span - longer.entry_ns[0] // span).tolist()


def test_the_median_run_of_signals_counts_runs_that_have_ended() -> None:
    frame = framed("1h", bars_of(_aimless(40, 1, 4)))
    direction = np.zeros((40, 1), dtype=np.int8)
    direction[2:5] = 1
    direction[5:6] = -1
    direction[10:17] = 1
    direction[35:] = 1  # goes on to the last row: its length is not known
    table = event_table("planned", {}, wide(frame, direction, 2), view_of(frame))
    assert table.median_run_s == 3 * 3600


def test_the_hash_names_the_events() -> None:
    frame = framed("1h", bars_of(_aimless(200, 3, 5)))
    first = event_table("a", {}, wide(frame, hashed(3, frame, 0.1, 1), 5), view_of(frame))
    again = event_table("a", {}, wide(frame, hashed(3, frame, 0.1, 1), 5), view_of(frame))
    other = event_table("a", {}, wide(frame, hashed(3, frame, 0.1, 2), 5), view_of(frame))
    assert first.content_hash == again.content_hash
    assert first.content_hash != other.content_hash
