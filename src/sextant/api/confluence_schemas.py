"""Shapes of bodies about confluence."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sextant.api.opportunity_schemas import Percent
from sextant.api.scan_schemas import Cursor, PageSize
from sextant.api.schemas import Time
from sextant.confluence.conditions import ConditionKind
from sextant.confluence.contract import Reason
from sextant.confluence.detectors import FactKind
from sextant.model.instrument import Kind
from sextant.model.times import Interval
from sextant.model.view import Feed

Direction = Literal["unknown", "neutral", "long", "short"]
Side = Literal["long", "short"]
StateWord = Literal["ok", "warming", "stale", "insufficient"]
Agreement = Literal["agreed", "split", "mixed"]
Sort = Literal["abs_score", "score", "change_1h", "coverage", "age"]
Step = Literal["1m", "5m", "1h"]
Share = Annotated[float, Meta(ge=0, le=1)]


class ConfluenceQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which instruments are listed, and in which order."""

    venue: Annotated[str, Meta(max_length=32)] | None = None
    kind: Kind | None = None
    direction: Side | None = None
    min_abs_score: Share = 0.0
    min_coverage: Share = 0.0
    state: StateWord | None = None
    sort: Sort = "abs_score"
    as_of: Annotated[str, Meta(max_length=40)] | None = None
    cursor: Cursor | None = None
    limit: PageSize = 50


class BreakdownQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When the score was believed."""

    as_of: Annotated[str, Meta(max_length=40)] | None = None


class ConfluenceHistoryQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which part of the past, how fine."""

    start: Annotated[str, Meta(max_length=40)] | None = None
    end: Annotated[str, Meta(max_length=40)] | None = None
    step: Step = "5m"
    cursor: Cursor | None = None
    limit: PageSize = 50


class ConfluenceRow(msgspec.Struct, frozen=True, kw_only=True):
    """The score of one instrument."""

    instrument: str
    score: float | None
    signed_score: float | None
    coverage: float
    direction: Direction
    state: StateWord
    reason: str | None
    change_1h: float | None
    regime: str
    agreement: Agreement | None
    confidence: Percent | None
    confidence_n: int
    confidence_reason: str | None
    conditions: list[ConditionKind]
    as_of: Time
    age_s: float


class ConfluenceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A page of scores."""

    rows: list[ConfluenceRow]
    next_cursor: str | None
    feed: Feed
    simulated: bool


class SignalInput(msgspec.Struct, frozen=True, kw_only=True):
    """A number that went into a sub-score."""

    indicator: str
    value: float | None
    source: str
    as_of: Time | None
    age_s: float | None


class AbsentBody(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no value."""

    name: str
    code: Reason
    reason: str
    have: float | None
    need: float | None


class SignalBody(msgspec.Struct, frozen=True, kw_only=True):
    """A sub-score; its contribution is in points."""

    name: str
    score: float | None
    signed_score: float | None
    weight: float
    weight_used: float
    regime_multiplier: float
    quality_frac: float
    binding: str | None
    contribution: float
    intervals: dict[str, float | None]
    inputs: list[SignalInput]
    state: Literal["ok", "absent"]
    reason: str | None
    as_of: Time | None
    age_s: float | None


class DimensionBody(msgspec.Struct, frozen=True, kw_only=True):
    """A dimension and its sub-scores."""

    name: str
    score: float | None
    signed_score: float | None
    weight: float
    weight_used: float
    coverage: float
    contribution: float
    signals: list[SignalBody]


class PassportLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the data passport."""

    stream: str
    as_of: Time | None
    age_s: float | None
    q_age: float
    gap_rate: float | None
    quality_frac: float


class QualityBody(msgspec.Struct, frozen=True, kw_only=True):
    """What the data took from the score, and why."""

    points_lost: float | None
    causes: list[str]
    streams: list[PassportLine]
    venue_quality: float
    venue_apart_bps: float | None


class FlipBody(msgspec.Struct, frozen=True, kw_only=True):
    """A change that would change the direction; of a dimension the shift of all its signals."""

    name: str
    from_: float = msgspec.field(name="from")
    to: float
    reaches_score: float


class LevelsBody(msgspec.Struct, frozen=True, kw_only=True):
    """Prices worth knowing."""

    support: float | None
    resistance: float | None
    poc: float | None
    vah: float | None
    val: float | None


class IdeaTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A price at which a part is closed."""

    price: Decimal
    in_r: Decimal
    size: Decimal


class IdeaLine(msgspec.Struct, frozen=True, kw_only=True):
    """From gross to net, in quote units and in R."""

    item: str
    amount: Decimal
    in_r: Decimal


class IdeaPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Entry, stop, targets, size and what is left after costs."""

    side: Side
    entry: Decimal
    stop: Decimal
    size: Decimal
    risk: Decimal
    net: Decimal
    targets: list[IdeaTarget]
    waterfall: list[IdeaLine]
    notes: list[str]
    illustrative: bool


class EntryBody(msgspec.Struct, frozen=True, kw_only=True):
    """The last change of direction, and the plan that was made at it or why there was none."""

    from_: Direction = msgspec.field(name="from")
    to: Direction
    at: Time
    largest: dict[str, float]
    plan: IdeaPlan | None
    refused: str | None
    refusal: str | None


class FactBody(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is the case beside the score; it touches no number."""

    kind: FactKind
    cause: str
    word: str
    direction: Literal["up", "down"] | None
    value: float
    peak: float
    since: Time
    count: int
    facts: dict[str, float]


class FollowingBody(msgspec.Struct, frozen=True, kw_only=True):
    """How the returns of an instrument follow those of the leader in one frame; null below 80 % of the rows."""

    interval: Interval
    rows: Annotated[int, Meta(description="Rows that are compared.")]
    n: Annotated[int, Meta(description="Rows of which both returns are known.")]
    beta: float | None
    correlation: float | None
    explained_frac: float | None
    alpha_frac: Annotated[float | None, Meta(description="Return of a row beyond what the leader explains.")]


class PlaceBody(msgspec.Struct, frozen=True, kw_only=True):
    """How an instrument stands to the leader of its market and among the others; shown, and no part of the score."""

    leader: Annotated[str | None, Meta(description="Null where bitcoin is not followed here.")]
    following: list[FollowingBody]
    lead_minutes: Annotated[
        int | None,
        Meta(
            description="By how much the leader has gone ahead for three hours; null where nothing is clear."
        ),
    ]
    liquidation_risk_frac: Annotated[
        float | None,
        Meta(
            description="Rank among the perpetuals of what makes forced closes likely; null where an input is unknown."
        ),
    ]


class ConfidenceBody(msgspec.Struct, frozen=True, kw_only=True):
    """How often entries of this strength came good: percent with its interval of 90 %, or null with the reason."""

    confidence: Percent | None
    low: Percent | None
    high: Percent | None
    hits: int
    n: int
    reason: str | None


class ConditionBody(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong with the data of an instrument that holds now, and what it does to the score."""

    kind: ConditionKind
    subject: str
    since: Time
    last: Time
    count: int
    have: float | None
    need: float
    effect: str


class BreakdownAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Everything behind the score of one instrument."""

    instrument: str
    score: float | None
    signed_score: float | None
    word: str | None
    coverage: float
    quality: QualityBody
    direction: Direction
    state: StateWord
    reason: str | None
    agreement: Agreement | None
    consensus: float | None
    confidence: ConfidenceBody
    conditions: list[ConditionBody]
    regime: str
    regime_missing: list[str]
    thresholds: dict[str, float]
    dimensions: list[DimensionBody]
    missing: list[AbsentBody]
    flips: list[FlipBody]
    why_not: str | None
    levels: LevelsBody
    entry: EntryBody | None
    facts: list[FactBody]
    market: PlaceBody | None
    as_of: Time
    age_s: float
    feed: Feed
    simulated: bool


class ConfluencePoint(msgspec.Struct, frozen=True, kw_only=True):
    """The score at the close of a minute."""

    time: Time
    score: float | None
    signed_score: float | None
    coverage: float
    consensus: float | None
    regime: str
    direction: Direction


class ConfluenceHistoryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the past, oldest first."""

    points: list[ConfluencePoint]
    next_cursor: str | None
    feed: Feed
    simulated: bool
