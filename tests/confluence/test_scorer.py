from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from sextant.confluence.catalog import voices
from sextant.confluence.decision import STATES
from sextant.confluence.scorer import Evaluation, Scorer, evaluate
from sextant.errors import Insufficient
from sextant.model.times import MINUTE_NS, SECOND_NS
from sextant.model.view import View
from support import lively, minutes
from support.indicators import cut, gappy, quiet, walk
from support.views import empty_view

ROWS = 620
NAMES = [voice.name for voice in voices()]
ACROSS = [NAMES.index("sentiment.market_activity"), NAMES.index("sentiment.risk")]


@cache
def market() -> View:
    return minutes.walked(ROWS, 12)


@cache
def whole() -> Evaluation:
    return evaluate(market())


def same_history(one: Evaluation, other: Evaluation, rows: slice) -> None:
    for name in ("close_ns", "confluence", "coverage", "consensus", "state", "label"):
        a, b = getattr(one.history, name)[rows], getattr(other.history, name)[rows]
        assert np.array_equal(a, b, equal_nan=name not in ("close_ns", "state", "label")), name


def test_every_closed_minute_has_a_row() -> None:
    history = whole().history
    assert history.confluence.shape == (ROWS, 12)
    assert history.close_ns[-1] == market().as_of_ns - SECOND_NS
    assert np.all(np.diff(history.close_ns) == MINUTE_NS)


@pytest.mark.parametrize("rows", [3, 61, 333, 601])
def test_score_of_a_past_minute_does_not_know_what_came_later(rows: int) -> None:
    same_history(evaluate(minutes.upto(market(), rows)), whole(), slice(0, rows))


def test_minute_by_minute_equals_all_at_once() -> None:
    scorer = Scorer()
    for rows in (100, 400, *range(401, 430), 500, ROWS):
        stepped = scorer.update(minutes.upto(market(), rows))
    same_history(stepped, whole(), slice(0, ROWS))
    assert np.array_equal(stepped.now.folded.confluence, whole().now.folded.confluence, equal_nan=True)
    assert np.array_equal(stepped.now.quality, whole().now.quality)


def test_asking_twice_changes_nothing() -> None:
    scorer = Scorer()
    first, second = scorer.update(market()), scorer.update(market())
    same_history(first, second, slice(0, ROWS))
    assert np.array_equal(first.now.machine, second.now.machine)


def test_repaired_bar_makes_everything_new() -> None:
    bars = {name: x.copy() for name, x in walk(400, 2, 8).items()}
    whole_bars = {name: x.copy() for name, x in bars.items()}
    for x in bars.values():
        x[390, 0] = np.nan
    specs = minutes.perpetuals(2)
    scorer = Scorer()
    scorer.update(minutes.view_of(bars, specs))
    mended = scorer.update(minutes.view_of(whole_bars, specs))
    same_history(mended, evaluate(minutes.view_of(whole_bars, specs)), slice(0, 400))


def test_view_is_left_as_it_was() -> None:
    view = minutes.walked(80, 2)
    before = view.content_hash
    kept = {name: getattr(view.bars["1m"], name).copy() for name in minutes.FIELDS}
    evaluate(view)
    assert view.content_hash == before
    assert all(np.array_equal(getattr(view.bars["1m"], name), x) for name, x in kept.items())


def test_column_alone_has_the_signals_of_the_column_among_many() -> None:
    bars = walk(400, 12, 5)
    many = evaluate(minutes.view_of(bars, minutes.perpetuals(12)))
    for at in (0, 5, 11):
        alone = evaluate(
            minutes.view_of(cut(bars, slice(None), slice(at, at + 1)), minutes.perpetuals(12)[at : at + 1])
        )
        for number, (mine, theirs) in enumerate(
            zip(alone.now.rows.signals, many.now.rows.signals, strict=True)
        ):
            if number not in ACROSS:
                assert np.array_equal(mine[:, 0], theirs[:, at], equal_nan=True), NAMES[number]


@pytest.mark.parametrize("rows", [1, 2, 3, 14])
def test_few_bars_give_little_coverage_and_no_score(rows: int) -> None:
    found = evaluate(minutes.walked(rows, 1))
    assert found.history.confluence.shape == (rows, 1)
    assert found.now.folded.coverage[0, 0] < 0.10
    assert STATES[found.now.machine[0, 0]] == "unknown"


def test_signals_and_qualities_stay_in_their_ranges_on_odd_markets() -> None:
    for bars in (walk(420, 2, 1), quiet(420, 2), gappy(420, 2)):
        found = evaluate(minutes.view_of(bars, minutes.perpetuals(2)))
        for s, q in zip(found.now.rows.signals, found.now.quality, strict=True):
            assert np.all(np.isnan(s) | (np.abs(s) <= 1))
            assert np.all((q >= 0) & (q <= 1))
            assert np.all(~np.isnan(s[0]) | (q == 0))
        assert np.all((found.history.coverage >= 0) & (found.history.coverage <= 1))


def test_hole_makes_the_instrument_cold_and_leaves_the_others_alone() -> None:
    bars = {name: x.copy() for name, x in walk(420, 3, 2).items()}
    before = evaluate(minutes.view_of({k: x.copy() for k, x in bars.items()}, minutes.perpetuals(3)))
    for x in bars.values():
        x[410, 1] = np.nan
    found = evaluate(minutes.view_of(bars, minutes.perpetuals(3)))
    assert found.history.coverage[409, 1] == before.history.coverage[409, 1]
    assert found.history.coverage[411, 1] < 0.6 * before.history.coverage[411, 1]
    assert np.array_equal(found.history.coverage[:, [0, 2]], before.history.coverage[:, [0, 2]])


def test_market_that_does_not_trade_is_a_value_and_no_direction_of_volume() -> None:
    found = evaluate(minutes.view_of(quiet(420, 1), minutes.perpetuals(1)))
    at = NAMES.index("volume.cmf")
    assert found.now.quality[at, 0] > 0
    assert found.now.rows.signals[at][0, 0] == 0.0


def test_silent_feed_lowers_coverage_to_unknown_and_never_to_a_neutral_score() -> None:
    view = market()
    scorer = Scorer()
    fresh = scorer.update(view)
    fading = scorer.update(replace(view, as_of_ns=view.as_of_ns + 129 * SECOND_NS))
    gone = scorer.update(replace(view, as_of_ns=view.as_of_ns + 400 * SECOND_NS))
    a, b, c = (one.now.folded.coverage[0] for one in (fresh, fading, gone))
    assert np.all(b == pytest.approx(a * 0.5, rel=0.01))  # half way between 70 s and 190 s
    assert np.all(c == 0)
    assert np.isnan(gone.now.folded.confluence).all()
    assert set(gone.now.machine[0].tolist()) == {0}


def test_long_bars_change_only_when_they_close() -> None:
    found = whole()
    scorer = Scorer()
    values = []
    for rows in range(ROWS - 12, ROWS + 1):
        stepped = scorer.update(minutes.upto(market(), rows))
        values.append(stepped.now.rows.by_frame["5m"][NAMES.index("volume.cmf")][0][0, 0])
    changed = np.flatnonzero(np.diff(values) != 0) + ROWS - 11
    assert set((changed % 5).tolist()) == {0}
    assert found.instruments == market().instruments


def test_view_without_instruments_or_minutes_is_refused() -> None:
    with pytest.raises(Insufficient, match="no instrument"):
        evaluate(empty_view())
    with pytest.raises(Insufficient, match="bars of 1m"):
        evaluate(empty_view("BTC"))


def test_a_book_told_since_the_minute_closed_is_young() -> None:
    view, extra = lively.market()
    later_ns = view.as_of_ns + 39 * SECOND_NS
    shown = lively.quoted().books
    told = replace(shown, event_ns=np.full(view.size, later_ns - 2 * SECOND_NS))
    valid = shown.valid.copy()
    valid[3] = False
    found = evaluate(replace(view, as_of_ns=later_ns, books=replace(told, valid=valid)), extra)
    assert found.now.ages["book"][2] == 2.0
    assert found.now.stream_quality["book"][2] > 0.8
    # Its last sample was a second old when the minute closed, forty seconds ago.
    assert found.now.ages["book"][3] == 41.0
    assert found.now.stream_quality["book"][3] == 0.0
