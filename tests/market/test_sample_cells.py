from __future__ import annotations

from sextant.market import sample_cells as layout


def test_no_cell_of_the_samples_has_two_meanings() -> None:
    taken = [
        (0, 8),
        (layout.NEAR, 5),
        (layout.DEEP, 6),
        (layout.WITHDRAWN, 3),
        (layout.MOVED, 5),
        (layout.DEPTH, 5),
        (layout.TOPS, 20),
    ]
    taken += [(layout.CLOSE + side * layout.CLOSE_STEP, 1 + 2 * 10) for side in (0, 1)]
    taken += [(layout.LOST + side * layout.LOST_STEP, 1 + 4 * 10) for side in (0, 1)]
    taken += [(layout.TRADED + side * layout.TRADED_STEP, 1 + 2 * 30) for side in (0, 1)]
    taken += [(layout.EARLY + side * layout.CLOSE_STEP, 1 + 2 * 10) for side in (0, 1)]
    taken.append((layout.BOTH, 1 + 2 * 30))
    assert sum(size for _, size in taken) == layout.SAMPLES_CELLS
    ends = [first + size for first, size in taken]
    assert ends == [*(first for first, _ in taken[1:]), layout.SAMPLES_CELLS]
