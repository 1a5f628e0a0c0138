"""Numbers that Python and compiled kernels share: rows of 64-bit cells that stay where they are."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba
import numpy as np
from numba import carray, types  # type: ignore[attr-defined]  # the package is not typed
from numba.core import cgutils
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])

_REACH: Final = 1 << 20
"""Cells a kernel may address from the first; rows are much shorter, and kernels know their lengths."""


class Cells:
    """A row of cells, each of them an int64 or a float64 as its reader says.

    Parameters
    ----------
    count
        Of cells; all are 0, which is 0.0 too.

    Notes
    -----
    ``at`` is the address that kernels are given. Nothing moves it, and whoever keeps an address keeps the object too.
    """

    __slots__ = ("_kept", "at", "ints", "reals")

    def __init__(self, count: int) -> None:
        self._kept = array("q", bytes(8 * count))
        self.at = self._kept.buffer_info()[0]
        self.ints: memoryview[int] = memoryview(self._kept)
        self.reals: memoryview[float] = memoryview(self._kept).cast("B").cast("d")

    def put_ints(self, at: int, values: list[int]) -> None:
        """Write whole numbers from a cell on."""
        self.ints[at : at + len(values)] = memoryview(array("q", values))

    def put_bytes(self, at: int, told: bytes) -> None:
        """Write whole cells as another row's ``ints`` told them."""
        memoryview(self._kept).cast("B")[8 * at : 8 * at + len(told)] = told

    def put_reals(self, at: int, values: list[float]) -> None:
        """Write numbers from a cell on."""
        self.reals[at : at + len(values)] = memoryview(array("d", values))


def compiled(function: F) -> F:
    """The kernel as machine code without the interpreter lock, kept on disk; IEEE arithmetic as written.

    Notes
    -----
    What is kept is stamped with all files of this room, because kernels take in those of other files.
    """
    dispatcher: Any = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    kept = dispatcher._cache._cache_file  # noqa: SLF001  # there is no public way to the stamp
    files = sorted(Path(__file__).parent.glob("*.py"))
    stamp = tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)
    kept._source_stamp = (kept._source_stamp, stamp)  # noqa: SLF001  # as above
    return cast("F", dispatcher)


def _pointed(_: Any, address: Any) -> tuple[Any, Callable[..., Any]]:
    def generate(__: Any, builder: Any, ___: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(address), generate


_pointer: Final[Any] = intrinsic(_pointed)


@compiled
def ints_at(at: int) -> Any:
    """The cells from an address on as int64; inside kernels only."""
    return carray(_pointer(at), _REACH, np.int64)


@compiled
def reals_at(at: int) -> Any:
    """The cells from an address on as float64; inside kernels only."""
    return carray(_pointer(at), _REACH, np.float64)
