from __future__ import annotations

import numpy as np
import pytest

from sextant.errors import InputError
from sextant.market.minute_store import BLOCK_ROWS, MinuteStore
from sextant.market.state import MarketState
from sextant.model.events import Event, StreamAlive
from sextant.model.times import MINUTE_NS, SECOND_NS
from sextant.model.view import MINUTE_FIELDS, MinuteFrame
from support.market import bar_update, instrument, listed, snapshot, state_of, trade

FIRST = 29_000_000 // BLOCK_ROWS * BLOCK_ROWS


def row(minute: int, value: float) -> tuple[int, tuple[float, ...]]:
    return minute, (value,) * len(MINUTE_FIELDS)


def store(size: int = 2, keep: int = 100) -> MinuteStore:
    found = MinuteStore(keep)
    found.reshape(np.empty(0, dtype=np.int64), size)
    return found


def after(minute: int) -> int:
    return (minute + 1) * MINUTE_NS


def test_a_store_without_rows_shows_nothing() -> None:
    assert store().frame(after(FIRST)) is None


def test_rows_of_all_instruments_stand_beside_one_another() -> None:
    found = store()
    found.put(0, [row(FIRST, 1.0), row(FIRST + 2, 3.0)])
    found.put(1, [row(FIRST + 1, 2.0)])
    frame = found.frame(after(FIRST + 2))
    assert frame is not None
    assert frame.open_ns.tolist() == [(FIRST + at) * MINUTE_NS for at in range(3)]
    expected = np.array([[1.0, np.nan], [np.nan, 2.0], [3.0, np.nan]])
    assert np.array_equal(frame.column("ofi_5"), expected, equal_nan=True)
    assert np.array_equal(frame.column("ofi_5", 2), expected[2:], equal_nan=True)
    assert frame.column("ofi_5").dtype == np.float64


def test_only_minutes_that_were_over_are_shown() -> None:
    found = store()
    found.put(0, [row(FIRST, 1.0), row(FIRST + 1, 2.0)])
    frame = found.frame(after(FIRST + 1) - 1)
    assert frame is not None
    assert frame.rows == 1


def test_a_frame_that_was_handed_out_does_not_change() -> None:
    found = store()
    found.put(0, [row(FIRST, 1.0)])
    before = found.frame(after(FIRST))
    assert before is not None
    found.put(1, [row(FIRST, 5.0)])
    now = found.frame(after(FIRST))
    assert now is not None
    assert np.isnan(before.column("ofi_1")[0, 1])
    assert now.column("ofi_1")[0, 1] == 5.0
    assert before.row_digests != now.row_digests
    assert not now.parts[0].flags.writeable


def test_only_the_newest_blocks_are_kept() -> None:
    found = store(1, keep=BLOCK_ROWS)
    found.put(0, [row(FIRST + at, float(at)) for at in range(4 * BLOCK_ROWS)])
    frame = found.frame(after(FIRST + 4 * BLOCK_ROWS))
    assert frame is not None
    assert frame.column("ofi_1")[0, 0] == 3 * BLOCK_ROWS
    found.put(0, [row(FIRST, 1.0)])
    again = found.frame(after(FIRST + 4 * BLOCK_ROWS))
    assert again is not None
    assert again.row_digests == frame.row_digests


def test_columns_move_with_their_instruments() -> None:
    found = store()
    found.put(0, [row(FIRST, 1.0)])
    found.put(1, [row(FIRST, 2.0)])
    found.reshape(np.array([2, 0]), 3)
    frame = found.frame(after(FIRST))
    assert frame is not None
    assert np.array_equal(frame.column("ofi_1")[0], [2.0, np.nan, 1.0], equal_nan=True)
    found.drop(np.array([2]))
    frame = found.frame(after(FIRST))
    assert frame is not None
    assert frame.column("ofi_1").tolist() == [[1.0]]


def test_another_store_takes_the_rows_of_an_instrument() -> None:
    source, target = store(), store()
    source.put(1, [row(FIRST + at, at / 3.0) for at in range(3 * BLOCK_ROWS)])
    target.fill(0, source.rows(1))
    assert source.rows(0) == []
    ones = [one.frame(after(FIRST + 3 * BLOCK_ROWS)) for one in (source, target)]
    assert ones[0] is not None
    assert ones[1] is not None
    assert np.array_equal(ones[0].column("ofi_1")[:, 1], ones[1].column("ofi_1")[:, 0], equal_nan=True)


def test_a_frame_refuses_rows_that_do_not_fit() -> None:
    good = np.zeros((len(MINUTE_FIELDS), 2, 1), dtype=np.float32)
    with pytest.raises(InputError, match="not consecutive"):
        MinuteFrame(np.array([0, 2 * MINUTE_NS]), (good,), bytes(32))
    with pytest.raises(InputError, match="1 minutes, 2 rows"):
        MinuteFrame(np.array([0]), (good,), bytes(16))


# -- through the state -------------------------------------------------------------------------------


def market() -> list[Event]:
    """Two minutes of trades of one instrument; of the other only that its streams are there."""
    start = FIRST * MINUTE_NS
    both = (instrument("BTC"), instrument("ETH"))
    bids = [(100.0 - step / 2, 1.0) for step in range(12)]
    asks = [(100.5 + step / 2, 2.0) for step in range(12)]
    events: list[Event] = [listed("BTC"), listed("ETH")]
    events.append(StreamAlive(both, ("trades", "liquidations"), start, start))
    for second in range(130):
        at_ns = start + second * SECOND_NS + 1
        if second in (60, 120):
            events += [bar_update(FIRST + second // 60 - 1, base=base) for base in ("BTC", "ETH")]
        events.append(trade(f"t{second}", at_ns, 100.0, 1.0, 1 if second % 4 else -1))
        events.append(snapshot(second + 1, bids, asks, event_ns=at_ns))
    return events


def test_the_state_shows_each_minute_once_its_bar_is_final() -> None:
    state = state_of(*market())
    view = state.view(after(FIRST + 1))
    assert view.minutes is not None
    assert view.minutes.rows == 2
    assert view.minutes.column("buy_count").tolist() == [[45.0, 0.0], [45.0, 0.0]]
    assert view.minutes.column("sell_turnover").tolist() == [[1500.0, 0.0], [1500.0, 0.0]]
    samples = view.minutes.column("book_samples")
    assert samples[1, 0] == 60.0
    assert np.isnan(samples[:, 1]).all()
    assert view.minutes.column("touch_imbalance")[1, 0] == pytest.approx(-1.0 / 3.0)


def test_views_taken_meanwhile_change_neither_hash_nor_later_views() -> None:
    quiet, looked = MarketState("replay", simulated=False), MarketState("replay", simulated=False)
    for event in market():
        quiet.apply(event)
        looked.apply(event)
        looked.view(after(FIRST + 1))
    assert looked.state_hash() == quiet.state_hash()
    assert looked.view(after(FIRST + 1)).content_hash == quiet.view(after(FIRST + 1)).content_hash


def test_a_trade_more_is_another_hash() -> None:
    events = market()
    assert (
        state_of(*events).state_hash()
        != state_of(*events, trade("x", FIRST * MINUTE_NS + 129 * SECOND_NS)).state_hash()
    )
