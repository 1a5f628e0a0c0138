"""Short names of content: equal bytes, equal name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final

from numpy.typing import NDArray

DIGEST_BYTES: Final = 16


def digest_of(parts: Iterable[bytes | NDArray[Any]]) -> bytes:
    """16 bytes that stand for the bytes of all parts, one after another; arrays are C-contiguous.

    Notes
    -----
    They are hashed in one piece. ``hashlib`` lets go of the interpreter for every piece of two kilobytes or more, and where other
    threads compute it waits for its turn to have it back: a view of thousands of pieces took seconds then.
    """
    pieces: Iterable[Any] = parts  # a buffer has no type of its own before Python 3.12
    return hashlib.blake2b(b"".join(pieces), digest_size=DIGEST_BYTES).digest()
