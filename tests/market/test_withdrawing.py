from __future__ import annotations

from sextant.market import withdrawing
from sextant.market.sample_cells import CLOSE, HELD, LEAST_LEVELS, SAMPLES_CELLS, TRADED, TRADED_LEVELS
from sextant.model.cells import Cells


def test_only_trades_at_levels_close_by_are_noted_and_summed() -> None:
    samples = Cells(SAMPLES_CELLS)
    withdrawing.note_trade(samples.at, 0, 100, 1.0)
    assert samples.ints[TRADED] == 0
    samples.ints[HELD] = 1
    samples.put_ints(CLOSE, [2, 100, 99])
    for key, size in ((99, 1.5), (98, 9.0), (99, 0.25), (100, 2.0)):
        withdrawing.note_trade(samples.at, 0, key, size)
    assert samples.ints[TRADED : TRADED + 3].tolist() == [2, 99, 100]
    first = TRADED + 1 + TRADED_LEVELS
    assert samples.reals[first : first + 2].tolist() == [1.75, 2.0]


def test_what_was_traded_before_is_joined_to_what_was_traded_since() -> None:
    both, traded, early = (
        Cells(1 + 2 * TRADED_LEVELS),
        Cells(1 + 2 * TRADED_LEVELS),
        Cells(1 + 2 * LEAST_LEVELS),
    )
    traded.put_ints(0, [1, 7])
    traded.put_reals(1 + TRADED_LEVELS, [2.0])
    early.put_ints(0, [2, 7, 8])
    early.put_reals(1 + LEAST_LEVELS, [0.5, 3.0])
    withdrawing.join(both.at, traded.at, early.at)
    assert [withdrawing.amount(both.at, TRADED_LEVELS, key) for key in (7, 8, 9)] == [2.5, 3.0, 0.0]
