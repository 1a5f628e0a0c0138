"""Hedges of a portfolio: which instruments would offset it, how much of each, at what cost, and how well that worked before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from sextant.model.bar import Floats
from sextant.model.times import SECOND_NS, Interval
from sextant.strategies.contest import Difference, interval_of
from sextant.strategies.covariance import recency, shrunk_covariance
from sextant.strategies.dispositions import Lack
from sextant.strategies.funding import funding_of
from sextant.strategies.ground import Ground
from sextant.strategies.holdings import fresh
from sextant.strategies.orders import QUOTE_AGE_S, Order, least_order_usd, order_of, whole_lots
from sextant.strategies.tail import LEAST_ROWS, MOST_ROWS, scenarios, shortfall

MAJORS: Final = ("BTC", "ETH")
FRAME: Final[Interval] = "4h"
FRAME_AGE_S: Final = 1.5 * 14_400.0
HALF_LIFE: Final = 60.0
LEAST_FIT: Final = 360
WEEK_ROWS: Final = 42
MOST_ASSETS: Final = 10  # own perpetuals of smaller exposures change nothing
_FIRST_FIT: Final = 180  # three half-lives
_BISECTIONS: Final = 50


@dataclass(frozen=True)
class Leg:
    """A perpetual of a hedge: its column, and USD to be sold at full hedge; below 0 it is bought."""

    column: int
    full_usd: float


@dataclass(frozen=True, eq=False)
class Hedge:
    """A candidate, fitted.

    Parameters
    ----------
    name
        Bases of its perpetuals, joined by +.
    legs
        At full hedge, which minimises variance.
    now_usd
        ES97.5 of a day of the portfolio, on the days that the hedge also has.
    gains, hedged
        float64 (T',): scenarios of the portfolio, and of one full hedge, USD.
    weeks
        Variance reduction out of sample, week by week; None with too few.
    """

    name: str
    legs: tuple[Leg, ...]
    now_usd: float
    gains: Floats
    hedged: Floats
    weeks: Difference | None

    def es_usd(self, share: float) -> float:
        """ES97.5 of a day with a share of the full hedge."""
        return max(shortfall(self.gains + share * self.hedged), 0.0)

    def share_for(self, goal_usd: float) -> float:
        """The smallest share of the full hedge that brings the shortfall to a goal; 1 where even that does not."""
        if self.es_usd(1.0) > goal_usd:
            return 1.0
        low, high = 0.0, 1.0
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            if self.es_usd(middle) > goal_usd:
                low = middle
            else:
                high = middle
        return high


def candidates_of(ground: Ground) -> dict[str, tuple[int, ...]]:
    """By name the columns of each candidate: the own perpetual of each exposure, Bitcoin's, Ether's, and both together.

    Notes
    -----
    Of several perpetuals of one base the cheapest at a venue of the account is taken; a base without one is left out.
    """
    bases = dict.fromkeys((*ground.modelled[:MOST_ASSETS], *MAJORS))
    found = {base: column for base in bases if (column := _perpetual(ground, base)) is not None}
    named: dict[str, tuple[int, ...]] = {base: (column,) for base, column in found.items()}
    if all(base in found for base in MAJORS):
        named["+".join(MAJORS)] = tuple(found[base] for base in MAJORS)
    return named


def _perpetual(ground: Ground, base: str) -> int | None:
    pricing = ground.pricing
    venues = set(ground.holdings.venues) | set(pricing.account.free_usd)
    ranked = [
        (float(pricing.taker_bps[column] + pricing.touch.spread_bps[column]), str(spec.instrument), column)
        for column, spec in enumerate(pricing.view.instruments)
        if spec.instrument.base == base
        and spec.instrument.kind == "perpetual"
        and spec.style == "linear"
        and spec.instrument.venue in venues
        and spec.status == "trading"
        and fresh(pricing, column, QUOTE_AGE_S)
        and math.isfinite(float(pricing.taker_bps[column]))
    ]
    return min(ranked)[-1] if ranked else None


@dataclass(frozen=True, eq=False)
class Fits:
    """Covariances of a portfolio's assets and of everything that might hedge it, shared by all candidates.

    Parameters
    ----------
    columns
        H columns of perpetuals.
    size
        N, the assets, which come first.
    returns
        float64 (T, N + H): 4h log returns that all of them have.
    """

    columns: tuple[int, ...]
    size: int
    returns: Floats

    @cached_property
    def now(self) -> Floats:
        """The covariance of all rows."""
        return _matrix(self.returns)

    @cached_property
    def weekly(self) -> tuple[tuple[int, Floats], ...]:
        """Where each week begins, and the covariance of the rows before it."""
        starts = range(_FIRST_FIT, len(self.returns) - WEEK_ROWS + 1, WEEK_ROWS)
        return tuple((start, _matrix(self.returns[:start])) for start in starts)

    def ratio(self, matrix: Floats, exposure: Floats, columns: Sequence[int]) -> Floats:
        """float64: USD of each of some perpetuals that, sold, leaves the least variance."""
        places = self.places(columns)
        joint = matrix[np.ix_(places, range(self.size))] @ exposure
        return np.asarray(np.linalg.solve(matrix[np.ix_(places, places)], joint), dtype=np.float64)

    def places(self, columns: Sequence[int]) -> list[int]:
        """Where some perpetuals stand among all columns."""
        return [self.size + self.columns.index(column) for column in columns]


def fits_of(ground: Ground, columns: Sequence[int]) -> Fits | Lack:
    """The shared covariances, or why there are none: old bars, too few, or one that does not move."""
    frame = ground.pricing.view.bars.get(FRAME)
    closed_ns = 0 if frame is None or frame.last_close_ns is None else frame.last_close_ns
    age_s = (ground.pricing.view.as_of_ns - closed_ns) / SECOND_NS
    if frame is not None and age_s > FRAME_AGE_S:
        return (f"bars.{FRAME}.age_s", age_s, FRAME_AGE_S, "s")
    own = [ground.holdings.columns[asset] for asset in ground.modelled]
    returns = _returns(ground, FRAME, (*own, *columns), LEAST_FIT * 3)
    if len(returns) < LEAST_FIT:
        return (f"bars.{FRAME}", float(len(returns)), float(LEAST_FIT), "rows")
    if not (returns[:_FIRST_FIT] != returns[:1]).any(axis=0).all():
        return (f"bars.{FRAME}.moving", 0.0, 1.0, "columns")
    return Fits(tuple(columns), len(own), returns)


def fitted(ground: Ground, name: str, columns: Sequence[int], shared: Fits | None = None) -> Hedge | Lack:
    """A candidate with its ratio, scenarios and evidence, or the first input that is too short.

    Parameters
    ----------
    shared
        Covariances that hold its columns among others; None fits it on bars of its own.

    Notes
    -----
    h = Cov(portfolio, hedge)/Var(hedge) USD, for two hedges by least squares, from a covariance of 4h returns shrunk to
    constant correlation whose weights halve every 60 rows.

    References
    ----------
    Ederington 1979, The Hedging Performance of the New Futures Markets, Journal of Finance 34.
    """
    fits = fits_of(ground, columns) if shared is None else shared
    if isinstance(fits, tuple):
        return (f"{fits[0]}.{name}", *fits[1:])
    own = [ground.holdings.columns[asset] for asset in ground.modelled]
    days = _returns(ground, "1d", (*own, *columns), MOST_ROWS + round(HALF_LIFE) + 1)
    if len(days) < LEAST_ROWS:
        return (f"bars.1d.{name}", float(len(days)), float(LEAST_ROWS), "rows")
    size = len(own)
    if not (days[-60:, size:] != 0).any(axis=0).all():
        return (f"bars.1d.moving.{name}", 0.0, 1.0, "columns")
    exposure = ground.exposure
    ratio = fits.ratio(fits.now, exposure, columns)
    rows = scenarios(days) * (1.0 if ground.tested is None else ground.tested.factor)
    gains, hedged = rows[:, :size] @ exposure, -(rows[:, size:] @ ratio)
    return Hedge(
        name=name,
        legs=tuple(Leg(column, usd) for column, usd in zip(columns, ratio.tolist(), strict=True)),
        now_usd=max(shortfall(gains), 0.0),
        gains=gains,
        hedged=hedged,
        weeks=_weeks(fits, exposure, columns),
    )


def _returns(ground: Ground, interval: Interval, columns: Sequence[int], most: int) -> Floats:
    """Log returns of the last rows in which all columns have one, float64 (T, N)."""
    frame = ground.pricing.view.bars.get(interval)
    if frame is None:
        return np.empty((0, len(columns)))
    table = np.diff(np.log(frame.close[-most - 1 :, list(columns)]), axis=0)
    whole: Floats = np.ascontiguousarray(table[np.isfinite(table).all(axis=1)])
    return whole


def _matrix(returns: Floats) -> Floats:
    return shrunk_covariance(returns, recency(len(returns), HALF_LIFE)).matrix


def _weeks(fits: Fits, exposure: Floats, columns: Sequence[int]) -> Difference | None:
    """Variance reduction of the week after each weekly refit, with its 90 % interval."""
    reductions: list[float] = []
    plain = fits.returns[:, : fits.size] @ exposure
    hedges = fits.returns[:, fits.places(columns)]
    for start, matrix in fits.weekly:
        week = slice(start, start + WEEK_ROWS)
        left = plain[week] - hedges[week] @ fits.ratio(matrix, exposure, columns)
        if plain[week].var() > 0:
            reductions.append(1.0 - float(left.var()) / float(plain[week].var()))
    return interval_of(np.array(reductions)) if len(reductions) > 1 else None


@dataclass(frozen=True, eq=False)
class Priced:
    """A hedge at a size.

    Parameters
    ----------
    hedge, share
        Which, and what share of the full one.
    orders
        One per leg, whole lots.
    income_usd
        Funding over the horizon; below 0 where it costs.
    removed_usd
        ES97.5 that it removes.
    """

    hedge: Hedge
    share: float
    orders: tuple[Order, ...]
    income_usd: float
    removed_usd: float

    @property
    def cost_usd(self) -> float:
        """Entry and exit, less income."""
        return 2.0 * math.fsum(order.cost_usd for order in self.orders) - self.income_usd

    @property
    def per_usd(self) -> float:
        """Cost of removing one USD of shortfall; infinite where none is removed."""
        return self.cost_usd / self.removed_usd if self.removed_usd > 0 else math.inf


def priced(ground: Ground, hedge: Hedge, goal_usd: float, horizon_s: float) -> Priced | Lack:
    """A hedge at the smallest size that reaches a goal, or at full size; or which of its costs is unknown."""
    pricing = ground.pricing
    share = hedge.share_for(goal_usd)
    orders: list[Order] = []
    income = 0.0
    for leg in hedge.legs:
        usd = share * leg.full_usd
        if abs(usd) < least_order_usd(pricing, leg.column):
            continue  # of two legs one may be too small to matter
        quantity = whole_lots(pricing, leg.column, abs(usd))
        order = order_of(pricing, leg.column, "sell" if usd > 0 else "buy", quantity)
        forecast = funding_of(pricing.view, leg.column, horizon_s)
        if order is None or forecast is None:
            return (f"{'cost' if order is None else 'funding'}.{hedge.name}", 0.0, 1.0, "values")
        income += math.copysign(order.notional_usd, usd) * forecast.sum_frac
        orders.append(order)
    if not orders:
        return (f"min_notional.{hedge.name}", 0.0, 1.0, "orders")
    after = max(shortfall(hedge.gains + share * hedge.hedged), 0.0)
    return Priced(hedge, share, tuple(orders), income, hedge.now_usd - after)
