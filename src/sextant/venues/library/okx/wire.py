"""The venue's name, and decoding that says whose message was refused."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from sextant.venues import decoding

NAME: Final = "okx"
CATEGORY: Final = "public"

T = TypeVar("T")


def decode(decoder: msgspec.json.Decoder[T], data: bytes | msgspec.Raw, what: str) -> T:
    """The decoded message of OKX.

    Raises
    ------
    WireError
        As :func:`sextant.venues.decoding.decode`.
    """
    return decoding.decode(decoder, data, f"OKX {what}")
