"""What Kraken's public REST interface says, as model values and events."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec
import numpy as np

from sextant.errors import InputError, Rejected, Throttled, Unreachable, VenueError, WireError
from sextant.model.bar import BarBlock
from sextant.model.events import DerivativesUpdate, Event, Listed, QuoteUpdate
from sextant.model.instrument import Instrument
from sextant.model.times import SECOND_NS, Interval
from sextant.venues.bar_blocks import Past, bar_block, table_of
from sextant.venues.library.kraken.frames import INTERVALS
from sextant.venues.library.kraken.rules import Pair, spec_of
from sextant.venues.library.kraken.wire import CATEGORY, FORMER_NAMES, REST_NAMES, decode
from sextant.venues.port import Category, Listing, Listings, Request, SymbolTable
from sextant.venues.wire import UNREADABLE, Amount, Price, Seconds, step

BARS_ROWS: Final = 722
"""Two more than one answer holds, so that a full answer ends the paging: the venue gives only its last 720."""

RATE_S: Final = 5.0  # the counter of public calls falls by about one a second
LOCKOUT_S: Final = 900.0  # "Temporary lockout" is stated as about a quarter of an hour
BUSY_REASONS: Final = ("EService:Unavailable", "EService:Busy", "EGeneral:Internal error", "EService:Timeout")

_MINUTES_OF: Final[dict[Interval, int]] = {interval: minutes for minutes, interval in INTERVALS.items()}
T = TypeVar("T")

_Bar = tuple[Seconds, Price, Price, Price, Price, Amount, Amount, int]


class Envelope(msgspec.Struct):
    """What every answer comes in: a list of errors, empty when there is a result."""

    error: list[str]
    result: msgspec.Raw = msgspec.Raw(b"{}")


class _PairRow(msgspec.Struct):
    pair_decimals: int
    lot_decimals: int
    wsname: str | None = None
    tick_size: str | None = None
    costmin: str | None = None
    status: str = "online"


class _Quote(msgspec.Struct):
    a: tuple[Amount, Amount, Amount]
    b: tuple[Amount, Amount, Amount]
    c: tuple[Amount, Amount]
    v: tuple[Amount, Amount]
    p: tuple[Amount, Amount]


class _SystemStatus(msgspec.Struct):
    status: str


_SYSTEM_STATUS: Final = msgspec.json.Decoder(_SystemStatus)
STATUS_REQUEST: Final = Request("/0/public/SystemStatus")
AWAY: Final = "maintenance"
"""The one status in which nothing is served: ``cancel_only`` and ``post_only`` restrict orders, which are not ours."""

_ENVELOPE: Final = msgspec.json.Decoder(Envelope)
_RESULT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_PAIR: Final = msgspec.json.Decoder(_PairRow)
_QUOTE: Final = msgspec.json.Decoder(_Quote, strict=False)
_BARS: Final = msgspec.json.Decoder(list[_Bar], strict=False)


def _refused(words: str) -> VenueError:
    """The error that Kraken's words stand for."""
    message = f"Kraken answered: {words[:200]}"
    if words.startswith("EService: Throttled") or "Rate limit exceeded" in words:
        return Throttled(message, retry_after_s=RATE_S, reason="rate", venue="kraken")
    if "Temporary lockout" in words:
        return Throttled(message, retry_after_s=LOCKOUT_S, reason="ban", venue="kraken")
    if words.startswith(BUSY_REASONS):
        return Unreachable(message, reason="busy", venue="kraken")
    reason = {
        "EQuery:Unknown asset pair": "unknown_symbol",
        "EGeneral:Permission denied": "permission",
        "EGeneral:Invalid arguments": "parameter",
        "EAPI:Invalid key": "auth",
        "EAPI:Invalid signature": "auth",
    }.get(words, "refused")
    return Rejected(message, reason=reason, venue="kraken")


def refusal(status: int, body: bytes) -> VenueError | None:
    """The error that an answer means at Kraken, which states errors in the body of an answer of status 200."""
    if status != 200:
        return None
    try:
        envelope = _ENVELOPE.decode(body)
    except UNREADABLE:
        return None  # the parser of the answer names what is wrong
    errors = [words for words in envelope.error if words.startswith("E")]
    return _refused(errors[0]) if errors else None


def _result(body: bytes, what: str) -> dict[str, msgspec.Raw]:
    """The result of an answer that is no error.

    Raises
    ------
    VenueError
        The error its words stand for, or ``WireError`` when it is no envelope.
    """
    envelope = decode(_ENVELOPE, body, what)
    errors = [words for words in envelope.error if words.startswith("E")]
    if errors:
        raise _refused(errors[0])
    return decode(_RESULT, envelope.result, what)


def instruments_request(_: Category, __: str | None) -> Request:
    """The question for all pairs; the venue has no pages."""
    return Request("/0/public/AssetPairs")


def parse_instruments(body: bytes, receive_ns: int) -> Listings:
    """All pairs, under the names that version 2 of the sockets has for them.

    Raises
    ------
    WireError
        If a row lacks the documented shape. A pair that the sockets do not carry, or that the model cannot
        hold, is left out with its reason.
    """
    listings: list[Listing] = []
    left_out: list[tuple[str, str]] = []
    for key, raw in _result(body, "AssetPairs").items():
        row = decode(_PAIR, raw, "AssetPairs")
        base, _, quote = (FORMER_NAMES.get(name, name) for name in (row.wsname or "").partition("/"))
        places = f"1E-{row.pair_decimals}", f"1E-{row.lot_decimals}"
        pair = Pair(
            symbol=f"{base}/{quote}",
            base=base,
            quote=quote,
            status=row.status,
            price_increment=step(row.tick_size or places[0], "Kraken AssetPairs", "tick_size"),
            qty_increment=step(places[1], "Kraken AssetPairs", "lot_decimals"),
            cost_min=None if row.costmin is None else step(row.costmin, "Kraken AssetPairs", "costmin"),
        )
        try:
            listings.append(Listing(CATEGORY, pair.symbol, spec_of(pair, receive_ns)))
        except InputError as error:
            left_out.append((key, error.message))
    return Listings(
        tuple(listings),
        tuple(Listed(listing.spec, receive_ns, receive_ns) for listing in listings),
        None,
        tuple(left_out),
    )


def parse_status(body: bytes, _: int) -> str:
    """Its word for it while the venue rests; empty otherwise."""
    envelope = decode(_ENVELOPE, body, "SystemStatus")
    status = decode(_SYSTEM_STATUS, envelope.result, "SystemStatus").status
    return status if status == AWAY else ""


def _keys(listing: Listing) -> tuple[str, ...]:
    """The names that REST may have for a pair: assets of the first years carry a letter for their class."""
    base, quote = (REST_NAMES.get(name, name) for name in listing.symbol.split("/"))
    return f"{base}{quote}", f"X{base}Z{quote}", f"X{base}X{quote}", f"{base}Z{quote}"


def quotes_request(_: Category) -> Request:
    """The question for the latest facts of all pairs."""
    return Request("/0/public/Ticker")


def parse_quotes(body: bytes, receive_ns: int, symbols: SymbolTable) -> list[Event]:
    """The latest facts of every listed pair.

    Raises
    ------
    WireError
        If the answer lacks the documented shape.
    """
    known = {key: listing.instrument for listing in symbols for key in _keys(listing)}
    events: list[Event] = []
    for key, raw in _result(body, "Ticker").items():
        instrument = known.get(key)
        if instrument is None:
            continue
        row = decode(_QUOTE, raw, "Ticker")
        events += (
            QuoteUpdate(
                instrument,
                receive_ns,
                receive_ns,
                row.b[0] or None,
                row.b[2] if row.b[0] else None,
                row.a[0] or None,
                row.a[2] if row.a[0] else None,
            ),
            DerivativesUpdate(
                instrument,
                receive_ns,
                receive_ns,
                last=row.c[0] or None,
                volume_24h=row.v[1],
                turnover_24h=row.v[1] * row.p[1],
            ),
        )
    return events


def bars_request(listing: Listing, interval: Interval, _: int, __: int) -> Request:
    """The question for the newest bars; the venue takes neither an end nor a number of rows."""
    return Request("/0/public/OHLC", (("pair", _keys(listing)[0]), ("interval", str(_MINUTES_OF[interval]))))


def parse_bars(body: bytes, receive_ns: int, instrument: Instrument, interval: Interval) -> BarBlock:
    """The final bars of one pair, oldest first.

    Notes
    -----
    The last row of an answer is always of the bar still forming, and is left out with any that ends later
    than the answer. Volume times mean price is what was turned over; who took is not said.

    Raises
    ------
    WireError
        If a row lacks the documented shape, is out of order, or states a price outside its own low and high.
    """
    result = _result(body, "OHLC")
    rows = [decode(_BARS, raw, "OHLC") for key, raw in result.items() if key != "last"]
    if len(rows) != 1:
        raise WireError(f"Kraken OHLC: {len(rows)} pairs, not one.", reason="value", field="result")
    table = table_of(rows[0][:-1], 8)
    names = ("open", "high", "low", "close", "mean", "volume")
    columns = {name: table[:, at] for at, name in enumerate(names, 1)}
    columns["quote_volume"] = columns["volume"] * columns.pop("mean")
    past = Past("Kraken OHLC", instrument, interval, receive_ns, receive_ns)
    return bar_block(past, table[:, 0].astype(np.int64) * SECOND_NS, columns)
