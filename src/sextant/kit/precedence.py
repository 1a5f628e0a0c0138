"""What somebody waits for goes before what nobody waits for: in one interpreter each would take twice as long beside the other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

MOST_S: Final = 1.0  # work that never ends must not keep all other for good


class Precedence:
    """Tells work of an event loop whether other work goes before it."""

    def __init__(self) -> None:
        self._held = 0
        self._free = asyncio.Event()
        self._free.set()

    @contextmanager
    def first(self) -> Iterator[None]:
        """A block that goes before all other work; several go beside each other."""
        self._held += 1
        self._free.clear()
        try:
            yield
        finally:
            self._held -= 1
            if not self._held:
                self._free.set()

    async def give_way(self) -> None:
        """Wait until nothing goes first, or for a second at most."""
        if self._held:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._free.wait(), MOST_S)
