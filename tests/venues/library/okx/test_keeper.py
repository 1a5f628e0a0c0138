"""Books under numbers as they are now, and under the checksums of before, of which every recorded one is proved."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from pathlib import Path

import pytest

from sextant.model.events import BookCleared, BookDelta, BookSnapshot, Event, Trade
from sextant.venues.library.okx import VENUE
from sextant.venues.library.okx.keeper import OkxKeeper
from sextant.venues.port import SymbolTable
from sextant.venues.recordings import read_recording
from support.okx import AT, SPOT, SWAP, TABLE, books, listed, message

BID, ASK = ["29999.9", "4", "0", "2"], ["30000.1", "3", "0", "1"]


def told(keeper: OkxKeeper, frame: object) -> list[Event]:
    data = json.dumps(frame).encode()
    return keeper.take(data, VENUE.parse_frame("public", data, AT, TABLE), AT)


def whole(number: int) -> BookSnapshot:
    return BookSnapshot(SWAP.instrument, AT, AT, number, 400, [(29999.9, 0.04)], [(30000.1, 0.03)])


def numbers(events: list[Event]) -> list[int]:
    return [event.sequence for event in events]  # type: ignore[union-attr]  # all are of books


def change(number: int, before: int) -> dict[str, object]:
    return books("update", [BID], [], seqId=number, prevSeqId=before)


def test_changes_wait_for_a_beginning_by_rest_that_lies_between_their_numbers() -> None:
    keeper = OkxKeeper("public", TABLE)
    assert told(keeper, change(105, 100)) == []
    assert told(keeper, change(110, 105)) == []
    assert keeper.wants() == [SWAP.instrument]
    assert keeper.begin(whole(99)) == []  # strictly before the first change: asked for again
    assert keeper.wants() == [SWAP.instrument]
    assert numbers(keeper.begin(whole(103))) == [103, 105, 110]
    assert numbers(told(keeper, change(112, 110))) == [112]
    assert keeper.wants() == []


def test_a_beginning_by_the_socket_needs_no_other() -> None:
    keeper = OkxKeeper("public", TABLE)
    assert numbers(told(keeper, books("snapshot", [BID], [ASK], seqId=100, prevSeqId=-1))) == [100]
    assert numbers(told(keeper, change(105, 100))) == [105]
    assert keeper.wants() == []
    assert told(keeper, books("update", [], [], seqId=105, prevSeqId=105)) == []


def test_a_missing_change_is_a_gap_and_numbers_that_begin_anew_end_the_book() -> None:
    keeper = OkxKeeper("public", TABLE)
    keeper.begin(whole(100))
    assert numbers(told(keeper, change(110, 105))) == [110]
    assert keeper.wants() == [SWAP.instrument]
    keeper.begin(whole(111))
    assert told(keeper, change(3, 111)) == [
        BookCleared(SWAP.instrument, 1652459225393 * 10**6, AT, "numbers_restarted")
    ]
    assert keeper.wants() == [SWAP.instrument]
    assert told(keeper, change(5, 3)) == []
    assert numbers(keeper.begin(whole(4))) == [4, 5]
    keeper.forget(SWAP.instrument)
    assert told(keeper, change(7, 5)) == []


def test_other_events_pass() -> None:
    row = {"tradeId": "1", "px": "1", "sz": "1", "side": "buy", "ts": "1630048897897"}
    assert [type(event) for event in told(OkxKeeper("public", TABLE), message("trades", row))] == [Trade]


def checksum(*texts: str) -> int:
    """By the rule of the documentation of before, as a signed number of 32 bits."""
    total = zlib.crc32(":".join(texts).encode())
    return total - 2**32 if total >= 2**31 else total


def test_without_numbers_the_checksum_proves_and_a_wrong_one_ends_the_book() -> None:
    keeper = OkxKeeper("public", TABLE)
    good = checksum("29999.9:4", "30000.1:3")
    (first,) = told(keeper, books("snapshot", [BID], [ASK], "BTC-USDT", checksum=good))
    more = checksum("29999.9:4", "30000.1:3", "30000.5:1")
    (second,) = told(keeper, books("update", [], [["30000.5", "1", "0", "1"]], "BTC-USDT", checksum=more))
    assert numbers([first, second]) == [1, 2]
    (lost,) = told(keeper, books("update", [["29999.9", "0", "0", "0"]], [], "BTC-USDT", checksum=1))
    assert isinstance(lost, BookCleared)
    assert (lost.reason, keeper.wants()) == ("checksum", [SPOT.instrument])
    assert told(keeper, books("update", [BID], [], "BTC-USDT", checksum=good)) == []
    assert [type(event) for event in told(keeper, books("snapshot", [], [], "BTC-USDT"))] == [BookCleared]


@pytest.mark.data
@pytest.mark.parametrize("lost", [None, 150])
def test_every_recorded_checksum_agrees_until_a_message_is_lost(data_dir: Path, lost: int | None) -> None:
    symbols = SymbolTable([SPOT, listed("BTC-USD-220527", "future"), listed("UNI-USD-SWAP", "perpetual")])
    keeper, seen = OkxKeeper("public", symbols), Counter[type]()
    for at, frame in enumerate(read_recording(data_dir / "cryptofeed" / "v3" / "OKX.jsonl.zst")):
        if frame.kind == "received" and at != lost and b'"action"' in frame.data:
            events = VENUE.parse_frame("public", frame.data, frame.receive_ns, symbols)
            seen.update(type(event) for event in keeper.take(frame.data, events, frame.receive_ns))
    if lost is None:
        assert seen == {BookSnapshot: 3, BookDelta: 287}
        assert keeper.wants() == []
    else:
        assert seen[BookCleared] == 1
        assert len(keeper.wants()) == 1
