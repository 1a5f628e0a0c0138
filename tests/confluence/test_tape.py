from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from sextant.confluence import tape
from sextant.confluence.catalog import voices
from sextant.confluence.inputs import blocks
from sextant.confluence.nodes import Column, Seen
from sextant.confluence.program import Block, Program, Told
from sextant.confluence.tape import Rows, Tape, ages_at, applies, stream_qualities
from sextant.model.bar import Floats
from sextant.model.times import INTERVAL_NS
from sextant.model.view import Series, View
from support import minutes
from support.views import spec

GRID_NS = INTERVAL_NS["5m"]
NAMES = [voice.name for voice in voices()]


def advanced(rows: int = 400, size: int = 2) -> tuple[Tape, Rows]:
    view = minutes.walked(rows, size)
    found = blocks(view)
    one = Tape(view.instruments, found)
    one.take_grid(found["grid"])
    return one, one.advance(found["1m"], found)


def test_columns_that_no_feed_gives_are_not_supported() -> None:
    one, _ = advanced(30)
    assert one.supported(Column("close"), "1m")
    assert one.supported(Seen("30m", Column("close")), "1m")
    assert not one.supported(Column("buy_count"), "1m")
    assert not one.supported(Seen("grid", Column("long_share")), "1m")


def test_intervals_merge_with_the_weights_of_what_is_there() -> None:
    # After 400 minutes cmf of 20 bars exists on 1m (.4) and 5m (.3) and not on 30m and 4h.
    _, rows = advanced()
    at = NAMES.index("volume.cmf")
    one, five = (rows.by_frame[frame][at][0][-1] for frame in ("1m", "5m"))
    expected = (0.4 * one + 0.3 * five) / 0.7
    assert rows.signals[at][-1] == pytest.approx(expected, abs=1e-15)
    assert rows.intervals[at][-1] == pytest.approx(0.7)


def test_pinned_merge_of_intervals() -> None:
    cmf = voices()[NAMES.index("volume.cmf")]
    there = np.ones((1, 1))
    pairs = {
        "1m": (np.array([[0.5]]), there),
        "5m": (np.array([[0.2]]), there),
        "30m": (np.array([[-0.1]]), there),
        "4h": (np.array([[np.nan]]), np.zeros((1, 1))),
    }
    s, q = tape._merge(cmf, pairs)  # type: ignore[arg-type]  # frames of bars
    assert s.item() == pytest.approx(0.266667, abs=5e-7)
    assert q.item() == pytest.approx(0.9)


def test_voices_apply_to_the_kinds_that_have_their_inputs() -> None:
    specs = [spec("BTC", "perpetual"), spec("ETH", "perpetual"), spec("ETH", "spot")]
    told = {voice.name: applies(voice, specs).tolist() for voice in voices()}
    assert told["sentiment.funding_rate"] == [True, True, False]
    assert told["sentiment.risk"] == [False, True, True]
    assert told["technical.rsi"] == [True, True, True]


def test_streams_age_after_the_last_row() -> None:
    _, rows = advanced(70)
    last = rows.last()
    assert stream_qualities(last)["bars"].tolist() == [[1.0, 1.0]]
    assert stream_qualities(last, ages_at(last, 130.0))["bars"] == pytest.approx(0.5)
    better = stream_qualities(last, ages_at(last, 130.0, {"bars": np.zeros((1, 2))}))
    assert better["bars"].tolist() == [[1.0, 1.0]]


def test_a_grid_that_did_not_change_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """References of a day over hundreds of instruments take a second, and points come every five minutes."""
    folded: list[int] = []
    whole = Program.fold

    def fold(program: Program, block: Block, other: Mapping[Seen, Floats]) -> Told:
        folded.append(len(block.open_ns))
        return whole(program, block, other)

    view = interest(minutes.walked(20, 2), 40)
    found = blocks(view)
    tape = Tape(view.instruments, found)
    monkeypatch.setattr(Program, "fold", fold)
    tape.take_grid(found["grid"])
    tape.take_grid(blocks(view)["grid"])
    assert len(folded) == 1
    tape.take_grid(blocks(interest(view, 41))["grid"])
    assert len(folded) == 2


def interest(view: View, points: int) -> View:
    """The view with that many points of open interest of its first instrument."""
    end = view.as_of_ns // GRID_NS
    times = (np.arange(points, dtype=np.int64) + end - points) * GRID_NS
    series = Series(times, np.linspace(1.0, 2.0, points))
    return replace(view, open_interest_history={view.instruments[0].instrument: series})
