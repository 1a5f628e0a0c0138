from __future__ import annotations

import msgspec
import numpy as np

from sextant.model.view import View
from sextant.strategies.answer_records import RefusalRecord
from sextant.strategies.catalog import strategy
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Verdict
from sextant.strategies.refusals import refusals, refusals_of
from support.judging import BREAKOUT
from support.markets import breakout_market, broad_fall_market


def _verdict(view: View) -> Verdict:
    chosen = strategy(BREAKOUT)
    return chosen.evaluate(view, chosen.defaults(), Columns(view))


def test_a_row_without_direction_is_no_candidate_even_if_its_gates_pass() -> None:
    view = breakout_market()
    verdict = _verdict(view)
    verdict.signals.direction[-1] = 0
    lost = refusals(verdict, view).told(0)
    assert lost is not None
    assert (lost.kind, lost.stage) == ("gate_failed", "direction")


def test_what_gates_say_is_made_once_and_shared_by_every_caller() -> None:
    view = breakout_market()
    verdict = _verdict(view)
    first = refusals(verdict, view)
    assert refusals(verdict, view) is first
    said = [first.told(column) for column in range(view.size)]
    assert first.open == [column for column, item in enumerate(said) if item is None]
    assert [item and first.made(column) for column, item in enumerate(said)] == said


def test_what_was_kept_counts_and_tells_as_it_did() -> None:
    chosen = strategy("ai_spot_mean_reversion")
    view = broad_fall_market()
    first = refusals(chosen.evaluate(view, chosen.defaults(), Columns(view)), view)
    everyone = np.arange(first.size)
    record, own = first.record(everyone)
    assert not own
    again = refusals_of(msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=RefusalRecord))
    assert again.open == first.open
    assert again.counts(everyone) == first.counts(everyone)
    assert again.near(everyone, 0.5, 5) == first.near(everyone, 0.5, 5)
    assert [again.told(column) for column in range(first.size)] == [
        first.told(column) for column in range(first.size)
    ]
    assert any(item is not None and item.since_ns is not None for item in map(again.told, range(first.size)))
