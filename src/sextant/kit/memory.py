"""A bound on the memory of this process: over it an allocation fails, instead of the kernel killing the process."""

from __future__ import annotations

import resource
from typing import Final

_MB: Final = 1 << 20


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
