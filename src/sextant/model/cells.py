"""Numbers that Python and compiled kernels share: rows of 64-bit cells that stay where they are."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])


_BASIS: Final = 0xCBF29CE484222325 - (1 << 64)
_PRIME: Final = 0x100000001B3
_ALL_BITS: Final = (1 << 64) - 1


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

    __slots__ = ("at", "ints", "reals")

    def __init__(self, count: int) -> None:
        zeros = np.zeros(count, dtype=np.int64)  # touches no page before it is used
        self.at: int = zeros.ctypes.data
        kept: Any = zeros
        self.ints: memoryview[int] = memoryview(kept).cast("B").cast("q")
        self.reals: memoryview[float] = memoryview(kept).cast("B").cast("d")

    def put_ints(self, at: int, values: list[int]) -> None:
        """Write whole numbers from a cell on."""
        self.ints[at : at + len(values)] = memoryview(array("q", values))

    def put_bytes(self, at: int, told: bytes) -> None:
        """Write whole cells as another row's ``ints`` told them."""
        self.ints.cast("B")[8 * at : 8 * at + len(told)] = told

    def put_reals(self, at: int, values: list[float]) -> None:
        """Write numbers from a cell on."""
        self.reals[at : at + len(values)] = memoryview(array("d", values))


class IntCell:
    """An attribute that is a cell, read as int64.

    Parameters
    ----------
    place
        Of the cell in the ``cells`` of the object.
    """

    def __init__(self, place: int) -> None:
        self._place = place

    def __get__(self, holder: Any, _: Any) -> int:
        """The number in the cell."""
        value: int = holder.cells.ints[self._place]
        return value

    def __set__(self, holder: Any, value: int) -> None:
        """Write the number into the cell."""
        holder.cells.ints[self._place] = value


class RealCell:
    """The same, read as float64.

    Parameters
    ----------
    place
        As in :class:`IntCell`.
    """

    def __init__(self, place: int) -> None:
        self._place = place

    def __get__(self, holder: Any, _: Any) -> float:
        """The number in the cell."""
        value: float = holder.cells.reals[self._place]
        return value

    def __set__(self, holder: Any, value: float) -> None:
        """Write the number into the cell."""
        holder.cells.reals[self._place] = value


def compiled(function: F) -> F:
    """The kernel as machine code without the interpreter lock, kept on disk; IEEE arithmetic as written.

    Notes
    -----
    What is kept is stamped with all files beside the kernel's and beside this one, because kernels take in those of other files.
    """
    dispatcher: Any = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    kept = dispatcher._cache._cache_file  # noqa: SLF001  # there is no public way to the stamp
    rooms = {Path(function.__code__.co_filename).parent, Path(__file__).parent}
    files = sorted(file for room in rooms for file in room.glob("*.py"))
    stamp = tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)
    kept._source_stamp = (kept._source_stamp, stamp)  # noqa: SLF001  # as above
    return cast("F", dispatcher)


def _pointing(to: Any) -> Any:
    """What makes a pointer of an address inside kernels; indices into it are not checked, and none counts from the end."""

    def pointed(_: Any, address: Any) -> tuple[Any, Callable[..., Any]]:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        pointer: Any = types.CPointer
        return pointer(to)(address), generate

    return intrinsic(pointed)


bytes_at: Final = _pointing(types.uint8)
"""The bytes from an address on; inside kernels only."""
ints_at: Final = _pointing(types.int64)
"""The cells from an address on as int64; inside kernels only."""
reals_at: Final = _pointing(types.float64)
"""The cells from an address on as float64; inside kernels only."""


@compiled
def digest(at: int, count: int) -> int:
    """A number of 64 bits, never 0, that tells texts apart; that of ``count`` bytes from an address on.

    References
    ----------
    FNV-1a, www.isthe.com/chongo/tech/comp/fnv; read as a signed number.
    """
    text = bytes_at(at)
    number: Any = np.int64(_BASIS)
    for place in range(count):
        number = (number ^ np.int64(text[place])) * np.int64(_PRIME)
    found: Any = number if number != 0 else np.int64(1)
    whole: int = found
    return whole


def digest_of(text: bytes) -> int:
    """The same of some bytes.

    Examples
    --------
    >>> digest_of(b"a") == digest_of(b"a"), digest_of(b"a") == digest_of(b"b")
    (True, False)
    """
    held = array("B", text)
    found: int = digest(held.buffer_info()[0], len(held))
    return found


def plain_digest(text: bytes) -> int:
    """As :func:`digest_of`, without compiled code: for the constants of kernels."""
    number = _BASIS & _ALL_BITS
    for byte in text:
        number = (number ^ byte) * _PRIME & _ALL_BITS
    return (number - (1 << 64) if number >> 63 else number) or 1


def address_of(text: bytes) -> int:
    """Where the bytes are, for as long as whoever asks keeps them."""
    found: int = np.frombuffer(text, dtype=np.uint8).ctypes.data
    return found
