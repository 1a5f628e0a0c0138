from __future__ import annotations

import pytest

from sextant.errors import InputError
from sextant.market.ingest import ingest
from sextant.model.events import Event
from support.market import bar_update, delta, listed, snapshot, state_of


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
