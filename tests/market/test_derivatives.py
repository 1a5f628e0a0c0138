from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sextant.market.derivatives import KEEP_LIQUIDATIONS, Facts, History, Liquidations
from sextant.model.events import DerivativesUpdate, Liquidation
from support.market import instrument


def _update(event_ns: int, **fields: Any) -> DerivativesUpdate:
    return DerivativesUpdate(instrument(), event_ns, event_ns, **fields)


def test_field_that_is_not_mentioned_keeps_its_value() -> None:
    facts = Facts()
    assert facts.take(_update(1, mark=100.0, funding_rate=-0.0001)) == (0, 0)
    assert facts.take(_update(2, mark=101.0)) == (0, 0)
    assert (facts.value("mark"), facts.value("funding_rate")) == (101.0, -0.0001)
    assert (facts.time_ns("mark"), facts.time_ns("funding_rate"), facts.event_ns) == (2, 1, 2)


def test_field_that_does_not_apply_is_unknown_never_zero() -> None:
    facts = Facts()
    facts.take(_update(1, funding_rate=0.0001))
    facts.take(_update(2, funding_rate=None))
    assert math.isnan(facts.value("funding_rate"))
    assert facts.time_ns("funding_rate") == 2


def test_field_never_stated_is_unknown() -> None:
    facts = Facts()
    assert math.isnan(facts.value("index"))
    assert (facts.time_ns("index"), facts.event_ns) == (0, 0)


def test_each_field_is_judged_by_its_own_time() -> None:
    facts = Facts()
    facts.take(_update(10, mark=100.0))
    assert facts.take(_update(5, mark=1.0, long_share=0.6)) == (1, 0)
    assert (facts.value("mark"), facts.value("long_share")) == (100.0, 0.6)


@pytest.mark.parametrize(
    ("name", "value"),
    [("mark", 0.0), ("last", -1.0), ("index", math.inf), ("open_interest", -1.0), ("funding_rate", math.nan)],
)
def test_value_that_no_instrument_can_have_is_refused_and_the_known_one_stays(
    name: str, value: float
) -> None:
    facts = Facts()
    facts.take(_update(1, **{name: 2.0}))
    assert facts.take(_update(2, **{name: value})) == (0, 1)
    assert facts.value(name) == 2.0


def test_measured_zero_is_a_value() -> None:
    facts = Facts()
    assert facts.take(_update(1, open_interest=0.0, funding_rate=0.0)) == (0, 0)
    assert facts.value("open_interest") == 0.0


def test_history_without_points_is_none() -> None:
    assert History(3).series() is None


def test_history_that_was_handed_out_does_not_change() -> None:
    history = History(3)
    history.take(1, 1.0)
    series = history.series()
    assert history.series() is series
    history.take(2, 2.0)
    assert series is not None
    assert series.time_ns.tolist() == [1]
    with pytest.raises(ValueError, match="read-only"):
        series.value[0] = 5.0


def test_later_statement_about_one_time_replaces_the_earlier() -> None:
    history = History(3)
    history.take(1, 1.0)
    history.take(2, 2.0)
    assert history.take(1, 9.0)
    series = history.series()
    assert series is not None
    assert series.value.tolist() == [9.0, 2.0]


def test_oldest_points_leave_a_full_history() -> None:
    history = History(3)
    for time_ns in (5, 1, 4, 2, 3):
        history.take(time_ns, float(time_ns))
    series = history.series()
    assert series is not None
    assert series.time_ns.tolist() == [3, 4, 5]


def test_value_that_is_not_a_number_is_not_taken() -> None:
    history = History(3)
    assert not history.take(1, math.nan)
    assert history.series() is None


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 100).map(float)), min_size=1))
def test_points_in_any_order_give_the_newest_in_order(points: list[tuple[int, float]]) -> None:
    history = History(10)
    naive: dict[int, float] = {}
    for time_ns, value in points:
        history.take(time_ns, value)
        naive[time_ns] = value
        for old in sorted(naive)[:-10]:
            del naive[old]
    series = history.series()
    assert series is not None
    assert list(zip(series.time_ns.tolist(), series.value.tolist(), strict=True)) == sorted(naive.items())


def _liquidation(event_ns: int, price: float = 10.0, size: float = 1.0) -> Liquidation:
    return Liquidation(instrument(), event_ns, event_ns, "long", price, size)


def test_newest_liquidations_are_kept() -> None:
    closes = Liquidations()
    for time_ns in range(3 * KEEP_LIQUIDATIONS):
        assert closes.take(_liquidation(time_ns))
        tape = closes.tape(time_ns)
        assert tape is not None
        assert tape.event_ns.tolist() == list(range(max(0, time_ns - KEEP_LIQUIDATIONS + 1), time_ns + 1))
    assert len(closes.content()) == KEEP_LIQUIDATIONS


def test_liquidations_are_told_as_they_came_and_restored_from_that() -> None:
    closes, other = Liquidations(), Liquidations()
    other.take(_liquidation(1))
    closes.take(Liquidation(instrument(), 7, 8, "short", 12.0, 4.0))
    closes.take(Liquidation(instrument(), 5, 9, "long", 11.0, 2.0))
    assert closes.content() == ((7, 8, "short", 12.0, 4.0), (5, 9, "long", 11.0, 2.0))
    other.restore(closes.content(), instrument())
    assert other.content() == closes.content()
    tape = other.tape(9)
    assert tape is not None
    assert tape.event_ns.tolist() == [5, 7]


def test_a_tape_that_was_shown_does_not_change() -> None:
    closes = Liquidations()
    closes.take(_liquidation(1))
    before = closes.tape(5)
    closes.take(_liquidation(2))
    after = closes.tape(5)
    assert before is not None
    assert after is not None
    assert (before.event_ns.tolist(), after.event_ns.tolist()) == ([1], [1, 2])


def test_liquidations_are_shown_in_the_order_of_their_times_up_to_a_time() -> None:
    closes = Liquidations()
    assert closes.tape(10) is None
    for event in (_liquidation(7), _liquidation(3, price=11.0), _liquidation(9)):
        closes.take(event)
    closes.take(Liquidation(instrument(), 5, 5, "short", 12.0, 4.0))
    tape = closes.tape(8)
    assert tape is not None
    assert (tape.event_ns.tolist(), tape.side.tolist()) == ([3, 5, 7], [1.0, -1.0, 1.0])
    assert (tape.price.tolist(), tape.size.tolist()) == ([11.0, 12.0, 10.0], [1.0, 4.0, 1.0])
    assert not tape.price.flags.writeable
    assert closes.tape(2) is None


@pytest.mark.parametrize(("price", "size"), [(0.0, 1.0), (1.0, math.nan), (math.inf, 1.0)])
def test_liquidation_without_a_price_or_size_is_refused(price: float, size: float) -> None:
    assert not Liquidations().take(_liquidation(1, price, size))
