"""What became of a candidate that is no opportunity, with what would change the answer."""

from __future__ import annotations

from dataclasses import dataclass

from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.model.opportunity import Disposition, GateReading
from sextant.model.view import View
from sextant.strategies.contract import Gate, Verdict
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


Refusals = tuple[Assessment, tuple[Disposition | None, ...]]


def refusals(verdict: Verdict, view: View) -> Refusals:
    """What the gates read, and what they say of each candidate; made once, for every caller of the view."""

    def make() -> Refusals:
        read = assess(verdict)
        columns = range(verdict.signals.direction.shape[1])
        return read, tuple(from_gates(verdict, read, view, column) for column in columns)

    return verdict.once("refusals", make)


def from_gates(verdict: Verdict, read: Assessment, view: View, column: int) -> Disposition | None:
    """The disposition of an instrument by its inputs and gates; None where it is a candidate.

    Notes
    -----
    An instrument of a kind that is not traded is told so, whatever else is unknown of it.
    """
    spec = _subject(verdict, view, column)
    failing = read.failed[column]
    if failing is not None and read.gates[failing].name == KIND_GATE:
        return _failed(verdict, read, view, column, failing)
    missing = verdict.missing[column]
    if missing is not None:
        return insufficient(spec, missing)
    blind = read.blind[column]
    if blind is not None:
        gate = read.gates[blind]
        return insufficient(spec, (f"gate.{gate.name}", 0.0, 1.0, "values"), read.readings(column))
    if failing is not None:
        return _failed(verdict, read, view, column, failing)
    if verdict.signals.direction[-1, column] == 0:
        return _failed_economic(spec, Economic("direction", 0.0, 1.0, 1), read.readings(column))
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
