"""One answer an underlying, folded to the instruments of the view: shared by all strategies of options."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import msgspec
import numpy as np

from sextant.model.instrument import Instrument
from sextant.model.opportunity import Disposition, DispositionKind, GateReading, Opportunity
from sextant.model.view import View
from sextant.strategies.answers import Alike, Answers
from sextant.strategies.contract import Judged
from sextant.strategies.dispositions import Lack

Answer: TypeAlias = Opportunity | Disposition

NO_CHAIN: Final[Lack] = ("chain", 0.0, 1.0, "chains")

_WORSE: Final[dict[DispositionKind, int]] = {
    "negative_net_edge": 0,
    "gate_failed": 0,
    "below_min_notional": 0,
    "insufficient_data": 1,
}
"""Which dispositions of a candidate say less: it was not looked at."""


def fold(answers: Mapping[str, Answer], view: View) -> Judged:
    """The opportunities, and for each instrument of the view what became of its base asset, in its order.

    Parameters
    ----------
    answers
        By base asset; an instrument of another one has no chain.
    """
    rows = [answer for answer in answers.values() if isinstance(answer, Opportunity)]
    instruments = view.names
    own = {
        column: _told(instrument, answers[instrument.base])
        for column, instrument in enumerate(instruments)
        if instrument.base in answers
    }
    return rows, Answers(Alike(lack_of("", NO_CHAIN), instruments), np.arange(view.size), own)


def _told(instrument: Instrument, answer: Answer) -> Disposition:
    unit, own = str(instrument), (instrument,)
    if isinstance(answer, Opportunity):
        return Disposition(
            unit=unit,
            instruments=own,
            kind="opportunity",
            opportunity_key=answer.opportunity_key,
            gates=answer.gates,
        )
    return msgspec.structs.replace(answer, unit=unit, instruments=own)


def nearest(refused: Sequence[Disposition]) -> Disposition:
    """The candidate nearest to being one: looked at, fewest failed gates, smallest distance."""
    return min(refused, key=_rank)


def _rank(answer: Disposition) -> tuple[int, int, float, str]:
    far = math.inf if answer.distance is None else answer.distance
    return _WORSE.get(answer.kind, 2), answer.failed_count, far, answer.unit


def lack_of(unit: str, lack: Lack, gates: tuple[GateReading, ...] = ()) -> Disposition:
    """An input of a candidate is missing, too old or too short."""
    which, have, need, name = lack
    return Disposition(
        unit=unit,
        instruments=(),
        kind="insufficient_data",
        stage=which,
        value=have,
        limit=need,
        value_unit=name,
        flips_if=f"{which} reaches {need:g} {name}",
        gates=gates,
    )


def refused_by(
    unit: str, reading: GateReading, readings: tuple[GateReading, ...], value_unit: str, count: int = 1
) -> Disposition:
    """A gate of a candidate failed, and so many in all."""
    value = reading.value if reading.value is not None else math.nan
    move = "rises" if value < reading.threshold else "falls"
    return Disposition(
        unit=unit,
        instruments=(),
        kind="gate_failed",
        stage=reading.gate,
        value=reading.value,
        limit=reading.threshold,
        value_unit=value_unit,
        distance=reading.distance,
        failed_count=count,
        flips_if=f"{reading.gate} of {unit} {move} from {value:.4g} to {reading.threshold:.4g} {value_unit}".rstrip(),
        gates=readings,
    )


def too_small(
    unit: str, have: float, need: float, binding: str, gates: tuple[GateReading, ...]
) -> Disposition:
    """The size, rounded down to the lot, is under the smallest order, or the touch does not hold it."""
    return Disposition(
        unit=unit,
        instruments=(),
        kind="below_min_notional",
        stage="min_notional",
        value=have,
        limit=need,
        value_unit="USD",
        distance=max(0.0, 1.0 - have / need),
        failed_count=1,
        flips_if=f"{binding} allows {need:.2f} USD instead of {have:.2f}",
        gates=gates,
    )


def eaten(unit: str, gross_bps: float, edge_bps: float, gates: tuple[GateReading, ...] = ()) -> Disposition:
    """All gates of a candidate passed and costs eat the gross, or there is none."""
    cost_bps = gross_bps - edge_bps
    if gross_bps > 0.0:
        flips_if = f"costs of {unit} fall from {cost_bps:.1f} below {gross_bps:.1f} bps"
    else:
        flips_if = f"gross of {unit} rises from {gross_bps:.1f} above costs of {cost_bps:.1f} bps"
    reading = GateReading("min_edge_bps", edge_bps, 0.0, passed=False, distance=max(0.0, -edge_bps))
    return Disposition(
        unit=unit,
        instruments=(),
        kind="negative_net_edge",
        stage="min_edge_bps",
        value=edge_bps,
        limit=0.0,
        value_unit="bps",
        distance=reading.distance,
        failed_count=1,
        gross_bps=gross_bps,
        cost_bps=cost_bps,
        flips_if=flips_if,
        gates=(*gates, reading),
    )
