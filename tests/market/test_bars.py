from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sextant.errors import InputError
from sextant.market.bars import BarStore, fold_bars, fold_grid, impossible
from sextant.market.counters import Counters
from sextant.model.bar import BAR_FIELDS
from sextant.model.events import BarUpdate
from sextant.model.times import INTERVAL_NS, INTERVALS, Interval
from support.market import bar_update, block, block_of, listed, state_of

FIRST = 20_000 * 288  # a row of 5m that opens a day


def test_fold_by_hand() -> None:
    fields = [
        [10.0, 11.0],
        [12.0, 11.5],
        [9.0, 10.5],
        [11.0, 10.75],
        [1.0, 2.0],
        [10.5, math.nan],
        [0.25, 0.5],
    ]
    *prices, quote_volume, taker = fold_bars(fields)
    assert prices == [10.0, 12.0, 9.0, 10.75, 3.0]
    assert math.isnan(quote_volume)
    assert taker == 0.75
    grid = fold_grid(np.array(fields)[:, :, None], 2)
    assert grid.shape == (7, 1, 1)
    assert np.array_equal(grid[:, 0, 0], fold_bars(fields), equal_nan=True)


def test_fold_over_a_hole_is_a_hole() -> None:
    grid = np.ones((7, 4, 1))
    grid[:, 1] = np.nan
    folded = fold_grid(grid, 2)
    assert np.isnan(folded[:, 0]).all()
    assert (folded[[4, 5, 6], 1] == 2.0).all()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (0, 200.0),
        (0, 1.0),
        (1, math.inf),
        (2, 0.0),
        (2, -5.0),
        (3, 200.0),
        (3, 1.0),
        (4, -1.0),
        (4, math.nan),
        (4, math.inf),
        (5, -1.0),
        (6, -1.0),
    ],
)
def test_bar_that_no_market_can_have_traded_is_found(field: int, value: float) -> None:
    values = np.array([100.0, 101.0, 99.0, 100.5, 1.0, 100.0, 0.5]).reshape(7, 1, 1)
    assert not impossible(values).any()
    values[field] = value
    assert impossible(values).all()


def test_absent_bar_is_not_impossible() -> None:
    assert not impossible(np.full((7, 2, 2), np.nan)).any()


@pytest.mark.parametrize("keep", [{"1m": 0}, {"2m": 5}])
def test_unknown_interval_or_no_rows_is_refused(keep: dict[Interval, int]) -> None:
    with pytest.raises(InputError, match="Rows to keep"):
        BarStore(Counters(), keep)


def test_larger_bars_are_folded_when_the_last_bar_of_their_group_is_final() -> None:
    state = state_of(listed())
    for row in range(FIRST * 5, FIRST * 5 + 4):
        state.apply(bar_update(row, close=100.0 + row % 5, taker=0.5))
    assert "5m" not in state.view(2**62).bars
    state.apply(bar_update(FIRST * 5 + 4, close=90.0, volume=3.0, taker=0.5))
    frame = state.view(2**62).bars["5m"]
    assert frame.open_ns.tolist() == [FIRST * INTERVAL_NS["5m"]]
    assert [getattr(frame, name)[0, 0] for name in BAR_FIELDS] == [
        100.0,
        104.0,
        89.0,
        90.0,
        7.0,
        100.0 + 101 + 102 + 103 + 270,
        2.5,
    ]


def test_a_day_of_minutes_gives_every_larger_frame() -> None:
    state = state_of(listed())
    day = 20_000 * 1_440
    for row in range(day, day + 1_440):
        state.apply(bar_update(row, volume=1.0))
    bars = state.view((day + 1_440) * INTERVAL_NS["1m"]).bars
    assert {interval: frame.rows for interval, frame in bars.items()} == {
        "1m": 1_440,
        "5m": 288,
        "30m": 48,
        "1h": 24,
        "4h": 6,
        "1d": 1,
    }
    assert [frame.volume[0, 0] for frame in bars.values()] == [1.0, 5.0, 30.0, 60.0, 240.0, 1_440.0]
    assert state.counters["bars_closed"] == 1_440


def test_feed_of_hours_only_gives_the_larger_frames_only() -> None:
    day = 20_000 * 24
    closes = np.arange(1.0, 49.0).reshape(48, 1) + 1
    columns = dict.fromkeys(("open", "high", "low", "close", "volume"), closes)
    state = state_of(listed(), block("1h", ["BTC"], range(day, day + 48), columns))
    bars = state.view(2**62).bars
    assert list(bars) == ["1h", "4h", "1d"]
    assert bars["4h"].close[:, 0].tolist() == [
        5.0,
        9.0,
        13.0,
        17.0,
        21.0,
        25.0,
        29.0,
        33.0,
        37.0,
        41.0,
        45.0,
        49.0,
    ]
    assert bars["1d"].open[:, 0].tolist() == [2.0, 26.0]
    assert np.isnan(bars["1d"].quote_volume).all()


def test_bar_confirmed_twice_is_one_bar_and_its_volume_counts_once() -> None:
    state = state_of(listed())
    for row in range(FIRST * 5, FIRST * 5 + 5):
        state.apply(bar_update(row, volume=2.0))
        state.apply(bar_update(row, volume=2.0))
    assert state.view(2**62).bars["5m"].volume.tolist() == [[10.0]]
    assert (state.counters["bars_closed"], state.counters["bars_duplicate"]) == (5, 5)


def test_late_bar_fills_its_hole_is_counted_and_folds() -> None:
    rows = [FIRST * 5, FIRST * 5 + 1, FIRST * 5 + 3, FIRST * 5 + 4]
    state = state_of(listed(), *(bar_update(row) for row in rows))
    frame = state.view(2**62).bars["1m"]
    assert np.isnan(frame.close[2, 0])
    assert "5m" not in state.view(2**62).bars
    state.apply(bar_update(FIRST * 5 + 2))
    assert state.counters["bars_late"] == 1
    assert not np.isnan(state.view(2**62).bars["1m"].close).any()
    assert state.view(2**62).bars["5m"].volume.tolist() == [[5.0]]
    assert np.isnan(frame.close[2, 0])


def test_repaired_bar_is_folded_again_into_every_larger_frame() -> None:
    day = 20_000 * 24
    state = state_of(listed(), *(bar_update(row, "1h") for row in range(day, day + 24)))
    state.apply(bar_update(day + 1, "1h", volume=11.0))
    bars = state.view(2**62).bars
    assert bars["4h"].volume[0, 0] == 14.0
    assert bars["1d"].volume[0, 0] == 34.0
    assert state.counters["bars_repaired"] == 1


def test_bar_the_venue_states_for_a_larger_frame_wins_over_the_fold() -> None:
    minutes = [bar_update(row) for row in range(FIRST * 5, FIRST * 5 + 5)]
    stated = bar_update(FIRST, "5m", volume=5.5)
    for order in ([*minutes, stated], [stated, *minutes]):
        state = state_of(listed(), *order)
        assert state.view(2**62).bars["5m"].volume.tolist() == [[5.5]]
    assert state_of(listed(), *minutes, stated).counters["bars_replaced"] == 1


@pytest.mark.parametrize("in_block", [False, True])
def test_stated_bar_equal_to_the_fold_confirms_it(*, in_block: bool) -> None:
    minutes = [bar_update(row) for row in range(FIRST * 5, FIRST * 5 + 5)]
    stated = bar_update(FIRST, "5m", volume=5.0)
    counts = state_of(listed(), *minutes, block_of([stated]) if in_block else stated).counters
    assert (counts["bars_confirmed"], counts["bars_replaced"], counts["bars_closed"]) == (1, 0, 5)


def test_stated_bar_fills_a_fold_over_a_hole() -> None:
    rows = [FIRST * 5, FIRST * 5 + 2, FIRST * 5 + 3, FIRST * 5 + 4]
    state = state_of(listed(), *(bar_update(row) for row in rows), bar_update(FIRST, "5m", volume=9.0))
    assert state.view(2**62).bars["5m"].volume.tolist() == [[9.0]]


@pytest.mark.parametrize("late_ns", [1, 86_400 * 10**9])
def test_bar_from_the_future_is_refused_and_does_not_empty_the_ring(late_ns: int) -> None:
    state = state_of(listed(), bar_update(FIRST))
    good = bar_update(FIRST + 1)
    open_ns = FIRST * INTERVAL_NS["1m"]
    future = BarUpdate(good.instrument, open_ns - late_ns, open_ns - late_ns, "1m", good.bar, final=True)
    state.apply(future)
    assert state.counters["bars_refused"] == 1
    assert state.view(2**62).bars["1m"].rows == 1


def test_bar_that_opens_between_two_intervals_is_refused() -> None:
    good = bar_update(FIRST + 1)
    state = state_of(
        listed(), BarUpdate(good.instrument, good.event_ns, good.event_ns, "1h", good.bar, final=True)
    )
    assert state.counters["bars_refused"] == 1
    assert not state.view(2**62).bars


def test_block_leaves_out_bars_that_no_market_can_have_traded() -> None:
    closes = np.array([[10.0, 20.0], [11.0, 21.0]])
    columns = dict.fromkeys(("open", "low", "close", "volume"), closes)
    high = closes.copy()
    high[0, 1] = 1.0
    state = state_of(
        listed("AAA"), listed("BBB"), block("1h", ["AAA", "BBB"], [100, 101], {**columns, "high": high})
    )
    close = state.view(2**62).bars["1h"].close
    assert close[:, 0].tolist() == [10.0, 11.0]
    assert np.isnan(close[0, 1])
    assert state.counters["bars_refused"] == 1
    assert state.counters["bars_closed"] == 3


def test_block_leaves_out_bars_before_1970_and_from_the_future() -> None:
    closes = np.full((4, 1), 5.0)
    columns = dict.fromkeys(("open", "high", "low", "close", "volume"), closes)
    given_block = block("1h", ["BTC"], [-1, 0, 1, 2], columns)
    early = type(given_block)(
        **{
            name: getattr(given_block, name)
            for name in given_block.__struct_fields__
            if name not in ("event_ns", "receive_ns")
        },
        event_ns=INTERVAL_NS["1h"],
        receive_ns=0,
    )
    state = state_of(listed(), early)
    assert state.view(2**62).bars["1h"].rows == 2
    assert state.counters["bars_refused"] == 2


def test_long_block_folds_rows_that_the_smaller_ring_no_longer_holds() -> None:
    day = 20_000 * 24
    closes = np.arange(2_400.0).reshape(-1, 1) + 10
    columns = dict.fromkeys(("open", "high", "low", "close", "volume"), closes)
    state = state_of(listed(), block("1h", ["BTC"], range(day, day + 2_400), columns), keep=100)
    bars = state.view(2**62).bars
    assert bars["1h"].rows == 100
    assert bars["1d"].rows == 100
    assert bars["1d"].close[:, 0].tolist() == closes[23::24, 0].tolist()
    assert (state.counters["bars_closed"], state.counters["bars_too_old"]) == (2_400, 0)


def test_history_older_than_the_ring_still_fills_the_larger_frames() -> None:
    day = 20_000 * 24
    closes = np.full((48, 1), 7.0)
    columns = dict.fromkeys(("open", "high", "low", "close", "volume"), closes)
    state = state_of(listed(), bar_update(day + 2_000, "1h"), keep=100)
    state.apply(block("1h", ["BTC"], range(day, day + 48), columns))
    bars = state.view(2**62).bars
    assert bars["1h"].rows == 1
    assert bars["1d"].close[:, 0].tolist() == [7.0, 7.0]


def test_gaps_in_a_block_are_holes() -> None:
    day = 20_000 * 24
    columns = dict.fromkeys(("open", "high", "low", "close", "volume"), np.full((5, 1), 7.0))
    state = state_of(listed(), block("1h", ["BTC"], [day, day + 1, day + 3, day + 4, day + 5_000], columns))
    frame = state.view((day + 5) * INTERVAL_NS["1h"]).bars
    assert frame == {}  # the far bar moved the ring past the others
    assert "4h" not in state.view(2**62).bars
    near = state_of(listed(), block("1h", ["BTC"], [day, day + 1, day + 3, day + 4, day + 6], columns))
    close = near.view(2**62).bars["1h"].close[:, 0]
    assert np.isnan(close).tolist() == [False, False, True, False, False, True, False]


def test_bars_not_yet_closed_are_not_shown() -> None:
    state = state_of(listed(), *(bar_update(row) for row in range(FIRST, FIRST + 3)))
    as_of = (FIRST + 2) * INTERVAL_NS["1m"]
    assert state.view(as_of).bars["1m"].last_close_ns == as_of
    assert state.view(as_of - 1).bars["1m"].last_close_ns == as_of - INTERVAL_NS["1m"]


_STEPS = st.lists(st.integers(1, 4), min_size=1, max_size=60)


def _naive_fold(bars: dict[int, tuple[float, ...]], count: int) -> dict[int, tuple[float, ...]]:
    """Plain Python, one group at a time."""
    folded = {}
    for group in {row // count for row in bars}:
        parts = [bars.get(row) for row in range(group * count, (group + 1) * count)]
        known = [part for part in parts if part is not None]
        if len(known) < count:
            continue
        opens, highs, lows, closes, *volumes = zip(*known, strict=True)
        sums = []
        for volume in volumes:
            total = 0.0
            for part in volume:
                total = total + part
            sums.append(total)
        folded[group] = (opens[0], max(highs), min(lows), closes[-1], *sums)
    return folded


@settings(max_examples=40)
@given(
    st.sampled_from(["1m", "1h"]),
    st.lists(st.integers(0, 71), min_size=1, max_size=80),
    st.randoms(use_true_random=False),
)
def test_any_bars_in_any_order_fold_as_by_hand_singly_and_in_blocks(
    interval: Interval, rows: list[int], chance: object
) -> None:
    first = 20_000 * 1_440 if interval == "1m" else 20_000 * 24
    naive: dict[int, tuple[float, ...]] = {}
    updates = []
    for row in rows:
        close = 50.0 + chance.random()  # type: ignore[attr-defined]
        update = bar_update(first + row, interval, close, volume=close / 3, taker=close / 7)
        naive[first + row] = tuple(getattr(update.bar, name) for name in BAR_FIELDS)
        updates.append(update)
    single = state_of(listed(), *updates)
    final = {update.bar.open_ns: update for update in updates}
    whole = block_of([final[open_ns] for open_ns in sorted(final)])
    blocked = state_of(listed(), whole)
    larger = INTERVALS[INTERVALS.index(interval) :]
    for smaller, interval_now in zip((interval, *larger), larger, strict=False):
        if smaller != interval_now:
            naive = _naive_fold(naive, INTERVAL_NS[interval_now] // INTERVAL_NS[smaller])
        for state in (single, blocked):
            frame = state.view(2**62).bars.get(interval_now)
            shown = {}
            for at, open_ns in enumerate([] if frame is None else frame.open_ns.tolist()):
                values = tuple(float(getattr(frame, name)[at, 0]) for name in BAR_FIELDS)
                if not math.isnan(values[3]):
                    shown[open_ns // INTERVAL_NS[interval_now]] = values
            assert shown == naive
