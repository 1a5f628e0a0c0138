"""Shared by both ways into Bybit: bounded numbers, and decoding that names the field it refuses."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from sextant.errors import WireError

NAME: Final = "bybit"

T = TypeVar("T")

_LARGEST: Final = 1e18  # no price, size or turnover of a market reaches it; keeps sums of float64 finite
_LAST_MS: Final = 9_000_000_000_000  # the year 2255; later times do not fit int64 nanoseconds

Price: TypeAlias = Annotated[float, Meta(gt=0, lt=_LARGEST)]
Amount: TypeAlias = Annotated[float, Meta(ge=0, lt=_LARGEST)]
Rate: TypeAlias = Annotated[float, Meta(ge=-1, le=1)]
Change: TypeAlias = Annotated[float, Meta(ge=-1, lt=_LARGEST)]
Milliseconds: TypeAlias = Annotated[int, Meta(gt=0, lt=_LAST_MS)]
MillisecondsOrNone: TypeAlias = Annotated[int, Meta(ge=0, lt=_LAST_MS)]
"""A time, or 0 for "none"."""
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Nothing: TypeAlias = Literal[""]
"""The empty text by which Bybit says that a field does not apply."""

_PLACE: Final = re.compile(r"`\$\.?([^`]*)`$")
_MISSING: Final = re.compile(r"missing required field `(\w+)`")


def decode(decoder: msgspec.json.Decoder[T], data: bytes | msgspec.Raw, what: str) -> T:
    """The decoded message.

    Parameters
    ----------
    decoder
        Decoder of the documented shape. Texts are read as numbers where the shape says so
        (``strict=False``), because Bybit quotes its numbers; the bounds are checked by it, too.
    data
        One JSON text.
    what
        Name of the message for the error.

    Raises
    ------
    WireError
        If the message does not have the shape; names the field.
    """
    try:
        return decoder.decode(data)
    except msgspec.DecodeError as error:
        raise WireError(f"Bybit {what}: {error}.", reason="shape", field=_field(str(error))) from error
    except UnicodeDecodeError as error:
        raise WireError(f"Bybit {what}: not UTF-8.", reason="encoding", field="") from error
    except RecursionError as error:
        raise WireError(f"Bybit {what}: nested too deep.", reason="depth", field="") from error


def _field(words: str) -> str:
    """The path of the refused field in the words of a decoding error, as ``b[0][1]``; empty for the whole."""
    place, missing = _PLACE.search(words), _MISSING.search(words)
    parts = (place.group(1) if place else "", missing.group(1) if missing else "")
    return ".".join(part for part in parts if part)


def positive(value: float | Nothing | UnsetType) -> float | None | UnsetType:
    """A number above 0; None for the empty text and for 0, by which Bybit says "no price yet"."""
    if value is UNSET:
        return UNSET
    return value or None


def maybe(value: float | Nothing | UnsetType) -> float | None | UnsetType:
    """A number, None for the empty text, UNSET where the field was not sent."""
    return None if value == "" else value
