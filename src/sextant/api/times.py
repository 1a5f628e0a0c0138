"""Times in requests."""

from __future__ import annotations

from sextant.errors import InputError
from sextant.model.times import parse_time_ns


def time_field(text: str | None, field: str) -> int | None:
    """The time (ns UTC) that a field states; None where the field is absent.

    Raises
    ------
    InputError
        If it is no ISO-8601 time with an offset; the field is pointed at.
    """
    if text is None:
        return None
    try:
        return parse_time_ns(text)
    except InputError as error:
        raise InputError(error.message, reason=error.reason, field=field) from None
