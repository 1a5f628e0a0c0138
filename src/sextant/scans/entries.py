"""What the market held when an instrument became long or short: the change and the plan made of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np

from sextant.confluence.absence import last_of
from sextant.confluence.changes import Change
from sextant.confluence.levels import LEVELS
from sextant.confluence.scorer import Evaluation
from sextant.model.account import Account
from sextant.model.times import SECOND_NS
from sextant.model.view import View
from sextant.strategies.fees import fee_tier
from sextant.strategies.plan import DEPTH_BPS, Funding, Market, Plan, Refusal, Side, plan
from sextant.strategies.sizing import ILLUSTRATIVE_USD

QUOTE_S: Final = 30.0
BOOK_S: Final = 5.0
_DIGITS: Final = 12
"""Significant digits of a price that was a binary number."""


@dataclass(frozen=True)
class Entry:
    """A change of state and, into long or short, the plan or why there is none.

    Parameters
    ----------
    illustrative
        Whether the plan is for an equity of 1,000 because no account is behind it.
    """

    change: Change
    plan: Plan | Refusal | None
    illustrative: bool = True


def entry_of(view: View, found: Evaluation, change: Change) -> Entry:
    """The entry of a change.

    Parameters
    ----------
    view, found
        The market and what was said of it.
    change
        One of its changes.
    """
    if change.after not in ("long", "short"):
        return Entry(change, None)
    column = view.column_of[change.instrument]
    side: Side = "long" if change.after == "long" else "short"
    return Entry(change, plan(market_of(view, found, column, side)))


def market_of(view: View, found: Evaluation, column: int, side: Side) -> Market:
    """The inputs of a plan for one instrument; what is not known stays unknown and will be refused."""
    spec = view.instruments[column]
    quotes = view.quotes
    bid, ask = decimal(quotes.bid[column]), decimal(quotes.ask[column])
    # A spot instrument has no margin price: what it costs is its mid.
    spot_mid = None if bid is None or ask is None else (bid + ask) / 2
    mark = spot_mid if spec.instrument.kind == "spot" else decimal(view.derivatives.mark[column])
    tier = fee_tier(Account(), spec.instrument)
    weather = found.now.rows.weather
    return Market(
        side=side,
        bid=bid,
        ask=ask,
        mark=mark,
        atr=_level(found, "atr", column),
        price_step=spec.tick,
        lot=spec.lot,
        minimum_notional=spec.min_notional or Decimal(0),
        rate=None if tier is None else Decimal(str(tier.taker_bps)) / 10_000,
        equity=Decimal(int(ILLUSTRATIVE_USD)),
        depth=decimal(depth_of(view, column, side)),
        hv=decimal(weather["hv"][0, column]),
        ll=decimal(weather["ll"][0, column]),
        support=_level(found, "support", column),
        resistance=_level(found, "resistance", column),
        funding=_funding(view, column),
        stale=_stale(view, column),
    )


def depth_of(view: View, column: int, side: Side) -> float:
    """Quote units within 50 bps of the mid on the side that an exit takes from; NaN where the book is invalid."""
    books = view.books
    if not books.valid[column]:
        return float("nan")
    price, size = (
        (books.bid_price[column], books.bid_size[column])
        if side == "long"
        else (books.ask_price[column], books.ask_size[column])
    )
    mid = (books.bid_price[column, 0] + books.ask_price[column, 0]) / 2.0
    inside = np.abs(price / mid - 1.0) <= float(DEPTH_BPS) * 1e-4
    return float(np.sum(np.where(inside, price * size, 0.0)))


def decimal(value: float) -> Decimal | None:
    """The number with twelve significant digits; None where it is unknown."""
    return Decimal(f"{float(value):.{_DIGITS}g}") if np.isfinite(value) else None


def _level(found: Evaluation, name: str, column: int) -> Decimal | None:
    value = last_of(found, "30m", LEVELS["30m"][name], column)
    return None if value is None else decimal(value)


def _funding(view: View, column: int) -> Funding | None:
    facts = view.derivatives
    if view.instruments[column].instrument.kind != "perpetual":
        return None
    rate, interval = decimal(facts.funding_rate[column]), decimal(facts.funding_interval_s[column])
    next_ns = int(facts.next_funding_ns[column])
    if rate is None or interval is None or not next_ns:
        return None
    wait_s = max(0, next_ns - view.as_of_ns) // SECOND_NS
    return Funding(rate, interval, Decimal(wait_s))


def _stale(view: View, column: int) -> tuple[str, ...]:
    """Inputs that are too old; a perpetual whose funding is unknown is among them."""
    now_ns, late = view.as_of_ns, []
    if now_ns - int(view.quotes.event_ns[column]) > QUOTE_S * SECOND_NS:
        late.append("quote")
    if now_ns - int(view.books.event_ns[column]) > BOOK_S * SECOND_NS:
        late.append("book")
    if view.instruments[column].instrument.kind == "perpetual" and _funding(view, column) is None:
        late.append("funding")
    return tuple(late)
