"""Hand-worked frames; the shapes are those of the venue's documentation and of its recorded books."""

from __future__ import annotations

import json

import pytest

from sextant.errors import WireError
from sextant.model.bar import Bar
from sextant.model.events import (
    BarUpdate,
    BookCleared,
    BookDelta,
    BookSnapshot,
    DerivativesUpdate,
    Event,
    Listed,
    QuoteUpdate,
    Trade,
)
from sextant.venues.library.kraken.frames import depth_of, parse_frame
from support.kraken import AT, BTC, TABLE, book, levels


def read(message: object) -> list[Event]:
    return parse_frame("spot", json.dumps(message).encode(), AT, TABLE)


def row(**more: object) -> dict[str, object]:
    return {"symbol": "BTC/USD", **more}


def test_a_whole_book_is_of_the_depth_of_its_longer_side_and_dated_by_arrival_without_a_time() -> None:
    message = book("snapshot", levels(10, 100.0, -0.1), levels(9, 100.1, 0.1))
    (event,) = read(message)
    assert isinstance(event, BookSnapshot)
    assert (event.instrument, event.levels, event.event_ns, event.sequence) == (BTC.instrument, 10, AT, 0)
    assert event.bids[0] == (100.0, 1.0)
    assert len(event.asks) == 9


def test_a_change_keeps_its_deletions_its_order_and_its_time() -> None:
    bids = [{"price": 99.9, "qty": 0.0}, {"price": 99.9, "qty": 2.5}]
    (event,) = read(book("update", bids, [], timestamp="2023-07-30T15:30:49.008834Z"))
    assert event == BookDelta(
        BTC.instrument, 1_690_731_049_008_834_000, AT, 0, 0, None, [(99.9, 0.0), (99.9, 2.5)], []
    )


def test_an_empty_book_is_no_book() -> None:
    (event,) = read(book("snapshot", [], []))
    assert event == BookCleared(BTC.instrument, AT, AT, "empty_book")


@pytest.mark.parametrize(
    ("bids", "asks", "depth"),
    [(10, 10, 10), (25, 7, 25), (7, 3, 25), (26, 30, 100), (100, 1, 100), (1000, 1000, 1000)],
)
def test_the_depth_is_that_of_a_full_side_else_what_is_subscribed_or_holds_it(
    bids: int, asks: int, depth: int
) -> None:
    assert depth_of(bids, asks) == depth


def test_a_trade_carries_the_takers_side() -> None:
    rows = [
        row(side="sell", price=0.5117, qty=40.0, ord_type="market", trade_id=4665906, timestamp="2023-09-25T07:49:37.708706Z"),
        row(side="buy", price=0.5118, qty=1, ord_type="limit", trade_id=4665907, timestamp="2023-09-25T07:49:37.708706Z"),
        {**row(side="buy", price=1.0, qty=1, trade_id=1, timestamp="2023-09-25T07:49:37Z"), "symbol": "SOL/USD"},
    ]  # fmt: skip
    at = 1_695_628_177_708_706_000
    assert read({"channel": "trade", "type": "update", "data": rows}) == [
        Trade(BTC.instrument, at, AT, "4665906", 0.5117, 40.0, -1),
        Trade(BTC.instrument, at, AT, "4665907", 0.5118, 1.0, 1),
    ]


def quote(**more: object) -> dict[str, object]:
    return row(
        **{
            "bid": 0.10025,
            "bid_qty": 740.0,
            "ask": 0.10035,
            "ask_qty": 741.0,
            "last": 0.10035,
            "volume": 1000.0,
            "vwap": 0.5,
            "low": 0.09979,
            "high": 0.10285,
            "change": -0.00017,
            "change_pct": -0.17,
            **more,
        }
    )


def test_latest_facts_are_a_quote_and_the_turnover_that_volume_and_mean_price_make() -> None:
    assert read({"channel": "ticker", "type": "update", "data": [quote()]}) == [
        QuoteUpdate(BTC.instrument, AT, AT, 0.10025, 740.0, 0.10035, 741.0),
        DerivativesUpdate(
            BTC.instrument,
            AT,
            AT,
            last=0.10035,
            volume_24h=1000.0,
            turnover_24h=500.0,
            change_24h_frac=-0.17 / 100,
        ),
    ]


def test_a_side_without_a_price_is_none_never_nought() -> None:
    quoted, facts = read({"channel": "ticker", "type": "snapshot", "data": [quote(bid=0, bid_qty=0, last=0)]})
    assert quoted == QuoteUpdate(BTC.instrument, AT, AT, None, None, 0.10035, 741.0)
    assert isinstance(facts, DerivativesUpdate)
    assert facts.last is None


def bar(begin: str, interval: int = 5, **more: object) -> dict[str, object]:
    return row(
        **{
            "open": 2.0,
            "high": 4.0,
            "low": 1.0,
            "close": 3.0,
            "trades": 12,
            "volume": 10.0,
            "vwap": 2.5,
            "interval_begin": begin,
            "interval": interval,
            "timestamp": "2023-10-04T16:30:00.000000Z",
            **more,
        }
    )


def test_bars_are_told_oldest_first_and_never_final() -> None:
    rows = [bar("2023-10-04T16:30:00.000000000Z"), bar("2023-10-04T16:25:00.000000000Z")]
    message = {
        "channel": "ohlc",
        "type": "snapshot",
        "timestamp": "2023-10-04T16:30:30.524394914Z",
        "data": rows,
    }
    older, newer = read(message)
    assert older == BarUpdate(
        BTC.instrument,
        1_696_437_030_524_395_000,
        AT,
        "5m",
        Bar(1_696_436_700_000_000_000, 2.0, 4.0, 1.0, 3.0, 10.0, 25.0),
        final=False,
    )
    assert isinstance(newer, BarUpdate)
    assert newer.bar.open_ns == 1_696_437_000_000_000_000


def test_a_bar_of_another_interval_is_not_read() -> None:
    assert read({"channel": "ohlc", "type": "update", "data": [bar("2023-10-04T16:30:00Z", 15)]}) == []


PAIR = {
    "symbol": "BTC/USD",
    "base": "BTC",
    "quote": "USD",
    "status": "online",
    "qty_increment": 1e-8,
    "price_increment": 0.1,
}


def test_the_channel_of_instruments_tells_the_rules_of_those_known() -> None:
    pair = {
        "symbol": "BTC/USD", "base": "BTC", "quote": "USD", "status": "cancel_only", "qty_precision": 8,
        "qty_increment": 0.00000001, "price_precision": 1, "cost_precision": 5, "marginable": True,
        "has_index": True, "cost_min": 0.5, "price_increment": 0.5, "qty_min": 0.0001,
    }  # fmt: skip
    other = {**pair, "symbol": "XYZ/USD", "base": "XYZ"}
    message = {"channel": "instrument", "type": "update", "data": {"assets": [], "pairs": [other, pair]}}
    (listed,) = read(message)
    assert isinstance(listed, Listed)
    spec = listed.spec
    assert (spec.instrument, spec.status) == (BTC.instrument, "halted")
    assert (str(spec.tick), str(spec.lot), str(spec.min_notional)) == ("0.5", "1E-8", "0.5")


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (book("update", [{"price": 0, "qty": 1}], []), "data[0].bids[0].price"),
        (book("update", [{"price": "1.5", "qty": 1}], []), "data[0].bids[0].price"),
        (book("update", [{"price": 1.5, "qty": -1}], []), "data[0].bids[0].qty"),
        (book("renewal", [], []), "type"),
        (book("update", [], [], checksum=-1), "data[0].checksum"),
        (book("update", [], [], timestamp="today"), "data[0].timestamp"),
        (book("update", [], [], timestamp="9999-01-01T00:00:00Z"), "timestamp"),
        (book("snapshot", [{"price": 1.5, "qty": 0}], []), "qty"),
        ({"channel": "trade", "data": {}}, "data"),
        ({"channel": "trade", "data": [row(side="b", price=1, qty=1, trade_id=1, timestamp="2023-10-04T16:30:00Z")]}, "data[0].side"),
        ({"channel": "ticker", "data": [quote(change_pct=-101)]}, "data[0].change_pct"),
        ({"channel": "ohlc", "data": [bar("2023-10-04T16:31:00Z")]}, "interval_begin"),
        ({"channel": "ohlc", "data": [bar("2023-10-04T16:30:00Z", high=1.5)]}, "data"),
        ({"channel": "instrument", "data": {"pairs": [{**PAIR, "base": "B C"}]}}, "pairs"),
        ({"channel": "instrument", "data": {"pairs": [{**PAIR, "base": "ETH"}]}}, "pairs"),
        ({"channel": "instrument", "data": {"pairs": [{**PAIR, "price_increment": 0}]}}, "pairs"),
        ({"channel": "instrument", "data": {"pairs": [{**PAIR, "qty_increment": -1}]}}, "qty_increment"),
        ({"channel": 5}, "channel"),
        ([], ""),
    ],
)  # fmt: skip
def test_what_is_not_as_documented_names_its_field(message: object, field: str) -> None:
    with pytest.raises(WireError) as raised:
        read(message)
    assert raised.value.facts["field"] == field
