"""What is kept of the answers of a strategy: numbers in columns, from which each disposition is made again when it is read."""

from __future__ import annotations

from typing import Literal

import msgspec

from sextant.model.instrument import Instrument
from sextant.model.opportunity import Disposition
from sextant.strategies.dispositions import Lack


class AlikeRecord(msgspec.Struct, frozen=True, tag="alike"):
    """Candidates of which the same is said."""

    said: Disposition
    instruments: tuple[Instrument, ...]


class GateRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A gate with its last row, float64 (C,) as bytes."""

    name: str
    values: bytes
    threshold: float
    sense: Literal[1, -1]
    unit: str = ""
    scale: float | None = None
    optional: bool = False
    thresholds: bytes | None = None


class RefusalRecord(msgspec.Struct, frozen=True, tag="gates"):
    """Candidates that gates refused.

    Parameters
    ----------
    direction
        int8 (C,): +1, -1, 0.
    missing
        By candidate, the input it lacks; those that lack none are left out.
    instruments, legs
        Of the view; the candidates are these, or where there are legs, int64 (C, 2), couples of them.
    since_ns
        int64 (C,): since when the first failed gate of each has failed; -1 where unknown.
    """

    gates: tuple[GateRecord, ...]
    direction: bytes
    missing: dict[int, Lack]
    instruments: tuple[Instrument, ...]
    legs: bytes | None
    since_ns: bytes


Record = AlikeRecord | RefusalRecord


class AnswersRecord(msgspec.Struct, frozen=True):
    """All candidates of a strategy: int64 (n,) which of them were asked for, and what was said of some by itself."""

    refused: Record
    columns: bytes
    own: dict[int, Disposition]
