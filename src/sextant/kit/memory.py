"""The memory of this process: a bound over which an allocation fails, and what was freed given back to the machine."""

from __future__ import annotations

import ctypes
import resource
from pathlib import Path
from typing import Final

from sextant.kit.clock import Clock

EBB_SHARE: Final = 0.25  # more than what a minute's bars take for a moment
EBB_S: Final = 300.0  # what was resident after the last time may have been in use only then

_MB: Final = 1 << 20
_SECOND_NS: Final = 1_000_000_000
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


class Ebb:
    """Gives freed memory back now and then, and at once where a good part more is resident than after the last time.

    Parameters
    ----------
    clock
        Says how long ago the last time was.

    Notes
    -----
    What is needed again a minute later stays in between, since each page that is taken anew costs a fault. Where the
    machine does not tell what is resident, nothing is done.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._low_mb = 0.0
        self._last_ns = clock.monotonic_ns()

    def look(self) -> bool:
        """Whether memory was given back. Takes milliseconds and belongs in a thread."""
        now_mb, now_ns = resident_mb(), self._clock.monotonic_ns()
        if now_mb is None:
            return False
        if now_mb <= self._low_mb * (1.0 + EBB_SHARE) and now_ns - self._last_ns < EBB_S * _SECOND_NS:
            return False
        given = give_back()
        self._low_mb, self._last_ns = resident_mb() or now_mb, now_ns
        return given


def resident_mb() -> float | None:
    """Memory of this process that is in the machine, MB; None where the machine does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return None
    return pages * resource.getpagesize() / _MB
