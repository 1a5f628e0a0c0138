from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from sextant.confluence.absence import last_of
from sextant.confluence.book_watch import BookWatch
from sextant.confluence.detectors import FactBook, Seen
from sextant.confluence.levels import LEVELS
from sextant.confluence.scorer import Evaluation, Scorer
from sextant.model.times import MINUTE_NS, SECOND_NS
from sextant.model.view import MINUTE_FIELDS, LiquidationTape, MinuteFrame, TradeTape, View
from sextant.scans.detecting import facts_seen, may_match, of_forced, of_market, of_trades, spoofed, usual_5m
from support import minutes

COLUMN = 1


@cache
def known() -> tuple[View, Evaluation]:
    """Two perpetuals, whose turnover of a day is a hundred million."""
    view = minutes.walked(400, 2)
    facts = replace(view.derivatives, turnover_24h=np.full(2, 1e8), last=view.bars["1m"].close[-1])
    view = replace(view, derivatives=facts)
    return view, Scorer().update(view)


def trades(*rows: tuple[float, float, float, int]) -> View:
    """Trades of an instrument: seconds ago, price, size, side."""
    view, _ = known()
    ago, price, size, side = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    tape = TradeTape(view.as_of_ns - (ago * SECOND_NS).astype(np.int64), price, size, side)
    return replace(view, trades={view.instruments[COLUMN].instrument: tape})


def forced(*rows: tuple[float, float, float, int], moved: float = 0.0) -> View:
    """Forced closes: seconds ago, price, size, side of the position; the price moved by so much since the last close."""
    view, _ = known()
    ago, price, size, side = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    tape = LiquidationTape(view.as_of_ns - (ago * SECOND_NS).astype(np.int64), price, size, side)
    last = view.derivatives.last.copy()
    last[COLUMN] += moved
    view = replace(view, derivatives=replace(view.derivatives, last=last))
    return replace(view, liquidations={view.instruments[COLUMN].instrument: tape})


def kinds(seen: list[Seen]) -> list[tuple[str, str]]:
    return [(one.kind, one.cause) for one in seen if one.opens]


def test_a_large_trade_of_the_last_minute_is_told_and_an_older_one_is_not() -> None:
    assert kinds(of_trades(trades((5, 100.0, 9_000.0, 1)), COLUMN)) == [("whale_trade", "buy")]
    assert kinds(of_trades(trades((61, 100.0, 9_000.0, 1)), COLUMN)) == []
    assert kinds(of_trades(trades((5, 100.0, 7_000.0, 1)), COLUMN)) == []
    assert of_trades(known()[0], COLUMN) == []


PAIRS = tuple(
    (ago + apart, 100.0, 7.0, side) for ago in (10, 100, 200) for apart, side in ((0.5, 1), (0.0, -1))
)


def test_trades_with_oneself_are_suspected_within_five_minutes() -> None:
    view = trades(*PAIRS, (3, 100.0, 8.0, 1))
    turnover = float(np.nansum(view.bars["1m"].quote_volume[-5:, COLUMN]))
    assert 0.01 * turnover < 4_200.0  # of three pairs
    assert kinds(of_trades(view, COLUMN)) == [("wash_suspected", "trades")]
    older = trades(
        *((ago + 150, price, size, side) for ago, price, size, side in PAIRS)
    )  # one of three is older than five minutes
    assert kinds(of_trades(older, COLUMN)) == []


def test_only_trades_with_an_equal_one_near_are_looked_at() -> None:
    view = trades((10.5, 100.0, 7.0, 1), (10.0, 100.0, 7.0, -1), (9.0, 100.0, 8.0, 1), (5.0, 100.0, 7.0, 1))
    tape = view.trades[view.instruments[COLUMN].instrument]
    assert may_match(tape).tolist() == [True, True, False, False]
    assert may_match(TradeTape(*(np.array([1])[:0],) * 4)).tolist() == []


def test_one_large_forced_close_is_told_by_the_side_it_trades_on() -> None:
    view = forced((5, 100.0, 3_000.0, 1), (6, 100.0, 3_000.0, -1), (70, 100.0, 9_000.0, 1))
    seen = list(of_forced(view, known()[1], COLUMN, FactBook()))
    single = [one for one in seen if one.kind == "liquidation_large"]
    assert [(one.cause, one.value) for one in single] == [("buy", 300e3), ("sell", 300e3)]
    assert all(one.opens for one in single)


def test_zones_are_those_of_a_day() -> None:
    view = forced((5, 100.0, 3_000.0, 1), (80_000, 100.0, 3_000.0, 1), (90_000, 50.0, 9_000.0, 1))
    seen = [one for one in of_forced(view, known()[1], COLUMN, FactBook()) if one.kind == "liquidation_zone"]
    assert [(one.value, one.opens, one.direction) for one in seen] == [(600e3, True, -1)]


LONGS = tuple((float(at), 100.0, 1_500.0, 1) for at in range(60))
"""Nine million of sixty longs within a minute."""


def falling() -> float:
    view, found = known()
    atr = last_of(found, "5m", LEVELS["5m"]["atr"], COLUMN)
    assert atr is not None
    assert atr > 0
    close = view.bars["1m"].close
    before, last = close[-6, COLUMN], close[-1, COLUMN]
    return float(before - 2.0 * atr - last)


def cascades(view: View, book: FactBook) -> list[Seen]:
    return [one for one in of_forced(view, known()[1], COLUMN, book) if one.kind == "cascade"]


def test_longs_closed_while_the_price_fell_are_a_cascade_until_it_ebbs() -> None:
    book = FactBook()
    [one] = cascades(forced(*LONGS, moved=falling()), book)
    assert (one.opens, one.cause, one.direction, one.word) == (True, "longs", -1, "notable")
    book.update([one], 1)
    [less] = cascades(forced(*LONGS[:20], moved=falling()), book)
    assert not less.closes  # three million of nine
    [ebbed] = cascades(forced(*LONGS[:14], moved=falling()), book)
    assert ebbed.closes  # 2.1 million of nine
    assert cascades(forced(*LONGS[:2]), FactBook()) == []


def test_longs_closed_while_the_price_stood_are_no_cascade() -> None:
    assert [one.opens for one in cascades(forced(*LONGS), FactBook())] == [False]


def test_what_is_usual_is_the_lower_median_of_known_five_minutes() -> None:
    view, _ = known()
    part = np.zeros((len(MINUTE_FIELDS), 22, 2), dtype=np.float32)
    row = part[MINUTE_FIELDS.index("liq_long_usd"), :, COLUMN]
    row[2:7], row[7:12], row[12:17], row[17:22] = 1.0, 7.0, np.nan, 3.0
    told = replace(view, minutes=MinuteFrame(np.arange(22) * MINUTE_NS, (part,), bytes(16 * 22)))
    assert usual_5m(told, COLUMN, -1) == 15.0
    assert usual_5m(told, COLUMN, 1) == 0.0
    assert usual_5m(view, COLUMN, 1) == 0.0


def test_every_rule_is_read_of_every_instrument() -> None:
    view, found = known()
    plain = {one.kind for one in facts_seen(view, found, FactBook(), BookWatch())}
    assert "volume_spike" in plain
    more = facts_seen(trades((5, 100.0, 9_000.0, 1)), found, FactBook(), BookWatch())
    assert {one.kind for one in more} == plain | {"whale_trade"}


@pytest.mark.parametrize(
    ("kind", "expected"), [("spoof_suspected", [False, True]), ("whale_book", [False, False])]
)
def test_only_suspected_levels_mark_a_book(kind: str, expected: list[bool]) -> None:
    view, _ = known()
    book = FactBook()
    name = view.instruments[COLUMN].instrument
    book.update([Seen(kind, name, "bids", 3.0, opens=True, closes=False)], 1)  # type: ignore[arg-type]  # one of them
    assert spoofed(view, book.all()).tolist() == expected


def wave(*usd: float, seconds_ago: float = 5.0) -> View:
    """Ten forced closes of longs in each of some instruments, of so much in all."""
    view = minutes.walked(400, len(usd))
    tapes = {}
    for spec, size in zip(view.instruments, usd, strict=True):
        times = np.full(10, view.as_of_ns - int(seconds_ago * SECOND_NS))
        tapes[spec.instrument] = LiquidationTape(times, np.full(10, 1.0), np.full(10, size / 10), np.ones(10))
    return replace(view, liquidations=tapes)


def test_forced_closes_of_many_instruments_at_once_are_a_cascade_of_the_market() -> None:
    book = FactBook()
    [one] = of_market(wave(0.8e6, 0.8e6, 0.8e6), book)
    assert (one.opens, one.instrument, one.cause, one.direction) == (True, None, "longs", -1)
    assert dict(one.facts) == pytest.approx({"usd": 2.4e6, "events_per_minute": 6.0, "instruments": 3.0})
    [told] = book.update([one], 1)
    assert book.of(None) == (told,)
    [ebbing] = of_market(wave(0.3e6, 0.3e6, 0.1e6), book)
    assert (ebbing.opens, ebbing.closes) == (False, False)
    [over] = of_market(wave(0.3e6, 0.2e6, 0.0), book)
    assert over.closes
    book.update([over], 2)
    assert book.of(None) == ()


def test_two_instruments_or_older_closes_are_no_cascade_of_the_market() -> None:
    assert of_market(wave(2e6, 2e6), FactBook()) == []
    assert of_market(wave(1e6, 1e6, 1e6, seconds_ago=301.0), FactBook()) == []


def test_a_fact_of_the_market_marks_no_book() -> None:
    view = wave(0.8e6, 0.8e6, 0.8e6)
    book = FactBook()
    book.update(of_market(view, book), 1)
    assert not spoofed(view, book.all()).any()
