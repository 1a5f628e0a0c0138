"""Messages of a connection, taken together as they came in one turn of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from sextant.model.event_block import Events
from sextant.venues.port import BlockReader, Category, SymbolTable

FEW: Final = 3
"""So few messages are read one by one: a block has its own cost."""


class Arrivals:
    """What came and was not taken yet.

    Parameters
    ----------
    take
        Takes messages and when each arrived, in order; what it raises ends :meth:`run`.

    Notes
    -----
    Nothing is waited for: a message is taken in the turn of the loop after the one that read it off the socket, with whatever
    was read there too.
    """

    def __init__(self, take: Callable[[list[bytes], list[int]], None]) -> None:
        self._take = take
        self._messages: list[bytes] = []
        self._receive_ns: list[int] = []
        self._any = asyncio.Event()

    def add(self, receive_ns: int, message: bytes) -> None:
        """Note a message; one of a connection reads them off the wire in order."""
        if not self._messages:
            self._any.set()
        self._messages.append(message)
        self._receive_ns.append(receive_ns)

    def flush(self) -> None:
        """Take what came by now."""
        messages, receive_ns = self._messages, self._receive_ns
        self._messages, self._receive_ns = [], []
        self._any.clear()
        if messages:
            self._take(messages, receive_ns)

    async def run(self) -> None:
        """Take what comes until cancelled."""
        while True:
            await self._any.wait()
            self.flush()


class BlockTaker:
    """Reads messages as blocks, and those that are left unread one by one.

    Parameters
    ----------
    read
        Reads messages.
    whose
        Their category, and instruments by symbol.
    emit
        Takes a part of a block.
    take
        Takes a message that must be read alone, and when it arrived.
    """

    def __init__(
        self,
        read: BlockReader,
        whose: tuple[Category, SymbolTable],
        emit: Callable[[Events], None],
        take: Callable[[int, bytes], None],
    ) -> None:
        self._read = read
        self._category, self._symbols = whose
        self._emit = emit
        self._alone = take

    def take(self, messages: Sequence[bytes], receive_ns: Sequence[int]) -> None:
        """Tell the events of all messages, in their order."""
        if len(messages) <= FEW:
            for at, message in zip(receive_ns, messages, strict=True):
                self._alone(at, message)
            return
        block = self._read(self._category, messages, receive_ns, self._symbols)
        first = 0
        for odd in (*block.unread(), len(messages)):
            if odd > first:
                self._emit(block.part(first, odd))
            if odd < len(messages):
                self._alone(receive_ns[odd], messages[odd])
            first = odd + 1
