"""What was said on each closed minute, kept for a day."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sextant.model.bar import Floats, Integers

KEEP_ROWS: Final = 1_440
ROOM_ROWS: Final = KEEP_ROWS + KEEP_ROWS // 8  # a day, and three hours before all of it moves


@dataclass(frozen=True, eq=False)
class History:
    """What was said on some closed minutes; arrays are (T, S), the last row the newest.

    Parameters
    ----------
    close_ns
        int64 (T,), when each minute closed.
    confluence, coverage, consensus
        D, K and C; D and C are NaN where nothing was present.
    state
        int8, positions in ``decision.STATES``.
    label
        int8, positions in ``regime.LABELS``.
    """

    close_ns: Integers
    confluence: Floats
    coverage: Floats
    consensus: Floats
    state: NDArray[np.int8]
    label: NDArray[np.int8]


_FIELDS: Final = tuple(item.name for item in fields(History))


class Ledger:
    """The newest minutes, appended in place; a history that was handed out never changes.

    Parameters
    ----------
    columns
        S.
    """

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._end = 0
        self._kept = self._room()

    def append(self, rows: History) -> None:
        """Take in some further minutes; of more than a day the newest."""
        count = min(len(rows.close_ns), KEEP_ROWS)
        if self._end + count > ROOM_ROWS:
            # The old arrays belong to those they were shown to.
            kept, first = self._room(), self._end + count - KEEP_ROWS
            for name, array in kept.items():
                array[: self._end - first] = self._kept[name][first : self._end]
            self._kept, self._end = kept, self._end - first
        for name, array in self._kept.items():
            array[self._end : self._end + count] = getattr(rows, name)[-count:]
        self._end += count

    def history(self) -> History:
        """The newest minutes, read-only."""
        first = max(0, self._end - KEEP_ROWS)
        parts = {name: array[first : self._end] for name, array in self._kept.items()}
        for part in parts.values():
            part.flags.writeable = False
        return History(**parts)

    def _room(self) -> dict[str, Any]:
        kinds = {"close_ns": np.int64, "state": np.int8, "label": np.int8}
        return {
            name: np.empty(
                (ROOM_ROWS,) if name == "close_ns" else (ROOM_ROWS, self._columns),
                dtype=kinds.get(name, np.float64),
            )
            for name in _FIELDS
        }
