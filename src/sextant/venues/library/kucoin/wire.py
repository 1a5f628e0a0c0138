"""The venue's name, and decoding that says whose message was refused."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from sextant.venues import decoding

NAME: Final = "kucoin"
CATEGORY: Final = "spot"

T = TypeVar("T")


def decode(decoder: msgspec.json.Decoder[T], data: bytes | msgspec.Raw, what: str) -> T:
    """The decoded message of KuCoin.

    Raises
    ------
    WireError
        As :func:`sextant.venues.decoding.decode`.
    """
    return decoding.decode(decoder, data, f"KuCoin {what}")
