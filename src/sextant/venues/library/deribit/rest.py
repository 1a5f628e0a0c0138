"""What Deribit's REST interface says about the market, as model values and events."""

from __future__ import annotations

from typing import Final, NoReturn

import msgspec
import numpy as np
from msgspec import UNSET

from sextant.errors import InputError, Rejected, VenueError, WireError
from sextant.model.bar import BarBlock
from sextant.model.events import DerivativesUpdate, Event, FundingSettled, OpenInterestPoint
from sextant.model.instrument import Instrument
from sextant.model.times import HOUR_NS, INTERVAL_NS, MICROSECOND_NS, MILLISECOND_NS, Interval
from sextant.venues.library.deribit.facts import Facts, Stated, facts_events
from sextant.venues.library.deribit.wire import (
    ENVELOPE,
    NAME,
    Amount,
    AmountOrNone,
    Milliseconds,
    Price,
    Signed,
    SignedOrNone,
    decode,
    listed,
    refused,
)
from sextant.venues.port import Category, Listing, Request, SymbolTable

BARS_ROWS: Final = 1_000
FUNDING_ROWS: Final = 700  # hours; a month is answered at once

RESOLUTIONS: Final[dict[Interval, str]] = {"1m": "1", "5m": "5", "30m": "30", "1h": "60", "1d": "1D"}


class _Summary(msgspec.Struct):
    """One row of a book summary; sizes and greeks are not part of it."""

    instrument_name: str
    creation_timestamp: Milliseconds
    bid_price: AmountOrNone = UNSET
    ask_price: AmountOrNone = UNSET
    mark_price: AmountOrNone = UNSET
    mark_iv: AmountOrNone = UNSET
    last: AmountOrNone = UNSET
    underlying_price: AmountOrNone = UNSET
    estimated_delivery_price: AmountOrNone = UNSET
    open_interest: AmountOrNone = UNSET
    volume: AmountOrNone = UNSET
    volume_usd: AmountOrNone = UNSET
    price_change: SignedOrNone = UNSET
    current_funding: SignedOrNone = UNSET


class _Bars(msgspec.Struct):
    status: str
    ticks: list[Milliseconds] = []
    open: list[Price] = []
    high: list[Price] = []
    low: list[Price] = []
    close: list[Price] = []
    volume: list[Amount] = []
    cost: list[Amount] = []


class _Funding(msgspec.Struct):
    timestamp: Milliseconds
    interest_1h: Signed


_SUMMARIES: Final = msgspec.json.Decoder(list[_Summary])
_BARS: Final = msgspec.json.Decoder(_Bars)
_FUNDING: Final = msgspec.json.Decoder(list[_Funding])


def refusal(status: int, body: bytes) -> VenueError | None:  # noqa: ARG001  # errors come with any status
    """The error that an answer means at Deribit; None where it has its general meaning."""
    try:
        envelope = ENVELOPE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # a page of the venue's front, or the parser of the answer names what is wrong
    return None if envelope.error is UNSET else refused(envelope.error)


def opened(body: bytes, what: str) -> tuple[msgspec.Raw, int | None]:
    """The result of an answer that is no error, and when it was sent, microseconds.

    Raises
    ------
    VenueError
        The error its code stands for, or ``WireError`` when it is no answer.
    """
    envelope = decode(ENVELOPE, body, what)
    if envelope.error is not UNSET:
        raise refused(envelope.error)
    if envelope.result is UNSET:
        raise WireError(f"Deribit {what}: neither result nor error.", reason="shape", field="result")
    return envelope.result, None if envelope.usOut is UNSET else envelope.usOut


def quotes_request(category: Category) -> Request:
    """The question for the summary of everything settled in a currency."""
    return Request("/api/v2/public/get_book_summary_by_currency", (("currency", category.upper()),))


def parse_quotes(body: bytes, receive_ns: int, symbols: SymbolTable) -> list[Event]:
    """The latest facts of every listed instrument.

    Raises
    ------
    WireError
        If the answer lacks the documented shape.
    """
    result, _ = opened(body, "get_book_summary_by_currency")
    events: list[Event] = []
    for row in decode(_SUMMARIES, result, "get_book_summary_by_currency"):
        instrument = listed(symbols, row.instrument_name)
        listing = None if instrument is None else symbols.listing(instrument)
        if instrument is not None and listing is not None:
            stated = Stated(
                instrument, listing.spec.style, row.creation_timestamp * MILLISECOND_NS, receive_ns
            )
            events += facts_events(_facts(row), stated)
    return events


def _facts(row: _Summary) -> Facts:
    """The summary in the words of a socket's message."""
    return Facts(
        best_bid_price=row.bid_price,
        best_ask_price=row.ask_price,
        mark_price=row.mark_price,
        mark_iv=row.mark_iv,
        last_price=row.last,
        underlying_price=row.underlying_price,
        index_price=row.estimated_delivery_price,
        open_interest=row.open_interest,
        volume=row.volume,
        volume_usd=row.volume_usd,
        price_change=row.price_change,
        current_funding=row.current_funding,
    )


def bars_request(listing: Listing, interval: Interval, end_ns: int, rows: int) -> Request:
    """The question for the bars of the ``rows`` intervals that end with the one opened at or before ``end_ns``."""
    start_ns = end_ns - (min(rows, BARS_ROWS) - 1) * INTERVAL_NS[interval]
    start_ns -= start_ns % INTERVAL_NS[interval]
    return Request(
        "/api/v2/public/get_tradingview_chart_data",
        (
            ("instrument_name", listing.symbol),
            ("start_timestamp", str(max(start_ns, 0) // MILLISECOND_NS)),
            ("end_timestamp", str(end_ns // MILLISECOND_NS)),
            ("resolution", RESOLUTIONS[interval]),
        ),
    )


def parse_bars(body: bytes, receive_ns: int, instrument: Instrument, interval: Interval) -> BarBlock:
    """The final bars of one instrument, oldest first; a bar still forming is left out.

    Notes
    -----
    An interval without a trade is filled by the venue with the last close and a volume of 0. Volume is in base units
    and ``cost`` in quote units for both styles; who took is not said.

    Raises
    ------
    WireError
        If the columns disagree in length, a row is out of order, or states a price outside its own low and high.
    """
    result, answered_us = opened(body, "chart_data")
    answered_ns = receive_ns if answered_us is None else answered_us * MICROSECOND_NS
    bars = decode(_BARS, result, "chart_data")
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume, bars.cost)
    if any(len(column) != len(bars.ticks) for column in columns):
        raise WireError("Deribit chart_data: columns of different length.", reason="value", field="ticks")
    open_ns = np.array(bars.ticks, dtype=np.int64) * MILLISECOND_NS
    final = open_ns + INTERVAL_NS[interval] <= answered_ns
    first, high, low, close, volume, cost = (
        np.array(column, dtype=np.float64)[final].reshape(-1, 1) for column in columns
    )
    if ((low > np.minimum(first, close)) | (high < np.maximum(first, close))).any():
        raise WireError(
            "Deribit chart_data: a bar breaks low <= open, close <= high.", reason="value", field="low"
        )
    try:
        return BarBlock(
            interval=interval,
            instruments=(instrument,),
            open_ns=open_ns[final],
            open=first,
            high=high,
            low=low,
            close=close,
            volume=volume,
            quote_volume=cost,
            taker_buy_volume=np.full(close.shape, np.nan),
            event_ns=answered_ns,
            receive_ns=receive_ns,
        )
    except InputError as error:
        raise WireError(f"Deribit chart_data: {error.message}", reason="value", field="ticks") from error


def funding_request(listing: Listing, end_ns: int, rows: int) -> Request:
    """The question for the last ``rows`` hours of funding at or before ``end_ns``."""
    return Request(
        "/api/v2/public/get_funding_rate_history",
        (
            ("instrument_name", listing.symbol),
            ("start_timestamp", str(max(end_ns - rows * HOUR_NS, 0) // MILLISECOND_NS)),
            ("end_timestamp", str(end_ns // MILLISECOND_NS)),
        ),
    )


def parse_funding(body: bytes, receive_ns: int, instrument: Instrument) -> list[FundingSettled]:
    """The funding of each hour, oldest first; what accrued within the hour counts as charged at its end.

    Raises
    ------
    WireError
        If a row lacks the documented shape.
    """
    result, _ = opened(body, "funding_rate_history")
    rows = decode(_FUNDING, result, "funding_rate_history")
    return [
        FundingSettled(instrument, row.timestamp * MILLISECOND_NS, receive_ns, row.interest_1h)
        for row in sorted(rows, key=lambda row: row.timestamp)
    ]


def no_request(listing: Listing, end_ns: int, rows: int) -> NoReturn:  # noqa: ARG001  # the port's shape
    """Refuse to ask for a history that the venue does not keep.

    Raises
    ------
    Rejected
        Always.
    """
    raise Rejected("Deribit keeps no such history.", reason="unsupported", venue=NAME)


def no_open_interest(body: bytes, receive_ns: int, instrument: Instrument) -> list[OpenInterestPoint]:
    """Refuse to read a history that the venue does not keep.

    Raises
    ------
    Rejected
        Always.
    """
    return no_answer(body, receive_ns, instrument)


def no_account_ratio(body: bytes, receive_ns: int, instrument: Instrument) -> list[DerivativesUpdate]:
    """Refuse to read a ratio that the venue does not publish.

    Raises
    ------
    Rejected
        Always.
    """
    return no_answer(body, receive_ns, instrument)


def no_answer(body: bytes, receive_ns: int, instrument: Instrument) -> NoReturn:  # noqa: ARG001  # the port's shape
    """Refuse an answer to a question that is never asked.

    Raises
    ------
    Rejected
        Always.
    """
    raise Rejected("Deribit keeps no such history.", reason="unsupported", venue=NAME)
