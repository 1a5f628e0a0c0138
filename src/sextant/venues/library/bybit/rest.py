"""What Bybit's REST interface says about the market, as model values and events."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec
import numpy as np

from sextant.errors import Rejected, Throttled, Unreachable, VenueError, WireError
from sextant.model.bar import BarBlock
from sextant.model.events import DerivativesUpdate, Event, FundingSettled, OpenInterestPoint
from sextant.model.instrument import Instrument
from sextant.model.times import MILLISECOND_NS, Interval
from sextant.venues.bar_blocks import Past, bar_block, table_of
from sextant.venues.library.bybit.frames import INTERVAL_OF, InverseFacts, facts_events, inverse_events
from sextant.venues.library.bybit.inverse import CATEGORY as INVERSE
from sextant.venues.library.bybit.inverse import block_in_base
from sextant.venues.library.bybit.wire import NAME, decode
from sextant.venues.port import Category, Listing, Request, SymbolTable
from sextant.venues.wire import UNREADABLE, Amount, Milliseconds, Nothing, Price, Rate

BARS_ROWS: Final = 1000
FUNDING_ROWS: Final = 200
OPEN_INTEREST_ROWS: Final = 200
ACCOUNT_RATIO_ROWS: Final = 500

BAN_S: Final = 600.0  # "access too frequent": the venue asks for at least ten minutes of silence
RATE_S: Final = 1.0  # the venue's rate limits roll over one second

_TEXT_OF: Final[dict[Interval, str]] = {interval: text for text, interval in INTERVAL_OF.items()}
T = TypeVar("T")


class Envelope(msgspec.Struct):
    """What every answer comes in; the result stays undecoded until its kind is known."""

    retCode: int  # noqa: N815  # Bybit's own names, here and below
    time: Milliseconds
    retMsg: str = ""  # noqa: N815
    result: msgspec.Raw = msgspec.Raw(b"{}")


class _Quote(InverseFacts):
    symbol: str = ""


class _Funding(msgspec.Struct):
    fundingRate: Rate  # noqa: N815
    fundingRateTimestamp: Milliseconds  # noqa: N815


class _OpenInterest(msgspec.Struct):
    openInterest: Amount  # noqa: N815
    timestamp: Milliseconds
    singleOpenInterest: Amount | Nothing | None = None  # noqa: N815


class _Ratio(msgspec.Struct):
    buyRatio: Amount  # noqa: N815
    timestamp: Milliseconds


_Bar = tuple[Milliseconds, Price, Price, Price, Price, Amount, Amount]


class _Bars(msgspec.Struct):
    rows: list[_Bar] = msgspec.field(name="list")
    category: str = ""


class _Quotes(msgspec.Struct):
    rows: list[_Quote] = msgspec.field(name="list")
    category: str


class _FundingRows(msgspec.Struct):
    rows: list[_Funding] = msgspec.field(name="list")


class _OpenInterestRows(msgspec.Struct):
    rows: list[_OpenInterest] = msgspec.field(name="list")
    category: str = ""


class _RatioRows(msgspec.Struct):
    rows: list[_Ratio] = msgspec.field(name="list")


class _Maintenance(msgspec.Struct):
    title: str
    state: str
    begin: Milliseconds
    end: Milliseconds
    services: list[int] = msgspec.field(name="serviceTypes", default_factory=list)


class _StatusRows(msgspec.Struct):
    rows: list[_Maintenance] = msgspec.field(name="list")


_STATUS: Final = msgspec.json.Decoder(_StatusRows, strict=False)
STATUS_REQUEST: Final = Request("/v5/system/status")
MARKET_DATA: Final = 5  # of serviceTypes

_ENVELOPE: Final = msgspec.json.Decoder(Envelope, strict=False)
_BARS: Final = msgspec.json.Decoder(_Bars, strict=False)
_QUOTES: Final = msgspec.json.Decoder(_Quotes, strict=False)
_FUNDING: Final = msgspec.json.Decoder(_FundingRows, strict=False)
_OPEN_INTEREST: Final = msgspec.json.Decoder(_OpenInterestRows, strict=False)
_RATIO: Final = msgspec.json.Decoder(_RatioRows, strict=False)


def _refused(code: int, text: str, time_ms: int) -> VenueError:
    """The error that a return code other than 0 stands for; the venue's own time goes with a refused one of ours."""
    message = f"Bybit answered {code}: {text[:200]}"
    if code == 10002:
        return Rejected(message, reason="clock", venue=NAME, ret_code=code, venue_ns=time_ms * MILLISECOND_NS)
    if code in (10000, 10016, 429):
        return Unreachable(message, reason="busy", venue=NAME, ret_code=code)
    if code in (10006, 10018):
        return Throttled(message, retry_after_s=RATE_S, reason="rate", venue=NAME, ret_code=code)
    if code == 10027:
        return Throttled(message, retry_after_s=BAN_S, reason="ban", venue=NAME, ret_code=code)
    reason = {
        10001: "parameter",
        10003: "auth",
        10004: "auth",
        10005: "permission",
        10009: "region",
        10010: "address",
        10029: "unknown_symbol",
        33004: "auth",
    }.get(code, "refused")
    return Rejected(message, reason=reason, venue=NAME, ret_code=code)


def refusal(status: int, body: bytes) -> VenueError | None:
    """The error that an answer means at Bybit; None where it has its general meaning.

    Notes
    -----
    Errors arrive as a return code with status 200. 403 means "access too frequent" for the whole address,
    or a country that is not served.
    """
    if status == 200:
        try:
            envelope = _ENVELOPE.decode(body)
        except UNREADABLE:
            return None  # the parser of the answer names what is wrong
        return None if envelope.retCode == 0 else _refused(envelope.retCode, envelope.retMsg, envelope.time)
    if status != 403:
        return None
    if b"frequent" in body.lower():
        return Throttled(
            "Bybit answered 403: access too frequent.", retry_after_s=BAN_S, reason="ban", venue=NAME
        )
    return Rejected("Bybit answered 403: this address is not served.", reason="region", venue=NAME)


def opened(body: bytes, what: str) -> Envelope:
    """The envelope of an answer that is no error.

    Raises
    ------
    VenueError
        The error its return code stands for, or ``WireError`` when it is no envelope.
    """
    envelope = decode(_ENVELOPE, body, what)
    if envelope.retCode != 0:
        raise _refused(envelope.retCode, envelope.retMsg, envelope.time)
    return envelope


def parse_status(body: bytes, now_ns: int) -> str:
    """The title of the maintenance that the market data service is in; empty outside of any.

    Raises
    ------
    WireError
        If the answer lacks the documented shape.
    """
    for row in _result(_STATUS, body, "system-status").rows:
        ongoing = row.state == "ongoing" and row.begin <= now_ns // MILLISECOND_NS < row.end
        if ongoing and MARKET_DATA in row.services:
            return row.title[:200]
    return ""


def _result(decoder: msgspec.json.Decoder[T], body: bytes, what: str) -> T:
    return decode(decoder, opened(body, what).result, what)


def quotes_request(category: Category) -> Request:
    """The question for the latest facts of all instruments of a category."""
    return Request("/v5/market/tickers", (("category", category),))


def parse_quotes(body: bytes, receive_ns: int, symbols: SymbolTable) -> list[Event]:
    """The latest facts of every listed instrument.

    Raises
    ------
    WireError
        If the answer lacks the documented shape.
    """
    envelope = opened(body, "tickers")
    quotes = decode(_QUOTES, envelope.result, "tickers")
    known = symbols.instruments(quotes.category)
    read = inverse_events if quotes.category == INVERSE else facts_events
    events: list[Event] = []
    for row in quotes.rows:
        if row.symbol in known:
            events += read(row, known[row.symbol], envelope.time * MILLISECOND_NS, receive_ns)
    return events


def _past(
    path: str, listing: Listing, query: list[tuple[str, str]], end: tuple[str, int], rows: int
) -> Request:
    name, end_ns = end
    return Request(
        path,
        (
            ("category", listing.category),
            ("symbol", listing.symbol),
            *query,
            (name, str(end_ns // MILLISECOND_NS)),
            ("limit", str(rows)),
        ),
    )


def bars_request(listing: Listing, interval: Interval, end_ns: int, rows: int) -> Request:
    """The question for the last ``rows`` bars opened at or before ``end_ns``; at most 1000."""
    return _past("/v5/market/kline", listing, [("interval", _TEXT_OF[interval])], ("end", end_ns), rows)


def parse_bars(body: bytes, receive_ns: int, instrument: Instrument, interval: Interval) -> BarBlock:
    """The final bars of one instrument, oldest first; a bar still forming is left out.

    Notes
    -----
    Bybit lists the newest bar first and does not mark the one still forming: it is known by its end, which
    lies after the time of the answer. Bybit's history does not say who took, so ``taker_buy_volume`` is NaN.

    Raises
    ------
    WireError
        If a row lacks the documented shape, is out of order, or states a price outside its own low and high.
    """
    envelope = opened(body, "kline")
    answered_ns = envelope.time * MILLISECOND_NS
    answer = decode(_BARS, envelope.result, "kline")
    table = table_of(answer.rows[::-1], 7)
    names = ("open", "high", "low", "close", "volume", "quote_volume")
    columns = {name: table[:, at] for at, name in enumerate(names, 1)}
    past = Past("Bybit kline", instrument, interval, answered_ns, receive_ns)
    # Millisecond times are below 2**53, so float64 holds them exactly.
    block = bar_block(past, table[:, 0].astype(np.int64) * MILLISECOND_NS, columns)
    return block_in_base(block) if answer.category == INVERSE else block


def funding_request(listing: Listing, end_ns: int, rows: int) -> Request:
    """The question for the last ``rows`` settlements at or before ``end_ns``; at most 200."""
    return _past("/v5/market/funding/history", listing, [], ("endTime", end_ns), rows)


def parse_funding(body: bytes, receive_ns: int, instrument: Instrument) -> list[FundingSettled]:
    """The funding settlements of one instrument, oldest first.

    Raises
    ------
    WireError
        If a row lacks the documented shape.
    """
    rows = _result(_FUNDING, body, "funding/history").rows
    return [
        FundingSettled(instrument, row.fundingRateTimestamp * MILLISECOND_NS, receive_ns, row.fundingRate)
        for row in sorted(rows, key=lambda row: row.fundingRateTimestamp)
    ]


def open_interest_request(listing: Listing, end_ns: int, rows: int) -> Request:
    """The question for the last ``rows`` 5-minute points at or before ``end_ns``; at most 200."""
    return _past("/v5/market/open-interest", listing, [("intervalTime", "5min")], ("endTime", end_ns), rows)


def parse_open_interest(body: bytes, receive_ns: int, instrument: Instrument) -> list[OpenInterestPoint]:
    """The 5-minute open interest of one instrument, one side, oldest first; none of an inverse contract.

    Notes
    -----
    Of an inverse contract the answer counts dollars and states no price that would make them base units.

    Raises
    ------
    WireError
        If a row lacks the documented shape.
    """
    answer = _result(_OPEN_INTEREST, body, "open-interest")
    rows = () if answer.category == INVERSE else answer.rows
    return [
        OpenInterestPoint(
            instrument,
            row.timestamp * MILLISECOND_NS,
            receive_ns,
            row.singleOpenInterest if isinstance(row.singleOpenInterest, float) else row.openInterest / 2,
        )
        for row in sorted(rows, key=lambda row: row.timestamp)
    ]


def account_ratio_request(listing: Listing, end_ns: int, rows: int) -> Request:
    """The question for the last ``rows`` 5-minute account ratios at or before ``end_ns``; at most 500."""
    return _past("/v5/market/account-ratio", listing, [("period", "5min")], ("endTime", end_ns), rows)


def parse_account_ratio(body: bytes, receive_ns: int, instrument: Instrument) -> list[DerivativesUpdate]:
    """The shares of accounts net long, oldest first.

    Raises
    ------
    WireError
        If a row lacks the documented shape or a share is above 1.
    """
    rows = _result(_RATIO, body, "account-ratio").rows
    if any(row.buyRatio > 1 for row in rows):
        raise WireError("Bybit account-ratio: a share is above 1.", reason="value", field="buyRatio")
    return [
        DerivativesUpdate(instrument, row.timestamp * MILLISECOND_NS, receive_ns, long_share=row.buyRatio)
        for row in sorted(rows, key=lambda row: row.timestamp)
    ]
