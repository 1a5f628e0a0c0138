"""How far a score can be trusted, as bodies: what became of entries like it, and what is wrong with its data."""

from __future__ import annotations

from collections.abc import Iterable

from sextant.api.confluence_schemas import ConditionBody, ConfidenceBody
from sextant.confluence.conditions import Condition
from sextant.confluence.confidence import Trial, apart, confidence, outcome
from sextant.confluence.explain import state_of
from sextant.confluence.passport import Absent
from sextant.confluence.scorer import Evaluation
from sextant.model.times import iso_ms
from sextant.scans.entries import Entry
from sextant.strategies.plan import Plan

Outcomes = tuple[tuple[float, int], ...]
"""Strength and outcome of entries that are over."""


def scored_entries(entries: Iterable[Entry], found: Evaluation) -> Outcomes:
    """What became of the entries that had a plan, as far as the bars of an evaluation tell it."""
    columns = {spec.instrument: column for column, spec in enumerate(found.instruments)}
    told = []
    for trial in apart(trial for entry in entries if (trial := _trial(entry)) is not None):
        column = columns.get(trial.instrument)
        came = None if column is None else outcome(trial, found.minutes, column)
        if came is not None:
            told.append((trial.strength, came))
    return tuple(told)


def _trial(entry: Entry) -> Trial | None:
    made, change = entry.plan, entry.change
    if not isinstance(made, Plan) or change.confluence is None:
        return None
    return Trial(
        instrument=change.instrument,
        at_ns=change.at_ns,
        side=made.side,
        strength=abs(change.confluence),
        entry=float(made.entry),
        stop=float(made.stop),
        target=float(made.targets[0].price),
        cost_frac=float((made.unit_risk - made.distance) / made.entry),
    )


def confidence_body(found: Evaluation, column: int, scored: Outcomes) -> ConfidenceBody:
    """How often entries like this one came good; nothing for an instrument that is neither long nor short."""
    if state_of(found, column) not in ("long", "short"):
        return ConfidenceBody(
            confidence=None,
            low=None,
            high=None,
            hits=0,
            n=0,
            reason="There is no entry: the instrument is neither long nor short.",
        )
    told = confidence(abs(float(found.now.folded.confluence[0, column])), scored)
    if isinstance(told, Absent):
        count = int(told.have or 0)
        return ConfidenceBody(confidence=None, low=None, high=None, hits=0, n=count, reason=told.text)
    return ConfidenceBody(
        confidence=100.0 * told.probability,
        low=100.0 * told.low,
        high=100.0 * told.high,
        hits=told.hits,
        n=told.count,
        reason=None,
    )


def condition_body(condition: Condition) -> ConditionBody:
    """A condition that holds now."""
    return ConditionBody(
        kind=condition.kind,
        subject=condition.subject,
        since=iso_ms(condition.since_ns),
        last=iso_ms(condition.last_ns),
        count=condition.count,
        have=condition.have,
        need=condition.need,
        effect=condition.effect,
    )
