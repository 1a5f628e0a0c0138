"""Times are integer nanoseconds UTC; intervals are named as in the API."""

from __future__ import annotations

import datetime
from typing import Final, Literal, get_args

from sextant.errors import InputError

MICROSECOND_NS: Final = 1_000
MILLISECOND_NS: Final = 1_000_000
SECOND_NS: Final = 1_000_000_000
MINUTE_NS: Final = 60 * SECOND_NS
HOUR_NS: Final = 60 * MINUTE_NS
DAY_NS: Final = 24 * HOUR_NS

Interval = Literal["1m", "5m", "30m", "1h", "4h", "1d"]

INTERVALS: Final[tuple[Interval, ...]] = get_args(Interval)

INTERVAL_NS: Final[dict[Interval, int]] = {
    "1m": MINUTE_NS,
    "5m": 5 * MINUTE_NS,
    "30m": 30 * MINUTE_NS,
    "1h": HOUR_NS,
    "4h": 4 * HOUR_NS,
    "1d": DAY_NS,
}


def iso_ms(time_ns: int) -> str:
    """ISO-8601 UTC with milliseconds and ``Z``, rounded down.

    Examples
    --------
    >>> iso_ms(1_717_200_000_123_456_789)
    '2024-06-01T00:00:00.123Z'
    """
    seconds, rest = divmod(time_ns, SECOND_NS)
    stamp = datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
    return f"{stamp:%Y-%m-%dT%H:%M:%S}.{rest // MILLISECOND_NS:03d}Z"


def parse_time_ns(text: str) -> int:
    """Nanoseconds UTC of an ISO-8601 time; a time without an offset is refused.

    Raises
    ------
    InputError
        If the text is not ISO-8601 or names no offset.

    Examples
    --------
    >>> parse_time_ns("2024-06-01T00:00Z")
    1717200000000000000
    """
    try:
        stamp = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"'{text}' is not an ISO-8601 time such as 2024-06-01T00:00Z.", reason="out_of_range"
        ) from None
    if stamp.tzinfo is None:
        raise InputError(f"'{text}' names no offset; write 'Z' for UTC.", reason="out_of_range")
    since_epoch = stamp - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    microseconds = (since_epoch.days * 86_400 + since_epoch.seconds) * 1_000_000 + since_epoch.microseconds
    return microseconds * MICROSECOND_NS
