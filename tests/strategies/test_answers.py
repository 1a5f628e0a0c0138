from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest

from sextant.model.account import Account
from sextant.model.opportunity import Disposition
from sextant.model.view import View
from sextant.scans.coverage import funnel_of, near_misses_of, tally
from sextant.scans.records import ScanRequest
from sextant.scans.run import Asked, EvidenceShelf, MarketPart, run_strategy, skipped_run
from sextant.scans.universe import choose
from sextant.strategies.answer_pack import answers_of, record_of
from sextant.strategies.answer_records import AnswersRecord
from sextant.strategies.answers import Alike, Answers, listed
from sextant.strategies.catalog import strategies
from sextant.strategies.prices import CostAssumptions
from support.markets import (
    breakout_market,
    broad_fall_market,
    momentum_market,
    quoted_earlier,
    reversion_market,
    unquoted,
    without_bars_of,
)
from support.option_markets import straddle_market

MARKETS = {
    "momentum": momentum_market,
    "reversion": reversion_market,
    "fall": broad_fall_market,
    "breakout": breakout_market,
    "late": lambda: quoted_earlier(momentum_market(), 20.0),
    "unquoted": lambda: unquoted(momentum_market()),
    "a gap": lambda: without_bars_of(momentum_market(), 1),
    "options": straddle_market,
}


def _answers(view: View, request: ScanRequest) -> Iterator[Answers]:
    part = MarketPart(view, CostAssumptions(), EvidenceShelf())
    asked = Asked(part, choose(view, request, part.turnover_usd), Account(), request)
    for strategy in strategies().values():
        yield run_strategy(strategy, asked).dispositions
        yield skipped_run(strategy, "deadline", "late", asked).dispositions


@pytest.mark.parametrize("make", MARKETS.values(), ids=MARKETS.keys())
@pytest.mark.parametrize("narrow", [False, True])
def test_what_is_counted_at_once_is_what_counting_one_by_one_gives(make: object, narrow: bool) -> None:
    view: View = make()  # type: ignore[operator]  # a function of the table above
    bases = sorted({spec.instrument.base for spec in view.instruments})[: 1 if narrow else None]
    looked_at = 0
    for answers in _answers(view, ScanRequest(instruments=tuple(bases))):
        single = listed(list(answers))
        looked_at += len(single)
        assert len(answers) == len(single)
        assert tally(answers) == tally(single)
        assert funnel_of(answers) == funnel_of(single)
        assert near_misses_of(answers) == near_misses_of(single)
        assert answers.kinds() == [item.kind for item in single]
        assert list(answers.subjects()) == [(item.unit, item.instruments) for item in single]
    assert looked_at


@pytest.mark.parametrize("make", MARKETS.values(), ids=MARKETS.keys())
@pytest.mark.parametrize("narrow", [False, True])
def test_answers_that_were_kept_say_the_same_to_the_letter(make: object, narrow: bool) -> None:
    view: View = make()  # type: ignore[operator]  # a function of the table above
    bases = sorted({spec.instrument.base for spec in view.instruments})[: 1 if narrow else None]
    encode = msgspec.msgpack.encode
    for answers in _answers(view, ScanRequest(instruments=tuple(bases))):
        record = encode(record_of(answers))
        again = answers_of(msgspec.msgpack.decode(record, type=AnswersRecord))
        assert encode(tuple(again)) == encode(tuple(answers))
        assert again.kinds() == answers.kinds()
        assert list(again.subjects()) == list(answers.subjects())
        assert encode(record_of(again)) == record


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
