"""Full garbage collections that do not stop a serving process: what survived one is set aside for ten minutes."""

from __future__ import annotations

import gc
from typing import Any, Final

from sextant.kit.clock import Clock

THAW_S: Final = 600
"""Cycles among what was set aside are found so late at the most."""

_SECOND_NS: Final = 1_000_000_000
_FULL: Final = 2


class Survivors:
    """Sets aside what survived a full collection, so that the next one looks only at what came since.

    Parameters
    ----------
    clock
        Says when everything is looked at again.

    Notes
    -----
    A server holds some millions of objects that live as long as it does: instruments, histories, evidence. The
    interpreter walks all of them at every full collection, a fifth of a second in which neither its event loop nor
    any other thread goes on, every few seconds while scans run. Reference counts free nearly all of what dies;
    only cycles wait for a collection, and those that die young are found as before.

    References
    ----------
    The Python Standard Library, ``gc.freeze``, ``gc.unfreeze`` and ``gc.callbacks``.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._thawed_ns = clock.monotonic_ns()

    def watch(self) -> None:
        """Follow every collection of this process from now on."""
        gc.callbacks.append(self._collection)

    def leave(self) -> None:
        """Follow no more, and give what was set aside back to the collector."""
        gc.callbacks.remove(self._collection)
        gc.unfreeze()

    def _collection(self, phase: str, info: dict[str, Any]) -> None:
        if info["generation"] != _FULL:
            return
        if phase == "stop":
            gc.freeze()
        elif self._clock.monotonic_ns() - self._thawed_ns >= THAW_S * _SECOND_NS:
            self._thawed_ns = self._clock.monotonic_ns()
            gc.unfreeze()
