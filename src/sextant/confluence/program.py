"""Runs the nodes of one frame over rows of bars: whole, row by row, or in parts, with the same bits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from sextant.confluence.nodes import (
    INTERVAL_OF,
    Column,
    Frame,
    Mapped,
    Node,
    Reading,
    Rolled,
    Seen,
    below,
    walk,
)
from sextant.confluence.rolls import advance, roll_state
from sextant.errors import SextantError
from sextant.indicators.catalog import indicator
from sextant.indicators.contract import State, begin, fold
from sextant.model.bar import Floats, Integers
from sextant.model.times import DAY_NS, INTERVAL_NS

FAILURES: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    SextantError,
)
"""What a broken kernel or map can raise; its values are then unknown and everything else goes on."""
CLEAN_AFTER: Final = 3
"""Runs without a failure after which a part is told as clean no longer."""


@dataclass(frozen=True, eq=False)
class Block:
    """Consecutive closed rows of a frame.

    Parameters
    ----------
    open_ns
        int64 (R,): consecutive multiples of the interval.
    columns
        float64 (R, S) by name; NaN where unknown. A column that no feed gives is absent.
    """

    open_ns: Integers
    columns: Mapping[str, Floats]

    def rows(self, first: int, end: int) -> Block:
        """Some of its rows."""
        return Block(self.open_ns[first:end], {name: x[first:end] for name, x in self.columns.items()})


@dataclass(frozen=True, eq=False)
class Told:
    """Nodes on some rows; an array may be (1, S) or (R, 1) where its rows or columns are all the same.

    Parameters
    ----------
    nodes
        By node.
    roots
        What was wanted.
    shape
        (R, S).
    """

    nodes: Mapping[Node, Floats]
    roots: tuple[Node, ...]
    shape: tuple[int, int]

    def wanted(self) -> dict[Node, Floats]:
        """The roots, (R, S)."""
        return {node: np.broadcast_to(self.nodes[node], self.shape) for node in self.roots}

    def last(self) -> dict[Node, Floats]:
        """The newest row of every node, (1, S), a copy."""
        row = (1, self.shape[1])
        return {node: np.broadcast_to(x[-1:], row).copy() for node, x in self.nodes.items()}


class Program:
    """All nodes that are wanted of one frame, each computed once.

    Parameters
    ----------
    frame
        Whose rows they are.
    roots
        What is wanted; every block must hold the columns they need.
    size
        S, the number of instruments.
    constants
        Numbers each instrument has for itself, float64 (S,), for the indicators that need them.
    """

    def __init__(
        self,
        frame: Frame,
        roots: Iterable[Node],
        size: int,
        constants: Mapping[str, Floats],
    ) -> None:
        self.interval_ns = INTERVAL_NS[INTERVAL_OF[frame]]
        self._bars_per_day = DAY_NS // self.interval_ns
        self._size = size
        self._roots = tuple(dict.fromkeys(roots))
        self._order = tuple(dict.fromkeys(part for node in self._roots for part in walk(node)))
        at = {node: place for place, node in enumerate(self._order)}
        self._below = tuple(tuple(at[part] for part in _read_by(node)) for node in self._order)
        self._values: dict[tuple[str, tuple[Any, ...]], dict[str, Any]] = {}
        self._states: dict[Any, State] = {}
        self._constants = constants
        self._failed: dict[str, tuple[str, int]] = {}
        for node in self._order:
            if isinstance(node, Reading) and self._key(node) not in self._states:
                self._begin(node, constants)
            elif isinstance(node, Rolled):
                self._states[node] = roll_state(node, size)

    def fold(self, block: Block, other: Mapping[Seen, Floats]) -> Told:
        """All nodes on some further rows.

        Parameters
        ----------
        block
            The rows after those folded before.
        other
            What its roots see of other frames, (R, S) or (1, S).
        """
        rows = len(block.open_ns)
        shape = (rows, self._size)
        self._failed = {part: ("", n + 1) for part, (_, n) in self._failed.items() if n < CLEAN_AFTER}
        found: list[Floats] = []
        told: dict[Any, dict[str, Floats]] = {}
        for node, parts in zip(self._order, self._below, strict=True):
            try:
                value = self._value(node, [found[part] for part in parts], (block, other), told)
            except FAILURES as error:
                value = np.full(shape, np.nan)
                self._fail(node, error)
            found.append(value)
        return Told(dict(zip(self._order, found, strict=True)), self._roots, shape)

    @property
    def failed(self) -> dict[str, str]:
        """Parts that raised in the last rows, with the kind of error; an empty one for those that are clean again."""
        return {part: code for part, (code, _) in self._failed.items()}

    def _value(
        self,
        node: Node,
        parts: Sequence[Floats],
        given: tuple[Block, Mapping[Seen, Floats]],
        told: dict[Any, dict[str, Floats]],
    ) -> Floats:
        """One node on the rows, from what it is computed from; ``told`` keeps what an indicator tells at once."""
        block, other = given
        rows = len(block.open_ns)
        bar_index = int(block.open_ns[0]) // self.interval_ns if rows else 0
        match node:
            case Column():
                return block.columns[node.name]
            case Seen():
                return other[node]
            case Reading():
                key = self._key(node)
                if key not in told:
                    told[key] = self._read(node, bar_index, block)
                return told[key][node.output]
            case Rolled():
                shape = (rows, self._size)
                value = np.empty(shape)
                place = (bar_index, self._bars_per_day)
                advance(node, self._states[node], place, _wide(parts[0], shape), value)
                return value
            case Mapped():
                return node.function(*parts)

    def _fail(self, node: Node, error: Exception) -> None:
        """Note a failure; what has a state begins anew, because it may stand between two rows."""
        self._failed[_part_of(node)] = (type(error).__name__, 0)
        if isinstance(node, Reading):
            self._begin(node, self._constants)
        elif isinstance(node, Rolled):
            self._states[node] = roll_state(node, self._size)

    def _key(self, node: Reading) -> tuple[str, tuple[Any, ...]]:
        return node.indicator, node.params

    def _begin(self, node: Reading, constants: Mapping[str, Floats]) -> None:
        chosen = indicator(node.indicator)
        given = dict(node.params) | {name: constants[name] for name in chosen.constants}
        if any(param.name == "bars_per_day" for param in chosen.params):
            given["bars_per_day"] = self._bars_per_day
        key = self._key(node)
        self._values[key] = chosen.values(**given)
        self._states[key] = begin(chosen, self._size, self._values[key])

    def _read(self, node: Reading, bar_index: int, block: Block) -> dict[str, Floats]:
        key = self._key(node)
        return fold(indicator(node.indicator), self._states[key], bar_index, block.columns, self._values[key])


def _part_of(node: Node) -> str:
    """What a node is called where it failed."""
    match node:
        case Reading():
            return node.indicator
        case Rolled():
            return node.how
        case Mapped():
            return str(getattr(node.function, "__name__", type(node.function).__name__)).strip("_")
        case Column():
            return node.name
        case Seen():
            return node.frame


def _read_by(node: Node) -> tuple[Node, ...]:
    """The nodes whose values a node is computed from; an indicator reads its columns by itself."""
    return () if isinstance(node, Seen | Reading) else below(node)


def _wide(x: Floats, shape: tuple[int, int]) -> Floats:
    # One type of array for every caller, so that a kernel is compiled once.
    whole = np.ascontiguousarray(np.broadcast_to(x, shape)).view()
    whole.flags.writeable = False
    return whole
