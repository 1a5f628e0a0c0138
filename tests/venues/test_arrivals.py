from __future__ import annotations

import asyncio

import pytest

from sextant.model import event_block as layout
from sextant.model.cells import Cells
from sextant.model.event_block import EventBlock, Events
from sextant.venues.arrivals import FEW, Arrivals, BlockTaker
from sextant.venues.port import SymbolTable


async def test_what_came_in_one_turn_is_taken_together() -> None:
    taken: list[tuple[list[bytes], list[int]]] = []
    arrivals = Arrivals(lambda messages, receive_ns: taken.append((messages, receive_ns)))
    running = asyncio.ensure_future(arrivals.run())
    await asyncio.sleep(0)
    arrivals.add(1, b"a")
    arrivals.add(2, b"b")
    assert taken == []
    for _ in range(3):
        await asyncio.sleep(0)
    assert taken == [([b"a", b"b"], [1, 2])]
    arrivals.add(3, b"c")
    arrivals.flush()
    arrivals.flush()
    assert taken[1:] == [([b"c"], [3])]
    running.cancel()


async def test_what_a_taker_raises_ends_the_run() -> None:
    def fail(_: list[bytes], __: list[int]) -> None:
        raise ValueError("not to be hidden")

    arrivals = Arrivals(fail)
    arrivals.add(1, b"a")
    with pytest.raises(ValueError, match="hidden"):
        await arrivals.run()


@pytest.mark.parametrize("odd", [(), (0,), (2, 3), (4,), (0, 1, 2, 3, 4)])
def test_messages_are_told_in_order_whoever_reads_them(odd: tuple[int, ...]) -> None:
    told: list[object] = []

    def read(_: str, messages: object, receive_ns: object, __: SymbolTable) -> EventBlock:
        heads = Cells(5 * layout.HEAD)
        for at in range(5):
            heads.ints[at * layout.HEAD] = layout.UNREAD if at in odd else layout.CHANGES
        return EventBlock((), heads, Cells(1), b"", 5)

    def emit(events: Events) -> None:
        assert isinstance(events, EventBlock)
        told.extend(range(events.first, events.last))

    messages = [b"%d" % at for at in range(5)]
    taker = BlockTaker(read, ("linear", SymbolTable()), emit, lambda at, message: told.append((at, message)))
    taker.take(messages, [10, 11, 12, 13, 14])
    assert told == [(10 + at, messages[at]) if at in odd else at for at in range(5)]


def test_a_few_messages_are_read_alone() -> None:
    told: list[bytes] = []

    def read(*_: object) -> EventBlock:
        raise AssertionError("no block is worth it")

    taker = BlockTaker(
        read, ("linear", SymbolTable()), lambda _: None, lambda _, message: told.append(message)
    )
    taker.take([b"a"] * FEW, [1] * FEW)
    assert told == [b"a"] * FEW
