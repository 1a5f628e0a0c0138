"""The names of the newest trades of an instrument, so that one told twice counts once."""

from __future__ import annotations

from typing import Any, Final

from sextant.model.cells import Cells, compiled, digest_of, ints_at

KEEP_NAMES: Final = 1_024  # at least so many are remembered, at most twice as many
PLACES: Final = 2_048

NOW, EARLIER = range(2)
"""Cells of the names: addresses of the table that is filled and of the one before it; 0 before any. A table has a count, then its
places, 0 where they are free."""


class TradeNames:
    """Names of trades by their digests, in two tables of bounded size.

    Notes
    -----
    Two names of one digest are one in 10^16 among those remembered.
    """

    __slots__ = ("_tables", "cells")

    def __init__(self) -> None:
        self.cells = Cells(2)
        self._tables: tuple[Cells, ...] = ()

    def take(self, name: str) -> bool:
        """Whether a name is met for the first time."""
        digest = digest_of(name.encode())
        if known(self.cells.at, digest):
            return False
        if not has_room(self.cells.at):
            self._turn(Cells(1 + PLACES))
        note(self.cells.at, digest)
        return True

    def content(self) -> tuple[list[int], ...]:
        """The digests of either table, for hashing."""
        return tuple(sorted(filter(None, table.ints[1:].tolist())) for table in self._tables)

    def restore(self, content: Any) -> None:
        """Become the names whose :meth:`content` it was."""
        self._tables = ()
        self.cells.put_ints(NOW, [0, 0])
        for digests in reversed(content):
            self._turn(Cells(1 + PLACES))
            for digest in digests:
                note(self.cells.at, digest)

    def _turn(self, table: Cells) -> None:
        """Fill another table; what was filled before is the earlier one now, and what was earlier is forgotten."""
        self._tables = (table, *self._tables[:1])
        self.cells.put_ints(NOW, [one.at for one in self._tables])


@compiled
def place_of(table: int, digest: int) -> int:
    """The cell of a digest, or the free one where it would be."""
    cells = ints_at(table)
    at = digest & (PLACES - 1)
    while cells[1 + at] != 0 and cells[1 + at] != digest:
        at = (at + 1) & (PLACES - 1)
    return 1 + at


@compiled
def known(names: int, digest: int) -> bool:
    """Whether a digest is in either table."""
    cells = ints_at(names)
    found = False
    for at in (NOW, EARLIER):
        if cells[at] != 0:
            found = found or ints_at(cells[at])[place_of(cells[at], digest)] != 0
    return found


@compiled
def has_room(names: int) -> bool:
    """Whether one more digest may be noted."""
    table = ints_at(names)[NOW]
    room: bool = table != 0 and ints_at(table)[0] < KEEP_NAMES
    return room


@compiled
def note(names: int, digest: int) -> None:
    """Note a digest that is not known; there is room."""
    table = ints_at(names)[NOW]
    ints_at(table)[place_of(table, digest)] = digest
    ints_at(table)[0] += 1
