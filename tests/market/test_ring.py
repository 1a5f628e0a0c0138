from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sextant.market.ring import FOLDED, STATED, BarRing, BarValues
from sextant.model.bar import BAR_FIELDS, Floats
from sextant.model.times import MINUTE_NS
from sextant.model.view import BarFrame, bar_frame

NO_COLUMNS = np.empty(0, dtype=np.int64)


def _ring(keep: int = 4, size: int = 2) -> BarRing:
    ring = BarRing("1m", keep)
    ring.reshape(NO_COLUMNS, size)
    return ring


def _values(close: float) -> BarValues:
    return (close, close + 1, close - 1, close, 1.0, math.nan, 0.5)


def _grid(closes: list[list[float]]) -> Floats:
    close = np.array(closes, dtype=np.float64)
    return np.stack([close, close + 1, close - 1, close, close * 0 + 1, close * math.nan, close * 0 + 0.5])


def _frame(ring: BarRing) -> BarFrame:
    frame = ring.frame(ring.last)
    assert frame is not None
    return frame


def _copied(frame: BarFrame) -> tuple[bytes, ...]:
    return (
        frame.row_digests,
        frame.open_ns.tobytes(),
        *(getattr(frame, name).tobytes() for name in BAR_FIELDS),
    )


def test_rows_are_consecutive_and_absent_bars_are_unknown() -> None:
    ring = _ring()
    assert ring.put(10, 0, _values(100.0), STATED) == "closed"
    assert ring.put(12, 1, _values(200.0), STATED) == "closed"
    frame = _frame(ring)
    assert frame.open_ns.tolist() == [10 * MINUTE_NS, 11 * MINUTE_NS, 12 * MINUTE_NS]
    assert frame.close.tolist()[0][0] == 100.0
    assert np.isnan(frame.close[1]).all()
    assert np.isnan(frame.volume[2, 0])
    assert frame.high[2, 1] == 201.0


def test_empty_ring_has_no_frame() -> None:
    ring = _ring()
    assert ring.frame(5) is None
    assert ring.content() is None
    assert ring.newest(0) == -1


def test_frame_is_a_slice_of_the_ring_and_read_only() -> None:
    ring = _ring()
    ring.put(1, 0, _values(100.0), STATED)
    frame = _frame(ring)
    assert frame.close.base is ring._data
    assert frame.close.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        frame.close[0, 0] = 1.0
    assert ring.frame(1) is frame


def test_frame_ends_at_the_row_that_is_asked_for() -> None:
    ring = _ring()
    for row in range(6):
        ring.put(row, 0, _values(100.0 + row), STATED)
    early = ring.frame(3)
    assert early is not None
    assert early.close[:, 0].tolist() == [100.0, 101.0, 102.0, 103.0]
    assert _frame(ring).close[:, 0].tolist() == [102.0, 103.0, 104.0, 105.0]
    assert ring.frame(-1) is None


def test_digests_equal_those_of_a_frame_made_from_scratch_after_every_write() -> None:
    ring = _ring(keep=5, size=3)
    for row in (0, 1, 3, 2, 3, 9, 30, 29):
        ring.put(row, row % 3, _values(100.0 + row), STATED)
        frame = _frame(ring)
        scratch = bar_frame("1m", frame.open_ns, {name: getattr(frame, name).copy() for name in BAR_FIELDS})
        assert frame.row_digests == scratch.row_digests


def test_same_bar_twice_is_a_duplicate_and_another_one_a_repair() -> None:
    ring = _ring()
    ring.put(1, 0, _values(100.0), STATED)
    before = _copied(_frame(ring))
    assert ring.put(1, 0, _values(100.0), STATED) == "duplicate"
    assert _copied(_frame(ring)) == before
    assert ring.put(1, 0, _values(101.0), STATED) == "repaired"
    assert _frame(ring).close[0, 0] == 101.0


def test_stated_bar_wins_over_a_folded_one_whichever_comes_first() -> None:
    ring = _ring()
    ring.put(1, 0, _values(100.0), FOLDED)
    assert ring.put(1, 0, _values(101.0), FOLDED) == "repaired"
    assert ring.put(1, 0, _values(102.0), STATED) == "replaced"
    assert ring.put(1, 0, _values(103.0), FOLDED) == "kept"
    ring.put(1, 1, _values(100.0), FOLDED)
    assert ring.put(1, 1, _values(100.0), STATED) == "confirmed"
    assert ring.put(1, 1, _values(103.0), FOLDED) == "kept"
    assert _frame(ring).close[0].tolist() == [102.0, 100.0]


@pytest.mark.parametrize("grid", [False, True])
def test_volume_that_a_repeated_statement_leaves_out_stays_known(*, grid: bool) -> None:
    ring = _ring()
    full = (100.0, 101.0, 99.0, 100.0, 1.0, 50.0, 0.5)

    def put(values: BarValues) -> str:
        if not grid:
            return ring.put(1, 0, values, STATED)
        tally = ring.put_grid(1, np.array(values).reshape(7, 1, 1), np.array([0]), STATED)
        return "duplicate" if tally.duplicate else "repaired"

    ring.put(1, 0, full, STATED)
    assert put((*full[:5], math.nan, math.nan)) == "duplicate"
    assert put((*full[:5], math.nan, 0.25)) == "repaired"
    frame = _frame(ring)
    assert (frame.quote_volume[0, 0], frame.taker_buy_volume[0, 0]) == (50.0, 0.25)
    assert put((100.0, 101.0, 99.0, 100.0, 2.0, math.nan, math.nan)) == "repaired"
    assert np.isnan(_frame(ring).taker_buy_volume[0, 0])


def test_bar_before_the_ring_is_too_old() -> None:
    ring = _ring(keep=4)  # and eight rows of slack
    ring.put(100, 0, _values(100.0), STATED)
    assert ring.put(88, 0, _values(1.0), STATED) == "too_old"
    assert ring.put(89, 0, _values(1.0), STATED) == "closed"
    assert ring.newest(0) == 100


def test_ring_holds_slack_rows_beyond_those_it_shows() -> None:
    assert BarRing("1m", 1_440).capacity == 1_440 + 180
    assert BarRing("1m", 4).capacity == 12


def test_bars_are_appended_beside_a_frame_until_the_room_is_full() -> None:
    ring = _ring(keep=4)  # twelve rows, and room for eight more
    for row in range(4):
        ring.put(row, 0, _values(100.0 + row), STATED)
    frame = _frame(ring)
    before = _copied(frame)
    for row in range(4, 9):
        ring.put(row, 0, _values(200.0 + row), STATED)
    assert ring.copies == 0
    ring.put(9, 0, _values(300.0), STATED)
    assert ring.copies == 1
    assert _copied(frame) == before
    later = _frame(ring)
    for row in range(10, 18):
        ring.put(row, 0, _values(400.0 + row), STATED)
    assert ring.copies == 1
    assert later.close[:, 0].tolist() == [206.0, 207.0, 208.0, 300.0]


def test_repair_of_a_shown_row_moves_the_ring_and_leaves_the_frame() -> None:
    ring = _ring()
    for row in range(3):
        ring.put(row, 0, _values(100.0 + row), STATED)
    frame = _frame(ring)
    before = _copied(frame)
    ring.put(1, 1, _values(55.0), STATED)
    assert ring.copies == 1
    ring.put(2, 0, _values(56.0), STATED)
    assert ring.copies == 1
    assert _copied(frame) == before
    assert _frame(ring).close[1:].tolist()[0] == [101.0, 55.0]
    assert _frame(ring).close[2, 0] == 56.0


def test_frame_that_nobody_holds_any_more_costs_no_copy() -> None:
    ring = _ring()
    ring.put(1, 0, _values(100.0), STATED)
    assert _frame(ring).rows == 1
    ring.put(1, 0, _values(101.0), STATED)
    assert ring.copies == 0
    assert _frame(ring).close[0, 0] == 101.0


@pytest.mark.parametrize("held", ["column", "row of a column", "reshaped", "bytes"])
def test_any_part_of_a_frame_that_is_still_held_keeps_its_values(held: str) -> None:
    ring = _ring()
    for row in range(3):
        ring.put(row, 0, _values(100.0 + row), STATED)
    close = _frame(ring).close
    part = {
        "column": close,
        "row of a column": close[1:][:2][0],
        "reshaped": close.reshape(-1)[2:4],
        "bytes": memoryview(close[1]),
    }[held]
    del close
    before = bytes(part)
    ring.put(1, 0, _values(7.0), STATED)
    ring.put(0, 0, _values(7.0), STATED)
    assert ring.copies == 1
    assert bytes(part) == before


def test_jump_beyond_the_whole_ring_leaves_frames_as_they_were() -> None:
    ring = _ring()
    ring.put(0, 0, _values(100.0), STATED)
    frame = _frame(ring)
    before = _copied(frame)
    ring.put(1_000, 0, _values(1.0), STATED)
    assert _copied(frame) == before
    assert _frame(ring).rows == 1


def test_more_columns_move_the_present_ones_and_leave_frames_as_they_were() -> None:
    ring = _ring(keep=4, size=2)
    for row in range(14):
        ring.put(row, 0, _values(100.0 + row), STATED)
        ring.put(row, 1, _values(200.0 + row), STATED)
    frame = _frame(ring)
    before = _copied(frame)
    ring.reshape(np.array([2, 0]), 3)
    assert _copied(frame) == before
    after = _frame(ring)
    assert after.close[:, 2].tolist() == frame.close[:, 0].tolist()
    assert after.close[:, 0].tolist() == frame.close[:, 1].tolist()
    assert np.isnan(after.close[:, 1]).all()
    assert (ring.newest(0), ring.newest(1), ring.newest(2)) == (13, -1, 13)


def test_grid_without_bars_changes_nothing() -> None:
    ring = _ring()
    assert ring.put_grid(5, _grid([[math.nan, math.nan]]), np.array([0, 1]), STATED).closed == 0
    assert ring.frame(100) is None


def test_grid_counts_what_each_bar_did() -> None:
    ring = _ring(keep=8)
    columns = np.array([0, 1])
    assert ring.put_grid(10, _grid([[1.5, 2.5], [math.nan, 3.5]]), columns, STATED).closed == 3
    ring.put(12, 0, _values(4.5), FOLDED)
    ring.put(12, 1, _values(5.5), FOLDED)
    tally = ring.put_grid(9, _grid([[9.5, math.nan], [1.5, 2.6], [6.5, 3.5], [4.5, 5.6]]), columns, STATED)
    assert (tally.closed, tally.late) == (2, 2)
    assert (tally.duplicate, tally.repaired) == (2, 1)
    assert (tally.confirmed, tally.replaced) == (1, 1)


def test_grid_older_than_the_ring_is_dropped_and_counted() -> None:
    ring = _ring(keep=4)
    ring.put(100, 0, _values(1.5), STATED)
    tally = ring.put_grid(
        86, _grid([[1.5, 2.5], [1.5, 2.5], [1.5, 2.5], [3.5, 4.5]]), np.array([0, 1]), STATED
    )
    assert (tally.too_old, tally.closed) == (6, 2)
    assert ring.put_grid(50, _grid([[1.5, 2.5]]), np.array([0, 1]), STATED).too_old == 2


def test_grid_longer_than_the_ring_keeps_its_newest_rows() -> None:
    ring = _ring(keep=4)
    tally = ring.put_grid(0, _grid([[float(row + 2), 1.5] for row in range(40)]), np.array([0, 1]), STATED)
    assert (tally.too_old, tally.closed) == (2 * 28, 2 * 12)
    assert _frame(ring).close[:, 0].tolist() == [38.0, 39.0, 40.0, 41.0]


def test_duplicate_grid_does_not_move_the_ring_under_a_frame() -> None:
    ring = _ring(keep=4)
    grid = _grid([[1.5, 2.5], [3.5, 4.5]])
    ring.put_grid(0, grid, np.array([0, 1]), STATED)
    frame = _frame(ring)
    assert ring.put_grid(0, grid, np.array([0, 1]), STATED).duplicate == 4
    assert ring.copies == 0
    before = _copied(frame)
    ring.put_grid(1, _grid([[7.5], [8.5]]), np.array([1]), STATED)
    assert ring.copies == 1
    assert _copied(frame) == before


def test_window_and_group_read_what_is_held() -> None:
    ring = _ring(keep=4)
    ring.put_grid(10, _grid([[1.5, 2.5], [3.5, math.nan], [5.5, 6.5]]), np.array([0, 1]), STATED)
    window = ring.window(9, 5, np.array([1, 0]))
    assert window[3, 1].tolist() == [2.5, 1.5]
    assert np.isnan(window[:, [0, 4]]).all()
    assert np.isnan(ring.window(50, 2, np.array([0]))).all()
    group = ring.group(10, 3, 0)
    assert group is not None
    assert group[3] == [1.5, 3.5, 5.5]
    assert ring.group(10, 3, 1) is None
    assert ring.group(9, 2, 0) is None
    assert ring.group(12, 2, 0) is None


_PUTS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 2), st.integers(2, 5), st.sampled_from([FOLDED, STATED])),
    max_size=60,
)


@given(_PUTS)
def test_any_writes_leave_the_bars_of_a_naive_dictionary_and_old_frames_untouched(
    puts: list[tuple[int, int, int, int]],
) -> None:
    ring = _ring(keep=6, size=3)
    naive: dict[tuple[int, int], tuple[float, int]] = {}
    taken: list[tuple[BarFrame, tuple[bytes, ...]]] = []
    last = -1
    for row, column, price, origin in puts:
        ring.put(row, column, _values(float(price)), STATED if origin == STATED else FOLDED)
        if row > last - ring.capacity and naive.get((row, column), (0.0, 0))[1] <= origin:
            last = max(last, row)
            naive[row, column] = (float(price), origin)
        frame = _frame(ring)
        taken.append((frame, _copied(frame)))
        for at, open_ns in enumerate(frame.open_ns.tolist()):
            for col in range(3):
                known = naive.get((open_ns // MINUTE_NS, col))
                assert (known is None) == math.isnan(frame.close[at, col])
                assert known is None or known[0] == frame.close[at, col]
    assert all(_copied(frame) == before for frame, before in taken)


@given(_PUTS)
def test_grids_and_single_bars_leave_the_same_ring(puts: list[tuple[int, int, int, int]]) -> None:
    single, grids = _ring(keep=6, size=3), _ring(keep=6, size=3)
    for row, column, price, code in puts:
        origin = STATED if code == STATED else FOLDED
        outcome = single.put(row, column, _values(float(price)), origin)
        tally = grids.put_grid(row, _grid([[float(price)]]), np.array([column]), origin)
        assert (getattr(tally, outcome) if outcome != "kept" else 0) == (outcome != "kept")
        assert single.newest(column) == grids.newest(column)
    assert single.content() == grids.content()
