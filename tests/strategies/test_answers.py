from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from sextant.model.opportunity import Disposition
from sextant.model.view import View
from sextant.scans.coverage import funnel_of, near_misses_of, tally
from sextant.scans.records import ScanRequest
from sextant.strategies.answers import Alike, Answers, listed
from support.answered import MARKETS, answers_about
from support.markets import (
    momentum_market,
)


@pytest.mark.parametrize("make", MARKETS.values(), ids=MARKETS.keys())
@pytest.mark.parametrize("narrow", [False, True])
def test_what_is_counted_at_once_is_what_counting_one_by_one_gives(
    make: Callable[[], View], narrow: bool
) -> None:
    view = make()
    bases = sorted({spec.instrument.base for spec in view.instruments})[: 1 if narrow else None]
    looked_at = 0
    for answers in answers_about(view, ScanRequest(instruments=tuple(bases))):
        single = listed(list(answers))
        looked_at += len(single)
        assert len(answers) == len(single)
        assert tally(answers) == tally(single)
        assert funnel_of(answers) == funnel_of(single)
        assert near_misses_of(answers) == near_misses_of(single)
        assert answers.kinds() == [item.kind for item in single]
        assert list(answers.subjects()) == [(item.unit, item.instruments) for item in single]
    assert looked_at


def test_a_sequence_of_answers_is_read_by_place_slice_and_turn() -> None:
    view = momentum_market()
    everyone = [spec.instrument for spec in view.instruments]
    said = Disposition(unit="", instruments=(), kind="late", stage="deadline")
    mine = Disposition(unit="mine", instruments=(everyone[1],), kind="opportunity")
    answers = Answers(Alike(said, everyone), np.arange(len(everyone)), {1: mine})
    names = [str(everyone[0]), "mine", *map(str, everyone[2:])]
    assert [item.unit for item in answers] == names
    assert [item.unit for item in answers[:2]] == names[:2]
    assert answers[-1].unit == names[-1]
    assert answers == list(answers)
    assert answers.rest.tolist() == [0, *range(2, len(everyone))]
    other = dataclasses.replace(answers, own={}).changed({0: mine})
    assert other[0] is mine


def test_only_candidates_that_were_asked_for_are_kept() -> None:
    view = momentum_market()
    everyone = [spec.instrument for spec in view.instruments]
    said = Disposition(unit="", instruments=(), kind="late", stage="deadline")
    mine = Disposition(unit="mine", instruments=(everyone[1],), kind="opportunity")
    answers = Answers(Alike(said, everyone), np.arange(len(everyone)), {1: mine})
    chosen = np.zeros(len(everyone), dtype=np.bool_)
    chosen[0] = True
    assert [item.unit for item in answers.within(chosen)] == [str(everyone[0])]
    assert not answers.within(chosen).own


def test_of_two_answers_with_one_name_the_later_counts() -> None:
    first, second = (
        Disposition(unit="check", instruments=(), kind="gate_failed", stage=stage) for stage in ("one", "two")
    )
    assert [item.stage for item in listed([first, second])] == ["two"]
