"""What Binance lists, as instruments and their rules."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from sextant.errors import InputError
from sextant.model.events import Listed
from sextant.model.instrument import Instrument, InstrumentSpec, Kind, Status
from sextant.model.times import MILLISECOND_NS
from sextant.venues.library.binance.rest import answered
from sextant.venues.library.binance.wire import NAME, SPOT, USDM, decode
from sextant.venues.port import Category, Listing, Listings, Request
from sextant.venues.wire import MillisecondsOrNone, step

_STATUS: Final[dict[str, Status]] = {
    "TRADING": "trading",
    "PRE_TRADING": "halted",
    "POST_TRADING": "halted",
    "PENDING_TRADING": "halted",
    "END_OF_DAY": "halted",
    "HALT": "halted",
    "BREAK": "halted",
    "AUCTION_MATCH": "halted",
    "PRE_DELIVERING": "delisted",
    "DELIVERING": "delisted",
    "DELIVERED": "delisted",
    "PRE_SETTLE": "delisted",
    "SETTLING": "delisted",
    "CLOSE": "delisted",
}
_KIND: Final[dict[str, Kind]] = {
    "PERPETUAL": "perpetual",
    "CURRENT_MONTH": "future",
    "NEXT_MONTH": "future",
    "CURRENT_QUARTER": "future",
    "NEXT_QUARTER": "future",
}
_WHERE: Final = "Binance exchangeInfo"


class _Filter(msgspec.Struct):
    filterType: str  # noqa: N815  # Binance's own names, here and below
    tickSize: str | None = None  # noqa: N815
    stepSize: str | None = None  # noqa: N815
    minNotional: str | None = None  # noqa: N815
    notional: str | None = None


class _Row(msgspec.Struct):
    symbol: str
    status: str
    baseAsset: str  # noqa: N815
    quoteAsset: str  # noqa: N815
    filters: list[_Filter]
    contractType: str | None = None  # noqa: N815
    deliveryDate: MillisecondsOrNone | None = None  # noqa: N815


class _Rows(msgspec.Struct):
    symbols: list[msgspec.Raw]


_ROWS: Final = msgspec.json.Decoder(_Rows)
_ROW: Final = msgspec.json.Decoder(_Row)


def instruments_request(category: Category, _: str | None) -> Request:
    """The question for all instruments of a category; the venue has no pages."""
    if category == SPOT:
        # Permission sets are half of the answer, and nothing of them is read.
        return Request("/api/v3/exchangeInfo", (("permissions", "SPOT"), ("showPermissionSets", "false")))
    return Request("/fapi/v1/exchangeInfo")


def parse_instruments(body: bytes, receive_ns: int) -> Listings:
    """All instruments of a category, which is told by whether a row has a type of contract.

    Raises
    ------
    WireError
        If a row lacks the documented shape. A well-formed row that the model cannot hold is left out with its
        reason.
    """
    listings: list[Listing] = []
    left_out: list[tuple[str, str]] = []
    for raw in answered(_ROWS, body, "exchangeInfo").symbols:
        row = decode(_ROW, raw, "exchangeInfo")
        category = SPOT if row.contractType is None else USDM
        try:
            listings.append(Listing(category, row.symbol, _spec(row, receive_ns)))
        except InputError as error:
            left_out.append((row.symbol, error.message))
    return Listings(
        tuple(listings),
        tuple(Listed(listing.spec, receive_ns, receive_ns) for listing in listings),
        None,
        tuple(left_out),
    )


def _spec(row: _Row, as_of_ns: int) -> InstrumentSpec:
    kind: Kind | None = "spot" if row.contractType is None else _KIND.get(row.contractType)
    if kind is None:
        raise InputError(f"Contract type '{row.contractType}' is not read.", field="contractType")
    if row.status not in _STATUS:
        raise InputError(f"Status '{row.status}' is not known.", field="status")
    filters = {item.filterType: item for item in row.filters}
    price, lot = filters.get("PRICE_FILTER"), filters.get("LOT_SIZE")
    if price is None or price.tickSize is None or lot is None or lot.stepSize is None:
        raise InputError("The tick or the lot size is missing.", field="filters")
    least = next((filters[name] for name in ("NOTIONAL", "MIN_NOTIONAL") if name in filters), None)
    value = None if least is None else least.minNotional or least.notional
    expiry_ns = row.deliveryDate * MILLISECOND_NS if kind == "future" and row.deliveryDate else None
    return InstrumentSpec(
        instrument=Instrument(NAME, row.baseAsset, row.quoteAsset, kind, expiry_ns),
        tick=step(price.tickSize, _WHERE, "tickSize"),
        lot=step(lot.stepSize, _WHERE, "stepSize"),
        min_notional=None if value is None else step(value, _WHERE, "minNotional"),
        contract_size=Decimal(1),
        status=_STATUS[row.status],
        funding_interval_s=None,
        max_leverage=None,
        as_of_ns=as_of_ns,
    )
