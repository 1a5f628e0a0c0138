"""Shapes of bodies about the whole market."""

from __future__ import annotations

import msgspec

from sextant.api.schemas import Time
from sextant.confluence.market_wide import MarketRegime
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
    """How perpetuals are paid and held, and of how many of them each figure was taken."""

    funding_8h_weighted_frac: float | None
    funding_8h_median_frac: float | None
    funding_positive_frac: float | None
    open_interest_usd: float | None
    basis_median_frac: float | None
    rated_count: int
    count: int


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
    dispersion_frac: float | None
    volatility_annual_frac: float | None
    streams: StreamCounts
    as_of: Time
    age_s: float
    feed: Feed
    simulated: bool
