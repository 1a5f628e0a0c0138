"""One disposition for each candidate, where most were refused alike: those are counted at once and made when they are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, overload

import msgspec
import numpy as np

from sextant.model.bar import Integers
from sextant.model.instrument import Instrument
from sextant.model.opportunity import Disposition, DispositionKind, GateReading
from sextant.model.view import Flags
from sextant.strategies.answer_records import AlikeRecord, Record
from sextant.strategies.couples import Couple
from sextant.strategies.dispositions import members_of, name_of

Readings = tuple[GateReading, ...]
Count = tuple[DispositionKind, str, int]
"""Disposition, stage, and how many candidates ended there."""


class Refused(Protocol):
    """What candidates were told that nobody looked at one by one, by their number."""

    def made(self, column: int) -> Disposition:
        """The disposition of one."""

    def inside(self, chosen: Flags) -> Flags:
        """Those all of whose instruments were chosen, bool (C,), from bool (S,) of the instruments of the view."""

    def subject(self, column: int) -> Instrument | Couple:
        """Who one is."""

    def kinds(self, columns: Integers) -> list[DispositionKind]:
        """How each of some ended."""

    def counts(self, columns: Integers) -> list[Count]:
        """How some of them ended, counted."""

    def longest(self, columns: Integers) -> tuple[int, Readings]:
        """The first of some that has as many readings as any of them, and those; -1 and nothing without one."""

    def near(self, columns: Integers, within: float, most: int) -> list[Disposition]:
        """The nearest of some whose every failed gate is within a distance: fewest failed gates, then distance, then name."""

    def record(self, columns: Integers) -> tuple[Record, dict[int, Disposition]]:
        """What is kept, and dispositions of those of some that cannot be made again from it."""


@dataclass(frozen=True, eq=False)
class Alike:
    """Candidates of which the same is said.

    Parameters
    ----------
    said
        What is said; its unit and instruments are replaced by those of each.
    instruments
        One for each candidate.
    """

    said: Disposition
    instruments: Sequence[Instrument]

    def made(self, column: int) -> Disposition:
        """What is said, of one of them."""
        own = self.instruments[column]
        return msgspec.structs.replace(self.said, unit=str(own), instruments=(own,))

    def inside(self, chosen: Flags) -> Flags:
        """Those that were chosen: candidates are the instruments of the view."""
        return chosen

    def subject(self, column: int) -> Instrument:
        """One of them."""
        return self.instruments[column]

    def kinds(self, columns: Integers) -> list[DispositionKind]:
        """What is said, of each."""
        return [self.said.kind] * len(columns)

    def counts(self, columns: Integers) -> list[Count]:
        """All at one stage."""
        return [(self.said.kind, self.said.stage, len(columns))] if len(columns) else []

    def longest(self, columns: Integers) -> tuple[int, Readings]:
        """The readings of what is said."""
        return (int(columns[0]), self.said.gates) if len(columns) else (-1, ())

    def near(self, columns: Integers, within: float, most: int) -> list[Disposition]:  # noqa: ARG002  # of the protocol
        """None: whoever is not looked at is near to nothing."""
        return []

    def record(self, columns: Integers) -> tuple[AlikeRecord, dict[int, Disposition]]:  # noqa: ARG002  # of the protocol
        """What is said, and of whom."""
        return AlikeRecord(self.said, tuple(self.instruments)), {}


NOBODY = Alike(Disposition(unit="", instruments=(), kind="insufficient_data"), ())
"""Where each candidate has its own disposition."""


@dataclass(frozen=True, eq=False)
class Answers(Sequence[Disposition]):
    """The dispositions of candidates in their order.

    Parameters
    ----------
    refused
        What those were told that have none of their own.
    columns
        int64 (n,), rising: which candidates.
    own
        Dispositions that were made one by one, by candidate.
    """

    refused: Refused
    columns: Integers
    own: Mapping[int, Disposition]

    def __len__(self) -> int:
        """How many candidates."""
        return len(self.columns)

    @overload
    def __getitem__(self, place: int) -> Disposition: ...
    @overload
    def __getitem__(self, place: slice) -> list[Disposition]: ...
    def __getitem__(self, place: int | slice) -> Disposition | list[Disposition]:
        """The disposition at a place."""
        if isinstance(place, slice):
            return [self._of(column) for column in self.columns[place].tolist()]
        return self._of(int(self.columns[place]))

    def __iter__(self) -> Iterator[Disposition]:
        """All of them, made where they are not yet."""
        return map(self._of, self.columns.tolist())

    def __eq__(self, other: object) -> bool:
        """Whether another sequence says the same."""
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as that of a list

    @cached_property
    def rest(self) -> Integers:
        """int64: the candidates without a disposition of their own."""
        if not self.own:
            return self.columns
        return self.columns[~np.isin(self.columns, np.fromiter(self.own, np.int64, len(self.own)))]

    def within(self, chosen: Flags) -> Answers:
        """Those of candidates all of whose instruments were chosen, from bool (S,) of the instruments of the view."""
        if chosen.all():
            return self
        columns = self.columns[self.refused.inside(chosen)[self.columns]]
        left = set(columns.tolist())
        return Answers(
            self.refused, columns, {column: item for column, item in self.own.items() if column in left}
        )

    def changed(self, own: Mapping[int, Disposition]) -> Answers:
        """The same with other dispositions for some candidates."""
        return Answers(self.refused, self.columns, {**self.own, **own})

    def kinds(self) -> list[DispositionKind]:
        """How each candidate ended, in order; nobody's disposition is made for it."""
        told = dict(zip(self.columns.tolist(), self.refused.kinds(self.columns), strict=True))
        told |= {column: item.kind for column, item in self.own.items() if column in told}
        return list(told.values())

    def subjects(self) -> Iterator[tuple[str, tuple[Instrument, ...]]]:
        """Name and instruments of each candidate, in order; nobody's disposition is made for it."""
        for column in self.columns.tolist():
            known = self.own.get(column)
            if known is not None:
                yield known.unit, known.instruments
            else:
                subject = self.refused.subject(column)
                yield name_of(subject), members_of(subject)

    def _of(self, column: int) -> Disposition:
        known = self.own.get(column)
        return self.refused.made(column) if known is None else known


def each(dispositions: Sequence[Disposition]) -> Answers:
    """Answers that each candidate has of its own."""
    return Answers(NOBODY, np.arange(len(dispositions)), dict(enumerate(dispositions)))


def listed(dispositions: Sequence[Disposition]) -> Answers:
    """The same, where of two with one name the later counts, at the place of the first."""
    return each(list({item.unit: item for item in dispositions}.values()))
