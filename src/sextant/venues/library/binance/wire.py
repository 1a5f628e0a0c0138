"""The venue's name and categories, and decoding that says whose message was refused."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from sextant.venues import decoding

NAME: Final = "binance"
SPOT: Final = "spot"
USDM: Final = "usdm"

T = TypeVar("T")


def decode(decoder: msgspec.json.Decoder[T], data: bytes | msgspec.Raw, what: str) -> T:
    """The decoded message of Binance.

    Raises
    ------
    WireError
        As :func:`sextant.venues.decoding.decode`.
    """
    return decoding.decode(decoder, data, f"Binance {what}")
