"""Identifiers and secrets: the one source of unseeded randomness."""

from __future__ import annotations

import re
import secrets
import uuid
from typing import Final

_SHAPE: Final = re.compile(r"[a-z]{3,6}_[0-9a-f]{32}")


def new_id(prefix: str) -> str:
    """A fresh identifier such as ``scan_e3de34ae54d640668bae4ad848f550a4``."""
    return f"{prefix}_{secrets.token_hex(16)}"


def is_id(text: str, prefix: str) -> bool:
    """Whether the text has the shape of an identifier with this prefix.

    Examples
    --------
    >>> is_id("scan_e3de34ae54d640668bae4ad848f550a4", "scan"), is_id("latest", "scan")
    (True, False)
    """
    return text.startswith(f"{prefix}_") and _SHAPE.fullmatch(text) is not None


def new_uuid() -> str:
    """A fresh random UUID in its usual spelling."""
    return str(uuid.uuid4())


def new_secret() -> str:
    """Fresh 256 bits as 43 characters that need no escaping in a header or a URL."""
    return secrets.token_urlsafe(32)


def new_fraction() -> float:
    """A fresh number in [0, 1), evenly drawn; the jitter of waits."""
    return secrets.randbits(53) / (1 << 53)
