"""Exit codes: one number per kind of ending, so that scripts can tell them apart."""

from __future__ import annotations

from typing import Final

from sextant.errors import (
    BudgetExceeded,
    ConfigError,
    Conflict,
    Denied,
    InputError,
    Insufficient,
    MarketError,
    NotFound,
    RateLimited,
    SextantError,
    StoreAway,
    Unauthenticated,
    VenueError,
)

OK: Final = 0
DEFECT: Final = 1
USAGE: Final = 2
INPUT: Final = 3
DATA: Final = 4
UNREACHABLE: Final = 5
REFUSED: Final = 6
CONFIG: Final = 7

MEANINGS: Final = (
    (OK, "done"),
    (DEFECT, "a defect of Sextant; the trace says where"),
    (USAGE, "the command line could not be read"),
    (INPUT, "a value, file or time is wrong; the message names it and the limit"),
    (DATA, "too little or too old data for a truthful answer"),
    (UNREACHABLE, "a venue or the server could not be reached in time"),
    (REFUSED, "not allowed, or in conflict with something running"),
    (CONFIG, "the configuration is wrong"),
)

_BY_ERROR: Final[tuple[tuple[type[SextantError], int], ...]] = (
    (InputError, INPUT),
    (NotFound, INPUT),
    (Insufficient, DATA),
    (MarketError, DATA),
    (VenueError, UNREACHABLE),
    (BudgetExceeded, UNREACHABLE),
    (StoreAway, UNREACHABLE),
    (Unauthenticated, REFUSED),
    (Denied, REFUSED),
    (RateLimited, REFUSED),
    (Conflict, REFUSED),
    (ConfigError, CONFIG),
)


def exit_code(error: SextantError) -> int:
    """The exit code of a failure."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), DEFECT)


def epilogue() -> str:
    """The exit codes as one line per code."""
    return "Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in MEANINGS) + "."
