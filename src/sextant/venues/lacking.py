"""Questions that a venue does not answer: asking one is refused with the reason, never answered with nothing."""

from __future__ import annotations

from typing import Any, Final, NoReturn

from sextant.errors import Rejected

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
