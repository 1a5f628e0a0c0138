"""A score taken apart: dimension, sub-score, input and age, what is missing, and what would change the decision.

The points of all sub-scores sum to the score minus 50: what is shown is the computation itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.confluence import decision, regime
from sextant.confluence.absence import cell, last_of, why_absent
from sextant.confluence.catalog import Voice, dimensions, voices
from sextant.confluence.contract import Family
from sextant.confluence.flips import Flip, Tree, flips
from sextant.confluence.levels import LEVELS
from sextant.confluence.nodes import INTERVAL_OF, Column, Frame, Node, Reading, Seen, shown
from sextant.confluence.passport import STREAMS, Absent
from sextant.confluence.scorer import Evaluation
from sextant.model.instrument import Instrument
from sextant.model.times import SECOND_NS

FULL: Final = 1.0 - 1e-12
FLIPS: Final = 12
"""How many changes are told, the nearest first."""
_HOUR_ROWS: Final = 60


@dataclass(frozen=True)
class Input:
    """A number that went into a sub-score.

    Parameters
    ----------
    indicator
        ``indicator.output``, or the column's name, with the interval it was read on.
    value
        None where it is not known.
    source
        Interval and stream.
    as_of_ns, age_s
        When it was true; None where it never was.
    """

    indicator: str
    value: float | None
    source: str
    as_of_ns: int | None
    age_s: float | None


@dataclass(frozen=True)
class SubPart:
    """One sub-score of one instrument.

    Parameters
    ----------
    name
        Of the sub-score.
    signal
        s in [-1, 1]; None where absent.
    weight
        Nominal share of the whole.
    weight_used
        Share after regime, quality and renormalisation; those of an instrument sum to 1.
    multiplier
        Of the regime.
    quality
        q in [0, 1].
    binding
        What lowers the quality most; None where nothing does.
    points
        What it adds to 50.
    intervals
        Signal by interval; None where absent.
    inputs
        What it was computed from.
    absent
        Why it is absent; None where it speaks.
    as_of_ns, age_s
        Of its oldest input.
    """

    name: str
    signal: float | None
    weight: float
    weight_used: float
    multiplier: float
    quality: float
    binding: str | None
    points: float
    intervals: Mapping[str, float | None]
    inputs: tuple[Input, ...]
    absent: Absent | None
    as_of_ns: int | None
    age_s: float | None


@dataclass(frozen=True)
class Part:
    """One dimension of one instrument: n, weights, K within it, points and its sub-scores."""

    name: str
    signal: float | None
    weight: float
    weight_used: float
    coverage: float
    points: float
    signals: tuple[SubPart, ...]


@dataclass(frozen=True)
class StreamPart:
    """A line of the data passport."""

    name: str
    as_of_ns: int | None
    age_s: float | None
    quality_age: float
    gap_frac: float | None
    quality: float


@dataclass(frozen=True)
class Breakdown:
    """Everything behind the score of one instrument.

    Parameters
    ----------
    confluence
        D; None below the coverage floor.
    direction
        S, the weighted mean before consensus and coverage; None where nothing is present.
    state
        One of ``decision.STATES``; ``unknown`` below the coverage floor.
    consensus, dissent
        C and V; None where nothing is present.
    regime
        The label; ``missing_weather`` names the parts that are unknown.
    passport
        By stream.
    venue_quality, apart_bps
        Agreement with other venues; ``apart_bps`` is None where it was not checked.
    book_trust
        The factor on the quality of the order book; below 1 while levels are suspected to be shown and not meant.
    missing
        Names of the absent sub-scores with the reason, heaviest first.
    flips
        What would change the state, nearest first.
    why_not
        Why it is neither long nor short; None where it is one of them.
    levels
        Prices by name; None where there is no such level.
    """

    instrument: Instrument
    as_of_ns: int
    confluence: float | None
    direction: float | None
    coverage: float
    consensus: float | None
    dissent: float | None
    state: str
    points_lost: float | None
    regime: str
    weather: Mapping[str, float]
    missing_weather: tuple[str, ...]
    dimensions: tuple[Part, ...]
    passport: tuple[StreamPart, ...]
    venue_quality: float
    book_trust: float
    apart_bps: float | None
    missing: tuple[tuple[str, Absent], ...]
    flips: tuple[Flip, ...]
    why_not: str | None
    levels: Mapping[str, float | None]


def breakdown(found: Evaluation, column: int) -> Breakdown:
    """Everything behind the score of one instrument.

    Parameters
    ----------
    found
        The evaluation.
    column
        Position of the instrument.
    """
    tree = tree_of(found, column)
    folded = found.now.folded
    coverage = float(folded.coverage[0, column])
    known = coverage >= decision.LOSE
    parts = tuple(_part(found, tree, at, column) for at in range(len(dimensions())))
    absences = [
        (voice.weight, f"{dimension.name}.{sub.name}", sub.absent)
        for dimension in parts
        for sub, voice in zip(dimension.signals, _voices_of(dimension.name), strict=True)
        if sub.absent is not None
    ]
    lost = number(float(folded.points_lost[0, column]))
    return Breakdown(
        instrument=found.instruments[column].instrument,
        as_of_ns=found.as_of_ns,
        confluence=number(float(folded.confluence[0, column])) if known else None,
        direction=number(float(folded.direction[0, column])),
        coverage=coverage,
        consensus=number(float(folded.consensus[0, column])) if coverage > 0 else None,
        dissent=number(float(folded.dissent[0, column])),
        state=state_of(found, column),
        points_lost=lost,
        regime=regime.LABELS[int(found.history.label[-1, column])],
        weather={name: float(x[0, column]) for name, x in found.now.rows.weather.items()},
        missing_weather=_missing_weather(found, column),
        dimensions=parts,
        passport=_passport(found, column),
        venue_quality=float(found.now.venue_quality[column]),
        book_trust=float(found.now.book_trust[column]),
        apart_bps=number(float(found.now.apart_bps[column])),
        missing=tuple((name, why) for _, name, why in sorted(absences, key=lambda one: -one[0])),
        flips=_flips(found, tree, column) if known else (),
        why_not=why_not(found, column),
        levels=levels(found, column),
    )


def number(x: float) -> float | None:
    """The number; None for NaN and infinity."""
    return x if np.isfinite(x) else None


def state_of(found: Evaluation, column: int) -> str:
    """The state as it is told: unknown below the coverage floor, also at the first such evaluation."""
    if float(found.now.folded.coverage[0, column]) < decision.LOSE:
        return decision.STATES[decision.UNKNOWN]
    return decision.STATES[int(found.now.machine[0, column])]


def change_1h(found: Evaluation, column: int) -> float | None:
    """Points by which the score changed within the last hour; None where either is unknown."""
    history = found.history
    if len(history.close_ns) <= _HOUR_ROWS:
        return None
    now, before = history.confluence[-1, column], history.confluence[-1 - _HOUR_ROWS, column]
    covered = min(history.coverage[-1, column], history.coverage[-1 - _HOUR_ROWS, column])
    return number(float(50.0 * (now - before))) if covered >= decision.LOSE else None


def tree_of(found: Evaluation, column: int) -> Tree:
    """The signals, qualities and multipliers of one instrument."""
    weather = {name: x[:, column] for name, x in found.now.rows.weather.items()}
    made: dict[Family, float] = {family: float(x[0]) for family, x in regime.multipliers(**weather).items()}
    signals = np.array([s[0, column] for s in found.now.rows.signals])
    return Tree(signals, found.now.quality[:, column].copy(), made)


def why_not(found: Evaluation, column: int) -> str | None:
    """The first condition that keeps an instrument from long or short, and how far it is; None where it is one."""
    state, _, regained, above, below = (int(x) for x in found.now.machine[:, column])
    coverage = float(found.now.folded.coverage[0, column])
    if coverage < decision.LOSE:
        return (
            f"Coverage is {coverage:.3f}; {decision.LOSE:.2f} is needed, {decision.LOSE - coverage:.3f} more."
        )
    if state == decision.UNKNOWN:
        if coverage < decision.REGAIN:
            return (
                f"Coverage is {coverage:.3f}; it was lost and must reach {decision.REGAIN:.2f},"
                f" {decision.REGAIN - coverage:.3f} more."
            )
        return f"Coverage is back for {regained} of {decision.TWICE} evaluations."
    if state != decision.NEUTRAL:
        return None
    d = float(found.now.folded.confluence[0, column])
    long, short = lines_of(found, column)
    if max(above, below) > 0:
        return f"The line is passed for {max(above, below)} of {decision.TWICE} evaluations."
    line, missing = (long, long - d) if long - d <= d + short else (-short, d + short)
    told = f"Confluence is {d:+.3f}; {line:+.2f} is needed, {missing:.3f} more."
    # Direction and consensus are at most 1, so that nothing a signal says could pass the line.
    most = float(found.now.folded.factor[0, column])
    return (
        told
        if most >= abs(line)
        else f"{told} At a coverage of {coverage:.3f} it reaches {most:.3f} at most."
    )


def lines_of(found: Evaluation, column: int) -> tuple[float, float]:
    """Where long and short are entered now, both above 0."""
    weather = found.now.rows.weather
    stress = float(decision.entry(weather["hv"][:, column], weather["ll"][:, column])[0])
    return found.lines.long + stress, found.lines.short + stress


def levels(found: Evaluation, column: int) -> dict[str, float | None]:
    """Support, resistance, fullest price and value area; None where there is no such level."""
    told: dict[str, float | None] = {}
    for name in ("support", "resistance"):
        for frame in ("30m", "5m"):
            value = last_of(found, frame, LEVELS[frame][name], column)
            if value is not None and np.isfinite(value):
                told.setdefault(name, value)
        told.setdefault(name, None)
    for name, node in LEVELS["1m"].items():
        told[name] = last_of(found, "1m", node, column)
    return told


def _voices_of(name: str) -> tuple[Voice, ...]:
    return tuple(voice for voice in voices() if voice.dimension.name == name)


def _part(found: Evaluation, tree: Tree, at: int, column: int) -> Part:
    dimension = dimensions()[at]
    folded = found.now.folded
    used, mean = (float(x[0, column]) for x in folded.dimensions[at])
    total = float(folded.weight[0, column])
    subs = tuple(_sub_part(found, tree, voice, column) for voice in _voices_of(dimension.name))
    covered = sum(sub.weight * sub.quality for sub in subs)
    return Part(
        name=dimension.name,
        signal=number(mean),
        weight=dimension.weight,
        weight_used=used / total if total > 0 else 0.0,
        coverage=covered / dimension.weight,
        points=sum(sub.points for sub in subs),
        signals=subs,
    )


def _sub_part(found: Evaluation, tree: Tree, voice: Voice, column: int) -> SubPart:
    at = voices().index(voice)
    folded = found.now.folded
    q = float(tree.quality[at])
    s = float(tree.signals[at]) if q > 0 else None
    multiplier = tree.multipliers[voice.sub.family]
    total = float(folded.weight[0, column])
    used = voice.weight * multiplier * q / total if total > 0 else 0.0
    scale = 50.0 * float(folded.consensus[0, column]) * float(folded.factor[0, column]) if total > 0 else 0.0
    inputs = _inputs(found, voice, column)
    oldest = min((one.as_of_ns for one in inputs if one.as_of_ns is not None), default=None)
    return SubPart(
        name=voice.sub.name,
        signal=s,
        weight=voice.weight,
        weight_used=used,
        multiplier=multiplier,
        quality=q,
        binding=_binding(found, voice, at, column) if q < FULL else None,
        points=scale * used * s if s is not None else 0.0,
        intervals={
            frame: number(cell(found.now.rows.by_frame[frame][at][0], column))
            for frame in voice.sub.intervals
            if frame in found.now.rows.by_frame
        },
        inputs=inputs,
        absent=why_absent(found, at, column),
        as_of_ns=oldest,
        age_s=None if oldest is None else (found.as_of_ns - oldest) / SECOND_NS,
    )


def _inputs(found: Evaluation, voice: Voice, column: int) -> tuple[Input, ...]:
    told: dict[str, Input] = {}
    for frame in voice.sub.intervals:
        for node in shown(voice.sub.signal):
            one = _input(found, frame, node, voice, column)
            told[one.indicator] = one
    return tuple(told.values())


def _input(found: Evaluation, frame: Frame, node: Node, voice: Voice, column: int) -> Input:
    inner, where = (node.of, node.frame) if isinstance(node, Seen) else (node, frame)
    value = last_of(found, where, inner, column)
    as_of_ns = found.closes_ns.get(where)
    if isinstance(inner, Column) and inner.name.startswith("funding") and value is not None:
        as_of_ns = int(found.as_of_ns - found.now.ages["quote"][column] * SECOND_NS)
    return Input(
        indicator=f"{_named(inner)}@{INTERVAL_OF[where]}",
        value=None if value is None else number(value),
        source=f"{'grid' if where == 'grid' else 'bars'}.{INTERVAL_OF[where]} ({', '.join(voice.sub.streams)})",
        as_of_ns=as_of_ns if value is not None else None,
        age_s=None if value is None or as_of_ns is None else (found.as_of_ns - as_of_ns) / SECOND_NS,
    )


def _named(node: Node) -> str:
    match node:
        case Reading():
            params = ",".join(f"{name}={value}" for name, value in node.params)
            called = node.indicator if node.output == node.indicator else f"{node.indicator}.{node.output}"
            return f"{called}({params})" if params else called
        case Column():
            return node.name
        case _:
            return type(node).__name__.lower()


def _binding(found: Evaluation, voice: Voice, at: int, column: int) -> str:
    """The factor that lowers the quality most."""
    now = found.now
    factors = {"rows": float(now.rows.intervals[at][0, column]), "venue": float(now.venue_quality[column])}
    if voice.dimension.name == "orderbook":
        factors["spoof_suspected"] = float(now.book_trust[column])
    factors |= {
        stream: float(now.stream_quality[stream][column]) if stream in now.stream_quality else 0.0
        for stream in voice.sub.streams
    }
    return min(factors, key=lambda name: factors[name])


def _passport(found: Evaluation, column: int) -> tuple[StreamPart, ...]:
    now = found.now
    told = []
    for name, quality in now.stream_quality.items():
        age = number(float(now.ages[name][column]))
        gaps = now.rows.gaps.get(name)
        gap = None if gaps is None else number(cell(gaps, column))
        rule = STREAMS[name]
        fresh = 0.0 if age is None else min(1.0, max(0.0, (rule.zero_s - age) / (rule.zero_s - rule.full_s)))
        as_of_ns = None if age is None else int(found.as_of_ns - age * SECOND_NS)
        told.append(StreamPart(name, as_of_ns, age, fresh, gap, float(quality[column])))
    return tuple(told)


def _missing_weather(found: Evaluation, column: int) -> tuple[str, ...]:
    parts = found.now.rows.parts
    return tuple(
        name
        for name in regime.PARTS
        if name != "sign" and (name not in parts or np.isnan(cell(parts[name], column)))
    )


def _flips(found: Evaluation, tree: Tree, column: int) -> tuple[Flip, ...]:
    state = int(found.now.machine[0, column])
    if state in (decision.LONG, decision.SHORT):
        return flips(tree, decision.leave_line(state))[:FLIPS]
    long, short = lines_of(found, column)
    both = (*flips(tree, long), *flips(tree, -short))
    return tuple(sorted(both, key=lambda flip: (flip.distance, flip.name)))[:FLIPS]
