"""The memory of this process: a bound over which an allocation fails, and what was freed given back to the machine."""

from __future__ import annotations

import ctypes
import resource
from typing import Final

_MB: Final = 1 << 20
_ARENA_MAX: Final = -8  # M_ARENA_MAX of malloc.h


def limit_memory(megabytes: int | None) -> None:
    """Let no allocation of this process take its data beyond a size; None leaves it unbounded.

    Notes
    -----
    ``RLIMIT_DATA`` counts private writable memory (getrlimit(2), Linux 4.7 and later). Python and NumPy raise
    ``MemoryError`` for an allocation that does not fit; whoever made it fails and everybody else goes on.
    """
    if megabytes is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = megabytes * _MB
    soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def share_heap() -> bool:
    """Whether all threads take memory from one heap from now on; false where the C library has no such setting.

    Notes
    -----
    glibc gives threads heaps of their own, eight for each core, and what one frees no other can use: columns that
    strategies make in turn on many threads would be held many times. Numbers of this size come from the machine by
    themselves, so threads seldom wait for each other. Belongs before the first thread (mallopt(3)).
    """
    try:
        return bool(ctypes.CDLL(None).mallopt(_ARENA_MAX, 1))
    except (AttributeError, OSError, TypeError):
        return False


def give_back() -> bool:
    """Whether freed memory went back to the machine; false where the C library keeps none or cannot be asked.

    Notes
    -----
    glibc answers large requests from its heap once one of their size was freed, and then gives nothing back that lies
    below something in use: columns that were let go would stay resident. Takes milliseconds and belongs in a thread.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return False
    trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int
    return bool(trim(0))
