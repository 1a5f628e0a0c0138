"""Questions that a venue does not answer: asking one is refused with the reason, never answered with nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn

from sextant.errors import Rejected
from sextant.model.bar import BarBlock
from sextant.model.instrument import Instrument
from sextant.model.times import Interval
from sextant.venues.port import History, Listing, Request

NO_ROWS: Final = 1
"""Most rows of an answer that does not exist."""


def lacking(*_: Any, **__: Any) -> NoReturn:
    """Nothing: the venue publishes no such history, which its capabilities say.

    Raises
    ------
    Rejected
        Always.
    """
    raise Rejected("This venue does not publish such a history.", reason="unsupported")


def bars_only(
    rows: int,
    request: Callable[[Listing, Interval, int, int], Request],
    parse: Callable[[bytes, int, Instrument, Interval], BarBlock],
) -> History:
    """The past of a venue of spot instruments: bars, and nothing that only derivatives have.

    Parameters
    ----------
    rows, request, parse
        As ``bars_rows``, ``bars_request`` and ``parse_bars`` of :class:`~sextant.venues.port.History`.
    """
    return History(
        bars_rows=rows,
        bars_request=request,
        parse_bars=parse,
        funding_rows=NO_ROWS,
        funding_request=lacking,
        parse_funding=lacking,
        open_interest_rows=NO_ROWS,
        open_interest_request=lacking,
        parse_open_interest=lacking,
        account_ratio_rows=NO_ROWS,
        account_ratio_request=lacking,
        parse_account_ratio=lacking,
    )
