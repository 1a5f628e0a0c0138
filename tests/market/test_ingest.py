from __future__ import annotations

from collections.abc import Sequence

import pytest

from sextant.errors import InputError
from sextant.market.ingest import ShardEntry, ShardIngest, ingest, learn
from sextant.market.parts import StatePart
from sextant.model.events import Event
from sextant.model.shard import Shard
from support.market import bar_update, delta, instrument, listed, snapshot, state_of, trade
from support.told import Told


def test_report_says_what_the_events_brought() -> None:
    state = state_of()
    events: list[Event] = [
        listed(event_ns=7),
        snapshot(10, [(100.0, 1.0)], [(100.5, 1.0)], event_ns=3),
        delta(11, [(101.0, 1.0)]),
        delta(13),
        delta(13, base="ETH"),
        bar_update(3),
        bar_update(3),
        bar_update(3, close=101.0),
    ]
    report = ingest(state, iter(events))
    assert (report.events, report.gaps, report.crossed, report.resyncs) == (8, 1, 1, 1)
    assert (report.bars_closed, report.bars_repaired, report.bars_refused) == (1, 1, 0)
    assert report.unknown_instruments == 1
    assert (report.first_event_ns, report.last_event_ns) == (3, 4 * 60 * 10**9)
    assert report.counts["events.BookDelta"] == 3
    assert report.counts["bars_duplicate"] == 1
    assert "book_refused" not in report.counts


def test_report_counts_only_its_own_run() -> None:
    state = state_of(listed())
    ingest(state, [bar_update(3)])
    report = ingest(state, [bar_update(4)])
    assert (report.events, report.bars_closed) == (1, 1)
    assert report.counts["events.BarUpdate"] == 1


def test_no_events_bring_nothing() -> None:
    report = ingest(state_of(), [])
    assert (report.events, report.first_event_ns, report.last_event_ns, report.counts) == (0, None, None, {})


def test_what_is_no_model_event_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="str is not a model event"):
        ingest(state_of(), ["BookDelta"])  # type: ignore[list-item]


WHOLE = Shard(1, 1)


def entries(seed: int, counts: Sequence[int]) -> list[ShardEntry]:
    """A stream as a feeder tells it: after each batch what its own state is."""
    feed, state = Told(seed), state_of()
    part, after, told = StatePart(state, WHOLE), "0", []
    for number, count in enumerate(counts, 1):
        events = [*feed.more(count)] if number > 1 else feed.first()
        ingest(state, events)
        told.append(ShardEntry(f"{number}a", after, events))
        told.append(ShardEntry(f"{number}b", f"{number}a", digest=part.digest()))
        after = f"{number}b"
    return told


def test_a_stream_brings_the_state_of_its_feed() -> None:
    taking = ShardIngest(state_of(), WHOLE, "0")
    met = [taking.take(entry) for entry in entries(1, [0, 300, 1, 500])]
    assert met == ["applied", "agrees"] * 4
    assert taking.position == "4b"


def test_a_missing_entry_is_a_gap_that_changes_nothing_until_a_snapshot_helps() -> None:
    told = entries(2, [0, 200, 200, 200])
    source, target = ShardIngest(state_of(), WHOLE, "0"), ShardIngest(state_of(), WHOLE, "0")
    for entry in told[:6]:
        source.take(entry)
    for entry in told[:2]:
        target.take(entry)
    before = target.part.digest()
    assert [target.take(entry) for entry in told[3:]] == ["gap"] * 5
    assert (target.part.digest(), target.position) == (before, "1b")
    assert target.take(told[0]) == "gap"  # neither is a repetition
    target.restore(source.position, target.part.load(source.part.dump()()))
    assert [target.take(entry) for entry in told[6:]] == ["applied", "agrees"]


def test_a_state_that_is_not_what_the_feed_says_is_found() -> None:
    told = entries(3, [0, 100])
    state = state_of()
    taking = ShardIngest(state, WHOLE, "0")
    assert [taking.take(entry) for entry in told[:3]] == ["applied", "agrees", "applied"]
    state.apply(trade("stray", 5, base="AAA"))
    assert taking.take(told[3]) == "differs"


def test_books_that_lost_a_message_are_named_once() -> None:
    state = state_of()
    events: list[Event] = [listed(), snapshot(10, [(100.0, 1.0)], [(100.5, 1.0)]), delta(12)]
    assert learn(state, events) == [instrument()]
    assert learn(state, []) == []
