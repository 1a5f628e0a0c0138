from __future__ import annotations

import math
from decimal import Decimal

import pytest

from sextant.market.books import Book
from sextant.market.freshness import CADENCE_NS, STREAMS, Pulse
from sextant.market.minute_sums import KEEP_MINUTES, MinuteSums, add_trade, is_open
from sextant.model.events import Liquidation, Stream
from sextant.model.times import MINUTE_NS, SECOND_NS
from sextant.model.view import MINUTE_FIELDS
from support.market import instrument, trade

MINUTE = 29_000_000
START_NS = MINUTE * MINUTE_NS


@pytest.fixture
def pulses() -> dict[Stream, Pulse]:
    return {stream: Pulse(CADENCE_NS[stream]) for stream in STREAMS}


@pytest.fixture
def sums(pulses: dict[Stream, Pulse]) -> MinuteSums:
    found = MinuteSums(Book(Decimal("0.5")), pulses)
    found.alive("trades", START_NS)
    found.alive("liquidations", START_NS)
    return found


def forced(second: float, side: str, usd: float) -> Liquidation:
    at_ns = START_NS + int(second * SECOND_NS)
    return Liquidation(instrument(), at_ns, at_ns, side, usd, 1.0)  # type: ignore[arg-type]  # one of two


def told(sums: MinuteSums) -> dict[int, dict[str, float]]:
    return {minute: dict(zip(MINUTE_FIELDS, values, strict=True)) for minute, values in sums.closed}


def at(second: float) -> int:
    return START_NS + int(second * SECOND_NS)


def test_trades_are_summed_by_the_side_that_took(sums: MinuteSums) -> None:
    for name, second, size, sign in (
        ("a", 1, 1.0, 1),
        ("b", 2, 300.0, -1),
        ("c", 59.9, 2.0, 1),
        ("d", 30, 1.0, 0),
    ):
        assert sums.trade(trade(name, at(second), 100.0, size), sign)
    assert sums.trade(trade("e", at(40), 100.0, 7.0, block=True), 1)
    sums.stated(START_NS)
    row = told(sums)[MINUTE]
    assert (row["buy_turnover"], row["sell_turnover"]) == (300.0, 30_000.0)
    assert (row["buy_count"], row["sell_count"]) == (2.0, 1.0)
    assert (row["large_buy"], row["large_sell"], row["max_trade_usd"]) == (0.0, 30_000.0, 30_000.0)
    assert row["seen_volume"] == 311.0
    assert math.isnan(row["book_age_s"])


def test_forced_closes_are_summed_by_the_side_of_the_position(
    sums: MinuteSums, pulses: dict[Stream, Pulse]
) -> None:
    for event in (forced(1, "long", 400.0), forced(2, "short", 900.0), forced(3, "long", 100.0)):
        assert sums.liquidation(event)
    pulses["liquidations"].alive(at(50))
    sums.stated(START_NS)
    row = told(sums)[MINUTE]
    assert (row["liq_long_usd"], row["liq_short_usd"], row["liq_count"]) == (500.0, 900.0, 3.0)
    assert (row["root_long"], row["root_short"]) == (30.0, 30.0)
    assert row["liquidations_age_s"] == 10.0


def test_a_quiet_minute_is_a_measured_zero(sums: MinuteSums) -> None:
    sums.stated(START_NS)
    row = told(sums)[MINUTE]
    assert row["buy_turnover"] == row["sell_count"] == row["liq_count"] == row["root_long"] == 0.0


def test_a_minute_that_a_stream_did_not_see_whole_is_unknown(sums: MinuteSums) -> None:
    sums.lose("trades")
    sums.trade(trade("a", at(10)), 1)
    sums.alive("trades", at(10))
    sums.stated(START_NS)
    sums.stated(START_NS + MINUTE_NS)
    found = told(sums)
    assert math.isnan(found[MINUTE]["buy_turnover"])
    assert found[MINUTE]["root_long"] == 0.0
    assert found[MINUTE + 1]["buy_turnover"] == 0.0


def test_a_minute_stays_open_for_what_comes_late_until_its_bar_is_stated(sums: MinuteSums) -> None:
    sums.trade(trade("a", at(60.5)), 1)
    assert sums.trade(trade("b", at(59.9)), 1)
    sums.stated(START_NS)
    assert not sums.trade(trade("c", at(59.95)), 1)
    found = told(sums)
    assert list(found) == [MINUTE]
    assert found[MINUTE]["buy_count"] == 1.0


def test_a_minute_without_a_bar_closes_five_seconds_after_its_end(sums: MinuteSums) -> None:
    sums.trade(trade("a", at(1)), 1)
    sums.trade(trade("b", at(64.9)), 1)
    assert not sums.closed
    sums.trade(trade("c", at(65)), 1)
    assert list(told(sums)) == [MINUTE]
    sums.tick(at(200))
    assert list(told(sums)) == [MINUTE, MINUTE + 1, MINUTE + 2]
    assert told(sums)[MINUTE + 1]["buy_count"] == 2.0


def test_what_is_kept_is_bounded_over_a_long_silence(sums: MinuteSums) -> None:
    sums.trade(trade("a", at(1)), 1)
    sums.trade(trade("b", START_NS + 1_000_000 * MINUTE_NS), 1)
    assert len(sums.closed) == KEEP_MINUTES
    assert len(sums.content()[3]) == 1  # type: ignore[arg-type]  # the open minutes


def test_sums_go_on_from_their_content(sums: MinuteSums, pulses: dict[Stream, Pulse]) -> None:
    for second in range(0, 130, 7):
        sums.trade(trade(f"t{second}", at(second), 100.0, 1.0 + second), 1 if second % 2 else -1)
    again = MinuteSums(Book(Decimal("0.5")), pulses)
    again.restore(sums.content())
    sums.closed.clear()
    for one in (sums, again):
        one.trade(trade("z", at(150)), -1)
        one.stated(at(120))
    assert again.content() == sums.content()
    assert repr(again.closed) == repr(sums.closed)
    assert again.chain == sums.chain


def test_trades_added_in_cells_are_those_added_one_by_one(
    sums: MinuteSums, pulses: dict[Stream, Pulse]
) -> None:
    other = MinuteSums(Book(Decimal("0.5")), pulses)
    other.restore(sums.content())
    assert not is_open(other.cells.at, at(1))
    for second in range(1, 50):
        event, sign, usd = (
            trade(str(second), at(second), 100.0, float(second)),
            1 if second % 3 else -1,
            100.0 * second,
        )
        sums.trade(event, sign)
        if second == 1:
            other.trade(event, sign)
            continue
        assert is_open(other.cells.at, event.event_ns)
        large = other._sizes.take(event.event_ns, usd)
        add_trade(other.cells.at, usd, event.size, sign, large)
    assert other.content() == sums.content()
    assert not is_open(other.cells.at, at(65))
    other.lose("trades")
    assert not is_open(other.cells.at, at(51))
