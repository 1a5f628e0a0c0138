from __future__ import annotations

from dataclasses import replace

import numpy as np

from sextant.confluence.conditions import (
    EFFECTS,
    Condition,
    ConditionBook,
    Gauge,
    OpenConditions,
    Turn,
)
from sextant.confluence.scorer import Scorer
from sextant.model.times import SECOND_NS
from support.lively import market
from support.minutes import walked


def reading(*have: float, opens: float = 0.6, closes: float = 0.65) -> Gauge:
    values = np.array(have)
    with np.errstate(invalid="ignore"):
        return Gauge("coverage_low", "", values, values < opens, values >= closes, opens)


def words(turns: tuple[Turn, ...]) -> list[tuple[str, int]]:
    return [(turn.word, turn.column) for turn in turns]


def run(*rows: tuple[float, ...]) -> list[list[tuple[str, int]]]:
    book = ConditionBook()
    return [words(book.update([reading(*row)], at)) for at, row in enumerate(rows)]


def test_one_reading_alone_is_noise() -> None:
    assert run((0.5, 0.9), (0.9, 0.9), (0.5, 0.9)) == [[], [], []]


def test_a_condition_opens_after_two_readings_and_closes_after_three() -> None:
    assert run(*[(0.5,)] * 2, *[(0.9,)] * 3) == [[], [("opened", 0)], [], [], [("closed", 0)]]


def test_between_the_lines_nothing_changes() -> None:
    told = run(*[(0.5,)] * 2, (0.9,), (0.9,), (0.62,), (0.9,), (0.9,), (0.9,))
    assert told == [[], [("opened", 0)], [], [], [], [], [], [("closed", 0)]]


def test_what_cannot_be_read_neither_opens_nor_closes() -> None:
    assert run((np.nan,), (np.nan,), *[(0.5,)] * 2, *[(np.nan,)] * 5) == [
        [],
        [],
        [],
        [("opened", 0)],
        *([[]] * 5),
    ]


def test_flapping_makes_no_events() -> None:
    told = run(*[(0.59,), (0.66,)] * 30)
    assert sum(map(len, told)) == 0


def test_every_opening_has_its_close_and_numbers() -> None:
    book = ConditionBook()
    for at in range(4):
        book.update([reading(0.5 - at / 100)], at)
    [open_] = book.held().of(0)
    assert open_ == Condition("coverage_low", "", 0, None, 4, 3, 0.47, 0.6)
    assert open_.effect == EFFECTS["coverage_low"]
    before = book.held()
    for at in range(4, 7):
        turns = book.update([reading(0.9)], at)
    assert turns[0].condition.until_ns == 6
    assert turns[0].condition.last_ns == 3
    assert book.held().of(0) == ()
    assert before.of(0) == (open_,)  # what was handed out stays
    assert OpenConditions().of(3) == ()


def test_a_market_without_books_and_trades_says_so() -> None:
    scorer, view = Scorer(), walked(300, 3)
    first = scorer.update(view)
    assert first.turns == ()
    second = scorer.update(replace(view, as_of_ns=view.as_of_ns + 10 * SECOND_NS))
    kinds = {turn.condition.kind for turn in second.turns if turn.column == 1}
    assert {"coverage_low", "window_short_1440"} <= kinds
    assert {one.kind for one in second.conditions.of(1)} == kinds
    third = scorer.update(replace(view, as_of_ns=view.as_of_ns + 20 * SECOND_NS))
    assert third.turns == ()


def test_a_stream_that_stopped_is_told_once_and_again_when_it_is_back() -> None:
    scorer = Scorer()
    view, extra = market()
    scorer.update(view, extra)
    told = []
    for seconds in (90, 100, 110, 1, 2, 3, 4):
        found = scorer.update(replace(view, as_of_ns=view.as_of_ns + seconds * SECOND_NS), extra)
        told += [
            (turn.word, turn.condition.subject)
            for turn in found.turns
            if turn.condition.kind == "stream_stale" and turn.column == 4
        ]
    assert ("opened", "bars") in told
    assert ("closed", "bars") in told
    assert len(told) == len(set(told))


def test_conditions_move_with_their_instruments_and_others_begin_anew() -> None:
    book = ConditionBook()
    for at in range(2):
        book.update([reading(0.5, 0.9, 0.4)], at)
    book.move(np.array([2, -1, 0]))
    [moved] = book.held().of(0)
    assert (moved.have, moved.count, moved.since_ns) == (0.4, 2, 0)
    assert book.held().of(1) == ()
    assert [one.have for one in book.held().of(2)] == [0.5]
    assert words(book.update([reading(0.4, 0.5, 0.5)], 2)) == []
    assert words(book.update([reading(0.4, 0.5, 0.5)], 3)) == [("opened", 1)]


def test_a_repaired_bar_ends_no_condition() -> None:
    """Every row is computed anew then; what was wrong with the data is not forgotten."""
    scorer, view = Scorer(), walked(300, 3)
    for at in range(2):
        scorer.update(replace(view, as_of_ns=view.as_of_ns + at * 10 * SECOND_NS))
    before = scorer.update(replace(view, as_of_ns=view.as_of_ns + 20 * SECOND_NS)).conditions.of(1)
    repaired = walked(300, 3, seed=6)
    after = scorer.update(replace(repaired, as_of_ns=view.as_of_ns + 30 * SECOND_NS))
    assert after.turns == ()
    assert [(one.kind, one.since_ns) for one in after.conditions.of(1)] == [
        (one.kind, one.since_ns) for one in before
    ]
    fewer = replace(view, as_of_ns=view.as_of_ns + 40 * SECOND_NS)
    assert Scorer().update(fewer).conditions.of(1) == ()
