"""The parameters of Binance's paths, and refusals in the venue's codes and words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sextant.errors import Rejected
from sextant.sim.live import Live
from sextant.sim.universe import Listing

INVALID_SYMBOL: Final = -1121

Parameters = Mapping[str, str]
Answer = Callable[[Parameters, int], Any]
"""Parameters and milliseconds since 1970 to the body of a path."""


def refused(code: int, message: str, status: int = 400) -> Rejected:
    """The refusal with the venue's code and words."""
    return Rejected(message, ret_code=code, status=status)


def named(live: Live, category: str, asked: Parameters) -> Listing:
    """The listing that a question names.

    Raises
    ------
    Rejected
        If it names none, or one that does not trade.
    """
    symbol = asked.get("symbol", "")
    if not symbol:
        raise refused(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
    found = live.find(category, symbol)
    if found is None:
        raise refused(INVALID_SYMBOL, "Invalid symbol.")
    return found


def whole(asked: Parameters, name: str, otherwise: int, most: int) -> int:
    """A whole number among the parameters, cut at ``most``.

    Raises
    ------
    Rejected
        If it is none.
    """
    text = asked.get(name, "")
    if not text:
        return otherwise
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise refused(
            -1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
        )
    if int(text) < 1 and name == "limit":
        raise refused(-1130, f"Data sent for parameter '{name}' is not valid.")
    return min(most, int(text))


def moment(asked: Parameters, name: str) -> int | None:
    """Milliseconds since 1970 among the parameters; None where unsaid."""
    return whole(asked, name, 0, 1 << 60) if asked.get(name) else None
