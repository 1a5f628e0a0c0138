"""Ordered streams: each entry once, holes seen, snapshots whole or absent, garbage a miss."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sextant.errors import Conflict, StoreAway
from sextant.kit.bus import Bus
from sextant.kit.clock import ManualClock
from sextant.kit.streams import (
    BEGINNING,
    PIECE_BYTES,
    Entry,
    Snapshot,
    Snapshots,
    StreamReader,
    StreamWriter,
    order,
)
from support.valkey import Valkey, connected

KEY = "stream"


@pytest.fixture
async def bus(store: Valkey) -> AsyncIterator[Bus]:
    async with connected(store, ManualClock()) as made:
        yield made


def writer(bus: Bus, epoch: int = 7, keep: int = 1_000) -> StreamWriter:
    return StreamWriter(bus, KEY, keep, epoch)


async def test_entries_are_read_in_order_and_each_names_the_one_it_continues(bus: Bus) -> None:
    write, read = writer(bus), StreamReader(bus, KEY)
    assert await read.read() == []
    for body in (b"one", b"\x00\xff"):
        await write.append("k", body)
    assert await read.read() == [Entry("7-1", BEGINNING, "k", b"one"), Entry("7-2", "7-1", "k", b"\x00\xff")]
    assert await read.read(wait_s=0.01) == []
    read.seek("7-1")
    assert [entry.entry_id for entry in await read.read()] == ["7-2"]
    assert await read.newest() == "7-2"


async def test_an_entry_whose_confirmation_was_lost_lies_there_once(bus: Bus, store: Valkey) -> None:
    write, again = writer(bus), writer(bus)
    await write.append("k", b"one")
    assert await again.append("k", b"one") == "7-1"  # the same call, made by one that heard no answer
    assert again.position == "7-1"
    with store.client() as client:
        assert client.xlen(KEY) == 1


async def test_a_writer_of_an_older_epoch_is_refused_once_a_newer_one_wrote(bus: Bus) -> None:
    old, new = writer(bus, 7), writer(bus, 8)
    await old.append("k", b"one")
    new.go_on(old.position)
    await new.append("k", b"two")
    with pytest.raises(Conflict):
        await old.append("k", b"three")
    read = StreamReader(bus, KEY)
    assert [(entry.after, entry.body) for entry in await read.read()] == [
        (BEGINNING, b"one"),
        ("7-1", b"two"),
    ]


async def test_what_is_trimmed_is_seen_as_a_hole(bus: Bus) -> None:
    write = writer(bus, keep=1)
    for number in range(400):
        await write.append("k", str(number).encode())
    (first, *_) = await StreamReader(bus, KEY).read()
    assert first.after != BEGINNING
    assert order(first.after)[1] == order(first.entry_id)[1] - 1


async def test_after_a_skip_nothing_continues_what_was_before(bus: Bus) -> None:
    write = writer(bus)
    await write.append("k", b"one")
    skipped = write.skip()
    await write.append("k", b"two")
    first, second = await StreamReader(bus, KEY).read()
    assert second.after == skipped
    assert skipped not in (first.entry_id, second.entry_id)
    assert order(first.entry_id) < order(skipped) < order(second.entry_id)


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, 2 * PIECE_BYTES + 5])
async def test_a_snapshot_comes_back_whole(bus: Bus, size: int) -> None:
    kept = Snapshots(bus, KEY)
    assert await kept.get() is None
    for position in ("7-1", "7-9"):
        await kept.put(Snapshot(position, bytes(size)))
        assert await kept.get() == Snapshot(position, bytes(size))
        assert await kept.position() == position


async def test_a_snapshot_that_was_not_finished_leaves_the_one_before(bus: Bus) -> None:
    kept = Snapshots(bus, KEY)
    await kept.put(Snapshot("7-1", b"first"))
    await bus.call("SET", f"{KEY}:snapshot:1:0", b"half of the second")
    assert await kept.get() == Snapshot("7-1", b"first")


@pytest.mark.parametrize("lost", [("DEL", ":0:1"), ("SET", ":0:1", b"other"), ("DEL", "")])
async def test_a_snapshot_that_lost_a_piece_is_none(bus: Bus, lost: tuple[str, ...]) -> None:
    kept = Snapshots(bus, KEY)
    await kept.put(Snapshot("7-1", bytes(PIECE_BYTES + 1)))
    await bus.call(lost[0], f"{KEY}:snapshot{lost[1]}", *lost[2:])
    assert await kept.get() is None


async def test_garbage_under_our_keys_is_a_miss_counted_and_replaced(bus: Bus) -> None:
    """faults.md R5."""
    write, read, kept = writer(bus), StreamReader(bus, KEY), Snapshots(bus, KEY)
    await bus.call("SET", KEY, "no stream")
    await bus.call("LPUSH", f"{KEY}:snapshot", "no manifest")
    assert await read.read() == []
    assert await read.newest() is None
    assert await kept.get() is None
    assert bus.counts["garbage"] == 1
    await write.append("k", b"one")
    assert [entry.body for entry in await read.read()] == [b"one"]
    await bus.call("XADD", KEY, "8-1", "field", "value")
    await bus.call("XADD", KEY, "8-2", "a", "never", "k", "k", "b", "b")
    await bus.call(
        "XADD", KEY, "8-3", "a", "0-0", "k", "k", "b", "b"
    )  # no third entry continues the beginning
    await bus.call("XADD", KEY, "*", "a", "0-0", "k", "k", "b", "b")
    assert await read.read() == []
    assert bus.counts["garbage"] == 2
    assert await read.newest() is None
    await write.append("k", b"two")  # a stranger's later id would bar ours: the key is made anew
    read.seek(BEGINNING)
    assert [entry.body for entry in await read.read()] == [b"two"]
    await bus.call("SET", f"{KEY}:snapshot", b"\xc1garbage")
    assert await kept.get() is None
    await kept.put(Snapshot("7-2", b"good"))
    assert await kept.get() == Snapshot("7-2", b"good")
    assert bus.counts["replaced"] >= 2


async def test_a_refusal_for_memory_is_told_and_the_entry_can_be_tried_again(bus: Bus, store: Valkey) -> None:
    write = writer(bus)
    with store.client() as client:
        client.config_set("maxmemory", 1)
        with pytest.raises(StoreAway) as refused:
            await write.append("k", b"one")
        assert refused.value.reason == "OOM"
        client.config_set("maxmemory", 0)
    assert await write.append("k", b"one") == "7-1"
