"""What every venue's wire has in common: numbers and times with their bounds."""

from __future__ import annotations

import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from sextant.errors import WireError
from sextant.model.times import MICROSECOND_NS

SMALLEST: Final = 1e-20  # no price or step of a market is smaller; keeps quotients of float64 finite
_LARGEST: Final = 1e18  # no price, size or turnover of a market reaches it; keeps sums of float64 finite
_LAST_MS: Final = 9_000_000_000_000  # the year 2255; later times do not fit int64 nanoseconds
_SMALLEST_STEP: Final = Decimal(10) ** -20
_LARGEST_STEP: Final = Decimal(10) ** 18

Price: TypeAlias = Annotated[float, Meta(ge=SMALLEST, lt=_LARGEST)]
Amount: TypeAlias = Annotated[float, Meta(ge=0, lt=_LARGEST)]
Rate: TypeAlias = Annotated[float, Meta(ge=-1, le=1)]
Change: TypeAlias = Annotated[float, Meta(ge=-1, lt=_LARGEST)]
Percent: TypeAlias = Annotated[float, Meta(ge=-100, lt=_LARGEST)]
Milliseconds: TypeAlias = Annotated[int, Meta(gt=0, lt=_LAST_MS)]
MillisecondsOrNone: TypeAlias = Annotated[int, Meta(ge=0, lt=_LAST_MS)]
"""A time, or 0 for "none"."""
Seconds: TypeAlias = Annotated[int, Meta(gt=0, lt=_LAST_MS // 1_000)]
Nanoseconds: TypeAlias = Annotated[int, Meta(gt=0, lt=_LAST_MS * 1_000_000)]
Moment: TypeAlias = Annotated[datetime.datetime, Meta(tz=True)]
"""An RFC 3339 time with its offset."""
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Nothing: TypeAlias = Literal[""]
"""The empty text by which venues say that a field does not apply."""

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder raises for a message that does not have its shape."""


def positive(value: float | Nothing | UnsetType) -> float | None | UnsetType:
    """A number above 0; None for the empty text and for 0, by which venues say "no price yet"."""
    if value is UNSET:
        return UNSET
    return value or None


def maybe(value: float | Nothing | UnsetType) -> float | None | UnsetType:
    """A number, None for the empty text, UNSET where the field was not sent."""
    return None if value == "" else value


def moment_ns(moment: datetime.datetime, what: str, field: str) -> int:
    """Nanoseconds UTC of a time, which the wire tells to the microsecond or finer.

    Raises
    ------
    WireError
        If it lies before 1970 or after the year 2255.
    """
    # Microseconds since 1970 are below 2**53, so the float64 holds them exactly.
    micros = round(moment.timestamp() * 1e6)
    if not 0 < micros < _LAST_MS * 1_000:
        raise WireError(f"{what}: {field} {moment} is out of range.", reason="value", field=field)
    return micros * MICROSECOND_NS


def step(text: str, what: str, field: str) -> Decimal:
    """A number of a venue's rules, exactly as it is written.

    Raises
    ------
    WireError
        If the text is no number, or neither 0 nor in 1e-20..1e18.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise WireError(f"{what}: {field} '{text[:40]}' is no number.", reason="value", field=field) from None
    if not (value.is_finite() and (value == 0 or _SMALLEST_STEP <= value < _LARGEST_STEP)):
        raise WireError(
            f"{what}: {field} {text[:40]} is neither 0 nor in 1e-20..1e18.", reason="value", field=field
        )
    return value


def decimals(number: Decimal) -> int:
    """Digits behind the point, as the number is written.

    Examples
    --------
    >>> decimals(Decimal("0.10")), decimals(Decimal("5"))
    (2, 0)
    """
    exponent = number.as_tuple().exponent
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0
