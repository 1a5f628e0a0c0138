"""Who is told how scans and strategies ended, to count them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Observer(Protocol):
    """Counts endings; every call must return at once."""

    def scanning(self) -> AbstractContextManager[None]:
        """A block in which a scan is run."""
        ...

    def evaluated(self, strategy: str, outcome: str, seconds: float) -> None:
        """Take note of a strategy that ended in a scan."""
        ...

    def scanned(self, outcome: str, seconds: float, *, whole: bool) -> None:
        """Take note of an ended scan; ``whole`` if every strategy of it ended by itself."""
        ...


class Unobserved:
    """Counts nothing."""

    def scanning(self) -> AbstractContextManager[None]:
        """Nothing is noted of it."""
        return nullcontext()

    def evaluated(self, strategy: str, outcome: str, seconds: float) -> None:
        """Nothing is counted."""

    def scanned(self, outcome: str, seconds: float, *, whole: bool) -> None:
        """Nothing is counted."""
