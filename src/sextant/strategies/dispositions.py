"""What became of a candidate that is no opportunity, with what would change the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.model.opportunity import Disposition, GateReading
from sextant.strategies.couples import Subject

Lack: TypeAlias = tuple[str, float, float, str]
"""Which input falls short, what it has, what is needed, and the unit of both."""

DIRECTION: Final = "direction"
"""The stage at which a candidate ends that nobody would buy or sell."""


@dataclass(frozen=True)
class Named:
    """A candidate that is no instrument: a check of the portfolio, a plan, a hedge of several legs."""

    name: str
    instruments: tuple[Instrument, ...] = ()

    def __str__(self) -> str:
        """Its name."""
        return self.name


AnySubject = Subject | Named | Instrument


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


def insufficient(spec: AnySubject, lack: Lack, gates: tuple[GateReading, ...] = ()) -> Disposition:
    """An input is missing, too old or too short.

    Parameters
    ----------
    lack
        Which input, what it has, what is needed, unit of both.
    """
    which, have, need, unit = lack
    return Disposition(
        unit=name_of(spec),
        instruments=members_of(spec),
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
        unit=name_of(spec),
        instruments=members_of(spec),
        kind="insufficient_data",
        stage=reason,
        flips_if=f"there is no longer: {reason}",
    )


def economic(spec: AnySubject, gate: Economic, gates: tuple[GateReading, ...]) -> Disposition:
    """A gate failed that is read after the historic ones."""
    return _failed_economic(spec, gate, (*gates, gate.reading))


def undirected(spec: AnySubject, gates: tuple[GateReading, ...]) -> Disposition:
    """Every gate passed and the strategy would go neither way."""
    return _failed_economic(spec, Economic(DIRECTION, 0.0, 1.0, 1), gates)


def negative_edge(
    spec: AnySubject, gross_bps: float, cost_bps: float, gates: tuple[GateReading, ...]
) -> Disposition:
    """All gates passed and costs eat the gross."""
    edge = gross_bps - cost_bps
    reading = GateReading("min_edge_bps", edge, 0.0, passed=False, distance=max(0.0, -edge))
    flips_if = f"costs fall from {cost_bps:.1f} below {gross_bps:.1f} bps"
    if not gross_bps > 0:
        flips_if = f"gross rises from {gross_bps:.1f} above costs of {cost_bps:.1f} bps"
    return Disposition(
        unit=name_of(spec),
        instruments=members_of(spec),
        kind="negative_net_edge",
        stage="min_edge_bps",
        value=edge,
        limit=0.0,
        value_unit="bps",
        distance=reading.distance,
        failed_count=1,
        gross_bps=gross_bps,
        cost_bps=cost_bps,
        flips_if=flips_if,
        gates=(*gates, reading),
    )


def below_least(
    spec: AnySubject, have_usd: float, need_usd: float, binding: str, gates: tuple[GateReading, ...]
) -> Disposition:
    """The size, rounded down to the lot, is under the venue's least order."""
    return Disposition(
        unit=name_of(spec),
        instruments=members_of(spec),
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
        unit=name_of(spec),
        instruments=members_of(spec),
        kind="opportunity",
        opportunity_key=opportunity_key,
        gates=gates,
    )


def _failed_economic(spec: AnySubject, gate: Economic, gates: tuple[GateReading, ...]) -> Disposition:
    move = "rises" if gate.sense > 0 else "falls"
    unit = f" {gate.unit}" if gate.unit else ""
    return Disposition(
        unit=name_of(spec),
        instruments=members_of(spec),
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


def name_of(spec: AnySubject) -> str:
    """The name under which a candidate is told."""
    return str(spec.instrument) if isinstance(spec, InstrumentSpec) else str(spec)


def members_of(spec: AnySubject) -> tuple[Instrument, ...]:
    """The instruments of a candidate."""
    if isinstance(spec, Instrument):
        return (spec,)
    return (spec.instrument,) if isinstance(spec, InstrumentSpec) else spec.instruments
