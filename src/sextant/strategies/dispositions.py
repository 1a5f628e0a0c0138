"""What became of a candidate that is no opportunity, with what would change the answer."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Final

import numpy as np

from sextant.model.bar import Floats, Integers
from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.model.opportunity import Disposition, DispositionKind, GateReading
from sextant.model.view import Flags, View
from sextant.strategies.answers import Count, Readings
from sextant.strategies.contract import Gate, Signals, Verdict
from sextant.strategies.couples import Subject
from sextant.strategies.gates import KIND_GATE, Assessment, assess, failing_since_ns, flips_if


@dataclass(frozen=True)
class Named:
    """A candidate that is no instrument: a check of the portfolio, a plan, a hedge of several legs."""

    name: str
    instruments: tuple[Instrument, ...] = ()

    def __str__(self) -> str:
        """Its name."""
        return self.name


AnySubject = Subject | Named


@dataclass(frozen=True)
class Economic:
    """A gate that is read after the price of the trade is known.

    Parameters
    ----------
    name, unit
        As shown.
    value, threshold, sense
        Passes where ``sense * (value - threshold) >= 0``.
    """

    name: str
    value: float
    threshold: float
    sense: int
    unit: str = ""

    @property
    def reading(self) -> GateReading:
        """What it read."""
        margin = self.sense * (self.value - self.threshold) / (abs(self.threshold) or 1.0)
        return GateReading(self.name, self.value, self.threshold, margin >= 0, max(0.0, -margin))


_OPEN, _LACKING, _FAILED = 0, 1, 2
_KINDS: Final[tuple[DispositionKind, ...]] = ("opportunity", "insufficient_data", "gate_failed")
_DIRECTION: Final = "direction"


class Refusals:
    """What the gates of a verdict say of each candidate: a code each, and a disposition where somebody reads it.

    Parameters
    ----------
    verdict, view
        What was said, of which market.

    Notes
    -----
    The same for every caller of the view, and what was read once is kept; see :func:`refusals`.
    """

    def __init__(self, verdict: Verdict, view: View) -> None:
        self.read = assess(verdict)
        # The verdict keeps this; what keeps its keeper would stay until somebody looks for circles. No row but the last
        # is read, and the others can be let go.
        self._verdict = dataclasses.replace(verdict, kept={}, signals=_last_of(verdict.signals))
        self._view = view
        self._made: dict[int, Disposition] = {}
        self._near: dict[float, list[int]] = {}

    @property
    def size(self) -> int:
        """C, the number of candidates."""
        return int(self._verdict.signals.direction.shape[1])

    @cached_property
    def open(self) -> list[int]:
        """The candidates that passed everything."""
        passed: list[int] = np.flatnonzero(self._ends[0] == _OPEN).tolist()
        return passed

    @cached_property
    def undirected(self) -> list[int]:
        """Those that lack nothing, or nothing but a direction."""
        codes, stages = self._ends
        free = (codes == _OPEN) | ((codes == _FAILED) & (stages == self._stage_of[_DIRECTION]))
        passed: list[int] = np.flatnonzero(free).tolist()
        return passed

    def made(self, column: int) -> Disposition:
        """What one was told that did not pass."""
        known = self._made.get(column)
        if known is None:
            known = from_gates(self._verdict, self.read, self._view, column)
            assert known is not None  # noqa: S101  # whoever passed is disposed by the judge
            self._made[column] = known
        return known

    def inside(self, chosen: Flags) -> Flags:
        """Those all of whose instruments were chosen, bool (C,)."""
        couples = self._verdict.couples
        if couples is None:
            return chosen
        return np.array(chosen[couples.legs].all(axis=1))

    def counts(self, columns: Integers) -> list[Count]:
        """How some of them ended."""
        codes, stages = self._ends
        names, many = list(self._stage_of), len(self._stage_of)
        held = np.bincount(codes[columns] * many + stages[columns], minlength=3 * many)
        return [
            (_KINDS[place // many], names[place % many], int(held[place]))
            for place in np.flatnonzero(held).tolist()
        ]

    def longest(self, columns: Integers) -> tuple[int, Readings]:
        """The first of some that has readings, and those."""
        reading = columns[self._reads[columns]]
        return (int(reading[0]), self.read.readings(int(reading[0]))) if len(reading) else (-1, ())

    def near(self, columns: Integers, within: float, most: int) -> list[Disposition]:
        """The nearest of some whose every failed gate is within a distance."""
        wanted = np.zeros(self.size, dtype=np.bool_)
        wanted[columns] = True
        nearest = (column for column in self._nearest(within) if wanted[column])
        return [self.made(column) for column in islice(nearest, most)]

    @cached_property
    def _ends(self) -> tuple[Integers, Integers]:
        """The code of each, and the number of the stage at which it ended, int64 (C,) each; as :func:`from_gates` has it."""
        read, size = self.read, self.size
        number, codes = self._stage_of, np.zeros(size, dtype=np.int64)
        stages = np.zeros(size, dtype=np.int64)
        unsaid = self._verdict.signals.direction[-1] == 0
        codes[unsaid], stages[unsaid] = _FAILED, number[_DIRECTION]
        failing, blind = (
            np.array(known, dtype=np.int64) for known in (read.failed_places, read.blind_places)
        )
        names = np.array([number[gate.name] for gate in read.gates] or [0])
        unread = np.array([number[f"gate.{gate.name}"] for gate in read.gates] or [0])
        failed = failing >= 0
        codes[failed], stages[failed] = _FAILED, names[failing[failed]]
        codes[blind >= 0], stages[blind >= 0] = _LACKING, unread[blind[blind >= 0]]
        for column, lack in enumerate(self._verdict.missing):
            if lack is not None:
                codes[column], stages[column] = _LACKING, number[lack[0]]
        kind = failed & (failing == self._kind_place)
        codes[kind], stages[kind] = _FAILED, number[KIND_GATE]
        return codes, stages

    @cached_property
    def _kind_place(self) -> int:
        return next((place for place, gate in enumerate(self.read.gates) if gate.name == KIND_GATE), -2)

    @cached_property
    def _stage_of(self) -> dict[str, int]:
        """A number for every stage at which a candidate may end."""
        gates = [gate.name for gate in self.read.gates]
        lacks = {lack[0]: None for lack in self._verdict.missing if lack is not None}
        names = dict.fromkeys([_DIRECTION, KIND_GATE, *gates, *(f"gate.{name}" for name in gates), *lacks])
        return {name: number for number, name in enumerate(names)}

    @cached_property
    def _reads(self) -> Flags:
        """Whose disposition shows its readings, bool (C,): all but those that lack an input."""
        lacking = np.array([lack is not None for lack in self._verdict.missing], dtype=np.bool_)
        kind = np.array(self.read.failed_places, dtype=np.int64) == self._kind_place
        reads: Flags = ~lacking | kind if self.read.gates else np.zeros(self.size, dtype=np.bool_)
        return reads

    @cached_property
    def _worst(self) -> Floats:
        """Greatest distance of a failed gate, float64 (C,), infinite where no gate of the verdict decided."""
        codes, _ = self._ends
        worst = np.full(self.size, np.inf)
        if not self.read.gates:
            return worst
        distances = np.array([row.distances for row in self.read.rows])
        counted = np.where(self.read.passed | ~np.isfinite(distances), 0.0, distances).max(axis=0)
        failing = np.array(self.read.failed_places, dtype=np.int64)
        own = np.flatnonzero((codes == _FAILED) & (failing >= 0))
        worst[own] = np.maximum(counted[own], distances[failing[own], own])
        return worst

    def _nearest(self, within: float) -> list[int]:
        """Those whose every failed gate is within a distance: fewest of them first, then the nearest, then by name."""
        if within not in self._near:
            found = np.flatnonzero(self._worst <= within).tolist()
            counts, worst = self.read.failed_counts, self._worst.tolist()

            def place(column: int) -> tuple[int, float, str]:
                return counts[column], worst[column], _name(_subject(self._verdict, self._view, column))

            self._near[within] = sorted(found, key=place)
        return self._near[within]


def _last_of(signals: Signals) -> Signals:
    """The last row of everything that is said, in memory of its own."""
    last: dict[str, Any] = {
        name: value[-1:].copy() for name, value in vars(signals).items() if isinstance(value, np.ndarray)
    }
    return dataclasses.replace(signals, **last)


def refusals(verdict: Verdict, view: View) -> Refusals:
    """What the gates read, and what they say of each candidate; the same object for every caller of the view."""
    return verdict.once("refusals", lambda: Refusals(verdict, view))


def from_gates(verdict: Verdict, read: Assessment, view: View, column: int) -> Disposition | None:
    """The disposition of an instrument by its inputs and gates; None where it is a candidate.

    Notes
    -----
    An instrument of a kind that is not traded is told so, whatever else is unknown of it.
    """
    spec = _subject(verdict, view, column)
    failing, blind = read.failed_places[column], read.blind_places[column]
    if failing >= 0 and read.gates[failing].name == KIND_GATE:
        return _failed(verdict, read, view, column, failing)
    missing = verdict.missing[column]
    if missing is not None:
        return insufficient(spec, missing)
    if blind >= 0:
        gate = read.gates[blind]
        return insufficient(spec, (f"gate.{gate.name}", 0.0, 1.0, "values"), read.readings(column))
    if failing >= 0:
        return _failed(verdict, read, view, column, failing)
    if verdict.signals.direction[-1, column] == 0:
        return _failed_economic(spec, Economic(_DIRECTION, 0.0, 1.0, 1), read.readings(column))
    return None


def insufficient(
    spec: AnySubject, lack: tuple[str, float, float, str], gates: tuple[GateReading, ...] = ()
) -> Disposition:
    """An input is missing, too old or too short.

    Parameters
    ----------
    lack
        Which input, what it has, what is needed, unit of both.
    """
    which, have, need, unit = lack
    return Disposition(
        unit=_name(spec),
        instruments=_members(spec),
        kind="insufficient_data",
        stage=which,
        value=have,
        limit=need,
        value_unit=unit,
        flips_if=f"{which} reaches {need:g} {unit}",
        gates=gates,
    )


def unheard(spec: AnySubject, reason: str) -> Disposition:
    """The whole strategy is silent about the market, whatever the instrument."""
    return Disposition(
        unit=_name(spec),
        instruments=_members(spec),
        kind="insufficient_data",
        stage=reason,
        flips_if=f"there is no longer: {reason}",
    )


def economic(spec: AnySubject, gate: Economic, gates: tuple[GateReading, ...]) -> Disposition:
    """A gate failed that is read after the historic ones."""
    return _failed_economic(spec, gate, (*gates, gate.reading))


def negative_edge(
    spec: AnySubject, gross_bps: float, cost_bps: float, gates: tuple[GateReading, ...]
) -> Disposition:
    """All gates passed and costs eat the gross."""
    edge = gross_bps - cost_bps
    reading = GateReading("min_edge_bps", edge, 0.0, passed=False, distance=max(0.0, -edge))
    return Disposition(
        unit=_name(spec),
        instruments=_members(spec),
        kind="negative_net_edge",
        stage="min_edge_bps",
        value=edge,
        limit=0.0,
        value_unit="bps",
        distance=reading.distance,
        failed_count=1,
        gross_bps=gross_bps,
        cost_bps=cost_bps,
        flips_if=f"costs fall from {cost_bps:.1f} below {gross_bps:.1f} bps",
        gates=(*gates, reading),
    )


def below_least(
    spec: AnySubject, have_usd: float, need_usd: float, binding: str, gates: tuple[GateReading, ...]
) -> Disposition:
    """The size, rounded down to the lot, is under the venue's least order."""
    return Disposition(
        unit=_name(spec),
        instruments=_members(spec),
        kind="below_min_notional",
        stage="min_notional",
        value=have_usd,
        limit=need_usd,
        value_unit="USD",
        distance=max(0.0, 1.0 - have_usd / need_usd) if need_usd > 0 else 0.0,
        failed_count=1,
        flips_if=f"{binding} allows {need_usd:.2f} USD instead of {have_usd:.2f}",
        gates=gates,
    )


def found(spec: AnySubject, opportunity_key: str, gates: tuple[GateReading, ...]) -> Disposition:
    """The candidate is an opportunity, or a part of one."""
    return Disposition(
        unit=_name(spec),
        instruments=_members(spec),
        kind="opportunity",
        opportunity_key=opportunity_key,
        gates=gates,
    )


def _failed(verdict: Verdict, read: Assessment, view: View, column: int, index: int) -> Disposition:
    gate: Gate = read.gates[index]
    spec = _subject(verdict, view, column)
    row = read.rows[index]
    value, limit = float(row.values[column]), float(row.limits[column])
    return Disposition(
        unit=_name(spec),
        instruments=_members(spec),
        kind="gate_failed",
        stage=gate.name,
        value=value,
        limit=limit,
        value_unit=gate.unit,
        distance=float(row.distances[column]),
        failed_count=read.failed_counts[column],
        flips_if=flips_if(gate, value, limit),
        since_ns=failing_since_ns(read, index, view, verdict.interval, column),
        gates=read.readings(column),
    )


def _failed_economic(spec: AnySubject, gate: Economic, gates: tuple[GateReading, ...]) -> Disposition:
    move = "rises" if gate.sense > 0 else "falls"
    unit = f" {gate.unit}" if gate.unit else ""
    return Disposition(
        unit=_name(spec),
        instruments=_members(spec),
        kind="gate_failed",
        stage=gate.name,
        value=gate.value,
        limit=gate.threshold,
        value_unit=gate.unit,
        distance=gate.reading.distance,
        failed_count=1,
        flips_if=f"{gate.name} {move} from {gate.value:.4g} to {gate.threshold:.4g}{unit}",
        gates=gates,
    )


def _subject(verdict: Verdict, view: View, column: int) -> Subject:
    return view.instruments[column] if verdict.couples is None else verdict.couples.couples[column]


def _name(spec: AnySubject) -> str:
    return str(spec.instrument) if isinstance(spec, InstrumentSpec) else str(spec)


def _members(spec: AnySubject) -> tuple[Instrument, ...]:
    return (spec.instrument,) if isinstance(spec, InstrumentSpec) else spec.instruments
