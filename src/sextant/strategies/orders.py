"""Orders that change what an account holds: where they go, what they cost, and how they are rounded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final, Literal

import numpy as np

from sextant.model.opportunity import Leg
from sextant.strategies.costs import Pricing, Stay, Terms, terms_of
from sextant.strategies.holdings import Holdings, fresh, spot_columns
from sextant.strategies.sizing import least_usd, on_tick

QUOTE_AGE_S: Final = 15.0
"""Older quotes carry no order."""

MIN_TRADE_USD: Final = 10.0
ENOUGH: Final = 0.999  # of what was asked; the rest is under a lot

_NOISE: Final = 1e-12  # of binary arithmetic, which must not cost another lot

Side = Literal["buy", "sell"]


@dataclass(frozen=True, eq=False)
class Order:
    """A market order and what it costs, USD and positive.

    Parameters
    ----------
    column, side, quantity
        What, which way and how much; whole lots, above 0.
    notional_usd
        At the mid.
    fee_usd, spread_usd, slippage_usd
        Taker fee, half the quoted spread, and the walk beyond the touch.
    terms
        What they follow from.
    reduce_only
        Whether it only closes a position.
    """

    column: int
    side: Side
    quantity: Decimal
    notional_usd: float
    fee_usd: float
    spread_usd: float
    slippage_usd: float
    terms: Terms
    reduce_only: bool = False

    @property
    def cost_usd(self) -> float:
        """All of it."""
        return self.fee_usd + self.spread_usd + self.slippage_usd


@dataclass(frozen=True)
class Source:
    """Where an exposure can be reduced: the column, the most base units, and whether a position is closed there."""

    column: int
    most: Decimal
    closes: bool


def order_of(
    pricing: Pricing, column: int, side: Side, quantity: Decimal, *, reduce_only: bool = False
) -> Order | None:
    """The order at today's prices; None where one of its costs is unknown or the size goes beyond what can be priced."""
    terms = terms_of(pricing, Stay(column, 1 if side == "buy" else -1, 0.0, _sigma_day(pricing, column), 0.0))
    unit = unit_usd(pricing, column)
    notional = float(quantity) * unit
    slip = float(terms.entry.slippage_bps(np.array([notional]))[0]) if notional > 0 else math.nan
    if terms.fee is None or not math.isfinite(terms.spread_bps + slip):
        return None
    return Order(
        column=column,
        side=side,
        quantity=quantity,
        notional_usd=notional,
        fee_usd=notional * terms.fee.taker_bps / 1e4,
        spread_usd=notional * 0.5 * terms.spread_bps / 1e4,
        slippage_usd=notional * slip / 1e4,
        terms=terms,
        reduce_only=reduce_only,
    )


def unit_usd(pricing: Pricing, column: int) -> float:
    """USD of one base unit at the mid."""
    return float(pricing.touch.mid[column] * pricing.usd[column])


def least_order_usd(pricing: Pricing, column: int) -> float:
    """The smallest order worth placing, USD: the venue's least, and never under 10."""
    spec = pricing.view.instruments[column]
    price = float(pricing.touch.mid[column])
    return max(least_usd(spec, price, float(pricing.usd[column])), MIN_TRADE_USD)


def whole_lots(
    pricing: Pricing, column: int, usd: float, most: Decimal | None = None, *, up: bool = True
) -> Decimal:
    """The quantity of a size in whole lots, rounded up (or down), at most what there is."""
    lot = pricing.view.instruments[column].lot
    rounding = ROUND_CEILING if up else ROUND_FLOOR
    noise = 1.0 - _NOISE if up else 1.0 + _NOISE
    quantity = (Decimal(noise * usd / unit_usd(pricing, column)) / lot).to_integral_value(rounding) * lot
    if most is None or quantity <= most:
        return quantity
    return (most / lot).to_integral_value(ROUND_FLOOR) * lot


def sources_of(pricing: Pricing, holdings: Holdings, asset: str) -> list[Source]:
    """Where the exposure to an asset can be reduced, the cheapest first: balances that lie free, and positions."""
    found: list[Source] = []
    sign = math.copysign(1.0, holdings.exposure.get(asset, 0.0))
    for held in holdings.positions:
        position = held.position
        column = pricing.view.column_of.get(position.instrument)
        same = position.instrument.base == asset and position.quantity * Decimal(sign) > 0
        if same and column is not None and fresh(pricing, column, QUOTE_AGE_S):
            found.append(Source(column, abs(position.quantity), closes=True))
    if sign > 0:
        seen: set[str] = set()
        for column in spot_columns(pricing, (asset,), QUOTE_AGE_S)[asset]:
            venue = pricing.view.instruments[column].instrument.venue
            free = holdings.free(venue, asset)
            if free > 0 and venue not in seen:
                seen.add(venue)  # one balance is sold once, whatever the number of its quotes
                found.append(Source(column, free, closes=False))
    return sorted(found, key=lambda source: (_taker_bps(pricing, source.column), source.column))


def reduce_orders(
    pricing: Pricing, holdings: Holdings, asset: str, usd: float
) -> tuple[tuple[Order, ...], float]:
    """Orders that take ``usd`` off the exposure to an asset, and how much of it they take."""
    orders: list[Order] = []
    side: Side = "sell" if holdings.exposure.get(asset, 0.0) > 0 else "buy"
    left = usd
    for source in sources_of(pricing, holdings, asset):
        if left <= 0:
            break
        quantity = whole_lots(pricing, source.column, left, source.most)
        if float(quantity) * unit_usd(pricing, source.column) < least_order_usd(pricing, source.column):
            continue
        order = order_of(pricing, source.column, side, quantity, reduce_only=source.closes)
        if order is not None:
            orders.append(order)
            left -= order.notional_usd
    return tuple(orders), usd - left


def leg_of(pricing: Pricing, order: Order, *, hedge: bool = False, leverage: float | None = None) -> Leg:
    """The leg of an order, its price at the touch and rounded to the worse tick."""
    touch, spec = pricing.touch, pricing.view.instruments[order.column]
    buys = order.side == "buy"
    best = float((touch.ask if buys else touch.bid)[order.column])
    return Leg(
        instrument=spec.instrument,
        side=order.side,
        quantity=order.quantity,
        price=on_tick(best, spec, "up" if buys else "down"),
        order_kind="market",
        reduce_only=order.reduce_only,
        notional_usd=order.notional_usd,
        leverage=leverage,
        margin_usd=None if leverage is None else order.notional_usd / leverage,
        role="hedge" if hedge else "entry",
        quote_age_ms=None if touch.assumed else float(touch.age_ms[order.column]),
    )


def _taker_bps(pricing: Pricing, column: int) -> float:
    taker = float(pricing.taker_bps[column])
    return taker if math.isfinite(taker) else math.inf


def _sigma_day(pricing: Pricing, column: int) -> float:
    """Daily volatility of the newest sixty daily bars, for sizes beyond the touch; NaN where there are too few."""
    frame = pricing.view.bars.get("1d")
    if frame is None or frame.rows < 61:
        return math.nan
    logs = np.log(frame.close[-61:, column])
    return float(np.diff(logs).std(ddof=1))
