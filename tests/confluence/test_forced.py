from __future__ import annotations

from dataclasses import replace

import pytest

from sextant.confluence.detectors import FactBook, Print
from sextant.confluence.forced import (
    Burst,
    Wave,
    cascade,
    joined,
    large_liquidations,
    liquidation_zones,
    market_cascade,
    zones_seen,
)
from sextant.model.instrument import Instrument

NAME = Instrument("bybit", "ADA", "USDT", "perpetual")


def test_single_large_forced_closes_are_told_by_side() -> None:
    [one] = large_liquidations(NAME, [Print(1, 260e3, -1), Print(2, 251e3, -1)], 1e9)
    assert (one.opens, one.value, one.direction) == (True, 260e3, -1)
    assert not large_liquidations(NAME, [Print(1, 260e3, -1)], 3e9)[0].opens
    assert large_liquidations(NAME, [], 1e9) == []


def test_cascade_needs_size_number_one_side_and_the_price() -> None:
    prints = tuple(Print(at, 150e3, -1) for at in range(60))
    burst = Burst(prints, usual_usd=1e4, moved=-3.0, atr=2.0)
    [one] = cascade(NAME, burst)
    assert (one.opens, one.direction, one.word, one.cause) == (True, -1, "notable", "longs")
    assert not cascade(NAME, replace(burst, moved=3.0))[0].opens
    assert not cascade(NAME, replace(burst, prints=prints[:9]))[0].opens
    mixed = (*prints, *(Print(at, 150e3, 1) for at in range(20)))
    assert not cascade(NAME, replace(burst, prints=mixed))[0].opens
    assert cascade(NAME, replace(burst, prints=prints[:6], peak_usd=9e6))[0].closes


def test_market_cascade_needs_size_instruments_number_and_one_side() -> None:
    longs = Wave(-1, 2.1e6, 60, 3)
    [one] = market_cascade([Wave(1, 0.4e6, 5, 2), longs], {})
    assert (one.opens, one.instrument, one.cause, one.direction, one.word) == (
        True,
        None,
        "longs",
        -1,
        "notable",
    )
    assert dict(one.facts) == {"usd": 2.1e6, "events_per_minute": 12.0, "instruments": 3.0}
    for short_of in (
        replace(longs, usd=2e6),
        replace(longs, instruments=2),
        replace(longs, count=9),
    ):
        assert market_cascade([short_of], {}) == []
    assert market_cascade([longs, Wave(1, 0.6e6, 60, 3)], {}) == []


def test_market_cascade_stays_until_a_quarter_of_its_peak() -> None:
    [still] = market_cascade([Wave(-1, 2.5e6, 3, 1), Wave(1, 9e6, 3, 1)], {-1: 10e6})
    assert (still.opens, still.closes) == (False, False)
    [over] = market_cascade([Wave(-1, 2.4e6, 3, 1)], {-1: 10e6})
    assert over.closes


def test_zones_join_prices_within_two_per_cent_of_their_mean() -> None:
    prints = [Print(at, 300e3, -1, price) for at, price in enumerate([100.0, 101.0, 101.5, 110.0])]
    [zone] = liquidation_zones(prints, 1e8)
    assert zone.usd == 900e3
    assert zone.price == pytest.approx((100 + 101 + 101.5) / 3)
    assert zone.side == -1


def test_zones_of_both_sides_and_all_sizes_are_joined() -> None:
    prints = [Print(0, 10.0, 1, 100.0), Print(1, 20.0, -1, 100.0), Print(2, 30.0, 1, 101.0)]
    assert [(zone.usd, zone.side) for zone in joined(prints)] == [(40.0, 1), (20.0, -1)]


def test_a_zone_keeps_its_name_opens_when_large_and_is_over_when_nothing_is_left() -> None:
    book = FactBook()
    first = [Print(0, 400e3, -1, 100.0)]
    book.update(zones_seen(NAME, first, 1e8), 1)
    assert book.of(NAME) == ()
    more = [*first, Print(1, 200e3, -1, 100.3)]
    [told] = book.update(zones_seen(NAME, more, 1e8), 2)
    assert (told.seen.value, told.seen.cause, told.seen.direction) == (600e3, "longs near 98.91", -1)
    # What was closed first is more than a day old: the zone is smaller than its line, and not over.
    book.update(zones_seen(NAME, more[1:], 1e8), 3)
    assert [fact.count for fact in book.of(NAME)] == [2]
    book.update(zones_seen(NAME, [], 1e8), 4)
    assert book.of(NAME) == ()
