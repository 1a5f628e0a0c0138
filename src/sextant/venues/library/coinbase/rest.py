"""What Coinbase's public REST interface says, as model values and events."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec
import numpy as np

from sextant.errors import InputError, Rejected, Throttled, VenueError
from sextant.model.bar import BarBlock
from sextant.model.events import DerivativesUpdate, Event, Listed
from sextant.model.instrument import Instrument, InstrumentSpec, Status
from sextant.model.times import INTERVAL_NS, SECOND_NS, Interval
from sextant.venues.bar_blocks import Past, bar_block, table_of
from sextant.venues.library.coinbase.wire import CATEGORY, NAME, decode
from sextant.venues.port import Category, Listing, Listings, Request, SymbolTable
from sextant.venues.wire import UNREADABLE, Amount, Nothing, Percent, Price, Seconds, step

BARS_ROWS: Final = 350
PRODUCTS: Final = "/api/v3/brokerage/market/products"

GRANULARITY: Final[dict[Interval, str]] = {
    "1m": "ONE_MINUTE",
    "5m": "FIVE_MINUTE",
    "30m": "THIRTY_MINUTE",
    "1h": "ONE_HOUR",
    "1d": "ONE_DAY",
}
_STATUS: Final[dict[str, Status]] = {"online": "trading", "offline": "halted", "delisted": "delisted"}
_WHERE: Final = "Coinbase products"


class _Page(msgspec.Struct):
    has_next: bool = False
    next_cursor: str = ""


class _Products(msgspec.Struct):
    products: list[msgspec.Raw]
    pagination: _Page = msgspec.field(default_factory=_Page)


class _Product(msgspec.Struct):
    product_id: str
    base_currency_id: str
    quote_currency_id: str
    base_increment: str
    price_increment: str
    quote_min_size: str
    product_type: str
    status: str
    trading_disabled: bool
    is_disabled: bool = False
    cancel_only: bool = False
    alias: str = ""


class _Facts(msgspec.Struct):
    product_id: str
    price: Amount | Nothing
    price_percentage_change_24h: Percent | Nothing
    volume_24h: Amount | Nothing
    approximate_quote_24h_volume: Amount | Nothing = ""


class _Candle(msgspec.Struct):
    start: Seconds
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Amount


class _Candles(msgspec.Struct):
    candles: list[_Candle]


class _Error(msgspec.Struct):
    error: str
    message: str = ""
    error_details: str = ""


_PRODUCTS: Final = msgspec.json.Decoder(_Products)
_PRODUCT: Final = msgspec.json.Decoder(_Product)
_FACTS: Final = msgspec.json.Decoder(_Facts, strict=False)
_CANDLES: Final = msgspec.json.Decoder(_Candles, strict=False)
_ERROR: Final = msgspec.json.Decoder(_Error)

_REASONS: Final = {
    "NOT_FOUND": "unknown_symbol",
    "INVALID_ARGUMENT": "parameter",
    "PERMISSION_DENIED": "permission",
    "UNAUTHENTICATED": "auth",
}

SHUT_OUT_S: Final = 600.0
"""Silence kept when the front shuts the address out; no page states how long it does, and trying again may prolong it."""


def refusal(status: int, body: bytes) -> VenueError | None:
    """The error that an answer means at Coinbase; None where it has its general meaning."""
    if not 400 <= status < 500 or status == 429:
        return None
    try:
        error = _ERROR.decode(body)
    except UNREADABLE:
        if status == 403:
            words = "Coinbase answered 403: its front shuts this address out."
            return Throttled(words, retry_after_s=SHUT_OUT_S, reason="ban", venue=NAME)
        return None
    words = error.message or error.error_details
    message = f"Coinbase answered {error.error[:100]}: {words[:200]}"
    return Rejected(message, reason=_REASONS.get(error.error, "refused"), venue=NAME)


def instruments_request(_: Category, cursor: str | None) -> Request:
    """The question for one page of products of the spot market."""
    query = [("product_type", "SPOT")]
    if cursor is not None:
        query.append(("cursor", cursor))
    return Request(PRODUCTS, tuple(query))


def parse_instruments(body: bytes, receive_ns: int) -> Listings:
    """One page of products; a second name of a market that is listed under its first is left out.

    Raises
    ------
    WireError
        If a row lacks the documented shape. A well-formed row that the model cannot hold is left out with its
        reason.
    """
    page = decode(_PRODUCTS, body, "products")
    listings: list[Listing] = []
    left_out: list[tuple[str, str]] = []
    for raw in page.products:
        row = decode(_PRODUCT, raw, "products")
        try:
            listings.append(Listing(CATEGORY, row.product_id, _spec(row, receive_ns)))
        except InputError as error:
            left_out.append((row.product_id, error.message))
    return Listings(
        tuple(listings),
        tuple(Listed(listing.spec, receive_ns, receive_ns) for listing in listings),
        page.pagination.next_cursor if page.pagination.has_next and page.pagination.next_cursor else None,
        tuple(left_out),
    )


def _spec(row: _Product, as_of_ns: int) -> InstrumentSpec:
    if row.product_type != "SPOT":
        raise InputError(f"Product type '{row.product_type}' is not read.", field="product_type")
    if row.alias:
        raise InputError(f"It is a second name of {row.alias}.", field="alias")
    if row.status not in _STATUS:
        raise InputError(f"Status '{row.status}' is not known.", field="status")
    status = _STATUS[row.status]
    if status == "trading" and (row.trading_disabled or row.is_disabled or row.cancel_only):
        status = "halted"
    return InstrumentSpec(
        instrument=Instrument(NAME, row.base_currency_id, row.quote_currency_id, "spot"),
        tick=step(row.price_increment, _WHERE, "price_increment"),
        lot=step(row.base_increment, _WHERE, "base_increment"),
        min_notional=step(row.quote_min_size, _WHERE, "quote_min_size"),
        contract_size=Decimal(1),
        status=status,
        funding_interval_s=None,
        max_leverage=None,
        as_of_ns=as_of_ns,
    )


def quotes_request(category: Category) -> Request:
    """The question for the latest facts of all products: the list of products states them, too."""
    return instruments_request(category, None)


def parse_quotes(body: bytes, receive_ns: int, symbols: SymbolTable) -> list[Event]:
    """The latest facts of every listed product.

    Raises
    ------
    WireError
        If the answer lacks the documented shape.
    """
    known = symbols.instruments(CATEGORY)
    events: list[Event] = []
    for raw in decode(_PRODUCTS, body, "products").products:
        row = decode(_FACTS, raw, "products")
        if row.product_id not in known:
            continue
        change = row.price_percentage_change_24h
        events.append(
            DerivativesUpdate(
                known[row.product_id],
                receive_ns,
                receive_ns,
                last=row.price or None,
                volume_24h=None if row.volume_24h == "" else row.volume_24h,
                turnover_24h=row.approximate_quote_24h_volume or None,
                change_24h_frac=None if change == "" else change / 100,
            )
        )
    return events


def bars_request(listing: Listing, interval: Interval, end_ns: int, rows: int) -> Request:
    """The question for the last ``rows`` bars opened at or before ``end_ns``; at most 350."""
    start_ns = end_ns - rows * INTERVAL_NS[interval]
    return Request(
        f"{PRODUCTS}/{listing.symbol}/candles",
        (
            ("start", str(start_ns // SECOND_NS)),
            ("end", str(end_ns // SECOND_NS)),
            ("granularity", GRANULARITY[interval]),
            ("limit", str(rows)),
        ),
    )


def parse_bars(body: bytes, receive_ns: int, instrument: Instrument, interval: Interval) -> BarBlock:
    """The final bars of one product, oldest first; the venue states no turnover and not who took.

    Raises
    ------
    WireError
        If a row lacks the documented shape, is out of order, or states a price outside its own low and high.
    """
    rows = sorted(decode(_CANDLES, body, "candles").candles, key=lambda row: row.start)
    names = ("start", "open", "high", "low", "close", "volume")
    table = table_of([[getattr(row, name) for name in names] for row in rows], len(names))
    columns = {name: table[:, at] for at, name in enumerate(names) if name != "start"}
    past = Past("Coinbase candles", instrument, interval, receive_ns, receive_ns)
    return bar_block(past, table[:, 0].astype(np.int64) * SECOND_NS, columns)
