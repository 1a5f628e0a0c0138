"""What Deribit lists, as instruments and their rules."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal

import msgspec

from sextant.errors import InputError
from sextant.model.events import Listed
from sextant.model.instrument import Instrument, InstrumentSpec, Kind, Status, Style
from sextant.model.times import MICROSECOND_NS, MILLISECOND_NS
from sextant.venues.library.deribit.rest import opened
from sextant.venues.library.deribit.wire import CATEGORIES, NAME, category_of, decode
from sextant.venues.port import Category, Listing, Listings, Request

HOUR_S: Final = 3_600

_STATUS: Final[dict[str, Status]] = {
    "open": "trading",
    "locked": "halted",
    "halted": "halted",
    "inactive": "halted",
    "settlement": "halted",
    "closed": "delisted",
    "delivered": "delisted",
    "archivized": "delisted",
}
_LARGEST_STEP: Final = Decimal(10) ** 18


class _Row(msgspec.Struct):
    instrument_name: str
    kind: str
    base_currency: str
    quote_currency: str
    tick_size: Decimal
    min_trade_amount: Decimal
    contract_size: Decimal
    is_active: bool
    expiration_timestamp: int | None = None
    settlement_period: str = ""
    state: str | None = None
    counter_currency: str | None = None
    instrument_type: str | None = None
    future_type: str | None = None
    strike: Decimal | None = None
    option_type: Literal["call", "put"] | None = None
    max_leverage: Decimal | None = None


_ROWS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ROW: Final = msgspec.json.Decoder(_Row)


EVERY: Final[Category] = "any"
"""Stands for all currencies at once in a question for instruments."""


def instruments_request(category: Category, cursor: str | None) -> Request:  # noqa: ARG001  # one page holds all
    """The question for everything that is settled in a currency, or in any."""
    currency = category if category == EVERY else category.upper()
    return Request("/api/v2/public/get_instruments", (("currency", currency), ("expired", "false")))


def parse_instruments(body: bytes, receive_ns: int) -> Listings:
    """The instruments of an answer.

    Raises
    ------
    WireError
        If a row lacks the documented shape. A well-formed row that the model cannot hold, or of a kind or currency
        that is not read, is left out with its reason.
    """
    result, answered_us = opened(body, "get_instruments")
    event_ns = receive_ns if answered_us is None else answered_us * MICROSECOND_NS
    listings: list[Listing] = []
    left_out: list[tuple[str, str]] = []
    for raw in decode(_ROWS, result, "get_instruments"):
        row = decode(_ROW, raw, "get_instruments")
        try:
            listings.append(Listing(_category(row), row.instrument_name, _spec(row, event_ns)))
        except InputError as error:
            left_out.append((row.instrument_name, error.message))
    return Listings(
        tuple(listings),
        tuple(Listed(listing.spec, event_ns, receive_ns) for listing in listings),
        None,
        tuple(left_out),
    )


def _category(row: _Row) -> Category:
    category = category_of(row.instrument_name)
    if category not in CATEGORIES:
        raise InputError(f"Settlement in {category.upper()} is not read.", field="settlement_currency")
    return category


def _spec(row: _Row, as_of_ns: int) -> InstrumentSpec:
    kind = _kind(row)
    style: Style = "inverse" if _is_inverse(row) else "linear"
    # Rows of 2021 do not name the counter currency; every inverse contract of then was against the dollar.
    quote = (row.counter_currency or "USD") if style == "inverse" else row.quote_currency
    expiry_ns = None
    if kind != "perpetual":
        if row.expiration_timestamp is None:
            raise InputError("The expiry is missing.", field="expiration_timestamp")
        expiry_ns = row.expiration_timestamp * MILLISECOND_NS
        if not 0 < expiry_ns < 2**63:
            raise InputError(
                f"The expiry {row.expiration_timestamp} is no time.", field="expiration_timestamp"
            )
    option = kind == "option"
    strike = _step(row.strike, "strike") if option and row.strike is not None else None
    instrument = Instrument(
        NAME, row.base_currency, quote, kind, expiry_ns, strike, row.option_type if option else None
    )
    return InstrumentSpec(
        instrument=instrument,
        tick=_step(row.tick_size, "tick_size"),
        lot=_step(row.min_trade_amount, "min_trade_amount"),
        min_notional=None,
        contract_size=_step(row.contract_size, "contract_size"),
        status=_status(row),
        funding_interval_s=HOUR_S if kind == "perpetual" else None,
        max_leverage=None if row.max_leverage is None else _step(row.max_leverage, "max_leverage"),
        as_of_ns=as_of_ns,
        style=style,
    )


def _kind(row: _Row) -> Kind:
    if row.kind == "option":
        return "option"
    if row.kind == "future":
        return "perpetual" if row.settlement_period == "perpetual" else "future"
    raise InputError(f"Kind '{row.kind}' is not read.", field="kind")


def _is_inverse(row: _Row) -> bool:
    """Settled in the base asset: stated today, told by the quote currency in rows of 2021."""
    stated = row.instrument_type or row.future_type
    if stated is not None:
        return stated == "reversed"
    return row.quote_currency == (row.base_currency if row.kind == "option" else "USD")


def _status(row: _Row) -> Status:
    if row.state is None:
        return "trading" if row.is_active else "delisted"
    if row.state not in _STATUS:
        raise InputError(f"State '{row.state}' is not known.", field="state")
    return _STATUS[row.state]


def _step(value: Decimal, field: str) -> Decimal:
    """A number above 0 as plain digits: ``1E-4`` and ``0.0001`` are one rule."""
    if not (value.is_finite() and 0 < value < _LARGEST_STEP):
        raise InputError(f"The {field} is {value}; it must be above 0 and below 1e18.", field=field)
    return Decimal(f"{value.normalize():f}")
