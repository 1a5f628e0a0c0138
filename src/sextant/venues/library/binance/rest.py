"""What Binance's REST interfaces say about the market, as model values and events."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from sextant.errors import Rejected, Throttled, Unreachable, VenueError, WireError
from sextant.model.bar import BarBlock
from sextant.model.events import (
    BookSnapshot,
    DerivativesUpdate,
    Event,
    FundingSettled,
    OpenInterestPoint,
    QuoteUpdate,
)
from sextant.model.instrument import Instrument
from sextant.model.times import MILLISECOND_NS, Interval
from sextant.venues.bar_blocks import Past, bar_block, table_of
from sextant.venues.library.binance.wire import NAME, SPOT, USDM, decode
from sextant.venues.port import Category, Listing, Request, SymbolTable
from sextant.venues.wire import UNREADABLE, Amount, Count, Milliseconds, Percent, Price, Rate

BARS_ROWS: Final = 1000
FUNDING_ROWS: Final = 1000
POINTS_ROWS: Final = 500
BOOK_LEVELS: Final = 500  # weight 25 on spot, 10 on futures

WAF_S: Final = 600.0  # 403 is the firewall's: as for a ban of unstated length
FIVE_MINUTES: Final = "5m"

DEPTH: Final = {"/api/v3/depth": SPOT, "/fapi/v1/depth": USDM}

T = TypeVar("T")


class _Error(msgspec.Struct):
    code: int
    msg: str = ""


class _Day(msgspec.Struct):
    symbol: str
    lastPrice: Amount  # noqa: N815  # Binance's own names, here and below
    volume: Amount
    quoteVolume: Amount  # noqa: N815
    priceChangePercent: Percent  # noqa: N815
    closeTime: Milliseconds  # noqa: N815
    bidPrice: Amount | UnsetType = UNSET  # noqa: N815
    bidQty: Amount | UnsetType = UNSET  # noqa: N815
    askPrice: Amount | UnsetType = UNSET  # noqa: N815
    askQty: Amount | UnsetType = UNSET  # noqa: N815


class _Funding(msgspec.Struct):
    fundingTime: Milliseconds  # noqa: N815
    fundingRate: Rate  # noqa: N815


class _OpenInterest(msgspec.Struct):
    sumOpenInterest: Amount  # noqa: N815
    timestamp: Milliseconds


class _Ratio(msgspec.Struct):
    longAccount: Amount  # noqa: N815
    timestamp: Milliseconds


class _Depth(msgspec.Struct):
    lastUpdateId: Count  # noqa: N815
    bids: list[tuple[Price, Price]]
    asks: list[tuple[Price, Price]]
    T: Milliseconds | UnsetType = UNSET


_Bar = tuple[
    Milliseconds, Price, Price, Price, Price, Amount, Milliseconds, Amount, Count, Amount, Amount, msgspec.Raw
]

_ERROR: Final = msgspec.json.Decoder(_Error)
_DAYS: Final = msgspec.json.Decoder(list[_Day], strict=False)
_BARS: Final = msgspec.json.Decoder(list[_Bar], strict=False)
_FUNDING: Final = msgspec.json.Decoder(list[_Funding], strict=False)
_OPEN_INTEREST: Final = msgspec.json.Decoder(list[_OpenInterest], strict=False)
_RATIOS: Final = msgspec.json.Decoder(list[_Ratio], strict=False)
_DEPTH: Final = msgspec.json.Decoder(_Depth, strict=False)

_REASONS: Final = {
    -1021: "clock",
    -1022: "auth",
    -2014: "auth",
    -2015: "permission",
    -1121: "unknown_symbol",
    -1100: "parameter",
    -1102: "parameter",
    -1128: "parameter",
}
_BUSY: Final = (-1000, -1001, -1006, -1007, -1008, -1016)


def _refused(error: _Error) -> VenueError:
    """The error that a code stands for."""
    message = f"Binance answered {error.code}: {error.msg[:200]}"
    if error.code in _BUSY:
        return Unreachable(message, reason="busy", venue=NAME, ret_code=error.code)
    reason = _REASONS.get(error.code, "refused")
    return Rejected(message, reason=reason, venue=NAME, ret_code=error.code)


def refusal(status: int, body: bytes) -> VenueError | None:
    """The error that an answer means at Binance; None where it has its general meaning, as 418, 429 and 5xx have.

    Notes
    -----
    429 asks for silence and 418 is a ban; both state how long in a header, which the general meaning keeps.
    """
    if status == 403:
        return Throttled("Binance answered 403.", retry_after_s=WAF_S, reason="ban", venue=NAME)
    if status == 451:
        return Rejected("Binance answered 451: this address is not served.", reason="region", venue=NAME)
    if not 400 <= status < 500 or status in (418, 429):
        return None
    try:
        return _refused(_ERROR.decode(body))
    except UNREADABLE:
        return None


def answered(decoder: msgspec.json.Decoder[T], body: bytes, what: str) -> T:
    """The answer, if it is no error.

    Raises
    ------
    VenueError
        The error its code stands for, or ``WireError`` when it lacks the documented shape.
    """
    if body.startswith(b'{"code":'):
        try:
            error = _ERROR.decode(body)
        except UNREADABLE:
            pass
        else:
            raise _refused(error)
    return decode(decoder, body, what)


def quotes_request(category: Category) -> Request:
    """The question for the facts of the last day of all instruments of a category."""
    return Request("/api/v3/ticker/24hr" if category == SPOT else "/fapi/v1/ticker/24hr")


def parse_quotes(body: bytes, receive_ns: int, symbols: SymbolTable) -> list[Event]:
    """The latest facts of every listed instrument; only spot states best prices, by which the answer is told.

    Raises
    ------
    WireError
        If the answer lacks the documented shape.
    """
    rows = answered(_DAYS, body, "ticker/24hr")
    events: list[Event] = []
    for row in rows:
        known = symbols.instruments(USDM if row.bidPrice is UNSET else SPOT)
        if row.symbol in known:
            events += _day(row, known[row.symbol], receive_ns)
    return events


def _day(row: _Day, instrument: Instrument, receive_ns: int) -> list[Event]:
    event_ns = row.closeTime * MILLISECOND_NS
    events: list[Event] = [
        DerivativesUpdate(
            instrument,
            event_ns,
            receive_ns,
            last=row.lastPrice or None,
            volume_24h=row.volume,
            turnover_24h=row.quoteVolume,
            change_24h_frac=row.priceChangePercent / 100,
        )
    ]
    if row.bidPrice is not UNSET:
        bid, ask = row.bidPrice or None, row.askPrice or None
        bid_size, ask_size = None if bid is None else row.bidQty, None if ask is None else row.askQty
        events.append(QuoteUpdate(instrument, event_ns, receive_ns, bid, bid_size, ask, ask_size))
    return events


def book_request(listing: Listing) -> Request:
    """The question for the beginning of a book."""
    path = next(path for path, category in DEPTH.items() if category == listing.category)
    return Request(path, (("symbol", listing.symbol), ("limit", str(BOOK_LEVELS))))


def parse_book(body: bytes, receive_ns: int, listing: Listing) -> BookSnapshot:
    """The beginning of a book, to which changes are added; at least as deep as what is asked for here.

    Raises
    ------
    WireError
        If the answer lacks the documented shape, or has no levels.
    """
    book = answered(_DEPTH, body, "depth")
    if not book.bids and not book.asks:
        raise WireError("Binance depth: no levels.", reason="value", field="bids")
    event_ns = receive_ns if book.T is UNSET else book.T * MILLISECOND_NS
    levels = max(BOOK_LEVELS, len(book.bids), len(book.asks))
    return BookSnapshot(
        listing.instrument, event_ns, receive_ns, book.lastUpdateId, levels, list(book.bids), list(book.asks)
    )


def _past(path: str, listing: Listing, query: tuple[tuple[str, str], ...], end_ns: int, rows: int) -> Request:
    end = (("endTime", str(end_ns // MILLISECOND_NS)), ("limit", str(rows)))
    return Request(path, (("symbol", listing.symbol), *query, *end))


def bars_request(listing: Listing, interval: Interval, end_ns: int, rows: int) -> Request:
    """The question for the last ``rows`` bars opened at or before ``end_ns``; at most 1000."""
    path = "/api/v3/klines" if listing.category == SPOT else "/fapi/v1/klines"
    return _past(path, listing, (("interval", interval),), end_ns, rows)


def parse_bars(body: bytes, receive_ns: int, instrument: Instrument, interval: Interval) -> BarBlock:
    """The final bars of one instrument, oldest first; one that ends after the answer arrived is left out.

    Raises
    ------
    WireError
        If a row lacks the documented shape, is out of order, or states a price outside its own low and high.
    """
    rows = answered(_BARS, body, "klines")
    table = table_of([row[:11] for row in rows], 11)
    places = {
        "open": 1,
        "high": 2,
        "low": 3,
        "close": 4,
        "volume": 5,
        "quote_volume": 7,
        "taker_buy_volume": 9,
    }
    columns = {name: table[:, at] for name, at in places.items()}
    past = Past("Binance klines", instrument, interval, receive_ns, receive_ns)
    # Millisecond times are below 2**53, so float64 holds them exactly.
    return bar_block(past, table[:, 0].astype(np.int64) * MILLISECOND_NS, columns)


def funding_request(listing: Listing, end_ns: int, rows: int) -> Request:
    """The question for the last ``rows`` settlements at or before ``end_ns``; at most 1000."""
    return _past("/fapi/v1/fundingRate", listing, (), end_ns, rows)


def parse_funding(body: bytes, receive_ns: int, instrument: Instrument) -> list[FundingSettled]:
    """The funding settlements of one instrument, oldest first.

    Raises
    ------
    WireError
        If a row lacks the documented shape.
    """
    rows = answered(_FUNDING, body, "fundingRate")
    return [
        FundingSettled(instrument, row.fundingTime * MILLISECOND_NS, receive_ns, row.fundingRate)
        for row in sorted(rows, key=lambda row: row.fundingTime)
    ]


def open_interest_request(listing: Listing, end_ns: int, rows: int) -> Request:
    """The question for the last ``rows`` 5-minute points at or before ``end_ns``; at most 500."""
    return _past("/futures/data/openInterestHist", listing, (("period", FIVE_MINUTES),), end_ns, rows)


def parse_open_interest(body: bytes, receive_ns: int, instrument: Instrument) -> list[OpenInterestPoint]:
    """The 5-minute open interest of one instrument, base units, oldest first.

    Raises
    ------
    WireError
        If a row lacks the documented shape.
    """
    rows = answered(_OPEN_INTEREST, body, "openInterestHist")
    return [
        OpenInterestPoint(instrument, row.timestamp * MILLISECOND_NS, receive_ns, row.sumOpenInterest)
        for row in sorted(rows, key=lambda row: row.timestamp)
    ]


def account_ratio_request(listing: Listing, end_ns: int, rows: int) -> Request:
    """The question for the last ``rows`` 5-minute account ratios at or before ``end_ns``; at most 500."""
    path = "/futures/data/globalLongShortAccountRatio"
    return _past(path, listing, (("period", FIVE_MINUTES),), end_ns, rows)


def parse_account_ratio(body: bytes, receive_ns: int, instrument: Instrument) -> list[DerivativesUpdate]:
    """The shares of accounts net long, oldest first.

    Raises
    ------
    WireError
        If a row lacks the documented shape or a share is above 1.
    """
    rows = answered(_RATIOS, body, "globalLongShortAccountRatio")
    if any(row.longAccount > 1 for row in rows):
        raise WireError("Binance account ratio: a share is above 1.", reason="value", field="longAccount")
    return [
        DerivativesUpdate(instrument, row.timestamp * MILLISECOND_NS, receive_ns, long_share=row.longAccount)
        for row in sorted(rows, key=lambda row: row.timestamp)
    ]
