"""Every way out of a position, worked by hand: long from 100 with stop 98 and target 104, tick 0.01."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sextant.evidence.outcomes import EXIT_NAMES
from sextant.model.bar import Floats
from support.evidence import Plan, planned_events, walked_bars

SIGNAL = (99.0, 100.0, 99.0, 100.0)
CALM = (100.0, 101.0, 99.0, 100.0)
LONG = Plan(rows=(0,), direction=1, stop=98.0, target=104.0, horizon=3)
SHORT = Plan(rows=(0,), direction=-1, stop=102.0, target=96.0, horizon=3)

Bars = list[tuple[float, float, float, float]]


@pytest.mark.parametrize(
    ("bars", "kind", "exit_row", "gross"),
    [
        pytest.param([CALM, (100, 101, 98, 99), CALM], "stop", 2, -0.02, id="stop-is-reached-exactly"),
        pytest.param(
            [CALM, (97, 99, 96, 98), CALM], "stop", 2, -0.03, id="gap-through-the-stop-fills-at-open"
        ),
        pytest.param([CALM, (101, 104.01, 100, 103), CALM], "target", 2, 0.04, id="target-passed-by-a-tick"),
        pytest.param(
            [CALM, (106, 107, 105, 106), CALM], "target", 2, 0.04, id="gap-over-target-fills-at-target"
        ),
        pytest.param([CALM, (101, 104, 100, 103), CALM], "time", 3, 0.0, id="target-only-touched-is-no-fill"),
        pytest.param([CALM, CALM, (100, 102, 99, 101.5)], "time", 3, 0.015, id="time-exits-at-the-close"),
        pytest.param([(100, 101, 97.5, 98), CALM, CALM], "stop", 1, -0.02, id="stop-in-the-bar-of-entry"),
    ],
)
def test_a_long_ends_as_worked_by_hand(bars: Bars, kind: str, exit_row: int, gross: float) -> None:
    table = planned_events(walked_bars(SIGNAL, *bars), LONG)
    assert table.count == 1
    assert (EXIT_NAMES[table.exit_kind[0]], table.exit_row[0]) == (kind, exit_row)
    assert table.gross[0] == pytest.approx(gross, abs=1e-12)
    assert not table.ambiguous[0]


@pytest.mark.parametrize(
    ("bars", "kind", "gross"),
    [
        pytest.param([(100, 102, 99, 101), CALM, CALM], "stop", -0.02, id="stop-above"),
        pytest.param([CALM, (103, 104, 100, 101), CALM], "stop", -0.03, id="gap-up-through-the-stop"),
        pytest.param([CALM, (99, 100, 95.99, 97), CALM], "target", 0.04, id="target-below-by-a-tick"),
        pytest.param([CALM, (99, 100, 96, 97), CALM], "time", 0.0, id="target-only-touched"),
    ],
)
def test_a_short_is_the_mirror_image(bars: Bars, kind: str, gross: float) -> None:
    table = planned_events(walked_bars(SIGNAL, *bars), SHORT)
    assert EXIT_NAMES[table.exit_kind[0]] == kind
    assert table.gross[0] == pytest.approx(gross, abs=1e-12)


def test_stop_and_target_in_one_bar_are_a_stop_and_called_ambiguous() -> None:
    table = planned_events(walked_bars(SIGNAL, CALM, (100, 105, 97, 103), CALM), LONG)
    assert EXIT_NAMES[table.exit_kind[0]] == "stop"
    assert table.ambiguous[0]
    assert table.gross[0] == pytest.approx(-0.02)


def test_a_flag_at_a_close_leaves_at_the_next_open() -> None:
    plan = Plan(rows=(0,), direction=1, stop=98.0, target=104.0, horizon=3, flags=(1,))
    table = planned_events(walked_bars(SIGNAL, CALM, (100.5, 110, 90, 95), CALM), plan)
    assert EXIT_NAMES[table.exit_kind[0]] == "flag"
    assert table.exit_row[0] == 2
    assert table.gross[0] == pytest.approx(0.005)
    assert table.exit_ns[0] - table.entry_ns[0] == 3_600_000_000_000


def test_a_flag_on_the_row_of_the_signal_or_on_the_last_row_moves_nothing() -> None:
    plan = Plan(rows=(0,), direction=1, stop=98.0, target=104.0, horizon=3, flags=(0, 3))
    table = planned_events(walked_bars(SIGNAL, CALM, CALM, (100, 101, 99, 100.4), CALM), plan)
    assert EXIT_NAMES[table.exit_kind[0]] == "time"
    assert table.gross[0] == pytest.approx(0.004)


def test_a_close_beyond_the_exit_close_of_the_signal_leaves_at_the_next_open() -> None:
    plan = Plan(rows=(0,), direction=1, stop=95.0, target=110.0, horizon=4, exit_close=99.5)
    bars = walked_bars(SIGNAL, (100, 101, 99, 99.5), (99.5, 100, 99, 99.4), (99.2, 101, 99, 100), CALM)
    table = planned_events(bars, plan)
    assert EXIT_NAMES[table.exit_kind[0]] == "flag"
    assert table.exit_row[0] == 3
    assert table.gross[0] == pytest.approx(-0.008)


@pytest.mark.parametrize("begin", [98.0, 97.0, 104.0, 110.0, math.nan])
def test_an_entry_that_is_not_strictly_between_stop_and_target_is_void(begin: float) -> None:
    table = planned_events(walked_bars(SIGNAL, (begin, 111, 96, 100), CALM, CALM), LONG)
    assert table.count == 0
    assert table.void.tolist() == [0, 1, 0, 0, 0, 0, 0, 0]


def test_a_bar_that_is_missing_before_the_exit_makes_the_event_void() -> None:
    nan = math.nan
    table = planned_events(walked_bars(SIGNAL, CALM, (nan, nan, nan, nan), CALM), LONG)
    assert table.count == 0
    assert table.void.sum() == 1


def test_an_event_whose_exit_is_not_yet_known_is_pending_and_not_counted() -> None:
    assert planned_events(walked_bars(SIGNAL), LONG).pending_count == 1
    table = planned_events(walked_bars(SIGNAL, CALM, CALM), LONG)
    assert (table.count, table.pending_count) == (0, 1)
    assert planned_events(walked_bars(SIGNAL, CALM, CALM, CALM), LONG).count == 1


def test_a_signal_is_taken_only_from_the_exit_row_of_the_last_one_on() -> None:
    plan = Plan(rows=(0, 1, 2, 3), direction=1, stop=98.0, target=104.0, horizon=2)
    table = planned_events(walked_bars(SIGNAL, *[CALM] * 6), plan)
    assert table.row.tolist() == [0, 2]
    assert table.exit_row.tolist() == [2, 4]


def test_a_void_signal_does_not_keep_the_next_one_out() -> None:
    plan = Plan(rows=(0, 1), direction=1, stop=98.0, target=104.0, horizon=2)
    table = planned_events(walked_bars(SIGNAL, (97, 101, 96, 100), CALM, CALM), plan)
    assert table.row.tolist() == [1]
    assert table.void.sum() == 1


def test_excursions_are_fractions_of_the_entry_and_stop_at_the_exit_price() -> None:
    bars = walked_bars(SIGNAL, (100, 103, 99, 102), (101, 103.5, 90, 95), CALM)
    table = planned_events(bars, LONG)
    assert table.adverse[0] == pytest.approx(0.02)
    assert table.favourable[0] == pytest.approx(0.03)
    timed = planned_events(walked_bars(SIGNAL, CALM, CALM, (100, 103, 98.5, 101)), LONG)
    assert (timed.adverse[0], timed.favourable[0]) == (pytest.approx(0.015), pytest.approx(0.03))


def test_a_resting_order_fills_when_a_bar_passes_it_by_a_tick() -> None:
    touched = (100.0, 101.0, 99.5, 100.0)
    passed = (100.0, 101.0, 99.49, 100.0)
    late = planned_events(walked_bars(SIGNAL, touched, passed, (100, 101, 99.6, 100.5)), LONG, limit=99.5)
    assert (late.entry_row.tolist(), late.exit_row.tolist()) == ([2], [3])
    assert late.gross[0] == pytest.approx(100.5 / 99.5 - 1)
    never = planned_events(walked_bars(SIGNAL, touched, touched, passed), LONG, limit=99.5)
    assert never.count == 0
    assert never.unfilled.sum() == 1


def test_a_resting_order_cannot_reach_its_target_in_the_bar_of_its_fill() -> None:
    bars = walked_bars(SIGNAL, (101, 105, 99, 103), (103, 103.5, 102, 103), CALM)
    table = planned_events(bars, LONG, limit=99.5)
    assert EXIT_NAMES[table.exit_kind[0]] == "time"
    stopped = planned_events(walked_bars(SIGNAL, (101, 105, 97, 103), CALM, CALM), LONG, limit=99.5)
    assert EXIT_NAMES[stopped.exit_kind[0]] == "stop"


def test_a_resting_order_is_pending_until_its_rows_have_closed() -> None:
    touched = (100.0, 101.0, 99.5, 100.0)
    waiting = planned_events(walked_bars(SIGNAL, touched), LONG, limit=99.5)
    assert (waiting.count, waiting.pending_count, waiting.unfilled.sum()) == (0, 1, 0)


def test_a_resting_order_that_cannot_be_followed_is_void() -> None:
    nan = math.nan
    unseen = planned_events(walked_bars(SIGNAL, (nan, nan, nan, nan), CALM, CALM), LONG, limit=99.5)
    assert (unseen.count, unseen.void.sum()) == (0, 1)
    filled_late = (100.0, 101.0, 99.0, 100.0)
    hasty = Plan(rows=(0,), direction=1, stop=98.0, target=104.0, horizon=1)
    bars = walked_bars(SIGNAL, (100.0, 101.0, 99.5, 100.0), filled_late, CALM)
    after_time = planned_events(bars, hasty, limit=99.5)
    assert (after_time.count, after_time.void.sum()) == (0, 1)


def test_each_instrument_has_its_own_tick() -> None:
    bars = walked_bars(SIGNAL, CALM, (101, 104.05, 100, 103), CALM)
    assert EXIT_NAMES[planned_events(bars, LONG, tick="0.05").exit_kind[0]] == "target"
    assert EXIT_NAMES[planned_events(bars, LONG, tick="0.1").exit_kind[0]] == "time"


def test_strength_falls_into_buckets_closed_below() -> None:
    cells = []
    for strength in (0.9, 1.0, 1.15, 1.35, 1.7, 9.0):
        for direction in (1, -1):
            plan = Plan((0,), direction, 100 - 50 * direction, 100 + 50 * direction, 1, strength)
            cells.append(int(planned_events(walked_bars(SIGNAL, CALM), plan).cell[0]))
    assert cells == [0, 4, 0, 4, 1, 5, 2, 6, 3, 7, 3, 7]


def _slow(bars: Floats, plan: Plan, start: int) -> tuple[str, int, float] | None:
    """A second implementation of one outcome, written from the page, row by row."""
    d, begin = plan.direction, bars[start + 1, 0]
    if not min(plan.stop, plan.target) < begin < max(plan.stop, plan.target):
        return ("void", start, math.nan)
    for row in range(start + 1, start + plan.horizon + 1):
        if row >= len(bars):
            return None
        open_, high, low, close = bars[row]
        if row > start + 1 and row - 1 in plan.flags:
            return ("flag", row, d * (open_ / begin - 1))
        stop_hit = low <= plan.stop if d > 0 else high >= plan.stop
        beyond = open_ <= plan.stop if d > 0 else open_ >= plan.stop
        target_hit = high >= plan.target + 0.01 if d > 0 else low <= plan.target - 0.01
        if stop_hit:
            return ("stop", row, d * ((open_ if beyond else plan.stop) / begin - 1))
        if target_hit:
            return ("target", row, d * (plan.target / begin - 1))
        if row == start + plan.horizon:
            return ("time", row, d * (close / begin - 1))
    return None


@pytest.mark.parametrize("seed", range(40))
def test_the_kernel_equals_a_second_implementation_on_random_bars(seed: int) -> None:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 60)))
    open_ = np.concatenate(([100.0], close[:-1])) * np.exp(rng.normal(0, 0.004, 60))
    high = np.maximum(open_, close) * (1 + rng.uniform(0, 0.01, 60))
    low = np.minimum(open_, close) * (1 - rng.uniform(0, 0.01, 60))
    bars = np.column_stack((open_, high, low, close))
    d = 1 if seed % 2 else -1
    rows = tuple(sorted(rng.choice(60, 12, replace=False).tolist()))
    flags = tuple(rng.choice(60, 6, replace=False).tolist())
    plan = Plan(rows, d, 100 - 4 * d, 100 + 4 * d, 7, flags=flags)
    table = planned_events(walked_bars(*bars.tolist()), plan)
    expected, voids, free = [], 0, 0
    for row in rows:
        if row < free or row + 1 >= 60:
            continue
        outcome = _slow(bars, plan, row)
        if outcome is None:
            break
        if outcome[0] == "void":
            voids += 1
        else:
            expected.append((row, *outcome))
            free = outcome[1]
    found = zip(table.row, [EXIT_NAMES[k] for k in table.exit_kind], table.exit_row, table.gross, strict=True)
    for got, wanted in zip(found, expected, strict=True):
        assert got[:3] == wanted[:3]
        assert got[3] == pytest.approx(wanted[3], abs=1e-12)
    assert table.void.sum() == voids
