"""Couples: two instruments held against each other, and what a strategy of couples says about them.

A couple is bought by buying its first instrument and selling its second; the other direction sells the first. The
arrays of a verdict about couples have one column per couple instead of one per instrument.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from sextant.model.bar import Floats, Integers
from sextant.model.instrument import Instrument, InstrumentSpec

V = TypeVar("V")
Said_co = TypeVar("Said_co", covariant=True)

LegExit = Literal["trade", "delivery", "kept"]
"""How a leg ends: by a second order, by its own expiry, or not at all because what was traded stays where it is."""

SIDES: Final = ("first", "second")


@dataclass(frozen=True)
class Couple:
    """Two instruments; ``str`` gives the name under which dispositions and evidence know them."""

    first: Instrument
    second: Instrument

    def __str__(self) -> str:
        """Both identifiers with a stroke between them."""
        return f"{self.first} / {self.second}"

    @property
    def instruments(self) -> tuple[Instrument, Instrument]:
        """Both, the first first."""
        return self.first, self.second


class Each(Protocol[Said_co]):
    """Something for each couple, by its place."""

    def __getitem__(self, place: int, /) -> Said_co:
        """What there is for the couple at a place."""


class WhenAsked(Generic[V]):
    """Something for each couple, made when it is asked for: most are refused for less.

    Parameters
    ----------
    make
        Gives it by the place of the couple.
    """

    def __init__(self, make: Callable[[int], V]) -> None:
        self._make = make
        self._made: dict[int, V] = {}

    def __getitem__(self, place: int, /) -> V:
        """What there is for the couple at a place; the same object each time."""
        if place not in self._made:
            self._made[place] = self._make(place)
        return self._made[place]


Subject = InstrumentSpec | Couple
"""What a disposition is about."""


@dataclass(frozen=True, eq=False)
class PastSignals:
    """n past signals of couples, in the order of their row and then their couple.

    Parameters
    ----------
    couples, legs
        m couples that ever signalled; int64 (m, 2) columns of their instruments in the view.
    couple, row
        int64 (n,): index into ``couples``; row of the frame at whose close it was said.
    direction, strength
        int8 (n,) and float64 (n,), as :class:`~sextant.strategies.contract.Signals` says them.
    ratio
        float64 (n,): notional of the second instrument per notional of the first, > 0.
    stop, target
        float64 (n,): the position is left at the open after a close at which ``direction * (ln first - ratio ln second)``
        is at or below ``stop``, or at or above ``target``; NaN where there is no such level.
    last_row
        int64 (n,): row at whose close time is up.
    leave_row
        int64 (n,): row at whose close the position is flagged, to be left at the next open; -1 for never.
    median_run_s
        Median length of past runs of signals; None where unknown.
    """

    couples: tuple[Couple, ...]
    legs: Integers
    couple: Integers
    row: Integers
    direction: NDArray[np.int8]
    strength: Floats
    ratio: Floats
    stop: Floats
    target: Floats
    last_row: Integers
    leave_row: Integers
    median_run_s: float | None = None


@dataclass(frozen=True, eq=False)
class Model:
    """What a strategy's own model expects of each couple now, before any cost.

    Parameters
    ----------
    gross_bps
        float64 (C,): expected gross over the horizon, NaN where unknown.
    error_bps
        float64 (C,): standard deviation of that expectation's past errors; NaN where unknown.
    words
        What the gross is made of, one sentence per couple.
    accrued
        Per couple the seconds from now, and the gross collected by then, of each payment; None where it comes at once.
    burden_bps
        float64 (C,): what is lost besides the costs before anything is collected, >= 0.
    """

    gross_bps: Floats
    error_bps: Floats
    words: Each[str]
    accrued: Each[tuple[Floats, Floats] | None]
    burden_bps: Floats


@dataclass(frozen=True)
class Economics:
    """What the edge of a couple must meet once its costs are known.

    Parameters
    ----------
    break_even_share
        Share of the horizon within which the costs must be earned; None asks for nothing.
    least_annual_frac
        Edge a year, fraction of the notional; None asks for nothing.
    least_edge_bps, least_size_usd
        Edge and size below which it is not worth acting.
    """

    break_even_share: float | None = None
    least_annual_frac: float | None = None
    least_edge_bps: float = 0.0
    least_size_usd: float = 0.0


@dataclass(frozen=True, eq=False)
class CoupleSet:
    """The couples a strategy looks at, and what it says about each now; arrays are in the order of ``couples``.

    Parameters
    ----------
    couples, legs
        C couples; int64 (C, 2) columns of their instruments in the view.
    ratio
        float64 (C,): notional of the second instrument per notional of the first.
    horizon_s
        float64 (C,): time barrier.
    horizon_rows
        The longest time barrier in rows of the frame.
    sigma_frac
        float64 (C,): standard deviation of the hedged return over the horizon, fraction of the notional.
    sigma_day
        float64 (C, 2): daily volatility of each leg, fraction.
    leverage
        float64 (C, 2): greatest leverage of each leg; NaN for spot.
    age_rows
        int64 (C,): rows since all historic gates first passed together.
    entry, stop, target
        float64 (C,): levels of the spread, in ``level_unit``; NaN where there is none.
    level_unit, stop_reason
        What the levels are; why there is no stop, where there is none.
    exits
        How each leg ends.
    economics
        What the edge must meet.
    past
        Gives the past signals; computed when evidence asks, once per closed bar.
    model
        Where the expected gross comes from a model; None where it comes from past events.
    groups
        Per couple a name of which only the best idea is shown; empty where each stands for itself.
    same_asset
        Both legs are the same base asset: equal quantities are traded.
    span_ns
        Length of the clusters of past events; None takes the longer of a day and the horizon.
    extra_bps
        Cost of keeping the inventory where it is needed, basis points per trade, and the words for it.
    kept
        What was made of it once for all users.
    """

    couples: tuple[Couple, ...]
    legs: Integers
    ratio: Floats
    horizon_s: Floats
    horizon_rows: int
    sigma_frac: Floats
    sigma_day: Floats
    leverage: Floats
    age_rows: Integers
    entry: Floats
    stop: Floats
    target: Floats
    level_unit: str
    stop_reason: str
    past: Callable[[], PastSignals]
    exits: tuple[LegExit, LegExit] = ("trade", "trade")
    economics: Economics = field(default_factory=Economics)
    model: Model | None = None
    groups: tuple[str, ...] = ()
    same_asset: bool = False
    span_ns: int | None = None
    extra_bps: tuple[float, str] = (0.0, "traded with what lies at the venues")
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """C."""
        return len(self.couples)

    def once(self, key: str, make: Callable[[], V]) -> V:
        """What ``make`` gave the first time this key was asked for; the same for every user."""
        if key not in self.kept:
            self.kept[key] = make()
        known: V = self.kept[key]
        return known


def weights_of(ratio: float) -> tuple[float, float]:
    """Notional of the first and of the second leg per reference notional, the larger of both sides.

    Examples
    --------
    >>> weights_of(1.25), weights_of(0.5)
    ((0.8, 1.0), (1.0, 0.5))
    """
    largest = max(1.0, ratio)
    return 1.0 / largest, ratio / largest


def couples_of_base(
    specs: Sequence[InstrumentSpec], wanted: Callable[[Instrument, Instrument], bool]
) -> tuple[tuple[Couple, ...], Integers]:
    """All couples of two instruments of one base asset that are wanted in this order, and their columns.

    Parameters
    ----------
    wanted
        Whether the first may be coupled with the second; asked for both orders.

    Returns
    -------
    tuple
        C couples in the order of their names, and int64 (C, 2).
    """
    of_base: dict[str, list[int]] = {}
    for column, spec in enumerate(specs):
        # Options are hundreds of one base and never a leg; lots of inverse contracts are dollars, and sizes base units.
        if spec.instrument.kind != "option" and spec.style == "linear":
            of_base.setdefault(spec.instrument.base, []).append(column)
    found = [
        (Couple(specs[i].instrument, specs[j].instrument), i, j)
        for members in of_base.values()
        for i in members
        for j in members
        if i != j and wanted(specs[i].instrument, specs[j].instrument)
    ]
    found.sort(key=lambda item: str(item[0]))
    legs = np.array([item[1:] for item in found], dtype=np.int64).reshape(-1, 2)
    return tuple(item[0] for item in found), legs


def signals_of(
    passing: NDArray[np.bool_], asked: CoupleSet, direction: Floats, strength: Floats
) -> PastSignals:
    """Past signals of equal notionals from dense columns, left when time is up.

    Parameters
    ----------
    passing
        bool (T, C): rows that count as signals.
    direction, strength
        float64 (T, C).
    """
    row, couple = np.nonzero(passing)
    nothing = np.full(len(row), np.nan)
    return PastSignals(
        couples=asked.couples,
        legs=asked.legs,
        couple=couple.astype(np.int64),
        row=row.astype(np.int64),
        direction=direction[row, couple].astype(np.int8),
        strength=strength[row, couple],
        ratio=np.ones(len(row)),
        stop=nothing,
        target=nothing.copy(),
        last_row=(row + asked.horizon_rows).astype(np.int64),
        leave_row=np.full(len(row), -1, dtype=np.int64),
    )


def no_past() -> PastSignals:
    """The past of what is judged by its terms alone."""
    none, nothing = np.empty(0, dtype=np.int64), np.empty(0)
    return PastSignals(
        couples=(),
        legs=np.empty((0, 2), dtype=np.int64),
        couple=none,
        row=none,
        direction=np.empty(0, dtype=np.int8),
        strength=nothing,
        ratio=nothing,
        stop=nothing,
        target=nothing,
        last_row=none,
        leave_row=none,
    )


def leaving(past: PastSignals, leave_row: Integers) -> PastSignals:
    """The same signals whose positions are flagged at given rows, -1 for never."""
    return dataclasses.replace(past, leave_row=leave_row)
