"""Every model event survives packing to the letter; bytes that are no batch are refused with a word."""

from __future__ import annotations

import random
import typing
from decimal import Decimal

import msgspec
import numpy as np
import pytest
import zstandard

from sextant.errors import InputError
from sextant.model.bar import BAR_FIELDS, Bar, BarBlock
from sextant.model.event_pack import MOST_BYTES, EventPacker, EventUnpacker
from sextant.model.events import (
    BarUpdate,
    BookCleared,
    BookDelta,
    BookSnapshot,
    DerivativesUpdate,
    Event,
    FundingSettled,
    Liquidation,
    Listed,
    OpenInterestPoint,
    OptionUpdate,
    QuoteUpdate,
    StreamAlive,
    StreamDown,
    Trade,
    Unfollowed,
)
from sextant.model.instrument import Instrument, InstrumentSpec

BTC = Instrument("bybit", "BTC", "USDT", "perpetual")
ETH = Instrument("bybit", "ETH", "USDT", "spot")
CALL = Instrument("deribit", "BTC", "USD", "option", 1_800_000_000_000_000_000, Decimal("60000.5"), "call")
SPEC = InstrumentSpec(
    BTC, Decimal("0.10"), Decimal("0.001"), Decimal(5), Decimal(1), "trading", 28_800, Decimal("100.00"), 7
)
HOUR_NS = 3_600_000_000_000
VALUES = {name: np.array([[1.5, np.nan], [2.5, 3.5]]) + place for place, name in enumerate(BAR_FIELDS)}
BLOCK = BarBlock(
    interval="1h",
    instruments=(BTC, ETH),
    open_ns=np.array([HOUR_NS, 3 * HOUR_NS]),
    event_ns=9 * HOUR_NS,
    receive_ns=9 * HOUR_NS + 1,
    **VALUES,
)
EVENTS: list[Event] = [
    Listed(SPEC, 1, 2),
    BookSnapshot(BTC, 1, 2, 3, 50, [(0.1 + 0.2, 1e-9)], []),
    BookDelta(BTC, 3, 4, 5, 4, None, [(1.5, 0.0)], [(2.5, 7.0), (3.5, 0.0)]),
    BookDelta(ETH, 3, 4, 5, 5, 4, [], []),
    BookCleared(ETH, 5, 6, "auction"),
    Trade(BTC, 7, 8, "id-1", 100.0, 0.5, -1),
    Trade(ETH, 7, 8, "id-2", 100.0, 0.5, 0, block=True),
    QuoteUpdate(ETH, 9, 10, bid=1.0, ask=None),
    QuoteUpdate(ETH, 9, 10),
    BarUpdate(BTC, 11, 12, "1m", Bar(60_000_000_000, 1.0, 2.0, 0.5, 1.5, 10.0, 15.0, 4.0), final=True),
    DerivativesUpdate(BTC, 13, 14, last=5.0, mark=None, funding_rate=-0.0001, funding_interval_s=28_800),
    OptionUpdate(CALL, 15, 16, mark_iv=0.65, theta=-12.5, delta=None),
    FundingSettled(BTC, 17, 18, 0.0001),
    OpenInterestPoint(BTC, 19, 20, 1234.5),
    Liquidation(BTC, 21, 22, "long", 99.5, 3.0),
    StreamDown((BTC, ETH, CALL), ("book", "trades"), 23, 24, "closed"),
    StreamAlive((), ("quote",), 25, 26),
    Unfollowed((ETH, CALL), 27, 28),
]


def through(events: list[Event]) -> list[Event]:
    return EventUnpacker().unpack(EventPacker().pack(events))


def test_every_kind_of_event_is_tried() -> None:
    assert {type(event) for event in [*EVENTS, BLOCK]} == set(typing.get_args(Event))


def test_events_come_back_equal_and_in_order() -> None:
    assert through(EVENTS) == EVENTS
    assert [type(event) for event in through(EVENTS)] == [type(event) for event in EVENTS]


def test_numbers_keep_their_type_and_levels_stay_pairs() -> None:
    back = through(EVENTS)
    facts = next(event for event in back if isinstance(event, DerivativesUpdate))
    assert (type(facts.last), type(facts.funding_interval_s)) == (float, int)
    assert facts.mark is None
    assert facts.index is msgspec.UNSET
    taken = next(event for event in back if isinstance(event, BookSnapshot))
    assert taken.bids == [(0.30000000000000004, 1e-9)]
    assert type(taken.bids[0]) is tuple


def test_blocks_of_bars_come_back_to_the_bit() -> None:
    (back,) = through([BLOCK])
    assert isinstance(back, BarBlock)
    assert (back.interval, back.instruments, back.event_ns, back.receive_ns) == (
        BLOCK.interval,
        BLOCK.instruments,
        BLOCK.event_ns,
        BLOCK.receive_ns,
    )
    assert back.open_ns.tolist() == BLOCK.open_ns.tolist()
    for name in BAR_FIELDS:
        assert getattr(back, name).tobytes() == getattr(BLOCK, name).tobytes()


def test_unknown_volumes_stay_unknown() -> None:
    bar = Bar(0, 1.0, 1.0, 1.0, 1.0, 1.0)
    (back,) = through([BarUpdate(BTC, 1, 1, "1m", bar, final=False)])
    assert isinstance(back, BarUpdate)
    assert np.isnan([back.bar.quote_volume, back.bar.taker_buy_volume]).all()


def test_an_instrument_is_one_object_in_all_batches() -> None:
    packer, unpacker = EventPacker(), EventUnpacker()
    first, second = (unpacker.unpack(packer.pack([Trade(BTC, 1, 1, str(n), 1.0, 1.0, 1)]))[0] for n in (1, 2))
    assert isinstance(first, Trade)
    assert isinstance(second, Trade)
    assert first.instrument is second.instrument


def test_each_batch_stands_for_itself() -> None:
    packer = EventPacker()
    packer.pack(EVENTS)
    later = packer.pack(EVENTS[5:7])
    assert EventUnpacker().unpack(later) == EVENTS[5:7]


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(InputError, match="str is not a model event"):
        EventPacker().pack([typing.cast("Event", "BTC went up")])


BROKEN = [
    [],
    [[], [[99, 0, 1, 2]]],
    [[], [[4, 0, 1, 2, "id", 1.0, 1.0, 1, False]]],  # a trade of an instrument that is not named
    [[msgspec.structs.asdict(BTC)], [[4, -1, 1, 2, "id", 1.0, 1.0, 1, False]]],
    [[msgspec.structs.asdict(BTC)], [[4, 0, 1, 2, "id", "dear", 1.0, 1, False]]],
    [[msgspec.structs.asdict(BTC)], [[9, 0, 1, 2, 3, [1.0]]]],  # two places, one value
    [[{"venue": "BYBIT"}], [[6, 0, 1, 2, 0.1]]],
    [[], [[91, "1h", [], b"1234567", b"", 1, 2]]],
]


@pytest.mark.parametrize("batch", BROKEN)
def test_a_batch_that_says_what_cannot_be_is_refused(batch: object) -> None:
    with pytest.raises(InputError):
        EventUnpacker().unpack(zstandard.compress(msgspec.msgpack.encode(batch)))


def test_bytes_that_were_spoilt_never_raise_anything_else() -> None:
    """faults.md R5: what lies under our key may be anything."""
    dice = random.Random(5)  # noqa: S311  # repeatable damage, no secret
    good = EventPacker().pack(EVENTS)
    inner = zstandard.decompress(good)
    refused = 0
    for _ in range(3_000):
        spoilt = bytearray(inner)
        for _ in range(dice.randint(1, 4)):
            spoilt[dice.randrange(len(spoilt))] = dice.randrange(256)
        for packed in (bytes(spoilt), zstandard.compress(bytes(spoilt[: dice.randrange(1, len(spoilt))]))):
            try:
                EventUnpacker().unpack(packed)
            except InputError:
                refused += 1
    assert refused > 3_000


def test_a_small_batch_that_would_grow_without_bound_is_refused() -> None:
    bomb = zstandard.compress(bytes(MOST_BYTES + 1), 1)
    assert len(bomb) < 10_000
    with pytest.raises(InputError, match="too large"):
        EventUnpacker().unpack(bomb)
