"""Conditions: one line when something begins, one when it ends, however often it is seen."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from sextant.kit.clock import ManualClock
from sextant.kit.conditions import Conditions

START = 1_790_000_000_000_000_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


def events(lines: Any) -> list[str]:
    return [line["event"] for line in lines]


def test_two_bad_readings_open_and_three_good_ones_close(clock: ManualClock) -> None:
    conditions = Conditions(clock)
    with capture_logs() as lines:
        for holds in (True, True, False, True, False, False, False):
            conditions.note("stream_stale", "bybit:BTC-USDT", holds=holds, age_s=31)
            clock.advance(1.0)
    assert events(lines) == ["condition.opened", "condition.closed"]
    assert (lines[0]["kind"], lines[0]["subject"], lines[0]["age_s"]) == (
        "stream_stale",
        "bybit:BTC-USDT",
        31,
    )
    assert (lines[1]["seconds"], lines[1]["count"]) == (6.0, 3)
    assert conditions.open() == []
    last = conditions.last("stream_stale", "bybit:BTC-USDT")
    assert last is not None
    assert (last.since_ns, last.until_ns) == (START, START + 6 * 10**9)


def test_one_bad_reading_among_good_ones_is_silence(clock: ManualClock) -> None:
    conditions = Conditions(clock)
    with capture_logs() as lines:
        for holds in (True, False) * 50:
            conditions.note("book_shallow", "x", holds=holds)
    assert lines == []
    assert conditions.last("book_shallow", "x") is None


def test_an_event_opens_and_closes_at_once(clock: ManualClock) -> None:
    conditions = Conditions(clock)
    with capture_logs() as lines:
        conditions.note("venue_down", "bybit", holds=True, at_once=True, code="unreachable")
        assert [condition.kind for condition in conditions.open()] == ["venue_down"]
        conditions.note("venue_down", "bybit", holds=False, at_once=True)
    assert events(lines) == ["condition.opened", "condition.closed"]


def test_an_hour_of_an_outage_of_many_streams_is_told_in_a_few_lines(clock: ManualClock) -> None:
    conditions = Conditions(clock)
    with capture_logs() as lines:
        for second in range(3_600):
            conditions.note("venue_down", "bybit", holds=True, at_once=True, seconds=second)
            clock.advance(1.0)
        conditions.note("venue_down", "bybit", holds=False, at_once=True)
    assert len(lines) <= 4
    assert events(lines)[0] == "condition.opened"
    [closed] = [line for line in lines if line["event"] == "condition.closed"]
    assert closed["count"] == 3_600


def test_the_summary_counts_by_kind_and_repeats_nothing(clock: ManualClock) -> None:
    conditions = Conditions(clock)
    with capture_logs() as lines:
        for _ in range(4):
            for subject in "abc":
                conditions.note("bars_short", subject, holds=True, at_once=True)
            clock.advance(301.0)
    told = [line for line in lines if line["event"] == "conditions.open"]
    assert [line["bars_short"] for line in told] == [3]
