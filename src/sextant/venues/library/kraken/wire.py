"""The venue's name, its two spellings of assets, and decoding that says whose message was refused."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from sextant.venues import decoding

NAME: Final = "kraken"
CATEGORY: Final = "spot"

T = TypeVar("T")

FORMER_NAMES: Final = {"XBT": "BTC", "XDG": "DOGE"}
"""What REST calls an asset, and what version 2 of the sockets calls it."""

REST_NAMES: Final = {now: former for former, now in FORMER_NAMES.items()}


def decode(decoder: msgspec.json.Decoder[T], data: bytes | msgspec.Raw, what: str) -> T:
    """The decoded message of Kraken.

    Raises
    ------
    WireError
        As :func:`sextant.venues.decoding.decode`.
    """
    return decoding.decode(decoder, data, f"Kraken {what}")
