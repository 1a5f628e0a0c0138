"""What a strategy states and returns; strategies.md 1.2 and 1.3.

A strategy is a pure causal array program. ``evaluate`` turns a view into a :class:`Verdict`:
arrays over all rows and, through them, the candidates of the last row. What it said on the rows
above is its own evidence; shared code scores it (room ``evidence``), prices it (``costs``),
sizes it (``sizing``) and proposes it (``propose``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from sextant.errors import ConfigError, InputError
from sextant.model.bar import Floats, Integers
from sextant.model.opportunity import Disposition, Lane, Opportunity
from sextant.model.scorecard import EvidenceKind, Scorecard
from sextant.model.times import Interval
from sextant.model.view import View
from sextant.strategies.couples import CoupleSet
from sextant.strategies.dispositions import Lack

Kept = TypeVar("Kept")

Unit = Literal["instrument", "couple", "cycle", "underlying", "book", "portfolio"]
Category = Literal["spot", "algorithmic", "derivatives", "portfolio"]
Tier = Literal["free", "basic", "pro"]
CostClass = Literal["light", "medium", "heavy"]
COST_CLASSES: Final[tuple[CostClass, ...]] = get_args(CostClass)


@dataclass(frozen=True)
class Param:
    """A named number of a strategy with its bounds, both inclusive."""

    name: str
    default: float
    low: float
    high: float
    unit: str

    def __post_init__(self) -> None:
        """Refuse a default outside its own bounds."""
        if not self.low <= self.default <= self.high:
            raise ConfigError(
                f"Parameter {self.name}: default {self.default} is outside {self.low}..{self.high}."
            )


@dataclass(frozen=True)
class Need:
    """An input of a strategy.

    Parameters
    ----------
    column
        ``bars``, ``quotes``, ``books``, ``trades``, ``funding`` ... as named in the view.
    interval
        Frame of a bars need; None otherwise.
    rows
        Rows needed before the first decision.
    greatest_age_s
        Older inputs yield ``insufficient_data``.
    required
        Whether the strategy is silent without it.
    """

    column: str
    interval: Interval | None
    rows: int
    greatest_age_s: float
    required: bool = True


@dataclass(frozen=True, eq=False)
class Gate:
    """A condition as data: it passes where ``sense * (value - threshold) >= 0``.

    Parameters
    ----------
    name
        Stable word, shown in funnels and dispositions.
    values
        float64 (T, S); NaN means the input is missing and yields ``insufficient_data``.
    threshold
        What ``values`` must reach.
    sense
        +1 for >=, -1 for <=.
    unit
        Unit of the value, for the words of near misses.
    scale
        Divisor of the margin; None means ``|threshold|``, or 1 where that is 0.
    live_only
        Uses inputs without history (quote, book): ``values`` then has one row, the last, and
        evidence is computed without it and says so.
    optional
        NaN passes: the input is welcome where it exists and not required.
    thresholds
        float64 (S,): each instrument's own threshold in place of ``threshold``; None where all share it.
    past
        Rows above the first of ``values`` that were let go; see :func:`sextant.strategies.gates.lean`.
    kept
        What was read off it; see :meth:`once`. A changed copy begins with nothing.
    """

    name: str
    values: Floats
    threshold: float
    sense: Literal[1, -1]
    unit: str = ""
    scale: float | None = None
    live_only: bool = False
    optional: bool = False
    thresholds: Floats | None = None
    past: int = 0
    kept: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def once(self, key: str, make: Callable[[], Kept]) -> Kept:
        """What ``make`` gave the first time this key was asked for; for what is read off the gate alone."""
        if key not in self.kept:
            self.kept[key] = make()
        known: Kept = self.kept[key]
        return known


@dataclass(frozen=True, eq=False)
class Signals:
    """What a strategy says on every row, time-major.

    Parameters
    ----------
    direction
        int8 (T, S): +1 long, -1 short, 0 none.
    strength
        float64 (T, S): >= 0, 1 = at threshold.
    stop, target
        float64 (T, S): prices; NaN where no direction.
    exit_flag
        bool (T, S, 2): at the close of the row an open long (index 0) or short (index 1) is to be left at the next open.
    horizon_rows
        Rows after entry at which the position is left at the close.
    exit_close
        float64 (T, S) or None: a position opened on the signal of row ``t`` is also left at the next
        open after the first later close beyond ``exit_close[t]`` against its direction (a long after a
        close below it, a short after a close above it); NaN where there is no such price. Unlike
        ``exit_flag``, it is read at the row of the signal.
    limit
        float64 (T, S) or None: price of the post-only order that rests for two rows after each row, NaN where no
        direction; None enters at the next open.
    """

    direction: NDArray[np.int8]
    strength: Floats
    stop: Floats
    target: Floats
    exit_flag: NDArray[np.bool_]
    horizon_rows: int
    exit_close: Floats | None = None
    limit: Floats | None = None


class Hedge(Protocol):
    """What a strategy holds against each instrument it speaks about."""

    def returns(self, column: Integers, row: Integers, first: Integers, last: Integers) -> Floats:
        """What it earned for each event of ``column``, signalled on ``row``, over rows ``first..last``, fraction (n,)."""

    def exposures(self) -> Floats:
        """Exposure of each instrument to each factor on the last row, float64 (S, k)."""


@dataclass(frozen=True, eq=False)
class Verdict:
    """What a strategy says about a whole view; the same for every user.

    Parameters
    ----------
    interval
        Frame whose rows the arrays share.
    signals, gates
        Over all rows; gates in declared order, common gates first.
    missing
        Per instrument (S,) the reason the strategy cannot speak about it at all, or None:
        ``(which, have, need, unit)``.
    facts
        Named float64 (T, S) columns worth showing with an opportunity, by name; directional strategies
        give ``sigma``, the standard deviation of one bar's log return, a fraction.
    skipped
        Why the whole strategy is silent (``no option data``), or None.
    params
        The parameters it was asked with; empty means its defaults.
    largest_usd
        float64 (S,): size beyond which the strategy would not go whatever the account; None without such a bound.
    hedge
        What is held against the instruments; evidence then counts what they earn beyond it. None for nothing.
    couples
        What it says about couples; the arrays then have one column per couple, and the gates may begin on a later
        row than the frame. None where it speaks about instruments.
    passing
        bool (T, S): where all gates that have a history passed, where that is known already; gates may then be lean.
    kept
        What was made of it for every caller; see :meth:`once`.
    """

    interval: Interval
    signals: Signals
    gates: tuple[Gate, ...]
    missing: tuple[Lack | None, ...]
    facts: Mapping[str, Floats]
    skipped: str | None = None
    params: Mapping[str, float] = field(default_factory=dict)
    largest_usd: Floats | None = None
    hedge: Hedge | None = None
    couples: CoupleSet | None = None
    passing: NDArray[np.bool_] | None = None
    kept: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def lean(self) -> bool:
        """Whether signals have let go of prices above the last row: what has become of them is known elsewhere."""
        return len(self.signals.stop) < len(self.signals.direction)

    def once(self, key: str, make: Callable[[], Kept]) -> Kept:
        """What ``make`` gave the first time this key was asked for; for what is the same for every caller."""
        if key not in self.kept:
            self.kept[key] = make()
        known: Kept = self.kept[key]
        return known


Evaluate = Callable[[View, Mapping[str, float], Any], Verdict]
"""``evaluate(view, params, columns)``; ``columns`` is the scan's shared :class:`~sextant.strategies.columns.Columns`."""

Judged = tuple[list[Opportunity], Sequence[Disposition]]
"""All opportunities of a strategy, and one disposition for each of its candidates."""

Judge = Callable[["Strategy", Verdict, Callable[[int, int, float], Scorecard], Any], Judged]
"""``judge(strategy, verdict, cards, pricing)``; ``pricing`` is the account's :class:`~sextant.strategies.costs.Pricing`."""


@dataclass(frozen=True)
class Strategy:
    """Everything a strategy states about itself; the constant ``STRATEGY`` of its file.

    Parameters
    ----------
    life_s
        Seconds after which an idea is stale, however young its trigger; None where other limits decide.
    levered
        Positions in derivatives carry the highest leverage that keeps liquidation away
        (:func:`sextant.strategies.leverage.leverage_of`); else none.
    compares
        What it says about an instrument depends on which others the view holds.
    judge
        The third step of a strategy whose unit is no single instrument; None for the shared one
        (:func:`sextant.strategies.propose.judge`).
    """

    id: str
    name: str
    category: Category
    catalogue_risk: str
    tier: Tier
    min_capital_usd: float
    opportunity_type: str
    unit: Unit
    lane: Lane
    evidence_kind: EvidenceKind
    needs: tuple[Need, ...]
    params: tuple[Param, ...]
    cost_class: CostClass
    evaluate: Evaluate
    references: tuple[str, ...]
    known_gaps: tuple[str, ...] = field(default=())
    life_s: float | None = None
    levered: bool = False
    compares: bool = False
    judge: Judge | None = None

    def defaults(self, **changes: float) -> dict[str, float]:
        """All parameters with some changed.

        Raises
        ------
        InputError
            If a name is unknown or a value is outside its bounds.
        """
        values = {param.name: param.default for param in self.params}
        bounds = {param.name: param for param in self.params}
        for name, value in changes.items():
            param = bounds.get(name)
            if param is None:
                raise InputError(f"Strategy {self.id} has no parameter '{name}'.", reason="unknown_field")
            if not param.low <= value <= param.high:
                raise InputError(
                    f"Parameter {name} of {self.id} is {value}; allowed are {param.low}..{param.high} {param.unit}.",
                    reason="out_of_range",
                )
            values[name] = value
        return values
