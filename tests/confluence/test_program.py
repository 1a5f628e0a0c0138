from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sextant.confluence.nodes import Column, Rolled, Seen, mapped, read
from sextant.confluence.normalise import Per
from sextant.confluence.program import Block, Program
from sextant.indicators.catalog import compute
from sextant.indicators.contract import Indicator, fold
from sextant.model.bar import Floats
from sextant.model.times import MINUTE_NS
from support.indicators import walk

FIRST = 29_000_100
RSI = mapped(Per(50.0), read("rsi"))
LAG = Rolled("lag", Column("close"), 5)
FAR = Seen("5m", Column("close"))


def block(rows: int, size: int) -> Block:
    open_ns = (np.arange(rows, dtype=np.int64) + FIRST) * MINUTE_NS
    return Block(open_ns, walk(rows, size, 3))


def test_program_computes_what_the_catalogue_computes() -> None:
    whole = block(200, 4)
    told = Program("1m", (RSI, LAG), 4, {}).fold(whole, {})
    expected = compute("rsi", whole.columns, bar_index=FIRST)["rsi"]
    assert np.array_equal(told.nodes[read("rsi")], expected, equal_nan=True)
    assert np.array_equal(told.nodes[LAG][5:], whole.columns["close"][:-5])


def test_any_split_gives_the_same_bits() -> None:
    whole = block(200, 3)
    one = Program("1m", (RSI, LAG), 3, {}).fold(whole, {}).wanted()
    program = Program("1m", (RSI, LAG), 3, {})
    parts = [program.fold(whole.rows(a, b), {}).wanted() for a, b in ((0, 1), (1, 64), (64, 65), (65, 200))]
    for node in (RSI, LAG):
        assert np.array_equal(np.vstack([part[node] for part in parts]), one[node], equal_nan=True)


def test_other_frames_are_given_and_not_computed() -> None:
    whole = block(7, 2)
    far = np.full((1, 2), 9.0)
    told = Program("1m", (mapped(Per(1.0), FAR),), 2, {}).fold(whole, {FAR: far})
    assert np.array_equal(told.wanted()[mapped(Per(1.0), FAR)], np.broadcast_to(Per(1.0)(far), (7, 2)))


def test_last_row_is_a_copy() -> None:
    whole = block(9, 2)
    told = Program("1m", (LAG,), 2, {}).fold(whole, {})
    last = told.last()
    assert last[LAG].shape == (1, 2)
    last[LAG][0, 0] = -1.0
    assert told.nodes[LAG][-1, 0] != -1.0


def test_a_part_that_raises_is_unknown_begins_anew_and_everything_else_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, broken = block(200, 3), [True]

    def fold_or_fail(chosen: Indicator, *given: Any) -> dict[str, Floats]:
        if chosen.name == "rsi" and broken[0]:
            raise ZeroDivisionError
        return fold(chosen, *given)

    monkeypatch.setattr("sextant.confluence.program.fold", fold_or_fail)
    program = Program("1m", (RSI, LAG), 3, {})
    told = program.fold(whole.rows(0, 100), {}).wanted()
    assert np.isnan(told[RSI]).all()
    assert np.array_equal(told[LAG][5:], whole.columns["close"][:95])
    assert program.failed == {"rsi": "ZeroDivisionError"}
    broken[0] = False
    later = program.fold(whole.rows(100, 200), {}).wanted()
    anew = Program("1m", (RSI,), 3, {}).fold(whole.rows(100, 200), {}).wanted()
    assert np.array_equal(later[RSI], anew[RSI], equal_nan=True)
    assert program.failed == {"rsi": ""}
    for _ in range(3):
        program.fold(whole.rows(199, 200), {})
    assert program.failed == {}


def test_a_map_that_raises_is_named() -> None:
    def askew(close: Floats) -> Floats:
        raise LookupError(close.shape)

    program = Program("1m", (mapped(askew, Column("close")), LAG), 3, {})
    program.fold(block(20, 3), {})
    assert program.failed == {"askew": "LookupError"}
