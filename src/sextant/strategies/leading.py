"""The leading eigenvectors of a symmetric matrix, found without holding the interpreter.

SciPy's ``eigh`` keeps it for as long as LAPACK works, so no other strategy of a scan would run meanwhile. Its own
pointer to the routine, which it exports for compiled callers, is called through ``ctypes``, which lets it go.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Final

import numpy as np
from scipy.linalg import LinAlgError, cython_lapack

from sextant.model.bar import Floats

_ROUTINE: Final = "dsyevr"
_ARGUMENTS: Final = 21
_WORK_ROWS: Final = 64  # of the matrix's size: what LAPACK asks for with blocks of up to 58 columns
_INTEGER_ROWS: Final = 10  # the least that it allows


@cache
def _routine() -> Callable[..., None]:
    capsule = cython_lapack.__pyx_capi__[_ROUTINE]
    name_of = ctypes.pythonapi.PyCapsule_GetName
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
    address_of = ctypes.pythonapi.PyCapsule_GetPointer
    address_of.restype, address_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    made: Callable[..., None] = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * _ARGUMENTS)(
        address_of(capsule, name_of(capsule))
    )
    return made


def leading(matrix: Floats, count: int) -> tuple[Floats, Floats]:
    """The largest eigenvalues and their vectors, largest first.

    Parameters
    ----------
    matrix
        float64 (N, N), symmetric and finite; only one of its triangles is read.
    count
        How many, 1 to N.

    Returns
    -------
    float64 (count,) and (N, count); vectors are of length one, their signs arbitrary but always the same.

    Raises
    ------
    LinAlgError
        If LAPACK does not converge.
    """
    size = len(matrix)
    work = np.array(matrix, dtype=np.float64, order="C")  # overwritten
    values, vectors = np.empty(size), np.empty((count, size))
    support = np.empty(2 * count, dtype=np.intc)
    room, integers = np.empty(_WORK_ROWS * size), np.empty(_INTEGER_ROWS * size, dtype=np.intc)

    def number(value: int) -> ctypes.c_int:
        return ctypes.c_int(value)

    found, failed = number(0), number(0)
    first, last, rows = number(size - count + 1), number(size), number(size)
    unused, tolerance = ctypes.c_double(0.0), ctypes.c_double(0.0)
    flags = [ctypes.create_string_buffer(flag) for flag in (b"V", b"I", b"L")]
    room_size, integers_size = number(len(room)), number(len(integers))
    # fmt: off
    _routine()(
        *map(ctypes.addressof, flags), ctypes.addressof(rows), work.ctypes.data, ctypes.addressof(rows),
        ctypes.addressof(unused), ctypes.addressof(unused), ctypes.addressof(first), ctypes.addressof(last),
        ctypes.addressof(tolerance), ctypes.addressof(found), values.ctypes.data, vectors.ctypes.data,
        ctypes.addressof(rows), support.ctypes.data, room.ctypes.data, ctypes.addressof(room_size),
        integers.ctypes.data, ctypes.addressof(integers_size), ctypes.addressof(failed),
    )
    # fmt: on
    if failed.value or found.value != count:
        raise LinAlgError(f"{_ROUTINE} ended with {failed.value} after {found.value} of {count} vectors.")
    return values[:count][::-1].copy(), np.ascontiguousarray(vectors[::-1].T)
