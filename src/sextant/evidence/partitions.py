"""How evidence over many instruments is cut into jobs whose results, joined, are those of one run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np

from sextant.strategies.contract import Strategy

MOST_CELLS: Final = 1 << 20
"""Bars of one job: with everything that is computed from them about half a gigabyte."""


class Partition(msgspec.Struct, frozen=True):
    """One job: what some strategies say about some instruments over the whole time.

    Parameters
    ----------
    strategies
        Their ids, in the order of the catalogue.
    columns
        The instruments, rising.
    """

    strategies: tuple[str, ...]
    columns: tuple[int, ...]


def partitions_of(
    catalogue: Iterable[Strategy], size: int, rows: int, most_cells: int = MOST_CELLS
) -> tuple[Partition, ...]:
    """The jobs that together score every strategy of bars on every instrument.

    Parameters
    ----------
    size, rows
        S and T of the smallest frame.
    most_cells
        Bars that one job may hold, where the strategies allow it.

    Notes
    -----
    Time is never cut: averages that fade remember everything, and no overlap would give the same last bit. Strategies
    that look at one instrument at a time are cut by instrument; each that compares instruments is a job of its own over
    all of them.
    """
    scored = [strategy for strategy in catalogue if strategy.evidence_kind == "bars"]
    alone = tuple(strategy.id for strategy in scored if not strategy.compares)
    groups = -(-size * max(1, rows) // most_cells)
    parts = [
        Partition(alone, tuple(columns.tolist()))
        for columns in np.array_split(np.arange(size), min(size, max(1, groups)))
        if alone and len(columns)
    ]
    every = tuple(range(size))
    parts += [Partition((strategy.id,), every) for strategy in scored if strategy.compares]
    return tuple(parts)
