"""What a sub-score is computed from, as data: columns, indicators, and what is done with them.

Equal nodes are computed once. A node is a frozen value; :mod:`sextant.confluence.program` runs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from sextant.indicators.catalog import indicator
from sextant.model.bar import Floats
from sextant.model.times import Interval

Frame = Literal["1m", "5m", "30m", "4h", "grid"]
"""Rows of bars, or the 5-minute grid on which venues state open interest."""

INTERVAL_OF: Final[dict[Frame, Interval]] = {"1m": "1m", "5m": "5m", "30m": "30m", "4h": "4h", "grid": "5m"}

How = Literal[
    "lag",
    "sum",
    "mean",
    "ema",
    "recent",
    "run",
    "age",
    "idle",
    "hold",
    "day_sum",
    "day_before",
    "scale",
    "centred",
    "rank",
    "usual",
    "filled",
]
"""What is done with the past of a column; see :mod:`sextant.confluence.rolls`."""

Schedule = tuple[int, int, int]
"""Of a reference: a value every so many rows, how many are kept, how many are needed."""

DAY: Final[Schedule] = (15, 96, 32)
HOURLY: Final[Schedule] = (60, 96, 24)
GRID: Final[Schedule] = (1, 288, 96)


class _Hashed:
    """A node whose hash is computed once: a tree of them is looked up very often."""

    _hash: int

    def __hash__(self) -> int:
        """The hash of the class and all fields."""
        return self._hash

    def __post_init__(self) -> None:
        """Computes the hash, the parts having theirs."""
        parts = tuple(getattr(self, item.name) for item in fields(self))  # type: ignore[arg-type]  # each is one
        object.__setattr__(self, "_hash", hash((type(self).__name__, parts)))


@dataclass(frozen=True)
class Column(_Hashed):
    """A column of the frame as it came."""

    name: str

    __hash__ = _Hashed.__hash__


@dataclass(frozen=True)
class Reading(_Hashed):
    """An output of an indicator on the columns of the frame."""

    indicator: str
    output: str
    params: tuple[tuple[str, Any], ...] = ()

    __hash__ = _Hashed.__hash__

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the columns it reads."""
        return indicator(self.indicator).inputs


@dataclass(frozen=True)
class Rolled(_Hashed):
    """What the past of another node says; ``rows``, ``floor`` and ``schedule`` where ``how`` needs them."""

    how: How
    of: Node
    rows: int = 1
    floor: float = 0.0
    schedule: Schedule = DAY

    __hash__ = _Hashed.__hash__


@dataclass(frozen=True)
class Mapped(_Hashed):
    """A function of the same rows of other nodes, arrays (rows, instruments) in and out."""

    function: Callable[..., Floats]
    of: tuple[Node, ...]

    __hash__ = _Hashed.__hash__


@dataclass(frozen=True)
class Seen(_Hashed):
    """Another frame's node as seen from a 1m row: its last row that had closed by then."""

    frame: Frame
    of: Node

    __hash__ = _Hashed.__hash__


Node = Column | Reading | Rolled | Mapped | Seen


BAR: Final = tuple(Column(name) for name in ("high", "low", "close", "volume", "taker_buy_volume"))
"""What the direction of a single bar is read from."""


def read(name: str, output: str | None = None, **params: Any) -> Reading:
    """An output of an indicator; the one named like it where none is named."""
    return Reading(name, output or name, tuple(sorted(params.items())))


def mapped(function: Callable[..., Floats], *of: Node) -> Mapped:
    """A function of some nodes."""
    return Mapped(function, of)


def below(node: Node) -> tuple[Node, ...]:
    """The nodes that a node reads."""
    match node:
        case Column():
            return ()
        case Reading():
            return tuple(Column(name) for name in node.inputs)
        case Rolled() | Seen():
            return (node.of,)
        case Mapped():
            return node.of


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, each after what it reads; nothing below another frame's node."""
    if not isinstance(node, Seen):
        for part in below(node):
            yield from walk(part)
    yield node


def columns_of(node: Node) -> frozenset[str]:
    """Names of the columns of the same frame that a node needs."""
    return frozenset(part.name for part in walk(node) if isinstance(part, Column))


def shown(node: Node) -> tuple[Node, ...]:
    """The indicators and columns a person is shown as the inputs of a node, in order of use."""
    found: dict[Node, None] = {}
    _shown(node, found)
    return tuple(found)


def _shown(node: Node, found: dict[Node, None]) -> None:
    match node:
        case Column() | Reading():
            found[node] = None
        case Seen(of=Reading() | Column()):
            found[node] = None
        case Seen():
            for part in shown(node.of):
                found[Seen(node.frame, part)] = None
        case _:
            for part in below(node):
                _shown(part, found)
