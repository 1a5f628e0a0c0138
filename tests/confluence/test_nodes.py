from __future__ import annotations

import pytest

from sextant.confluence.nodes import (
    Column,
    Mapped,
    Rolled,
    Seen,
    below,
    columns_of,
    mapped,
    read,
    shown,
    walk,
)
from sextant.confluence.normalise import Per
from sextant.errors import NotFound

RSI = read("rsi")
NODE = mapped(
    Per(2.0), RSI, Rolled("lag", Column("close"), 3), Seen("grid", Rolled("hold", Column("open_interest")))
)


def test_equal_nodes_are_one() -> None:
    again = mapped(Per(2.0), read("rsi"), Rolled("lag", Column("close"), 3), NODE.of[2])
    assert again == NODE
    assert len({again, NODE}) == 1
    assert read("sma") != read("sma", window=50)


def test_column_and_lag_of_it_are_two() -> None:
    assert len({Column("close"), Rolled("lag", Column("close")), Rolled("lag", Column("close"), 2)}) == 3


def test_node_comes_after_what_it_reads() -> None:
    order = list(dict.fromkeys(walk(NODE)))
    assert order[-1] is NODE
    assert order.index(Column("close")) < order.index(RSI)
    assert Column("open_interest") not in order  # it is of another frame


def test_needed_columns_are_those_of_the_same_frame() -> None:
    assert columns_of(NODE) == {"close"}
    assert columns_of(read("vwap", "distance")) == {"high", "low", "close", "volume"}


def test_shown_inputs_are_indicators_and_columns_also_of_other_frames() -> None:
    assert shown(NODE) == (RSI, Column("close"), Seen("grid", Column("open_interest")))


def test_every_kind_of_node_tells_what_is_below() -> None:
    assert below(Column("close")) == ()
    assert below(RSI) == (Column("close"),)
    assert below(Mapped(Per(1.0), (RSI,))) == (RSI,)


def test_indicator_that_does_not_exist_is_refused() -> None:
    with pytest.raises(NotFound):
        columns_of(read("no_such_indicator"))
