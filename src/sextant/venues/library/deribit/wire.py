"""Shared by both ways into Deribit: bounded numbers, the envelope of an answer, and what 0 and null mean."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from sextant.errors import Rejected, Throttled, Unreachable, VenueError
from sextant.model.instrument import Instrument
from sextant.venues.decoding import decode as decode_for
from sextant.venues.port import Category, SymbolTable

NAME: Final = "deribit"
SOCKET: Final = "wss://www.deribit.com/ws/api/v2"
CATEGORIES: Final[tuple[Category, ...]] = ("btc", "eth", "usdc")
"""The currencies in which what is read is settled; each has a connection of its own."""

RATE_S: Final = 1.0  # credits drip back every millisecond; a second refills enough for any read
PERCENT: Final = 100.0

T = TypeVar("T")

_LARGEST: Final = 1e18  # no price, size or turnover of a market reaches it; keeps sums of float64 finite
_LAST_MS: Final = 9_000_000_000_000  # the year 2255; later times do not fit int64 nanoseconds
_LAST_US: Final = _LAST_MS * 1_000

Price: TypeAlias = Annotated[float, Meta(gt=0, lt=_LARGEST)]
Amount: TypeAlias = Annotated[float, Meta(ge=0, lt=_LARGEST)]
Signed: TypeAlias = Annotated[float, Meta(gt=-_LARGEST, lt=_LARGEST)]
Milliseconds: TypeAlias = Annotated[int, Meta(gt=0, lt=_LAST_MS)]
Microseconds: TypeAlias = Annotated[int, Meta(gt=0, lt=_LAST_US)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
AmountOrNone: TypeAlias = Amount | None | UnsetType
SignedOrNone: TypeAlias = Signed | None | UnsetType


class Refusal(msgspec.Struct):
    """Why a request was refused."""

    code: int
    message: str = ""


class Envelope(msgspec.Struct):
    """What every answer comes in; the result stays undecoded until its kind is known."""

    result: msgspec.Raw | UnsetType = UNSET
    error: Refusal | UnsetType = UNSET
    usOut: Microseconds | UnsetType = UNSET  # noqa: N815  # Deribit's own name


ENVELOPE: Final = msgspec.json.Decoder(Envelope)


def decode(decoder: msgspec.json.Decoder[T], data: bytes | msgspec.Raw, what: str) -> T:
    """The decoded message.

    Raises
    ------
    WireError
        If the message does not have the documented shape; names the field.
    """
    return decode_for(decoder, data, f"Deribit {what}")


def refused(refusal: Refusal) -> VenueError:
    """The error that a code stands for.

    Notes
    -----
    Busy: 10040 retry, 10041 settlement in progress, 10047 matching queue full, 11051 maintenance, -32603 internal
    error. Too often: 10028. Of an instrument that is not listed: 10020, -32602 names the parameter.
    """
    message = f"Deribit answered {refusal.code}: {refusal.message[:200]}"
    if refusal.code in (10040, 10041, 10047, 11051, -32603):
        return Unreachable(message, reason="busy", venue=NAME, ret_code=refusal.code)
    if refusal.code == 10028:
        return Throttled(message, retry_after_s=RATE_S, reason="rate", venue=NAME, ret_code=refusal.code)
    reason = {-32602: "parameter", -32601: "method", 13009: "auth", 13004: "auth"}.get(
        refusal.code, "refused"
    )
    return Rejected(message, reason=reason, venue=NAME, ret_code=refusal.code)


def category_of(symbol: str) -> Category:
    """The category of a symbol: the currency before the date, or behind the underscore of a linear contract.

    Examples
    --------
    >>> [category_of(symbol) for symbol in ("BTC-PERPETUAL", "ETH-25DEC26-3000-C", "SOL_USDC-PERPETUAL")]
    ['btc', 'eth', 'usdc']
    """
    root = symbol.partition("-")[0]
    return root.rpartition("_")[2].lower()


def listed(symbols: SymbolTable, symbol: str) -> Instrument | None:
    """The instrument of a symbol, which names one thing at the whole venue, whatever the connection."""
    return symbols.instrument(category_of(symbol), symbol)


def positive(value: float | None | UnsetType) -> float | None | UnsetType:
    """A number above 0; None for null and for 0, by which Deribit says that there is none."""
    if value is UNSET:
        return UNSET
    return value or None


def percent(value: float | None | UnsetType) -> float | None | UnsetType:
    """A fraction above 0 from percent; None for null and for 0."""
    return value / PERCENT if isinstance(value, float) and value else positive(value)
