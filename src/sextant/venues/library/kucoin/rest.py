"""What KuCoin's public REST interface says, as model values and events."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec
import numpy as np

from sextant.errors import InputError, WireError
from sextant.model.bar import BarBlock
from sextant.model.events import BookSnapshot, DerivativesUpdate, Event, Listed, QuoteUpdate
from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.model.times import INTERVAL_NS, MILLISECOND_NS, SECOND_NS, Interval
from sextant.venues.bar_blocks import Past, bar_block, table_of
from sextant.venues.coded import Codes
from sextant.venues.library.kucoin.frames import INTERVAL_OF
from sextant.venues.library.kucoin.wire import CATEGORY, NAME, decode
from sextant.venues.port import Category, Listing, Listings, Request, SymbolTable
from sextant.venues.wire import Amount, Change, Count, Milliseconds, Price, Seconds, step

BARS_ROWS: Final = 1500
BOOK_LEVELS: Final = 100  # the whole book needs a key
RATE_S: Final = 5.0  # the quota of an address rolls over thirty seconds

BOOK: Final = "/api/v1/market/orderbook/level2_100"
BOOKS: Final = dict.fromkeys((BOOK, "/api/v3/market/orderbook/level2"), CATEGORY)
FORMER_LIST: Final = "/api/v1/symbols"

_TEXT_OF: Final[dict[Interval, str]] = {interval: text for text, interval in INTERVAL_OF.items()}
_WHERE: Final = "KuCoin symbols"


class _Symbol(msgspec.Struct):
    symbol: str
    baseCurrency: str  # noqa: N815  # KuCoin's own names, here and below
    quoteCurrency: str  # noqa: N815
    baseIncrement: str  # noqa: N815
    priceIncrement: str  # noqa: N815
    enableTrading: bool  # noqa: N815
    minFunds: str | None = None  # noqa: N815


class _Ticker(msgspec.Struct):
    symbol: str
    buy: Amount | None
    sell: Amount | None
    last: Amount | None
    vol: Amount | None
    volValue: Amount | None  # noqa: N815
    changeRate: Change | None = None  # noqa: N815
    bestBidSize: Amount | None = None  # noqa: N815
    bestAskSize: Amount | None = None  # noqa: N815


class _Tickers(msgspec.Struct):
    time: Milliseconds
    ticker: list[_Ticker]


class _Book(msgspec.Struct):
    time: Milliseconds
    sequence: Count
    bids: list[tuple[Price, Price]]
    asks: list[tuple[Price, Price]]


_Candle = tuple[Seconds, Price, Price, Price, Price, Amount, Amount]

_ROWS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_SYMBOL: Final = msgspec.json.Decoder(_Symbol)
_TICKERS: Final = msgspec.json.Decoder(_Tickers, strict=False)
_BOOK: Final = msgspec.json.Decoder(_Book, strict=False)
_CANDLES: Final = msgspec.json.Decoder(list[_Candle], strict=False)

_REASONS: Final = {
    "400001": "parameter",
    "400002": "clock",
    "400003": "auth",
    "400004": "auth",
    "400005": "auth",
    "400006": "address",
    "400007": "permission",
    "400100": "parameter",
    "900001": "unknown_symbol",
}
CODES: Final = Codes(
    venue=NAME,
    spoken="KuCoin",
    good="200000",
    rate=frozenset(("429000",)),
    rate_s=RATE_S,
    busy=lambda code: code.startswith("500") or code == "200004",
    reasons=_REASONS,
)


def instruments_request(_: Category, __: str | None) -> Request:
    """The question for all symbols; the venue has no pages."""
    return Request("/api/v2/symbols")


def parse_instruments(body: bytes, receive_ns: int) -> Listings:
    """All symbols.

    Raises
    ------
    WireError
        If a row lacks the documented shape. A well-formed row that the model cannot hold is left out with its
        reason.
    """
    listings: list[Listing] = []
    left_out: list[tuple[str, str]] = []
    for raw in CODES.answered(_ROWS, body, "symbols"):
        row = decode(_SYMBOL, raw, "symbols")
        try:
            listings.append(Listing(CATEGORY, row.symbol, _spec(row, receive_ns)))
        except InputError as error:
            left_out.append((row.symbol, error.message))
    return Listings(
        tuple(listings),
        tuple(Listed(listing.spec, receive_ns, receive_ns) for listing in listings),
        None,
        tuple(left_out),
    )


def _spec(row: _Symbol, as_of_ns: int) -> InstrumentSpec:
    return InstrumentSpec(
        instrument=Instrument(NAME, row.baseCurrency, row.quoteCurrency, "spot"),
        tick=step(row.priceIncrement, _WHERE, "priceIncrement"),
        lot=step(row.baseIncrement, _WHERE, "baseIncrement"),
        min_notional=step(row.minFunds, _WHERE, "minFunds") if row.minFunds else None,
        contract_size=Decimal(1),
        status="trading" if row.enableTrading else "halted",
        funding_interval_s=None,
        max_leverage=None,
        as_of_ns=as_of_ns,
    )


def quotes_request(_: Category) -> Request:
    """The question for the latest facts of all symbols."""
    return Request("/api/v1/market/allTickers")


def parse_quotes(body: bytes, receive_ns: int, symbols: SymbolTable) -> list[Event]:
    """The latest facts of every listed symbol.

    Raises
    ------
    WireError
        If the answer lacks the documented shape.
    """
    found = CODES.answered(_TICKERS, body, "allTickers")
    event_ns = found.time * MILLISECOND_NS
    known = symbols.instruments(CATEGORY)
    events: list[Event] = []
    for row in found.ticker:
        instrument = known.get(row.symbol)
        if instrument is None:
            continue
        bid, ask = row.buy or None, row.sell or None
        bid_size, ask_size = row.bestBidSize if bid else None, row.bestAskSize if ask else None
        events += (
            QuoteUpdate(instrument, event_ns, receive_ns, bid, bid_size, ask, ask_size),
            DerivativesUpdate(
                instrument,
                event_ns,
                receive_ns,
                last=row.last or None,
                volume_24h=row.vol,
                turnover_24h=row.volValue,
                change_24h_frac=row.changeRate,
            ),
        )
    return events


def book_request(listing: Listing) -> Request:
    """The question for the beginning of a book."""
    return Request(BOOK, (("symbol", listing.symbol),))


def parse_book(body: bytes, receive_ns: int, listing: Listing) -> BookSnapshot:
    """The beginning of a book, to which changes are added; at least as deep as what is asked for here.

    Raises
    ------
    WireError
        If the answer lacks the documented shape, or has no levels.
    """
    book = CODES.answered(_BOOK, body, "orderbook")
    if not book.bids and not book.asks:
        raise WireError("KuCoin orderbook: no levels.", reason="value", field="data.bids")
    levels = max(BOOK_LEVELS, len(book.bids), len(book.asks))
    event_ns = book.time * MILLISECOND_NS
    return BookSnapshot(
        listing.instrument, event_ns, receive_ns, book.sequence, levels, list(book.bids), list(book.asks)
    )


def bars_request(listing: Listing, interval: Interval, end_ns: int, rows: int) -> Request:
    """The question for the last ``rows`` bars opened at or before ``end_ns``; at most 1500."""
    start_ns = end_ns - (rows - 1) * INTERVAL_NS[interval]
    return Request(
        "/api/v1/market/candles",
        (
            ("symbol", listing.symbol),
            ("type", _TEXT_OF[interval]),
            ("startAt", str(start_ns // SECOND_NS)),
            ("endAt", str(end_ns // SECOND_NS + 1)),
        ),
    )


def parse_bars(body: bytes, receive_ns: int, instrument: Instrument, interval: Interval) -> BarBlock:
    """The final bars of one symbol, oldest first; minutes without trades are absent.

    Raises
    ------
    WireError
        If a row lacks the documented shape, is out of order, or states a price outside its own low and high.
    """
    rows = CODES.answered(_CANDLES, body, "candles")[::-1]
    table = table_of(rows, 7)
    # The venue's order is open, close, high, low.
    names = ("open", "close", "high", "low", "volume", "quote_volume")
    columns = {name: table[:, at] for at, name in enumerate(names, 1)}
    past = Past("KuCoin candles", instrument, interval, receive_ns, receive_ns)
    return bar_block(past, table[:, 0].astype(np.int64) * SECOND_NS, columns)
