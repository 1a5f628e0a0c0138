from __future__ import annotations

import numpy as np
import pytest

from sextant.confluence.ledger import KEEP_ROWS, History, Ledger


def rows(first: int, count: int) -> History:
    number = np.arange(first, first + count)
    wide = np.repeat(number[:, None], 2, axis=1)
    real = wide.astype(np.float64)
    few = (wide % 5).astype(np.int8)
    return History(number, real, 2.0 * real, 3.0 * real, few, few)


def test_newest_minutes_are_kept_and_no_more_than_a_day() -> None:
    ledger = Ledger(2)
    for start in range(0, 5 * KEEP_ROWS, 300):
        ledger.append(rows(start, 300))
    history = ledger.history()
    assert history.close_ns.tolist() == list(range(4 * KEEP_ROWS, 5 * KEEP_ROWS))
    assert np.array_equal(history.coverage[:, 1], 2.0 * history.close_ns)
    assert np.array_equal(history.state[:, 0], history.close_ns % 5)


@pytest.mark.parametrize("count", [KEEP_ROWS - 1, KEEP_ROWS, KEEP_ROWS + 1, 3 * KEEP_ROWS])
def test_a_day_at_once_takes_the_place_of_what_was_there(count: int) -> None:
    ledger = Ledger(2)
    ledger.append(rows(0, 10))
    for start in (10, 10 + count):
        ledger.append(rows(start, count))
    end = 10 + 2 * count
    assert ledger.history().close_ns.tolist() == list(range(end - KEEP_ROWS, end))


def test_no_minutes_change_nothing() -> None:
    ledger = Ledger(2)
    ledger.append(rows(0, 3))
    ledger.append(rows(3, 0))
    assert ledger.history().close_ns.tolist() == [0, 1, 2]


def test_history_that_was_handed_out_never_changes() -> None:
    ledger = Ledger(2)
    ledger.append(rows(0, 1000))
    before = ledger.history()
    kept = before.confluence.copy()
    for start in range(1000, 9000, 1000):
        ledger.append(rows(start, 1000))
    assert np.array_equal(before.confluence, kept)
    with pytest.raises(ValueError, match="read-only"):
        before.confluence[0, 0] = 1.0
