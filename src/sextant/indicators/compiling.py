"""How the rows of indicators become machine code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """The function as machine code without the interpreter lock, kept on disk; IEEE arithmetic as written.

    Notes
    -----
    Nothing is fused or re-ordered, and a division by 0 gives inf or NaN instead of an exception.
    """
    dispatcher: Any = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    # The compiler stamps its files with the source of the function alone; the primitives it takes in from
    # this room must count too, or a changed primitive would leave stale code on disk.
    files = dispatcher._cache._cache_file  # noqa: SLF001  # there is no public way to the stamp
    files._source_stamp = (files._source_stamp, primitives_stamp())  # noqa: SLF001  # as above
    return cast("F", dispatcher)


def primitives_stamp() -> tuple[tuple[str, int, int], ...]:
    """Name, time of change in nanoseconds and size of each file of shared primitives."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)
