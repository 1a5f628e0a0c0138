"""What OKX's public REST interface says, as model values and events."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec
import numpy as np

from sextant.errors import InputError, WireError
from sextant.model.bar import BarBlock
from sextant.model.events import (
    BookSnapshot,
    DerivativesUpdate,
    Event,
    FundingSettled,
    Listed,
    OpenInterestPoint,
)
from sextant.model.instrument import Instrument, InstrumentSpec, Kind, Status, Style
from sextant.model.times import MILLISECOND_NS, Interval
from sextant.venues.bar_blocks import Past, bar_block, table_of
from sextant.venues.coded import Codes
from sextant.venues.library.okx.frames import (
    BOOK_LEVELS,
    INTERVAL_OF,
    BarRow,
    Of,
    Rung,
    TickerRow,
    of_listing,
    scaled,
    ticker_events,
)
from sextant.venues.library.okx.wire import CATEGORY, NAME, decode
from sextant.venues.port import Category, Listing, Listings, Request, SymbolTable
from sextant.venues.wire import Amount, Count, Milliseconds, Nothing, Rate, step

ROWS: Final = 100
RATE_S: Final = 2.0  # the venue's limits roll over two seconds
BOOK: Final = "/api/v5/market/books"

KINDS: Final[dict[str, Kind]] = {"SPOT": "spot", "SWAP": "perpetual", "FUTURES": "future"}
"""Types of instruments in the order in which they are asked for, as pages of one list."""

_STATUS: Final[dict[str, Status]] = {
    "live": "trading",
    "suspend": "halted",
    "preopen": "halted",
    "test": "halted",
    "post_only": "halted",
    "expired": "delisted",
    "rebase": "halted",
}
_TEXT_OF: Final[dict[Interval, str]] = {interval: text for text, interval in INTERVAL_OF.items()}
_WHERE: Final = "OKX instruments"


class _Instrument(msgspec.Struct):
    instId: str  # noqa: N815  # OKX's own names, here and below
    instType: str  # noqa: N815
    tickSz: str  # noqa: N815
    lotSz: str  # noqa: N815
    state: str
    baseCcy: str = ""  # noqa: N815
    quoteCcy: str = ""  # noqa: N815
    settleCcy: str = ""  # noqa: N815
    ctType: str = ""  # noqa: N815
    ctVal: str = ""  # noqa: N815
    ctMult: str = ""  # noqa: N815
    ctValCcy: str = ""  # noqa: N815
    expTime: Milliseconds | Nothing = ""  # noqa: N815
    lever: str = ""


class _Book(msgspec.Struct):
    asks: list[Rung]
    bids: list[Rung]
    ts: Milliseconds
    seqId: Count  # noqa: N815


class _Funding(msgspec.Struct):
    fundingTime: Milliseconds  # noqa: N815
    fundingRate: Rate  # noqa: N815
    realizedRate: Rate | Nothing = ""  # noqa: N815


_ROWS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_INSTRUMENT: Final = msgspec.json.Decoder(_Instrument, strict=False)
_TICKERS: Final = msgspec.json.Decoder(list[TickerRow], strict=False)
_BOOKS: Final = msgspec.json.Decoder(list[_Book], strict=False)
_BARS: Final = msgspec.json.Decoder(list[BarRow], strict=False)
_FUNDING: Final = msgspec.json.Decoder(list[_Funding], strict=False)
_INTEREST: Final = msgspec.json.Decoder(list[tuple[Milliseconds, Amount, Amount, Amount]], strict=False)
_RATIOS: Final = msgspec.json.Decoder(list[tuple[Milliseconds, Amount]], strict=False)

_REASONS: Final = {
    "51001": "unknown_symbol",
    "51000": "parameter",
    "50014": "parameter",
    "50015": "parameter",
    "50102": "clock",
    "50103": "auth",
    "50105": "auth",
    "50111": "auth",
    "50113": "auth",
    "50110": "address",
    "50120": "permission",
}
CODES: Final = Codes(
    venue=NAME,
    spoken="OKX",
    good="0",
    rate=frozenset(("50011", "50061")),
    rate_s=RATE_S,
    busy=frozenset(("50001", "50004", "50013", "50026")).__contains__,
    reasons=_REASONS,
)


def instruments_request(_: Category, cursor: str | None) -> Request:
    """The question for the instruments of one type: each type is a page."""
    return Request("/api/v5/public/instruments", (("instType", cursor or next(iter(KINDS))),))


def parse_instruments(body: bytes, receive_ns: int) -> Listings:
    """The instruments of one type, and which type to ask for next.

    Raises
    ------
    WireError
        If a row lacks the documented shape. A well-formed row that the model cannot hold is left out with its
        reason.
    """
    listings: list[Listing] = []
    left_out: list[tuple[str, str]] = []
    names: dict[Instrument, str] = {}
    kind = ""
    for raw in CODES.answered(_ROWS, body, "instruments"):
        row = decode(_INSTRUMENT, raw, "instruments")
        kind = row.instType
        try:
            spec = _spec(row, receive_ns)
        except InputError as error:
            left_out.append((row.instId, error.message))
            continue
        if spec.instrument in names:
            left_out.append((row.instId, f"It has the assets and the kind of {names[spec.instrument]}."))
            continue
        names[spec.instrument] = row.instId
        listings.append(Listing(CATEGORY, row.instId, spec))
    after = list(KINDS)[list(KINDS).index(kind) + 1 :] if kind in KINDS else []
    return Listings(
        tuple(listings),
        tuple(Listed(listing.spec, receive_ns, receive_ns) for listing in listings),
        after[0] if after else None,
        tuple(left_out),
    )


def _spec(row: _Instrument, as_of_ns: int) -> InstrumentSpec:
    kind = KINDS.get(row.instType)
    if kind is None:
        raise InputError(f"Type '{row.instType}' is not read.", field="instType")
    if row.state not in _STATUS:
        raise InputError(f"State '{row.state}' is not known.", field="state")
    base, quote, unit = row.baseCcy, row.quoteCcy, Decimal(1)
    style: Style = "linear"
    if kind != "spot":
        if row.ctType not in ("linear", "inverse"):
            raise InputError(f"Type of contract '{row.ctType}' is not known.", field="ctType")
        style = "linear" if row.ctType == "linear" else "inverse"
        # A linear contract is worth base units and settled in the quote; of an inverse one it is the other way.
        linear, inverse = (row.ctValCcy, row.settleCcy), (row.settleCcy, row.ctValCcy)
        base, quote = linear if style == "linear" else inverse
        unit = step(row.ctVal, _WHERE, "ctVal") * step(row.ctMult or "1", _WHERE, "ctMult")
    expiry_ns = row.expTime * MILLISECOND_NS if kind == "future" and isinstance(row.expTime, int) else None
    return InstrumentSpec(
        instrument=Instrument(NAME, base, quote, kind, expiry_ns),
        tick=step(row.tickSz, _WHERE, "tickSz"),
        lot=step(row.lotSz, _WHERE, "lotSz") * unit,
        min_notional=None,
        contract_size=unit,
        status=_STATUS[row.state],
        funding_interval_s=None,
        max_leverage=step(row.lever, _WHERE, "lever") if row.lever and kind != "spot" else None,
        as_of_ns=as_of_ns,
        style=style,
    )


def quotes_request(_: Category) -> Request:
    """The question for the latest facts of all perpetuals; those of other types come by the sockets."""
    return Request("/api/v5/market/tickers", (("instType", "SWAP"),))


def parse_quotes(body: bytes, receive_ns: int, symbols: SymbolTable) -> list[Event]:
    """The latest facts of every listed instrument.

    Raises
    ------
    WireError
        If the answer lacks the documented shape.
    """
    known = symbols.instruments(CATEGORY)
    return [
        event
        for row in CODES.answered(_TICKERS, body, "tickers")
        if row.instId in known
        for event in ticker_events(row, of_listing(symbols, known[row.instId]), receive_ns)
    ]


def book_request(listing: Listing) -> Request:
    """The question for the beginning of a book."""
    return Request(BOOK, (("instId", listing.symbol), ("sz", str(BOOK_LEVELS))))


def parse_book(body: bytes, receive_ns: int, listing: Listing) -> BookSnapshot:
    """The beginning of a book, to which the changes after its number are added.

    Raises
    ------
    WireError
        If the answer lacks the documented shape, its number, or levels.
    """
    books = CODES.answered(_BOOKS, body, "books")
    if len(books) != 1:
        raise WireError(f"OKX books: {len(books)} books, not one.", reason="value", field="data")
    (book,) = books
    of = Of(
        listing.instrument,
        float(listing.spec.contract_size),
        in_quote=listing.spec.style == "inverse",
        interval=None,
    )
    bids, asks = scaled(book.bids, of), scaled(book.asks, of)
    if not bids and not asks:
        raise WireError("OKX books: no levels.", reason="value", field="data.bids")
    if any(size <= 0.0 for _, size in (*bids, *asks)):
        raise WireError("OKX books: a size of 0 in a whole book.", reason="value", field="data.bids")
    event_ns = book.ts * MILLISECOND_NS
    return BookSnapshot(listing.instrument, event_ns, receive_ns, book.seqId, BOOK_LEVELS, bids, asks)


def _past(path: str, listing: Listing, query: tuple[tuple[str, str], ...], rows: int) -> Request:
    return Request(path, (("instId", listing.symbol), *query, ("limit", str(rows))))


def bars_request(listing: Listing, interval: Interval, end_ns: int, rows: int) -> Request:
    """The question for the last ``rows`` bars opened at or before ``end_ns``; at most 100."""
    after = str(end_ns // MILLISECOND_NS + 1)  # the venue takes what is earlier than this
    query = (("bar", _TEXT_OF[interval]), ("after", after))
    return _past("/api/v5/market/history-candles", listing, query, rows)


def parse_bars(body: bytes, receive_ns: int, instrument: Instrument, interval: Interval) -> BarBlock:
    """The final bars of one instrument, oldest first.

    Notes
    -----
    Spot states base units first and quote units last; derivatives state contracts, base and quote units.

    Raises
    ------
    WireError
        If a row lacks the documented shape, is out of order, or states a price outside its own low and high.
    """
    rows = CODES.answered(_BARS, body, "history-candles")
    table = table_of([row[:8] for row in rows[::-1] if row[8] == "1"], 8)
    names = ("open", "high", "low", "close")
    columns = {name: table[:, at] for at, name in enumerate(names, 1)}
    columns["volume"] = table[:, 5 if instrument.kind == "spot" else 6]
    columns["quote_volume"] = table[:, 7]
    past = Past("OKX history-candles", instrument, interval, receive_ns, receive_ns)
    # Millisecond times are below 2**53, so float64 holds them exactly.
    return bar_block(past, table[:, 0].astype(np.int64) * MILLISECOND_NS, columns)


def funding_request(listing: Listing, end_ns: int, rows: int) -> Request:
    """The question for the last ``rows`` settlements at or before ``end_ns``; at most 100."""
    query = (("after", str(end_ns // MILLISECOND_NS + 1)),)
    return _past("/api/v5/public/funding-rate-history", listing, query, rows)


def parse_funding(body: bytes, receive_ns: int, instrument: Instrument) -> list[FundingSettled]:
    """The funding settlements of one instrument at the rate that was charged, oldest first.

    Raises
    ------
    WireError
        If a row lacks the documented shape.
    """
    rows = CODES.answered(_FUNDING, body, "funding-rate-history")
    return [
        FundingSettled(
            instrument,
            row.fundingTime * MILLISECOND_NS,
            receive_ns,
            row.realizedRate if isinstance(row.realizedRate, float) else row.fundingRate,
        )
        for row in sorted(rows, key=lambda row: row.fundingTime)
    ]


def open_interest_request(listing: Listing, end_ns: int, rows: int) -> Request:
    """The question for the last ``rows`` 5-minute points at or before ``end_ns``; at most 100."""
    query = (("period", "5m"), ("end", str(end_ns // MILLISECOND_NS)))
    return _past("/api/v5/rubik/stat/contracts/open-interest-history", listing, query, rows)


def parse_open_interest(body: bytes, receive_ns: int, instrument: Instrument) -> list[OpenInterestPoint]:
    """The 5-minute open interest of one instrument, base units, oldest first.

    Raises
    ------
    WireError
        If a row lacks the documented shape.
    """
    rows = CODES.answered(_INTEREST, body, "open-interest-history")
    return [
        OpenInterestPoint(instrument, at * MILLISECOND_NS, receive_ns, base)
        for at, _, base, _ in sorted(rows)
    ]


def account_ratio_request(listing: Listing, end_ns: int, rows: int) -> Request:
    """The question for the last ``rows`` 5-minute account ratios at or before ``end_ns``; at most 100."""
    query = (("period", "5m"), ("end", str(end_ns // MILLISECOND_NS)))
    return _past("/api/v5/rubik/stat/contracts/long-short-account-ratio-contract", listing, query, rows)


def parse_account_ratio(body: bytes, receive_ns: int, instrument: Instrument) -> list[DerivativesUpdate]:
    """The shares of accounts net long, oldest first: the venue states how many are long for each that is short.

    Raises
    ------
    WireError
        If a row lacks the documented shape.
    """
    rows = CODES.answered(_RATIOS, body, "long-short-account-ratio-contract")
    return [
        DerivativesUpdate(instrument, at * MILLISECOND_NS, receive_ns, long_share=ratio / (1 + ratio))
        for at, ratio in sorted(rows)
    ]
