"""What gates say of every candidate at once: a code each, and a disposition where somebody reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sextant.model.bar import Floats, Integers
from sextant.model.instrument import Instrument
from sextant.model.opportunity import Disposition, DispositionKind
from sextant.model.times import Interval
from sextant.model.view import Flags, View
from sextant.strategies.answer_records import GateRecord, RefusalRecord
from sextant.strategies.answers import Count, Readings
from sextant.strategies.contract import Gate, Verdict
from sextant.strategies.couples import Couple
from sextant.strategies.dispositions import DIRECTION, Lack, insufficient, members_of, name_of, undirected
from sextant.strategies.gates import KIND_GATE, Assessment, assess, failing_since_ns, flips_if, last_row

_OPEN, _LACKING, _FAILED = 0, 1, 2
_KINDS: Final[tuple[DispositionKind, ...]] = ("opportunity", "insufficient_data", "gate_failed")


@dataclass(frozen=True, eq=False)
class GateTable:
    """What a verdict says of its candidates, as far as their dispositions tell it.

    Parameters
    ----------
    gates
        G gates in declared order, of which the last row is read.
    direction
        int8 (C,): +1, -1, 0.
    missing
        By candidate, the input it lacks; those that lack none are left out.
    instruments, legs
        Of the view; the candidates are these, or where there are legs, int64 (C, 2), couples of them.
    since_ns
        Gives int64 (C,): since when the first failed gate of each has failed; -1 where unknown.
    """

    gates: tuple[Gate, ...]
    direction: NDArray[np.int8]
    missing: dict[int, Lack]
    instruments: tuple[Instrument, ...]
    legs: Integers | None
    since_ns: Callable[[Assessment], Integers]

    def subject(self, column: int) -> Instrument | Couple:
        """A candidate."""
        if self.legs is None:
            return self.instruments[column]
        first, second = self.legs[column].tolist()
        return Couple(self.instruments[first], self.instruments[second])


class Refusals:
    """What the gates of a verdict say of each candidate.

    Parameters
    ----------
    table
        What was said.

    Notes
    -----
    The same for every caller of the view, and what was read once is kept; see :func:`refusals`.
    """

    def __init__(self, table: GateTable) -> None:
        self.read = assess(table.gates, len(table.direction))
        self._table = table
        self._made: dict[int, Disposition] = {}
        self._near: dict[float, list[int]] = {}

    @property
    def size(self) -> int:
        """C, the number of candidates."""
        return len(self._table.direction)

    @cached_property
    def open(self) -> list[int]:
        """The candidates that passed everything."""
        passed: list[int] = np.flatnonzero(self._ends[0] == _OPEN).tolist()
        return passed

    @cached_property
    def undirected(self) -> list[int]:
        """Those that lack nothing, or nothing but a direction."""
        codes, stages = self._ends
        free = (codes == _OPEN) | ((codes == _FAILED) & (stages == self._stage_of[DIRECTION]))
        passed: list[int] = np.flatnonzero(free).tolist()
        return passed

    def made(self, column: int) -> Disposition:
        """What one was told that did not pass."""
        known = self._made.get(column)
        if known is None:
            known = self.told(column)
            assert known is not None  # noqa: S101  # whoever passed is disposed by the judge
            self._made[column] = known
        return known

    def told(self, column: int) -> Disposition | None:
        """What one is told by its inputs and gates; None where it passed.

        Notes
        -----
        An instrument of a kind that is not traded is told so, whatever else is unknown of it.
        """
        table, read = self._table, self.read
        spec = table.subject(column)
        failing, blind = read.failed_places[column], read.blind_places[column]
        if failing >= 0 and failing == self._kind_place:
            return self._failed(column, failing)
        missing = table.missing.get(column)
        if missing is not None:
            return insufficient(spec, missing)
        if blind >= 0:
            gate = read.gates[blind]
            return insufficient(spec, (f"gate.{gate.name}", 0.0, 1.0, "values"), read.readings(column))
        if failing >= 0:
            return self._failed(column, failing)
        if table.direction[column] == 0:
            return undirected(spec, read.readings(column))
        return None

    def subject(self, column: int) -> Instrument | Couple:
        """A candidate."""
        return self._table.subject(column)

    def inside(self, chosen: Flags) -> Flags:
        """Those all of whose instruments were chosen, bool (C,)."""
        legs = self._table.legs
        return chosen if legs is None else np.array(chosen[legs].all(axis=1))

    def kinds(self, columns: Integers) -> list[DispositionKind]:
        """How each of some ended."""
        return [_KINDS[code] for code in self._ends[0][columns].tolist()]

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

    def record(self, columns: Integers) -> tuple[RefusalRecord, dict[int, Disposition]]:
        """What is kept, and nothing by itself: each is made again from its gates."""
        del columns
        return self._record, {}

    @cached_property
    def _record(self) -> RefusalRecord:
        table = self._table
        return RefusalRecord(
            gates=tuple(
                GateRecord(
                    name=gate.name,
                    values=_bytes_of(last_row(gate).values),
                    threshold=gate.threshold,
                    sense=gate.sense,
                    unit=gate.unit,
                    scale=gate.scale,
                    optional=gate.optional,
                    thresholds=None if gate.thresholds is None else _bytes_of(gate.thresholds),
                )
                for gate in table.gates
            ),
            direction=table.direction.tobytes(),
            missing=table.missing,
            instruments=table.instruments,
            legs=None if table.legs is None else table.legs.tobytes(),
            since_ns=self._since_ns.tobytes(),
        )

    def _failed(self, column: int, index: int) -> Disposition:
        spec, gate, row = self._table.subject(column), self.read.gates[index], self.read.rows[index]
        value, limit = float(row.values[column]), float(row.limits[column])
        since_ns = int(self._since_ns[column])
        return Disposition(
            unit=name_of(spec),
            instruments=members_of(spec),
            kind="gate_failed",
            stage=gate.name,
            value=value,
            limit=limit,
            value_unit=gate.unit,
            distance=float(row.distances[column]),
            failed_count=self.read.failed_counts[column],
            flips_if=flips_if(gate, value, limit),
            since_ns=None if since_ns < 0 else since_ns,
            gates=self.read.readings(column),
        )

    @cached_property
    def _since_ns(self) -> Integers:
        return self._table.since_ns(self.read)

    @cached_property
    def _ends(self) -> tuple[Integers, Integers]:
        """The code of each, and the number of the stage at which it ended, int64 (C,) each; as :meth:`told` has it."""
        read, size = self.read, self.size
        number, codes = self._stage_of, np.zeros(size, dtype=np.int64)
        stages = np.zeros(size, dtype=np.int64)
        unsaid = self._table.direction == 0
        codes[unsaid], stages[unsaid] = _FAILED, number[DIRECTION]
        failing, blind = (
            np.array(known, dtype=np.int64) for known in (read.failed_places, read.blind_places)
        )
        names = np.array([number[gate.name] for gate in read.gates] or [0])
        unread = np.array([number[f"gate.{gate.name}"] for gate in read.gates] or [0])
        failed = failing >= 0
        codes[failed], stages[failed] = _FAILED, names[failing[failed]]
        codes[blind >= 0], stages[blind >= 0] = _LACKING, unread[blind[blind >= 0]]
        for column, lack in self._table.missing.items():
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
        lacks = {lack[0]: None for lack in self._table.missing.values()}
        names = dict.fromkeys([DIRECTION, KIND_GATE, *gates, *(f"gate.{name}" for name in gates), *lacks])
        return {name: number for number, name in enumerate(names)}

    @cached_property
    def _reads(self) -> Flags:
        """Whose disposition shows its readings, bool (C,): all but those that lack an input."""
        lacking = np.zeros(self.size, dtype=np.bool_)
        lacking[list(self._table.missing)] = True
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
                return counts[column], worst[column], name_of(self._table.subject(column))

            self._near[within] = sorted(found, key=place)
        return self._near[within]


def refusals(verdict: Verdict, view: View) -> Refusals:
    """What the gates read, and what they say of each candidate; the same object for every caller of the view."""
    return verdict.once("refusals", lambda: Refusals(_table_of(verdict, view)))


def refusals_of(record: RefusalRecord) -> Refusals:
    """What was kept, to be read again."""
    gates = tuple(
        Gate(
            gate.name,
            np.frombuffer(gate.values)[None],
            gate.threshold,
            gate.sense,
            gate.unit,
            gate.scale,
            optional=gate.optional,
            thresholds=None if gate.thresholds is None else np.frombuffer(gate.thresholds),
        )
        for gate in record.gates
    )
    legs = None if record.legs is None else np.frombuffer(record.legs, np.int64).reshape(-1, 2)
    since_ns = np.frombuffer(record.since_ns, np.int64)
    direction = np.frombuffer(record.direction, np.int8)
    return Refusals(GateTable(gates, direction, record.missing, record.instruments, legs, lambda _: since_ns))


def _bytes_of(numbers: Floats) -> bytes:
    """As float64, whatever a strategy counted in."""
    return np.asarray(numbers, dtype=np.float64).tobytes()


def _table_of(verdict: Verdict, view: View) -> GateTable:
    # The verdict keeps what is made of this: nothing here may lead back to it, and of what it says no row but the last
    # is held, so that the others can be let go.
    interval = verdict.interval
    return GateTable(
        gates=verdict.gates,
        direction=verdict.signals.direction[-1].astype(np.int8),
        missing={column: lack for column, lack in enumerate(verdict.missing) if lack is not None},
        instruments=view.names,
        legs=None if verdict.couples is None else np.asarray(verdict.couples.legs, dtype=np.int64),
        since_ns=lambda read: _failing_since_ns(read, view, interval),
    )


def _failing_since_ns(read: Assessment, view: View, interval: Interval) -> Integers:
    """Since when the first failed gate of each candidate has failed, int64 (C,); -1 where unknown."""
    failing = np.array(read.failed_places, dtype=np.int64)
    since_ns = np.full(len(failing), -1, dtype=np.int64)
    for index in np.unique(failing[failing >= 0]).tolist():
        own = failing == index
        since_ns[own] = failing_since_ns(read, index, view, interval)[own]
    return since_ns
