"""The closed minutes of all instruments, in blocks of rows that pictures of the market share without copying."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sextant.market.minute_sums import KEEP_MINUTES, MinuteRow
from sextant.model.bar import Integers
from sextant.model.times import MINUTE_NS
from sextant.model.view import MINUTE_FIELDS, MinuteFrame, minute_digest

BLOCK_ROWS: Final = 64
"""Rows of a block, aligned to multiples of it since the epoch."""

Values = NDArray[np.float32]
_FIELDS: Final = len(MINUTE_FIELDS)


class _Block:
    """Some consecutive minutes of all instruments; shared once a frame shows it, and then never written again."""

    __slots__ = ("digests", "shared", "values")

    def __init__(self, values: Values) -> None:
        self.values = values
        self.shared = False
        self.digests: list[bytes | None] = [None] * BLOCK_ROWS


class MinuteStore:
    """The newest 1,440 minutes and what lies with them in their blocks, one column per instrument.

    Notes
    -----
    A frame never changes: a write into a block that one shows goes to a copy of that block. Blocks of which nothing is known do not
    exist.
    """

    def __init__(self, keep: int = KEEP_MINUTES) -> None:
        self._keep = keep
        self._size = 0
        self._blocks: dict[int, _Block] = {}
        self._newest = -1

    def reshape(self, moved: Integers, size: int) -> None:
        """Move to ``size`` columns; ``moved`` is int64, the new column of each present one."""
        for block in self._blocks.values():
            values = _unknown(size)
            values[:, :, moved] = block.values
            block.values, block.shared = values, False
            block.digests = [None] * BLOCK_ROWS
        self._size = size

    def drop(self, kept: Integers) -> None:
        """Forget all columns but the given ones, which keep their order."""
        for block in self._blocks.values():
            block.values, block.shared = block.values[:, :, kept], False
            block.digests = [None] * BLOCK_ROWS
        self._size = len(kept)

    def put(self, column: int, rows: Iterable[MinuteRow]) -> None:
        """Take closed minutes of an instrument."""
        for minute, values in rows:
            number, row = divmod(minute, BLOCK_ROWS)
            block = self._block(number)
            if block is not None:
                block.values[:, row, column] = values
                block.digests[row] = None
                self._newest = max(self._newest, minute)
        self._trim()

    def rows(self, column: int) -> list[tuple[int, bytes]]:
        """The minutes of one instrument by block: number of the block and its float32 (29, 64) as bytes."""
        found = []
        for number, block in sorted(self._blocks.items()):
            values = block.values[:, :, column]
            if not np.isnan(values).all():
                found.append((number, values.tobytes()))
        return found

    def fill(self, column: int, rows: Iterable[tuple[int, bytes]]) -> None:
        """Take what :meth:`rows` of another store gave."""
        for number, raw in rows:
            block = self._block(number)
            if block is not None:
                values = np.frombuffer(raw, dtype=np.float32).reshape(_FIELDS, BLOCK_ROWS)
                block.values[:, :, column] = values
                block.digests = [None] * BLOCK_ROWS
                held = np.flatnonzero(~np.isnan(values).all(axis=0))
                if len(held):
                    self._newest = max(self._newest, number * BLOCK_ROWS + int(held[-1]))
        self._trim()

    def frame(self, as_of_ns: int) -> MinuteFrame | None:
        """The minutes that were over by a time; None where nothing is known of any."""
        last = min(self._newest, as_of_ns // MINUTE_NS - 1)
        oldest = max((last - self._keep + 1) // BLOCK_ROWS, min(self._blocks, default=0))
        first = (
            oldest * BLOCK_ROWS
        )  # whole blocks, so that a picture a minute younger shares all but the last
        if not self._blocks or last < first:
            return None
        parts, digests = [], []
        for number in range(first // BLOCK_ROWS, last // BLOCK_ROWS + 1):
            block = self._blocks.get(number) or self._empty(number)
            high = min(BLOCK_ROWS, last + 1 - number * BLOCK_ROWS)
            block.shared = True
            part = block.values[:, :high]
            part.flags.writeable = False
            parts.append(part)
            digests += [self._digest(number, row) for row in range(high)]
        open_ns = np.arange(first, last + 1, dtype=np.int64) * MINUTE_NS
        open_ns.flags.writeable = False
        return MinuteFrame(open_ns, tuple(parts), b"".join(digests))

    def _block(self, number: int) -> _Block | None:
        """The block of a number, to be written; None where it is too old to be kept."""
        if number < (self._newest - self._keep + 1) // BLOCK_ROWS:
            return None
        block = self._blocks.get(number)
        if block is None:
            return self._empty(number)
        if block.shared:
            block.values, block.shared = block.values.copy(), False
        return block

    def _empty(self, number: int) -> _Block:
        block = self._blocks[number] = _Block(_unknown(self._size))
        return block

    def _digest(self, number: int, row: int) -> bytes:
        block = self._blocks[number]
        told = block.digests[row]
        if told is None:
            open_ns = (number * BLOCK_ROWS + row) * MINUTE_NS
            told = block.digests[row] = minute_digest(open_ns, block.values[:, row])
        return told

    def _trim(self) -> None:
        least = (self._newest - self._keep + 1) // BLOCK_ROWS
        for number in [one for one in self._blocks if one < least]:
            del self._blocks[number]


def _unknown(size: int) -> Values:
    return np.full((_FIELDS, BLOCK_ROWS, size), np.nan, dtype=np.float32)
