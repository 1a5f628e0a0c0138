from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sextant.confluence.confidence import (
    HORIZON_NS,
    Confidence,
    Trial,
    apart,
    confidence,
    outcome,
    wilson,
)
from sextant.confluence.passport import Absent
from sextant.model.times import MINUTE_NS
from sextant.model.view import BarFrame, bar_frame
from support.market import instrument

START = 29_000_000 * MINUTE_NS
LONG = Trial(instrument(), START - 1, "long", 0.45, 100.0, 99.0, 101.5)
SHORT = replace(LONG, side="short", stop=101.0, target=98.5)


def bars(
    prices: list[float], high: dict[int, float] | None = None, low: dict[int, float] | None = None
) -> BarFrame:
    close = np.array(prices)[:, None]
    columns = {"open": close, "high": close.copy(), "low": close.copy(), "close": close, "volume": close}
    for at, price in (high or {}).items():
        columns["high"][at] = price
    for at, price in (low or {}).items():
        columns["low"][at] = price
    return bar_frame("1m", START + np.arange(len(prices)) * MINUTE_NS, columns)


def test_the_pinned_case() -> None:
    found = confidence(0.45, [(0.45, 1)] * 46 + [(0.45, 0)] * 34)
    assert isinstance(found, Confidence)
    assert found.probability == pytest.approx(0.573171, abs=5e-7)
    assert (found.low, found.high) == pytest.approx((0.483102, 0.661991), abs=5e-7)
    assert (found.hits, found.count) == (46, 80)
    assert wilson(46, 80) == pytest.approx((0.483102, 0.661991), abs=5e-7)


def test_below_thirty_there_is_none() -> None:
    found = confidence(0.45, [(0.45, 1)] * 29)
    assert isinstance(found, Absent)
    assert (found.reason, found.have, found.need) == ("SHORT_HISTORY", 29.0, 30.0)
    assert isinstance(confidence(0.45, []), Absent)


def test_neighbours_whose_rates_fall_are_pooled() -> None:
    # .40: 30 of 40, .50: 10 of 40 falls, so both are one: 40 of 80; .60: 30 of 40 stays apart; nothing above.
    scored = [(0.42, 1)] * 30 + [(0.42, 0)] * 10 + [(0.55, 1)] * 10 + [(0.55, 0)] * 30
    scored += [(0.7, 1)] * 30 + [(0.7, 0)] * 10
    weak, strong = confidence(0.41, scored), confidence(0.95, scored)
    assert isinstance(weak, Confidence)
    assert isinstance(strong, Confidence)
    assert (weak.hits, weak.count, weak.least, weak.most) == (40, 80, 0.40, 0.60)
    assert (strong.hits, strong.count, strong.least, strong.most) == (30, 40, 0.60, None)
    assert weak.probability < strong.probability


@pytest.mark.parametrize(
    ("trial", "high", "low", "expected"),
    [
        (LONG, {3: 101.5}, {5: 98.0}, 1),
        (LONG, {5: 101.5}, {3: 99.0}, 0),
        (LONG, {3: 101.5}, {3: 99.0}, 0),
        (SHORT, {5: 102.0}, {3: 98.5}, 1),
        (SHORT, {3: 101.0}, {5: 98.0}, 0),
    ],
)
def test_whichever_comes_first_counts(
    trial: Trial, high: dict[int, float], low: dict[int, float], expected: int
) -> None:
    assert outcome(trial, bars([100.0] * 10, high, low), 0) == expected


def test_without_either_the_net_return_after_four_hours_decides() -> None:
    assert outcome(LONG, bars([100.0] * 239), 0) is None
    rising = bars([100.0 + at / 1000 for at in range(240)])
    assert outcome(LONG, rising, 0) == 1
    assert outcome(SHORT, rising, 0) == 0
    assert outcome(replace(LONG, cost_frac=0.01), rising, 0) == 0


def test_an_entry_before_the_bars_or_over_a_hole_is_not_judged() -> None:
    assert outcome(replace(LONG, at_ns=START - 10 * MINUTE_NS), bars([100.0] * 240), 0) is None
    assert outcome(LONG, bars([100.0, np.nan, *([100.0] * 238)], {5: 102.0}), 0) is None


def test_the_minute_of_the_entry_is_not_looked_at() -> None:
    inside = replace(LONG, at_ns=START + 1)
    assert outcome(inside, bars([100.0] * 300, {0: 102.0}, {4: 98.0}), 0) == 0


def test_overlapping_entries_of_one_instrument_count_once() -> None:
    later = replace(LONG, at_ns=LONG.at_ns + HORIZON_NS - 1)
    after = replace(LONG, at_ns=LONG.at_ns + HORIZON_NS)
    other = replace(later, instrument=instrument("ETH"))
    assert apart([after, later, LONG, other]) == (LONG, other, after)
