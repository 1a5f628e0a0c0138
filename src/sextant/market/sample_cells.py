"""Where the cells of a book's samples are."""

from __future__ import annotations

from typing import Final

LEAST_LEVELS: Final = 10
"""A book of fewer levels a side is not sampled; among so many, what was withdrawn is looked for."""
TOP_LEVELS: Final = 5

TRADED_LEVELS: Final = 3 * LEAST_LEVELS
"""Trades matter at levels that were close by at the last sample, that lost size by it, or that were traded before it."""

NEXT, NEXT_NS, MINUTE, LAST, STATES, FOLLOWED, HELD, WAITED = range(8)
"""Cells of samples: the next second and its time, the minute begun, the last second sampled, states that the flow counts, whether
there is a state before, whether levels of the second before are held, and whether losses wait to be confirmed."""
NEAR: Final = 8
DEEP: Final = NEAR + 5
WITHDRAWN: Final = DEEP + 6
MOVED: Final = WITHDRAWN + 3
DEPTH: Final = MOVED + TOP_LEVELS
TOPS: Final = DEPTH + TOP_LEVELS
"""Keys and sizes of the best levels of the bids as the flow saw them last; then those of the asks."""
CLOSE: Final = TOPS + 4 * TOP_LEVELS
"""Number, keys and sizes of the levels close by a second before, bids first; so are those that follow."""
LOST: Final = CLOSE + 2 * (1 + 2 * LEAST_LEVELS)
"""Number, keys, what each had, what it lost, and 1 where it was traded at all."""
TRADED: Final = LOST + 2 * (1 + 4 * LEAST_LEVELS)
EARLY: Final = TRADED + 2 * (1 + 2 * TRADED_LEVELS)
BOTH: Final = EARLY + 2 * (1 + 2 * LEAST_LEVELS)
"""What was traded since the last sample and early; for the time of one sample."""
SAMPLES_CELLS: Final = BOTH + 1 + 2 * TRADED_LEVELS

CLOSE_STEP: Final = 1 + 2 * LEAST_LEVELS
LOST_STEP: Final = 1 + 4 * LEAST_LEVELS
TRADED_STEP: Final = 1 + 2 * TRADED_LEVELS
