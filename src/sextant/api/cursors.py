"""Cursors: opaque, signed, and of use only to the user, route and filters they were made for."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any, Final

import msgspec

from sextant.errors import InputError
from sextant.vault.signing import SigningKey

_SEAL_BYTES: Final = 16


class Cursors:
    """Makes and reads cursors.

    Parameters
    ----------
    key
        Signs them.
    """

    def __init__(self, key: SigningKey) -> None:
        self._secret = hashlib.sha256(b"cursor" + key.secret).digest()

    def make(self, place: tuple[Any, ...], *bound: Any) -> str:
        """A cursor to a place in an order, bound to user, route and filters."""
        packed = msgspec.msgpack.encode(place)
        return base64.urlsafe_b64encode(self._seal(packed, bound) + packed).decode().rstrip("=")

    def read(self, text: str, *bound: Any) -> tuple[Any, ...]:
        """The place that a cursor names.

        Raises
        ------
        InputError
            If it was not made here for the same user, route and filters.
        """
        try:
            raw = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
        except (binascii.Error, UnicodeEncodeError):
            raw = b""
        seal, packed = raw[:_SEAL_BYTES], raw[_SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._seal(packed, bound)):
            raise InputError("The cursor is of another list.", reason="bad_cursor", field="cursor")
        return msgspec.msgpack.decode(packed, type=tuple[Any, ...])

    def _seal(self, packed: bytes, bound: tuple[Any, ...]) -> bytes:
        text = msgspec.msgpack.encode(bound) + b"|" + packed
        return hmac.digest(self._secret, text, "sha256")[:_SEAL_BYTES]
