"""What a dimension states about itself: its sub-scores with weight, family, intervals, streams and needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sextant.confluence.nodes import Column, Frame, Mapped, Node, Rolled, columns_of
from sextant.confluence.normalise import together
from sextant.errors import ConfigError
from sextant.model.instrument import Kind

Family = Literal["trend", "reversion", "flow", "book", "positioning"]
FAMILIES: Final[tuple[Family, ...]] = ("trend", "reversion", "flow", "book", "positioning")

Stream = Literal["bars", "trades", "book", "quote", "open_interest", "account_ratio", "liquidations"]

Bars = Literal["1m", "5m", "30m", "4h"]
INTERVAL_WEIGHTS: Final[dict[Frame, float]] = {"1m": 0.4, "5m": 0.3, "30m": 0.2, "4h": 0.1}
ALL: Final[tuple[Frame, ...]] = ("1m", "5m", "30m", "4h")
ONE_MINUTE: Final[tuple[Frame, ...]] = ("1m",)

Reason = Literal[
    "NOT_APPLICABLE",
    "UNSUPPORTED",
    "WARMING",
    "HOLE",
    "STALE",
    "GAPPY",
    "SHORT_HISTORY",
    "FEW_TRADES",
    "FEW_SAMPLES",
    "SHALLOW_BOOK",
    "FEED_DOWN",
    "VENUE_DISPUTE",
    "FAILED",
]
"""Why a value is absent. ``UNSUPPORTED``: no feed of this build gives the input column."""

DERIVATIVES: Final[tuple[Kind, ...]] = ("perpetual",)
ANY_KIND: Final[tuple[Kind, ...]] = ("spot", "perpetual", "future", "option")

_UNIT: Final = 1e-9


@dataclass(frozen=True)
class Need:
    """Something there must be enough of.

    Parameters
    ----------
    count
        How many there are, a node of the same frame.
    need
        How many there must be.
    reason
        Why the sub-score is absent, or weak, where there are too few.
    soft
        Below the need the quality is ramp(n, start, need); a hard need leaves nothing.
    start
        Where a soft need begins to count, a quarter of it unless stated.
    """

    count: Node
    need: float
    reason: Reason
    soft: bool = True
    start: float | None = None


@dataclass(frozen=True, kw_only=True)
class SubScore:
    """One voice of a dimension.

    Parameters
    ----------
    name
        Unique within its dimension.
    weight
        Share of its dimension; those of a dimension sum to 1.
    family
        Which multiplier of the regime applies.
    signal
        The node whose value is s in [-1, 1], positive for a rising price.
    rows
        Rows since the last hole (since the first row where ``tolerates``) before the value is settled.
    intervals
        Frames it is computed on.
    streams
        What it depends on; the weakest bounds its quality.
    needs
        Trades, samples, reference values or minutes of feed that there must be.
    kinds
        Kinds of instrument that have the inputs.
    tolerates
        Whether a hole adds nothing instead of beginning anew.
    optional
        Columns it makes do without.
    absent_for
        Base assets it does not apply to.
    """

    name: str
    weight: float
    family: Family
    signal: Node
    rows: int
    intervals: tuple[Frame, ...] = ONE_MINUTE
    streams: tuple[Stream, ...] = ("bars",)
    needs: tuple[Need, ...] = ()
    kinds: tuple[Kind, ...] = ANY_KIND
    tolerates: bool = False
    optional: tuple[str, ...] = ()
    absent_for: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a sub-score without weight, intervals or streams."""
        if not (self.weight > 0 and self.intervals and self.streams and self.rows >= 1):
            raise ConfigError(f"Sub-score {self.name} lacks a weight, an interval, a stream or its rows.")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it cannot do without, sorted."""
        return tuple(sorted(columns_of(self.signal) - set(self.optional))) or ("close",)

    @property
    def settled(self) -> Node:
        """How many rows there are towards ``rows``."""
        return Rolled(
            "age" if self.tolerates else "run",
            Mapped(together, tuple(Column(name) for name in self.columns)),
        )


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """One of the six; the constant ``DIMENSION`` of its file.

    Parameters
    ----------
    name, weight
        The weights of all dimensions sum to 1.
    sub_scores
        In the order they are told.
    known_gaps
        What a reader must know.
    """

    name: str
    weight: float
    sub_scores: tuple[SubScore, ...]
    known_gaps: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse weights that do not sum to 1, and one name for two."""
        total = sum(sub.weight for sub in self.sub_scores)
        if abs(total - 1.0) > _UNIT:
            raise ConfigError(f"The weights of {self.name} sum to {total}, not to 1.")
        if len({sub.name for sub in self.sub_scores}) != len(self.sub_scores):
            raise ConfigError(f"Two sub-scores of {self.name} have one name.")
