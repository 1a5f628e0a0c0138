"""From what a strategy says about couples to a verdict: inputs of both legs and the common gates, once per leg."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.model.bar import Floats, Integers
from sextant.model.times import Interval
from sextant.model.view import Flags
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Gate, Need, Signals, Verdict
from sextant.strategies.couples import SIDES, CoupleSet
from sextant.strategies.gates import KIND_GATE, Admission, first_gates, lean, spread_gate
from sextant.strategies.inputs import Missing, missing_inputs

NO_CLOCK: Final[Missing] = ("funding.clock", 0.0, 1.0, "times of settlement")

_OF_INSTRUMENTS = frozenset({KIND_GATE, "stable_quote"})


@dataclass(frozen=True, eq=False)
class CoupleSpoken:
    """What a strategy computed about couples, before the common gates.

    Parameters
    ----------
    couples
        The couples and what is said about each now.
    direction, strength
        float64 (R, C): the last R rows; +1 buys the first instrument, -1 sells it, 0 neither.
    gates
        The strategy's own, in declared order.
    facts
        Columns worth showing, by name.
    params
        The parameters it was asked with.
    past
        Rows above the first of these that were let go; gates may then be lean.
    """

    couples: CoupleSet
    direction: Floats
    strength: Floats
    gates: tuple[Gate, ...]
    facts: Mapping[str, Floats]
    params: Mapping[str, float]
    past: int = 0


def leg_gates(
    columns: Columns, interval: Interval, legs: Integers, admission: Admission, rows: int | None = None
) -> tuple[Gate, ...]:
    """The common gates of instruments, once for each leg of C couples, on the last ``rows`` rows.

    Parameters
    ----------
    legs
        int64 (C, 2).
    """
    common = [gate for gate in first_gates(columns, interval, admission) if gate.name not in _OF_INSTRUMENTS]
    return tuple(leg for gate in common for leg in _of_legs(gate, legs, rows))


def _of_legs(gate: Gate, legs: Integers, rows: int | None) -> list[Gate]:
    """A gate of instruments, once for each leg."""
    values = gate.values if rows is None else gate.values[-rows:]
    return [
        dataclasses.replace(
            gate,
            name=f"{gate.name}.{side}",
            values=values[:, legs[:, place]],
            thresholds=None if gate.thresholds is None else gate.thresholds[legs[:, place]],
        )
        for place, side in enumerate(SIDES)
    ]


def _leg_gates(
    columns: Columns, interval: Interval, legs: Integers, admission: Admission, rows: int
) -> tuple[Gate, ...]:
    """The same, lean where what is made of bars is kept for views to come; what is quoted is read anew."""
    if not columns.lasts:
        return leg_gates(columns, interval, legs, admission, rows)
    kept = columns.once(
        ("leg_gates", admission, rows, legs.tobytes()),
        lambda: {gate.name: lean(gate) for gate in leg_gates(columns, interval, legs, admission, rows)},
        lasting=interval,
    )
    spread = {gate.name: gate for gate in _of_legs(spread_gate(columns, admission), legs, None)}
    return tuple(spread.get(name, gate) for name, gate in kept.items())


def missing_of_legs(
    columns: Columns, needs: tuple[Need, ...], legs: Integers, funded: Flags
) -> tuple[Missing, ...]:
    """Per couple the first need that either leg does not meet; funding and its clock are asked of instruments that have them.

    Parameters
    ----------
    legs
        int64 (C, 2).
    funded
        bool (S,): instruments that settle funding.
    """
    common = tuple(need for need in needs if need.column != "funding")
    own = missing_inputs(columns, common)
    rates = missing_inputs(columns, tuple(need for need in needs if need.column == "funding"), funded)
    facts = columns.view.derivatives
    timed = ~funded | ((facts.funding_interval_s > 0) & (facts.next_funding_ns > 0))
    clocks: list[Missing] = [None if known else NO_CLOCK for known in timed.tolist()]
    lacks = [one or two or three for one, two, three in zip(own, rates, clocks, strict=True)]
    return tuple(lacks[first] or lacks[second] for first, second in legs.tolist())


def compose_couples(
    columns: Columns, interval: Interval, needs: tuple[Need, ...], spoken: CoupleSpoken, admission: Admission
) -> Verdict:
    """The verdict: common gates of both legs before the strategy's own."""
    said = spoken.couples
    rows = spoken.past + spoken.direction.shape[0]
    funded = np.array([spec.instrument.kind == "perpetual" for spec in columns.view.instruments], dtype=bool)
    nothing = np.full(spoken.direction.shape, np.nan)
    signals = Signals(
        direction=np.nan_to_num(spoken.direction).astype(np.int8),
        strength=spoken.strength,
        stop=nothing,
        target=nothing,
        exit_flag=np.zeros((*spoken.direction.shape, 2), dtype=np.bool_),
        horizon_rows=max(1, said.horizon_rows),
    )
    return Verdict(
        interval,
        signals,
        (*_leg_gates(columns, interval, said.legs, admission, rows), *spoken.gates),
        missing_of_legs(columns, needs, said.legs, funded),
        spoken.facts,
        params=spoken.params,
        couples=said,
    )
