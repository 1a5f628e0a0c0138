"""What Bybit lists, as instruments and their rules."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from sextant.errors import InputError
from sextant.model.events import Listed
from sextant.model.instrument import Instrument, InstrumentSpec, Kind, Status
from sextant.model.times import MILLISECOND_NS
from sextant.venues.library.bybit.rest import opened
from sextant.venues.library.bybit.wire import NAME, decode
from sextant.venues.port import Category, Listing, Listings, Request
from sextant.venues.wire import MillisecondsOrNone, Nothing, step

INSTRUMENTS_ROWS: Final = 1000

_STATUS: Final[dict[str, Status]] = {
    "Trading": "trading",
    "PreLaunch": "halted",
    "Delivering": "delisted",
    "Settling": "delisted",
    "Closed": "delisted",
}
_KIND: Final[dict[str, Kind]] = {
    "LinearPerpetual": "perpetual",
    "LinearFutures": "future",
    "InversePerpetual": "perpetual",
    "InverseFutures": "future",
}
_INVERSE: Final = ("InversePerpetual", "InverseFutures")


class _Rows(msgspec.Struct):
    rows: list[msgspec.Raw] = msgspec.field(name="list")
    category: str = ""
    nextPageCursor: str = ""  # noqa: N815


class _PriceFilter(msgspec.Struct):
    tickSize: str  # noqa: N815


class _LotFilter(msgspec.Struct):
    qtyStep: str | None = None  # noqa: N815
    minOrderQty: str | None = None  # noqa: N815
    basePrecision: str | None = None  # noqa: N815
    minNotionalValue: str | None = None  # noqa: N815
    minOrderAmt: str | None = None  # noqa: N815


class _LeverageFilter(msgspec.Struct):
    maxLeverage: str | None = None  # noqa: N815


class _Instrument(msgspec.Struct):
    symbol: str
    baseCoin: str  # noqa: N815
    quoteCoin: str  # noqa: N815
    status: str
    priceFilter: _PriceFilter  # noqa: N815
    lotSizeFilter: _LotFilter  # noqa: N815
    contractType: str | None = None  # noqa: N815
    deliveryTime: MillisecondsOrNone | Nothing | None = None  # noqa: N815
    leverageFilter: _LeverageFilter = msgspec.field(default_factory=_LeverageFilter)  # noqa: N815
    fundingInterval: int | None = None  # noqa: N815


_ROWS: Final = msgspec.json.Decoder(_Rows, strict=False)
_INSTRUMENT: Final = msgspec.json.Decoder(_Instrument, strict=False)


def instruments_request(category: Category, cursor: str | None) -> Request:
    """The question for one page of a category's instruments."""
    query = [("category", category), ("limit", str(INSTRUMENTS_ROWS))]
    if category != "spot":
        query.append(("status", "Trading"))
    if cursor is not None:
        query.append(("cursor", cursor))
    return Request("/v5/market/instruments-info", tuple(query))


def parse_instruments(body: bytes, receive_ns: int) -> Listings:
    """One page of instruments.

    Raises
    ------
    WireError
        If a row lacks the documented shape. A well-formed row that the model cannot hold (a kind it does
        not know, an asset code it refuses) is left out with its reason, so that one odd listing does not
        hide the others.
    """
    envelope = opened(body, "instruments-info")
    page = decode(_ROWS, envelope.result, "instruments-info")
    event_ns = envelope.time * MILLISECOND_NS
    listings: list[Listing] = []
    left_out: list[tuple[str, str]] = []
    for raw in page.rows:
        row = decode(_INSTRUMENT, raw, "instruments-info")
        try:
            listings.append(Listing(page.category, row.symbol, _spec(row, event_ns)))
        except InputError as error:
            left_out.append((row.symbol, error.message))
    return Listings(
        tuple(listings),
        tuple(Listed(listing.spec, event_ns, receive_ns) for listing in listings),
        page.nextPageCursor or None,
        tuple(left_out),
    )


def _spec(row: _Instrument, as_of_ns: int) -> InstrumentSpec:
    kind: Kind | None = "spot" if row.contractType is None else _KIND.get(row.contractType)
    if kind is None:
        raise InputError(f"Contract type '{row.contractType}' is not read.", field="contractType")
    if row.status not in _STATUS:
        raise InputError(f"Status '{row.status}' is not known.", field="status")
    sizes = ("basePrecision", "minOrderAmt") if kind == "spot" else ("qtyStep", "minNotionalValue")
    lot, least = (getattr(row.lotSizeFilter, name) for name in sizes)
    inverse = row.contractType in _INVERSE
    if inverse:
        least = row.lotSizeFilter.minOrderQty  # of contracts of one dollar each
    if lot is None:
        raise InputError("The lot size is missing.", field="lotSizeFilter")
    expiry_ns = row.deliveryTime * MILLISECOND_NS if kind == "future" and row.deliveryTime else None
    instrument = Instrument(NAME, row.baseCoin, row.quoteCoin, kind, expiry_ns)
    leverage = row.leverageFilter.maxLeverage
    return InstrumentSpec(
        instrument=instrument,
        tick=_number(row.priceFilter.tickSize, "tickSize"),
        lot=_number(lot, sizes[0]),
        min_notional=_number(least, sizes[1]) if least else None,
        contract_size=Decimal(1),
        status=_STATUS[row.status],
        funding_interval_s=row.fundingInterval * 60 if row.fundingInterval and kind == "perpetual" else None,
        max_leverage=_number(leverage, "maxLeverage") if leverage else None,
        as_of_ns=as_of_ns,
        style="inverse" if inverse else "linear",
    )


def _number(text: str, field: str) -> Decimal:
    return step(text, "Bybit instruments-info", field)
