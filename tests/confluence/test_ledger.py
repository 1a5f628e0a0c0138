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


def test_a_whole_day_at_once_takes_the_place_of_what_was_there() -> None:
    ledger = Ledger(2)
    for start in (0, 10, 10 + KEEP_ROWS):
        ledger.append(rows(start, KEEP_ROWS if start else 10))
    assert ledger.history().close_ns.tolist() == list(range(10 + KEEP_ROWS, 10 + 2 * KEEP_ROWS))


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
