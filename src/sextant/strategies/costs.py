"""What a trade costs: fees, spread, slippage and funding as a waterfall whose lines sum to the edge.

Gross is measured mid to mid; every line is in basis points of the notional at entry, negative when it costs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, Protocol, TypeVar

import numpy as np

from sextant.model.account import Account, FeeTier
from sextant.model.bar import Floats
from sextant.model.opportunity import CapacityPoint, CostLine
from sextant.model.times import SECOND_NS
from sextant.model.view import View
from sextant.strategies import rolling
from sextant.strategies.fees import fee_tier
from sextant.strategies.funding import FundingForecast, funding_of
from sextant.strategies.prices import CostAssumptions as CostAssumptions  # noqa: PLC0414  # part of this front door
from sextant.strategies.prices import Touch
from sextant.strategies.tariff import Tariff

BOOK_AGE_NS: Final = 10 * SECOND_NS
VOLUME_SHARE: Final = 0.01
STOP_SLIPPAGE: Final = 1.5
SMALLEST_USD: Final = 10.0
CURVE_SIZES: Final = 25
_BISECTIONS: Final = 40

V = TypeVar("V")


class Pricing:
    """The executable side of a view for one account; arrays are float64 (S,), each computed once.

    Parameters
    ----------
    view, account
        The market and who asks.
    assumptions
        What may be assumed where a replay has no quotes.
    tariff
        What is the same for all accounts of these fees; None makes it.
    """

    def __init__(
        self, view: View, account: Account, assumptions: CostAssumptions, tariff: Tariff | None = None
    ) -> None:
        self.view = view
        self.account = account
        self.assumptions = assumptions
        self.tariff = tariff or Tariff(view, account.fees, assumptions)
        self._kept: dict[str, Any] = {}

    def once(self, key: str, make: Callable[[], V]) -> V:
        """What ``make`` gave the first time this key was asked for."""
        if key not in self._kept:
            self._kept[key] = make()
        kept: V = self._kept[key]
        return kept

    @property
    def touch(self) -> Touch:
        """Best prices."""
        return self.tariff.touch

    @property
    def usd(self) -> Floats:
        """USD per unit of the quote asset."""
        return self.tariff.usd

    @property
    def volume_24h_usd(self) -> Floats:
        """Turnover of the last 24 hours, USD."""
        return self.tariff.volume_24h_usd

    @property
    def taker_bps(self) -> Floats:
        """Taker fee of the account; NaN where unknown."""
        return self.tariff.taker_bps

    @property
    def round_trip_bps(self) -> Floats:
        """Two taker fees and the quoted spread, positive; NaN where unknown."""
        return self.tariff.round_trip_bps

    @property
    def resting_bps(self) -> Floats:
        """The same where the entry is a post-only order."""
        return self.tariff.resting_bps


def round_trip_cost_bps(view: View, account: Account, assumptions: CostAssumptions) -> Floats:
    """Two taker fees and the quoted spread of each instrument, float64 (S,), positive; NaN where unknown."""
    return Pricing(view, account, assumptions).round_trip_bps


@dataclass(frozen=True, eq=False)
class Depth:
    """How far a market order of some size moves away from the touch.

    Parameters
    ----------
    kind
        ``book``: visible levels are walked. ``law``: square-root law beyond the touch size.
    side
        +1 walks the asks, -1 the bids.
    touch
        Best price, quote units.
    usd, units
        ``book``: cumulative notional and base units from the touch outwards, beginning with 0.
    touch_usd, volume_24h_usd, sigma_day, impact
        ``law``: size at the touch, daily turnover, daily volatility as a fraction, factor Y.
    """

    kind: Literal["book", "law"]
    side: int
    touch: float
    usd: Floats
    units: Floats
    touch_usd: float = 0.0
    volume_24h_usd: float = float("nan")
    sigma_day: float = float("nan")
    impact: float = 1.0

    @property
    def greatest_usd(self) -> float:
        """The largest size that is priced: the visible book, or 1 % of the daily turnover."""
        return float(self.usd[-1]) if self.kind == "book" else VOLUME_SHARE * self.volume_24h_usd

    def slippage_bps(self, size_usd: Floats) -> Floats:
        """Average price against the touch for sizes (n,), basis points >= 0; NaN beyond the greatest size."""
        if self.kind == "law":
            excess = np.maximum(size_usd - self.touch_usd, 0.0)
            cost = 1e4 * self.impact * self.sigma_day * np.sqrt(excess / self.volume_24h_usd)
            return np.where(size_usd <= self.greatest_usd * (1 + 1e-12), np.maximum(cost, 0.0), np.nan)
        cost = np.empty(len(size_usd))
        _walk(size_usd, self.usd, self.units, 1e4 * self.side, cost)
        return cost


@rolling.compiled
def _walk(size_usd: Floats, usd: Floats, units: Floats, scale: float, cost: Floats) -> None:
    # The average price of each size against that of the first level; NaN for more than all levels hold.
    touch, last = usd[1] / units[1], len(usd) - 1
    for place in range(len(size_usd)):
        size = size_usd[place]
        if not size <= usd[last] * (1 + 1e-12):
            cost[place] = np.nan
            continue
        level = 0
        while level < last - 1 and usd[level + 1] <= size:
            level += 1
        share = (units[level + 1] - units[level]) / (usd[level + 1] - usd[level])
        bought = units[level] + share * (min(size, usd[last]) - usd[level])
        cost[place] = max(scale * (size / bought / touch - 1.0), 0.0)


def book_depth(prices: Floats, sizes: Floats, side: int, usd: float) -> Depth:
    """The depth of one side of a book.

    Parameters
    ----------
    prices, sizes
        float64 (L,), best first; NaN beyond the visible levels.
    side
        +1 for asks, -1 for bids.
    usd
        USD per quote unit.
    """
    seen = np.isfinite(prices) & np.isfinite(sizes) & (sizes > 0)
    notional = np.concatenate(([0.0], np.cumsum(prices[seen] * sizes[seen] * usd)))
    units = np.concatenate(([0.0], np.cumsum(sizes[seen])))
    return Depth("book", side, float(prices[seen][0]), notional, units)


@dataclass(frozen=True, eq=False)
class Terms:
    """Everything that decides the costs of one position, at any size.

    Parameters
    ----------
    column
        The executed instrument.
    direction
        +1 bought first, -1 sold first.
    fee
        Tier that applies; None where unknown.
    spread_bps
        Quoted spread; NaN where unknown.
    entry, leave
        Depth at entry and, on the other side, at exit.
    leave_factor
        Slippage of the exit against an ordinary one: 1 + 0.5 x the share of stops among exits.
    funding
        Forecast over the horizon; None where it does not apply or is unknown.
    pays_funding
        Whether the instrument has funding at all.
    resting
        Whether the entry is a post-only order.
    """

    column: int
    direction: int
    fee: FeeTier | None
    spread_bps: float
    entry: Depth
    leave: Depth
    leave_factor: float
    funding: FundingForecast | None
    pays_funding: bool
    resting: bool = False

    @cached_property
    def greatest_usd(self) -> float:
        """The largest size that can be priced on both sides."""
        return min(self.entry.greatest_usd, self.leave.greatest_usd)

    @cached_property
    def unknown(self) -> str | None:
        """The first cost that is unknown, or None."""
        facts = (
            ("fees", self.fee is None),
            ("quotes", not np.isfinite(self.spread_bps)),
            ("funding", self.pays_funding and self.funding is None),
            ("depth", not (np.isfinite(self.greatest_usd) and self.greatest_usd > 0)),
            ("volatility", self.entry.kind == "law" and not np.isfinite(self.entry.sigma_day)),
        )
        return next((name for name, absent in facts if absent), None)

    @property
    def fixed_bps(self) -> float:
        """Costs that do not depend on the size: fees, spread, funding; positive when they cost."""
        return self.fee_entry_bps + self.fee_exit_bps + self.crossed_bps - self.funding_bps

    @property
    def fee_entry_bps(self) -> float:
        """Maker fee of a post-only order, else the taker fee; 0 where unknown."""
        if self.fee is None:
            return 0.0
        return self.fee.maker_bps if self.resting else self.fee.taker_bps

    @property
    def fee_exit_bps(self) -> float:
        """Taker fee; 0 where unknown."""
        return 0.0 if self.fee is None else self.fee.taker_bps

    @property
    def crossed_bps(self) -> float:
        """Half the quoted spread for each order that crosses it."""
        return self.spread_bps * (0.5 if self.resting else 1.0)

    @property
    def funding_bps(self) -> float:
        """Funding income, negative when it costs; 0 where the instrument has none."""
        return 0.0 if self.funding is None else 0.0 - self.direction * self.funding.sum_frac * 1e4

    def slippage_bps(self, size_usd: Floats) -> Floats:
        """Slippage of entry and exit together, >= 0."""
        leaving: Floats = self.leave_factor * self.leave.slippage_bps(size_usd)
        return leaving if self.resting else self.entry.slippage_bps(size_usd) + leaving

    def cost_bps(self, size_usd: float) -> float:
        """All costs at a size, positive when they cost."""
        return self.fixed_bps + float(self.slippage_bps(np.array([size_usd]))[0])


@dataclass(frozen=True)
class Stay:
    """A position to be priced.

    Parameters
    ----------
    column
        The executed instrument.
    direction
        +1 or -1.
    horizon_s
        Time over which funding is forecast.
    sigma_day
        Daily volatility, a fraction, for sizes beyond the touch.
    stop_share
        Share of exits by stop, in [0, 1].
    resting
        Whether the entry is a post-only order.
    """

    column: int
    direction: int
    horizon_s: float
    sigma_day: float
    stop_share: float
    resting: bool = False


def terms_of(pricing: Pricing, stay: Stay) -> Terms:
    """The terms of entering an instrument now and leaving it again; made once for all who pay the same fees."""
    return pricing.tariff.once(("terms", stay), lambda: _terms(pricing, stay))


def capacity_of(pricing: Pricing, stay: Stay, gross_bps: float) -> Capacity:
    """The capacity of a position for a gross edge, see :func:`capacity`; made once for all who pay the same fees."""
    return pricing.tariff.once(
        ("capacity", stay, gross_bps), lambda: capacity(terms_of(pricing, stay), gross_bps)
    )


def _terms(pricing: Pricing, stay: Stay) -> Terms:
    column = stay.column
    instrument = pricing.view.instruments[column].instrument
    pays = instrument.kind == "perpetual"
    return Terms(
        column=column,
        direction=stay.direction,
        fee=fee_tier(pricing.account, instrument),
        spread_bps=float(pricing.touch.spread_bps[column]),
        entry=_depth(pricing, column, stay.direction, stay.sigma_day),
        leave=_depth(pricing, column, -stay.direction, stay.sigma_day),
        leave_factor=1.0 + (STOP_SLIPPAGE - 1.0) * stay.stop_share,
        funding=funding_of(pricing.view, column, stay.horizon_s) if pays else None,
        pays_funding=pays,
        resting=stay.resting,
    )


def _depth(pricing: Pricing, column: int, side: int, sigma_day: float) -> Depth:
    key = ("depth", column, side)
    known: Depth | None = pricing.view.kept.get(key)
    if known is not None:
        return known
    books, best, usd = pricing.view.books, pricing.touch, float(pricing.usd[column])
    fresh = pricing.view.as_of_ns - int(books.event_ns[column]) <= BOOK_AGE_NS
    prices, sizes = (books.ask_price, books.ask_size) if side > 0 else (books.bid_price, books.bid_size)
    if books.valid[column] and fresh and np.isfinite(prices[column, 0]) and sizes[column, 0] > 0:
        # A book is the same for whoever reads it; the law below depends on who asks.
        known = pricing.view.kept[key] = book_depth(prices[column], sizes[column], side, usd)
        return known
    price, size = (best.ask, best.ask_size) if side > 0 else (best.bid, best.bid_size)
    shown = float(price[column] * size[column] * usd)
    nothing = np.zeros(1)
    return Depth(
        kind="law",
        side=side,
        touch=float(price[column]),
        usd=nothing,
        units=nothing,
        touch_usd=shown if np.isfinite(shown) else 0.0,
        volume_24h_usd=float(pricing.volume_24h_usd[column]),
        sigma_day=sigma_day,
        impact=pricing.assumptions.impact,
    )


def waterfall(
    pricing: Pricing, terms: Terms, gross_bps: float | None, size_usd: float
) -> tuple[CostLine, ...]:
    """The lines from gross to edge at a size, in their fixed order; ``edge = gross + sum of the others``.

    Parameters
    ----------
    gross_bps
        Expected move mid to mid in the trade's favour; None when unproven.
    """
    fee = terms.fee
    fee_entry, fee_exit = (None, None) if fee is None else (-terms.fee_entry_bps, -terms.fee_exit_bps)
    enters = "maker, post-only" if terms.resting else "taker"
    fee_basis = "unknown" if fee is None else _fee_basis(fee)
    fee_source = "unknown" if fee is None else fee.source
    slip = -float(terms.slippage_bps(np.array([size_usd]))[0])
    funding = None if terms.pays_funding and terms.funding is None else terms.funding_bps
    touched = pricing.touch
    quote_ns = int(touched.event_ns[terms.column]) or None
    as_of_ns = pricing.view.as_of_ns
    crossings = "one crossing" if terms.resting else "two crossings"
    spread_basis = f"half the quoted spread per crossing, {crossings}"
    if touched.assumed:
        spread_basis = f"assumed {terms.spread_bps:g} bps: the recording has no quotes"
    rows: list[tuple[Any, float | None, str, int | None, str]] = [
        ("gross", gross_bps, "evidence", as_of_ns, _gross_basis(gross_bps)),
        ("fee_entry", fee_entry, fee_source, None, f"{enters}, {fee_basis}"),
        ("fee_exit", fee_exit, fee_source, None, f"taker, {fee_basis}; stop and time exits cross"),
        ("spread", -terms.crossed_bps, "assumption" if touched.assumed else "quote", quote_ns, spread_basis),
        ("slippage", slip, terms.entry.kind, quote_ns, _slippage_basis(terms, size_usd)),
        ("funding", funding, "derivatives", as_of_ns, _funding_basis(terms)),
        ("borrow", 0.0, "none", None, "nothing is borrowed"),
        ("transfer", 0.0, "none", None, "traded with what lies at the venue"),
        ("delivery", 0.0, "none", None, "left before any delivery"),
    ]
    return tuple(
        CostLine(item, bps, None if bps is None else bps * size_usd / 1e4, source, time_ns, basis)
        for item, bps, source, time_ns, basis in rows
    )


class Priced(Protocol):
    """Anything whose costs are known at every size."""

    @property
    def greatest_usd(self) -> float:
        """The largest size that can be priced."""

    @property
    def fixed_bps(self) -> float:
        """Costs that do not depend on the size."""

    def slippage_bps(self, size_usd: Floats) -> Floats:
        """Costs that do, (n,)."""

    def cost_bps(self, size_usd: float) -> float:
        """All costs at a size."""


@dataclass(frozen=True)
class Capacity:
    """Between which sizes the edge is at least 0, USD; None where it nowhere is."""

    smallest_usd: float | None
    largest_usd: float | None


def capacity(terms: Priced, gross_bps: float) -> Capacity:
    """The outer zeros of the edge over 25 geometric sizes from 10 USD to what is visible, refined by bisection."""
    greatest = terms.greatest_usd
    # What depends on the size is nowhere below 0, so that nothing earns back what the smallest size does not.
    if not greatest > SMALLEST_USD or gross_bps < terms.fixed_bps:
        return Capacity(None, None)
    sizes = np.geomspace(SMALLEST_USD, greatest, CURVE_SIZES)
    edges = gross_bps - terms.fixed_bps - terms.slippage_bps(sizes)
    good = np.flatnonzero(edges >= 0)
    if not len(good):
        return Capacity(None, None)
    first, last = int(good[0]), int(good[-1])
    smallest = sizes[first] if first == 0 else _zero(terms, gross_bps, sizes[first], sizes[first - 1])
    largest = sizes[last] if last == len(sizes) - 1 else _zero(terms, gross_bps, sizes[last], sizes[last + 1])
    return Capacity(float(smallest), float(largest))


def capacity_curve(terms: Priced, gross_bps: float, size_usd: float) -> tuple[CapacityPoint, ...]:
    """The edge at 0.25, 0.5, 1, 2 and 4 times a size; sizes that cannot be priced are left out."""
    sizes = size_usd * np.array([0.25, 0.5, 1.0, 2.0, 4.0])
    edges = gross_bps - terms.fixed_bps - terms.slippage_bps(sizes)
    return tuple(
        CapacityPoint(size, edge)
        for size, edge in zip(sizes.tolist(), edges.tolist(), strict=True)
        if np.isfinite(edge)
    )


def _zero(terms: Priced, gross_bps: float, good: float, bad: float) -> float:
    """The size nearest to ``bad`` at which the edge is still >= 0."""
    for _ in range(_BISECTIONS):
        middle = 0.5 * (good + bad)
        if gross_bps - terms.cost_bps(middle) >= 0:
            good = middle
        else:
            bad = middle
    return good


def _fee_basis(fee: FeeTier) -> str:
    return f"{fee.venue} {fee.kind} tier '{fee.tier}'" + (" assumed" if fee.assumed else "")


def _gross_basis(gross_bps: float | None) -> str:
    return "unproven: too few past events" if gross_bps is None else "shrunk mean of past events, mid to mid"


def _slippage_basis(terms: Terms, size_usd: float) -> str:
    exits = f"exit x {terms.leave_factor:.2f} for stops"
    if terms.entry.kind == "book":
        return f"book walk at {size_usd:.0f} USD, {exits}"
    return (
        f"modelled: {terms.entry.impact:g} x daily sigma x sqrt(size beyond the touch / 24 h volume)"
        f" at {size_usd:.0f} USD, {exits}"
    )


def _funding_basis(terms: Terms) -> str:
    known = terms.funding
    if not terms.pays_funding:
        return "the instrument has no funding"
    if known is None:
        return "unknown: no funding rate"
    few = "" if known.settled_count >= 30 else f", only {known.settled_count} settled rates so phi is set"
    return f"{known.count} settlements, rate reverting to {known.mean_frac * 1e4:.2f} bps with phi {known.phi:.2f}{few}"
