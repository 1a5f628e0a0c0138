"""Told ideas followed on minutes: when they are entered, how they end, and what their record says."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from sextant.evidence.live import Ended, Idea, Known, Position, follow, idea_of, judged
from sextant.model.times import DAY_NS, INTERVAL_NS, SECOND_NS
from sextant.model.view import View
from support.evidence import Plan, planned, walked_bars
from support.judging import only
from support.markets import breakout_market, specs_of, view_of

MINUTE = INTERVAL_NS["1m"]
FLAT = (100.0, 100.5, 99.5, 100.0)


def minutes(*bars: tuple[float, float, float, float]) -> View:
    frame = walked_bars(*bars, interval="1m")
    return view_of(frame, specs_of(1))


def idea(view: View, **changes: Any) -> Idea:
    """A long from the close of the first minute, between 90 and 110, for an hour, at 25 bps of cost."""
    made = Idea(
        strategy_id="planned",
        opportunity_key="key",
        instrument=str(view.instruments[0].instrument),
        direction=1,
        stop=90.0,
        target=110.0,
        tick=0.01,
        horizon_s=3_600.0,
        as_of_ns=int(view.bars["1m"].open_ns[0]) + MINUTE,
        cell=0,
        edge_bps=10.0,
        cost_bps=25.0,
        confidence=0.6,
    )
    return msgspec.structs.replace(made, **changes)


def told(stand: Position | Ended | None) -> tuple[str, float, float]:
    """The result, gross and net to a hundred-thousandth of a basis point, of an idea that has ended."""
    assert isinstance(stand, Ended)
    assert stand.gross_bps is not None
    assert stand.net_bps is not None
    return stand.result, round(stand.gross_bps, 5), round(stand.net_bps, 5)


def test_an_idea_waits_for_the_first_minute_that_opens_60_s_after_its_view() -> None:
    early = minutes(FLAT, FLAT)
    assert follow(idea(early), None, early, None) is None  # it may be entered at the open of the third minute
    later = minutes(FLAT, FLAT, (101.0, 101.5, 100.5, 101.0))
    held = follow(idea(later), None, later, None)
    assert isinstance(held, Position)
    assert (held.paid, held.entered_ns) == (101.0, int(later.bars["1m"].open_ns[2]))


@pytest.mark.parametrize(
    ("last", "result", "gross"),
    [
        ((100.0, 110.5, 99.0, 110.0), "target", 1_000.0),  # filled at 110 from 100
        ((100.0, 110.0, 99.0, 109.0), None, None),  # touched, not passed by a tick
        ((100.0, 101.0, 89.0, 95.0), "stop", -1_000.0),
        ((88.0, 89.0, 87.0, 88.0), "stop", -1_200.0),  # opened beyond the stop: left at the open
        ((100.0, 111.0, 89.0, 100.0), "stop", -1_000.0),  # both in one bar: the worse
    ],
)
def test_an_idea_ends_at_its_barriers(
    last: tuple[float, float, float, float], result: str | None, gross: float | None
) -> None:
    view = minutes(FLAT, FLAT, FLAT, last)
    ended = follow(idea(view), None, view, None)
    if result is None:
        assert isinstance(ended, Position)
        return
    assert gross is not None
    assert told(ended) == (result, gross, gross - 25.0)
    assert isinstance(ended, Ended)
    assert ended.resolved_ns == int(view.bars["1m"].open_ns[-1]) + MINUTE


def test_a_short_earns_where_a_long_loses() -> None:
    view = minutes(FLAT, FLAT, FLAT, (100.0, 100.5, 89.0, 90.0))
    ended = follow(idea(view, direction=-1, stop=110.0, target=90.0), None, view, None)
    assert told(ended) == ("target", 1_000.0, 975.0)


def test_time_is_up_at_the_close_of_the_last_minute_of_the_horizon() -> None:
    view = minutes(FLAT, FLAT, FLAT, (100.0, 102.0, 99.0, 101.0), FLAT)
    ended = follow(idea(view, horizon_s=120.0), None, view, None)
    assert told(ended) == ("time", 100.0, 75.0)
    assert isinstance(ended, Ended)
    assert ended.adverse_bps == pytest.approx(100.0)
    assert ended.favourable_bps == pytest.approx(200.0)


def test_following_in_pieces_ends_as_following_at_once() -> None:
    bars = [
        FLAT,
        FLAT,
        FLAT,
        (100.0, 104.0, 97.0, 101.0),
        FLAT,
        (101.0, 103.0, 100.0, 102.0),
        (102.0, 111.0, 101.0, 110.5),
    ]
    whole = minutes(*bars)
    at_once = follow(idea(whole), None, whole, None)
    held: Any = None
    for known in range(3, len(bars) + 1):
        view = minutes(*bars[:known])
        held = follow(idea(view), held, view, None)
    assert isinstance(at_once, Ended)
    assert held == at_once
    assert at_once.adverse_bps == pytest.approx(300.0)
    assert at_once.favourable_bps == pytest.approx(1_000.0)


def test_a_reason_of_the_strategy_to_leave_counts_at_the_next_open() -> None:
    view = minutes(FLAT, FLAT, FLAT, FLAT, (104.0, 104.5, 103.5, 104.0), FLAT)
    verdict = planned(
        view.bars["1m"], Plan(rows=(), direction=1, stop=90.0, target=110.0, horizon=60, flags=(3,))
    )
    ended = follow(idea(view), None, view, verdict)
    assert told(ended) == ("flag", 400.0, 375.0)
    assert isinstance(ended, Ended)
    assert ended.resolved_ns == int(view.bars["1m"].open_ns[4])


@pytest.mark.parametrize(
    ("bars", "changes", "word"),
    [
        ((FLAT, FLAT, (111.0, 112.0, 110.0, 111.0)), {}, "left the range"),
        ((FLAT, FLAT, (np.nan,) * 4), {}, "no price"),
        ((FLAT, FLAT, FLAT, (np.nan,) * 4, FLAT), {}, "missing"),
        ((FLAT, FLAT), {"as_of_ns": -DAY_NS}, "no longer known"),
    ],
)
def test_what_nobody_can_know_is_void_with_its_reason(
    bars: tuple[Any, ...], changes: dict[str, Any], word: str
) -> None:
    view = minutes(*bars)
    ended = follow(idea(view, **changes), None, view, None)
    assert isinstance(ended, Ended)
    assert (ended.result, ended.gross_bps, ended.net_bps) == ("void", None, None)
    assert ended.reason is not None
    assert word in ended.reason


def test_an_instrument_without_minutes_is_waited_for_until_a_day_after_the_horizon() -> None:
    view = minutes(FLAT, FLAT)
    gone = idea(view, instrument="nowhere:X-USDT:spot")
    assert follow(gone, None, view, None) is None
    old = msgspec.structs.replace(gone, as_of_ns=view.as_of_ns - 2 * DAY_NS)
    ended = follow(old, None, view, None)
    assert isinstance(ended, Ended)
    assert ended.result == "void"


def test_an_opportunity_becomes_an_idea_with_its_stated_cost() -> None:
    row = only(breakout_market())
    made = idea_of(row, 0.01)
    assert made is not None
    assert made.cost_bps == pytest.approx(-sum(line.bps or 0.0 for line in row.costs if line.item != "gross"))
    assert (made.direction, made.stop, made.target) == (1, float(row.stop or 0), float(row.targets[0].price))
    assert idea_of(msgspec.structs.replace(row, legs=row.legs * 2), 0.01) is None
    assert idea_of(msgspec.structs.replace(row, stop=None), 0.01) is None


def known(hits: int, misses: int, stated: float | None) -> list[Known]:
    """Ideas of one cell, each in a cluster of its own."""
    nets = [30.0] * hits + [-30.0] * misses
    return [Known(1, place * 2 * DAY_NS, 3_600.0, stated, net) for place, net in enumerate(nets)]


def test_the_record_counts_hits_after_cost() -> None:
    record = judged(known(6, 4, None))
    assert (record.count, record.hit_frac) == (10, 0.6)
    assert record.mean_bps == pytest.approx(6.0)
    assert judged([]).hit_frac is None


@pytest.mark.parametrize(("hits", "misses", "off"), [(60, 40, False), (40, 60, True), (10, 15, False)])
def test_a_cell_is_miscalibrated_when_its_live_interval_excludes_what_was_stated(
    hits: int, misses: int, off: bool
) -> None:
    # 60 of 100: 0.518..0.677 holds 0.65; 40 of 100: 0.323..0.482 does not; 25 ideas are too few to judge.
    assert judged(known(hits, misses, 0.65)).miscalibrated == (frozenset({1}) if off else frozenset())


def test_ideas_of_one_day_are_one_cluster() -> None:
    same_day = [Known(1, SECOND_NS * place, 60.0, 0.9, -1.0 - place) for place in range(100)]
    assert judged(same_day).miscalibrated == frozenset()
    assert judged(same_day).error_bps is None
