"""Scores as the bodies of the API show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import msgspec

from sextant.api.confluence_schemas import (
    AbsentBody,
    BreakdownAnswer,
    ConfluencePoint,
    ConfluenceRow,
    DimensionBody,
    EntryBody,
    FactBody,
    FlipBody,
    FollowingBody,
    IdeaLine,
    IdeaPlan,
    IdeaTarget,
    LevelsBody,
    PassportLine,
    PlaceBody,
    QualityBody,
    SignalBody,
    SignalInput,
    StateWord,
)
from sextant.api.confluence_trust import Outcomes, condition_body, confidence_body
from sextant.api.opportunity_wire import age_s
from sextant.confluence.catalog import voices
from sextant.confluence.decision import LOSE, STATES
from sextant.confluence.detectors import Fact
from sextant.confluence.explain import (
    Breakdown,
    Input,
    Part,
    SubPart,
    breakdown,
    change_1h,
    lines_of,
    number,
    state_of,
    why_not,
)
from sextant.confluence.market_wide import NO_LEAD, Following
from sextant.confluence.passport import Absent
from sextant.confluence.regime import LABELS
from sextant.confluence.score import agreement, words
from sextant.confluence.scorer import Evaluation
from sextant.model.times import Interval, iso_ms
from sextant.model.view import Feed
from sextant.scans.entries import Entry
from sextant.scans.overview import Overview
from sextant.scans.relations import SPANS, Relations
from sextant.strategies.plan import Plan, Refusal

_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
WHOLE: Final = 1.0 - 1e-9


def points(signed: float | None) -> float | None:
    """-1..1 as 0..100 with 50 neutral."""
    return None if signed is None else 50.0 + 50.0 * signed


def row(found: Evaluation, column: int, now_ns: int, scored: Outcomes = ()) -> ConfluenceRow:
    """The score of one instrument."""
    told = confidence_body(found, column, scored)
    folded = found.now.folded
    coverage = float(folded.coverage[0, column])
    signed = number(float(folded.confluence[0, column])) if coverage >= LOSE else None
    as_of_ns = int(found.history.close_ns[-1])
    state = state_word(found, column)
    return ConfluenceRow(
        instrument=str(found.instruments[column].instrument),
        score=points(signed),
        signed_score=signed,
        coverage=coverage,
        direction=state_of(found, column),  # type: ignore[arg-type]  # one of the four
        state=state,
        reason=None if state == "ok" else why_not(found, column),
        change_1h=change_1h(found, column),
        regime=LABELS[int(found.history.label[-1, column])],
        agreement=agreement(float(folded.consensus[0, column])) if coverage > 0 else None,  # type: ignore[arg-type]  # one of the three
        confidence=told.confidence,
        confidence_n=told.n,
        confidence_reason=told.reason,
        conditions=list(dict.fromkeys(one.kind for one in found.conditions.of(column))),
        as_of=iso_ms(as_of_ns),
        age_s=age_s(as_of_ns, now_ns),
    )


def state_word(found: Evaluation, column: int) -> StateWord:
    """Whether there is a score, and if not which kind of lack it is."""
    if float(found.now.folded.coverage[0, column]) >= LOSE:
        return "ok"
    bars = found.now.ages.get("bars")
    if bars is not None and float(found.now.stream_quality["bars"][column]) < WHOLE:
        return "stale"
    minutes = found.values["1m"]
    waiting = any(
        voice.sub.settled in minutes and minutes[voice.sub.settled][0, column] < voice.sub.rows
        for voice in voices()
    )
    return "warming" if waiting else "insufficient"


@dataclass(frozen=True)
class Beside:
    """What stands beside a score.

    Parameters
    ----------
    entry
        The last change of direction.
    facts
        What is the case just now.
    scored
        What became of entries.
    relations, overview
        How instruments follow the leader, and the picture of the market.
    """

    entry: Entry | None = None
    facts: tuple[Fact, ...] = ()
    scored: Outcomes = ()
    relations: Relations | None = None
    overview: Overview | None = None


NOTHING: Final = Beside()


def breakdown_answer(
    found: Evaluation, column: int, now_ns: int, origin: tuple[Feed, bool], beside: Beside = NOTHING
) -> BreakdownAnswer:
    """Everything behind the score of one instrument, and what stands beside it."""
    one = breakdown(found, column)
    head = row(found, column, now_ns)
    long, short = lines_of(found, column)
    return BreakdownAnswer(
        instrument=head.instrument,
        score=head.score,
        signed_score=head.signed_score,
        word=None if head.score is None else words(head.score),
        coverage=head.coverage,
        quality=_quality(one),
        direction=head.direction,
        state=head.state,
        reason=head.reason,
        agreement=head.agreement,
        consensus=one.consensus,
        confidence=confidence_body(found, column, beside.scored),
        conditions=[condition_body(condition) for condition in found.conditions.of(column)],
        regime=head.regime,
        regime_missing=list(one.missing_weather),
        thresholds={"long_score": 50.0 + 50.0 * long, "short_score": 50.0 - 50.0 * short},
        dimensions=[_dimension(part) for part in one.dimensions],
        missing=[_absent(name, why) for name, why in one.missing],
        flips=[
            FlipBody(name=flip.name, from_=flip.now, to=flip.to, reaches_score=50.0 + 50.0 * flip.line)
            for flip in one.flips
        ],
        why_not=one.why_not,
        levels=LevelsBody(**one.levels),
        entry=None if beside.entry is None else entry_body(beside.entry),
        facts=[fact_body(fact) for fact in beside.facts],
        market=_place(found, column, beside),
        as_of=head.as_of,
        age_s=head.age_s,
        feed=origin[0],
        simulated=origin[1],
    )


def breakdown_body(
    found: Evaluation, column: int, origin: tuple[Feed, bool], beside: Beside = NOTHING
) -> bytes:
    """The body of the API as JSON; ages count from the evaluation's own time."""
    return _ENCODER.encode(breakdown_answer(found, column, found.as_of_ns, origin, beside))


def _place(found: Evaluation, column: int, beside: Beside) -> PlaceBody | None:
    related, picture = beside.relations, beside.overview
    if related is None:
        return None
    lead = int(related.lead_minutes[column])
    return PlaceBody(
        leader=None if related.leader is None else str(found.instruments[related.leader].instrument),
        following=[_following(interval, one, column) for interval, one in related.following.items()],
        lead_minutes=None if lead == NO_LEAD else lead,
        liquidation_risk_frac=None
        if picture is None
        else picture.risk.get(found.instruments[column].instrument),
    )


def _following(interval: Interval, one: Following, column: int) -> FollowingBody:
    return FollowingBody(
        interval=interval,
        rows=SPANS[interval],
        n=int(one.n[column]),
        beta=number(float(one.beta[column])),
        correlation=number(float(one.corr[column])),
        explained_frac=number(float(one.explained[column])),
        alpha_frac=number(float(one.alpha[column])),
    )


def fact_body(fact: Fact) -> FactBody:
    """A fact as it is shown."""
    seen = fact.seen
    return FactBody(
        kind=seen.kind,
        cause=seen.cause,
        word=seen.word,
        direction=None if not seen.direction else "up" if seen.direction > 0 else "down",
        value=seen.value,
        peak=fact.peak,
        since=iso_ms(fact.since_ns),
        count=fact.count,
        facts=dict(seen.facts),
    )


def entry_body(entry: Entry) -> EntryBody:
    """A change of direction with its plan, or why there was none."""
    change, made = entry.change, entry.plan
    refused = made if isinstance(made, Refusal) else None
    return EntryBody(
        from_=change.before,  # type: ignore[arg-type]  # one of the four
        to=change.after,  # type: ignore[arg-type]  # as above
        at=iso_ms(change.at_ns),
        largest=dict(change.largest),
        plan=_plan(made, illustrative=entry.illustrative) if isinstance(made, Plan) else None,
        refused=None if refused is None else refused.code,
        refusal=None if refused is None else refused.text,
    )


def _plan(made: Plan, *, illustrative: bool) -> IdeaPlan:
    return IdeaPlan(
        side=made.side,
        entry=made.entry,
        stop=made.stop,
        size=made.size,
        risk=_short(made.risk),
        net=_short(made.net),
        targets=[IdeaTarget(price=one.price, in_r=_short(one.in_r), size=one.size) for one in made.targets],
        waterfall=[
            IdeaLine(item=line.item, amount=_short(line.amount), in_r=_short(line.in_r))
            for line in made.waterfall
        ],
        notes=list(made.notes),
        illustrative=illustrative,
    )


def _short(value: Decimal) -> Decimal:
    """The number to eight places: the rest is what a division leaves."""
    return round(value, 8)


def history_points(found: Evaluation, column: int, rows: Sequence[int]) -> list[ConfluencePoint]:
    """The score at the close of some minutes."""
    past = found.history
    told = []
    for at in rows:
        coverage = float(past.coverage[at, column])
        signed = number(float(past.confluence[at, column])) if coverage >= LOSE else None
        state: Any = STATES[int(past.state[at, column])] if coverage >= LOSE else STATES[0]
        told.append(
            ConfluencePoint(
                time=iso_ms(int(past.close_ns[at])),
                score=points(signed),
                signed_score=signed,
                coverage=coverage,
                consensus=number(float(past.consensus[at, column])) if coverage > 0 else None,
                regime=LABELS[int(past.label[at, column])],
                direction=state,
            )
        )
    return told


def _quality(one: Breakdown) -> QualityBody:
    causes = [
        f"{line.name}: {'never received' if line.age_s is None else f'{line.age_s:.0f} s old'}"
        f"{'' if line.gap_frac is None or line.gap_frac == 0 else f', {100 * line.gap_frac:.2f} % missing'}"
        for line in one.passport
        if line.quality < WHOLE
    ]
    if one.book_trust < WHOLE:
        causes.append(
            f"spoof_suspected: levels are shown and withdrawn; the quality of the order book is times {one.book_trust:g}"
        )
    causes += [f"{name}: {why.text}" for name, why in one.missing]
    return QualityBody(
        points_lost=one.points_lost,
        causes=causes,
        streams=[
            PassportLine(
                stream=line.name,
                as_of=None if line.as_of_ns is None else iso_ms(line.as_of_ns),
                age_s=line.age_s,
                q_age=line.quality_age,
                gap_rate=line.gap_frac,
                quality_frac=line.quality,
            )
            for line in one.passport
        ],
        venue_quality=one.venue_quality,
        venue_apart_bps=one.apart_bps,
    )


def _dimension(part: Part) -> DimensionBody:
    return DimensionBody(
        name=part.name,
        score=points(part.signal),
        signed_score=part.signal,
        weight=part.weight,
        weight_used=part.weight_used,
        coverage=part.coverage,
        contribution=part.points,
        signals=[_signal(sub) for sub in part.signals],
    )


def _signal(sub: SubPart) -> SignalBody:
    return SignalBody(
        name=sub.name,
        score=points(sub.signal),
        signed_score=sub.signal,
        weight=sub.weight,
        weight_used=sub.weight_used,
        regime_multiplier=sub.multiplier,
        quality_frac=sub.quality,
        binding=sub.binding,
        contribution=sub.points,
        intervals=dict(sub.intervals),
        inputs=[_input(one) for one in sub.inputs],
        state="ok" if sub.absent is None else "absent",
        reason=None if sub.absent is None else sub.absent.text,
        as_of=None if sub.as_of_ns is None else iso_ms(sub.as_of_ns),
        age_s=sub.age_s,
    )


def _input(one: Input) -> SignalInput:
    return SignalInput(
        indicator=one.indicator,
        value=one.value,
        source=one.source,
        as_of=None if one.as_of_ns is None else iso_ms(one.as_of_ns),
        age_s=one.age_s,
    )


def _absent(name: str, why: Absent) -> AbsentBody:
    return AbsentBody(name=name, code=why.reason, reason=why.text, have=why.have, need=why.need)
