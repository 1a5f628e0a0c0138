"""Decoding of one JSON text into its documented shape, with the refused field named; shared by all venues."""

from __future__ import annotations

import re
from typing import Final, TypeVar

import msgspec

from sextant.errors import WireError

T = TypeVar("T")

_PLACE: Final = re.compile(r"`\$\.?([^`]*)`$")
_SHOWN: Final = 150  # characters of either end
_MISSING: Final = re.compile(r"missing required field `(\w+)`")


def decode(decoder: msgspec.json.Decoder[T], data: bytes | msgspec.Raw, whose: str) -> T:
    """The decoded message.

    Parameters
    ----------
    decoder
        Decoder of the documented shape; the bounds of numbers are checked by it, too.
    data
        One JSON text.
    whose
        Venue and name of the message, for the error.

    Raises
    ------
    WireError
        If the message does not have the shape; names the field.
    """
    try:
        return decoder.decode(data)
    except msgspec.DecodeError as error:
        words = str(error)
        raise WireError(f"{whose}: {_shown(words)}.", reason="shape", field=refused_field(words)) from error
    except UnicodeDecodeError as error:
        raise WireError(f"{whose}: not UTF-8.", reason="encoding", field="") from error
    except RecursionError as error:
        raise WireError(f"{whose}: nested too deep.", reason="depth", field="") from error


def _shown(words: str) -> str:
    """The words of a decoding error without the middle of a long value that they quote."""
    if len(words) <= 2 * _SHOWN:
        return words
    return f"{words[:_SHOWN]} ... {words[-_SHOWN:]}"


def refused_field(words: str) -> str:
    """The path of the refused field in the words of a decoding error, as ``b[0][1]``; empty for the whole.

    Examples
    --------
    >>> refused_field("Expected `float`, got `str` - at `$.b[0][1]`")
    'b[0][1]'
    """
    place, missing = _PLACE.search(words), _MISSING.search(words)
    parts = (place.group(1) if place else "", missing.group(1) if missing else "")
    return ".".join(part for part in parts if part)
