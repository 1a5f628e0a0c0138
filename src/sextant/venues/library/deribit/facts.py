"""The latest facts of one instrument, as sockets and REST state them alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from sextant.model.events import DerivativesUpdate, Event, OptionUpdate, QuoteUpdate
from sextant.model.instrument import Instrument, Style
from sextant.model.times import HOUR_NS
from sextant.venues.library.deribit.wire import PERCENT, AmountOrNone, SignedOrNone, percent, positive

HOURS_OF_FUNDING: Final = 8
"""Hours that the stated funding rates are for."""


class Facts(msgspec.Struct, gc=False):
    """What a message may mention, in Deribit's words; an absent field is unchanged."""

    best_bid_price: AmountOrNone = UNSET
    best_bid_amount: AmountOrNone = UNSET
    best_ask_price: AmountOrNone = UNSET
    best_ask_amount: AmountOrNone = UNSET
    mark_price: AmountOrNone = UNSET
    bid_iv: AmountOrNone = UNSET
    ask_iv: AmountOrNone = UNSET
    mark_iv: AmountOrNone = UNSET
    underlying_price: AmountOrNone = UNSET
    index_price: AmountOrNone = UNSET
    last_price: AmountOrNone = UNSET
    open_interest: AmountOrNone = UNSET
    current_funding: SignedOrNone = UNSET
    volume: AmountOrNone = UNSET
    volume_usd: AmountOrNone = UNSET
    price_change: SignedOrNone = UNSET
    delta: SignedOrNone = UNSET
    gamma: SignedOrNone = UNSET
    vega: SignedOrNone = UNSET
    theta: SignedOrNone = UNSET


@dataclass(frozen=True, slots=True)
class Stated:
    """About what, and when, facts were stated."""

    instrument: Instrument
    style: Style
    event_ns: int
    receive_ns: int


def facts_events(facts: Facts, stated: Stated) -> list[Event]:
    """The events of a message: one for an option, a quote and derivatives facts for anything else.

    Notes
    -----
    A price, a size or a volatility of 0 says that there is none. Amounts and open interest of inverse perpetuals and
    futures are in quote units and become base units at the price they stand at.
    """
    if stated.instrument.kind == "option":
        return [_option(facts, stated)]
    inverse = stated.style == "inverse"
    bid, ask = positive(facts.best_bid_price), positive(facts.best_ask_price)
    mark = positive(facts.mark_price)
    quote = QuoteUpdate(
        stated.instrument,
        stated.event_ns,
        stated.receive_ns,
        bid,
        in_base(facts.best_bid_amount, bid, inverse=inverse),
        ask,
        in_base(facts.best_ask_amount, ask, inverse=inverse),
    )
    return [quote, _derivatives(facts, stated, in_base(facts.open_interest, mark, inverse=inverse))]


def in_base(
    amount: float | None | UnsetType, price: float | None | UnsetType, *, inverse: bool
) -> float | None | UnsetType:
    """An amount in base units; None where it is told in quote units and there is no price."""
    if not inverse or not isinstance(amount, float):
        return amount
    return amount / price if isinstance(price, float) else None


def _option(facts: Facts, stated: Stated) -> OptionUpdate:
    return OptionUpdate(
        stated.instrument,
        stated.event_ns,
        stated.receive_ns,
        bid=positive(facts.best_bid_price),
        bid_size=positive(facts.best_bid_amount),
        ask=positive(facts.best_ask_price),
        ask_size=positive(facts.best_ask_amount),
        mark=facts.mark_price,
        bid_iv=percent(facts.bid_iv),
        ask_iv=percent(facts.ask_iv),
        mark_iv=percent(facts.mark_iv),
        forward=positive(facts.underlying_price),
        index=positive(facts.index_price),
        last=positive(facts.last_price),
        open_interest=facts.open_interest,
        volume_24h=facts.volume,
        delta=facts.delta,
        gamma=facts.gamma,
        vega=facts.vega,
        theta=facts.theta,
    )


def _derivatives(facts: Facts, stated: Stated, open_interest: float | None | UnsetType) -> DerivativesUpdate:
    funded = isinstance(facts.current_funding, float)
    change = facts.price_change
    return DerivativesUpdate(
        stated.instrument,
        stated.event_ns,
        stated.receive_ns,
        last=positive(facts.last_price),
        volume_24h=facts.volume,
        turnover_24h=facts.volume_usd,
        change_24h_frac=change / PERCENT if isinstance(change, float) else change,
        mark=positive(facts.mark_price),
        index=positive(facts.index_price),
        funding_rate=facts.current_funding / HOURS_OF_FUNDING  # type: ignore[operator]  # a float where funded
        if funded
        else facts.current_funding,
        next_funding_ns=(stated.event_ns // HOUR_NS + 1) * HOUR_NS if funded else UNSET,
        open_interest=open_interest,
    )
