from __future__ import annotations

from typing import Any

import numpy as np

from sextant.model.cells import Cells, compiled, ints_at, reals_at


@compiled
def _swapped(at: int) -> Any:
    """Whole number and number of two cells, each made of the other."""
    ints, reals = ints_at(at), reals_at(at)
    whole, number = ints[0], reals[1]
    ints[0], reals[1] = np.int64(number), float(whole)
    return whole + number


def test_python_and_kernels_read_and_write_the_same_cells() -> None:
    cells = Cells(3)
    assert cells.ints.tolist() == [0, 0, 0]
    cells.ints[0], cells.reals[1] = 5, 2.5
    assert _swapped(cells.at) == 7.5
    assert (cells.ints[0], cells.reals[1], cells.ints[2]) == (2, 5.0, 0)


def test_a_cell_is_the_same_bits_for_both_readers() -> None:
    cells = Cells(2)
    cells.put_reals(0, [1.0])
    cells.put_ints(1, [-3])
    assert cells.ints[0] == 0x3FF0000000000000
    assert cells.ints[1] == -3
