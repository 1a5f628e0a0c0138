from __future__ import annotations

import io

import numpy as np
import pyarrow.parquet as pq
import pytest

from sextant.errors import InputError
from sextant.evidence.events import PER_EVENT, event_table
from sextant.evidence.parts import Part, packed, scored, unpacked
from sextant.strategies.catalog import strategies
from sextant.strategies.columns import Columns
from support.markets import momentum_market, reversion_market


def part() -> Part:
    view = momentum_market()
    columns = Columns(view)
    found = [
        scored(plugin, plugin.evaluate(view, plugin.defaults(), columns), view)
        for plugin in (strategies()["ai_spot_breakout_strategy"], strategies()["ai_scalping_strategy"])
    ]
    return Part(
        tuple(facts for facts, _ in found),
        tuple(events for _, events in found),
        (25.0,) * (view.size - 1) + (None,),
    )


def test_a_part_is_read_back_to_the_last_bit_and_packed_to_the_same_bytes() -> None:
    made = part()
    back = unpacked(packed(made))
    assert (back.facts, back.costs_bps) == (made.facts, made.costs_bps)
    for left, right in zip(made.events, back.events, strict=True):
        for name in PER_EVENT:
            assert left[name].dtype == right[name].dtype, name
            assert np.array_equal(left[name], right[name]), name
    assert packed(made) == packed(back) == packed(part())


def test_a_part_is_a_table_that_other_programs_read() -> None:
    made = part()
    table = pq.read_table(io.BytesIO(packed(made)))
    assert table.num_rows == sum(len(events["row"]) for events in made.events)
    assert set(PER_EVENT) < set(table.column_names)


def test_the_facts_are_those_of_the_table_of_events() -> None:
    view = reversion_market()
    plugin = strategies()["ai_spot_mean_reversion"]
    verdict = plugin.evaluate(view, plugin.defaults(), Columns(view))
    table = event_table(plugin.id, plugin.defaults(), verdict, view)
    facts, events = scored(plugin, verdict, view)
    assert (facts.pending_count, facts.rows, facts.without) == (
        table.pending_count,
        table.rows,
        table.without,
    )
    assert facts.void == tuple(table.void.tolist())
    assert np.array_equal(events["gross"], table.gross)


def test_a_strategy_that_is_silent_says_why_and_has_no_event() -> None:
    facts, events = part().facts[1], part().events[1]
    assert facts.skipped == "no 1m bars"
    assert all(len(events[name]) == 0 for name in PER_EVENT)


@pytest.mark.parametrize("damage", ["cut", "foreign", "empty"])
def test_what_is_no_part_is_refused(damage: str) -> None:
    whole = packed(part())
    content = {"cut": whole[:-20], "foreign": b"PAR1 no", "empty": b""}[damage]
    with pytest.raises(InputError, match="damaged"):
        unpacked(content)
