"""Shapes of bodies about the whole market."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from sextant.api.confluence_schemas import FactBody
from sextant.api.schemas import Time
from sextant.confluence.market_wide import MarketRegime
from sextant.market.freshness import FreshnessState
from sextant.model.events import Stream
from sextant.model.view import Feed


class RegimeInput(msgspec.Struct, frozen=True, kw_only=True):
    """A number the regime was read from; null where it is unknown."""

    name: str
    value: float | None


class RegimeBody(msgspec.Struct, frozen=True, kw_only=True):
    """The regime of the market; coverage is the share of its inputs that are known."""

    label: MarketRegime
    since: Time | None
    coverage: float
    inputs: list[RegimeInput]


class BreadthBody(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of the universe; ``n`` of ``universe`` instruments have a return of 24 hours."""

    up_1h_frac: float | None
    up_24h_frac: float | None
    up_24h_by_turnover_frac: float | None
    above_day_vwap_frac: float | None
    highs_minus_lows_count: int | None
    n: int
    universe: int


class MoverBody(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument that stands out."""

    instrument: str
    change_24h_frac: float | None
    volume_24h_usd: float | None


class MoversBody(msgspec.Struct, frozen=True, kw_only=True):
    """Those that rose, fell and traded most."""

    up: list[MoverBody]
    down: list[MoverBody]
    volume: list[MoverBody]


class PerpetualsBody(msgspec.Struct, frozen=True, kw_only=True):
    """How perpetuals are paid and held; weights are open interest, null is what nothing is known of."""

    funding_8h_weighted_frac: float | None
    funding_8h_median_frac: float | None
    funding_positive_frac: float | None
    open_interest_usd: float | None
    open_interest_change_24h_frac: float | None
    basis_median_frac: float | None
    long_share_weighted_frac: float | None
    liquidated_long_24h_usd: float | None
    liquidated_short_24h_usd: float | None
    known: Annotated[
        dict[str, int], Meta(description="Of how many perpetuals each figure was taken, by its name.")
    ]
    count: Annotated[int, Meta(description="Perpetuals of the universe.")]


class RiskRow(msgspec.Struct, frozen=True, kw_only=True):
    """A perpetual with its rank, 0 to 1, in what makes forced closes likely."""

    instrument: str
    rank_frac: float


class RiskBody(msgspec.Struct, frozen=True, kw_only=True):
    """The perpetuals whose positions are likeliest to be closed by force; ``n`` of them have every input."""

    rows: list[RiskRow]
    n: int


class StreamCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Pairs of stream and instrument by state."""

    live: int
    late: int
    stale: int
    unsupported: int


class OverviewAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The market in one picture."""

    regime: RegimeBody
    breadth: BreadthBody
    movers: MoversBody
    perpetuals: PerpetualsBody
    liquidation_risk: RiskBody
    facts: Annotated[list[FactBody], Meta(description="What is the case with the whole market just now.")]
    dispersion_frac: float | None
    volatility_annual_frac: float | None
    streams: StreamCounts
    as_of: Time
    age_s: float
    feed: Feed
    simulated: bool


class StreamsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of which venue, and of which instrument each stream is told besides."""

    venue: Annotated[str, Meta(min_length=1, max_length=32)] | None = None
    instrument: Annotated[str, Meta(min_length=1, max_length=120)] | None = None


class StreamBody(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of stream of one venue: how many instruments are in each state, and what was lost since the start."""

    venue: str
    stream: Stream
    live: int
    late: int
    stale: int
    invalid: int
    unsupported: int
    since: Annotated[
        Time | None, Meta(description="Of the one longest in the worst state; null where all are live.")
    ]
    reason: Annotated[str | None, Meta(description="Why that one is not live.")]
    youngest_age_s: Annotated[float | None, Meta(description="Of the newest proof of life; null before any.")]
    gaps_total: Annotated[int, Meta(description="Books that lost a message.")]
    resyncs_total: Annotated[int, Meta(description="Books asked for anew.")]
    losses_total: Annotated[int, Meta(description="Instruments whose stream ended with its connection.")]


class InstrumentStreamBody(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of one instrument."""

    stream: Stream
    state: FreshnessState
    since: Annotated[Time | None, Meta(description="Null where nothing ever came.")]
    reason: Annotated[str | None, Meta(description="Null while it is live.")]
    as_of: Annotated[Time | None, Meta(description="Of the newest fact; null before any.")]
    age_s: Annotated[float | None, Meta(description="Of the newest proof of life; null before any.")]


class StreamsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How the streams are; ``instrument`` is null unless one was asked about."""

    streams: list[StreamBody]
    instrument: list[InstrumentStreamBody] | None
    as_of: Time
    age_s: float
    feed: Feed
    simulated: bool
