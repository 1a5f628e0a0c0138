"""Hand-worked frames; the shapes are those of the venue's documentation and of its recorded messages."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from msgspec import UNSET

from sextant.errors import WireError
from sextant.model.bar import Bar
from sextant.model.events import (
    BarUpdate,
    BookCleared,
    BookDelta,
    BookSnapshot,
    DerivativesUpdate,
    Event,
    Liquidation,
    QuoteUpdate,
    Trade,
)
from sextant.venues.library.bybit import VENUE
from sextant.venues.library.bybit.frames import parse_frame
from sextant.venues.library.bybit.talk import parse_control
from sextant.venues.port import Control, SymbolTable
from support.listings import BTC, BTC_SPOT, ETH, listing
from support.recordings import read_quoted_frames, read_session

MS = 1_000_000
AT = 1_786_310_819_700_000_000
TABLE = SymbolTable([BTC, BTC_SPOT, ETH])


def read(message: object, category: str = "linear") -> list[Event]:
    return parse_frame(category, json.dumps(message).encode(), AT, TABLE)


def book(
    update: int, kind: str, bids: object, asks: object, depth: int = 50, **more: object
) -> dict[str, object]:
    return {
        "topic": f"orderbook.{depth}.BTCUSDT",
        "type": kind,
        "ts": 1672304484978,
        "data": {"s": "BTCUSDT", "b": bids, "a": asks, "u": update, "seq": 7961638724},
        **more,
    }


def test_a_snapshot_replaces_the_book_and_is_dated_by_the_matching_time() -> None:
    message = book(
        18521288,
        "snapshot",
        [["16493.50", "0.006"]],
        [["16611.00", "0.029"], ["16612.00", "0"]],
        cts=1672304484976,
    )
    assert read(message) == [
        BookSnapshot(
            BTC.instrument,
            1672304484976 * MS,
            AT,
            18521288,
            50,
            [(16493.5, 0.006)],
            [(16611.0, 0.029)],
        )
    ]


def test_a_delta_keeps_deletions_and_single_steps() -> None:
    message = book(18521289, "delta", [["16493.50", "0"]], [])
    assert read(message) == [
        BookDelta(BTC.instrument, 1672304484978 * MS, AT, 18521289, 18521289, None, [(16493.5, 0.0)], [])
    ]


def test_update_number_one_replaces_the_book_whatever_the_type_says() -> None:
    (event,) = read(book(1, "delta", [["10", "1"], ["9", "0"]], [["11", "2"]]))
    assert event == BookSnapshot(BTC.instrument, 1672304484978 * MS, AT, 1, 50, [(10, 1)], [(11, 2)])


def test_an_empty_book_is_no_book() -> None:
    assert [type(event) for event in read(book(1, "delta", [], []))] == [BookCleared]
    assert [type(event) for event in read(book(5, "snapshot", [], []))] == [BookCleared]
    assert [type(event) for event in read(book(5, "delta", [], []))] == [BookDelta]


@pytest.mark.parametrize("depth", [50, 200, 1000])
def test_a_snapshot_states_the_levels_of_its_topic(depth: int) -> None:
    (event,) = read(book(5, "snapshot", [["1", "1"]], [], depth=depth))
    assert isinstance(event, BookSnapshot)
    assert event.levels == depth


def test_the_one_level_book_is_a_quote_and_never_the_book() -> None:
    whole = read(book(5, "snapshot", [["10", "1"]], [["11", "2"]], depth=1))
    assert whole == [QuoteUpdate(BTC.instrument, 1672304484978 * MS, AT, 10.0, 1.0, 11.0, 2.0)]
    moved = read(book(6, "delta", [["10", "0"], ["9.5", "3"]], [], depth=1))
    assert moved == [QuoteUpdate(BTC.instrument, 1672304484978 * MS, AT, 9.5, 3.0, UNSET, UNSET)]
    one_sided = read(book(7, "snapshot", [], [["11", "2"]], depth=1))
    assert one_sided == [QuoteUpdate(BTC.instrument, 1672304484978 * MS, AT, None, None, 11.0, 2.0)]
    emptied = read(book(8, "delta", [["9.5", "0"]], [], depth=1))
    assert emptied == [QuoteUpdate(BTC.instrument, 1672304484978 * MS, AT, None, None, UNSET, UNSET)]


def test_trades_carry_the_takers_side_the_id_and_whether_they_were_negotiated() -> None:
    message = {
        "topic": "publicTrade.BTCUSDT",
        "type": "snapshot",
        "ts": 1672304486868,
        "data": [
            {"T": 1672304486865, "s": "BTCUSDT", "S": "Buy", "v": "0.001", "p": "16578.50", "i": "20f43950", "BT": False},
            {"T": 1672304486866, "s": "BTCUSDT", "S": "Sell", "v": "2", "p": "16578.00", "i": "20f43951", "BT": True, "RPI": False},
        ],
    }  # fmt: skip
    assert read(message) == [
        Trade(BTC.instrument, 1672304486865 * MS, AT, "20f43950", 16578.5, 0.001, 1, block=False),
        Trade(BTC.instrument, 1672304486866 * MS, AT, "20f43951", 16578.0, 2.0, -1, block=True),
    ]


def test_the_same_symbol_names_another_instrument_on_the_spot_socket() -> None:
    row = {"T": 1, "s": "BTCUSDT", "S": "Buy", "v": "1", "p": "2", "i": "x"}
    message = {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 1, "data": [row]}
    assert read(message, "linear")[0].instrument is BTC.instrument  # type: ignore[union-attr]  # a trade
    assert read(message, "spot")[0].instrument is BTC_SPOT.instrument  # type: ignore[union-attr]


def tickers(kind: str, **data: str) -> dict[str, object]:
    return {
        "topic": "tickers.BTCUSDT",
        "type": kind,
        "data": {"symbol": "BTCUSDT", **data},
        "cs": 24987956059,
        "ts": 1673272861686,
    }


def test_a_full_statement_of_facts_gives_a_quote_and_derivatives() -> None:
    message = tickers(
        "snapshot",
        tickDirection="PlusTick",
        price24hPcnt="0.017103",
        lastPrice="17216.00",
        markPrice="17217.33",
        indexPrice="17227.36",
        openInterest="68744.761",
        turnover24h="1570383121.943499",
        volume24h="91705.276",
        nextFundingTime="1673280000000",
        fundingRate="-0.000212",
        fundingIntervalHour="8",
        bid1Price="17215.50",
        bid1Size="84.489",
        ask1Price="17216.00",
        ask1Size="83.020",
    )
    assert read(message) == [
        QuoteUpdate(BTC.instrument, 1673272861686 * MS, AT, 17215.5, 84.489, 17216.0, 83.02),
        DerivativesUpdate(
            BTC.instrument,
            1673272861686 * MS,
            AT,
            last=17216.0,
            volume_24h=91705.276,
            turnover_24h=1570383121.943499,
            change_24h_frac=0.017103,
            mark=17217.33,
            index=17227.36,
            funding_rate=-0.000212,
            funding_interval_s=28800,
            next_funding_ns=1673280000000 * MS,
            open_interest=34372.3805,  # half of the sum of both sides
        ),
    ]


def test_one_side_of_open_interest_is_taken_as_it_is() -> None:
    (event,) = read(tickers("delta", openInterest="59891.732", singleOpenInterest="29945.866"))
    assert isinstance(event, DerivativesUpdate)
    assert event.open_interest == 29945.866


def test_an_absent_field_is_unchanged_and_an_empty_one_does_not_apply() -> None:
    (event,) = read(
        tickers("delta", fundingRate="", nextFundingTime="", fundingIntervalHour="", markPrice="2")
    )
    assert isinstance(event, DerivativesUpdate)
    assert (event.funding_rate, event.next_funding_ns, event.funding_interval_s) == (None, None, None)
    assert event.mark == 2.0
    assert event.last is UNSET
    assert event.open_interest is UNSET


def test_a_quote_alone_says_nothing_about_derivatives() -> None:
    assert read(tickers("delta", ask1Size="17.487", ask1Price="84792.70")) == [
        QuoteUpdate(BTC.instrument, 1673272861686 * MS, AT, UNSET, UNSET, 84792.7, 17.487)
    ]


def test_a_price_of_nought_is_no_price() -> None:
    first, second = read(tickers("snapshot", bid1Price="0", bid1Size="0", lastPrice="0", nextFundingTime="0"))
    assert isinstance(first, QuoteUpdate)
    assert isinstance(second, DerivativesUpdate)
    assert (first.bid, first.bid_size) == (None, 0.0)
    assert (second.last, second.next_funding_ns) == (None, None)


def test_facts_the_model_does_not_hold_give_no_event_and_are_quiet() -> None:
    message = tickers("delta", openInterestValue="3899996265.01")
    assert read(message) == []
    assert parse_control("linear", json.dumps(message).encode(), TABLE) == Control(
        "quiet", detail="tickers.BTCUSDT"
    )


@pytest.mark.parametrize(
    ("text", "interval", "start"),
    [
        ("1", "1m", 1672324860000),
        ("5", "5m", 1672324800000),
        ("30", "30m", 1672324200000),
        ("60", "1h", 1672322400000),
        ("240", "4h", 1672315200000),
        ("D", "1d", 1672272000000),
    ],
)
def test_bars_are_named_by_their_open_and_final_when_confirmed(text: str, interval: str, start: int) -> None:
    row = {"start": start, "end": start + 1, "interval": text, "open": "16649.5", "close": "16677", "high": "16677", "low": "16608", "volume": "2.081", "turnover": "34666.4005", "confirm": True, "timestamp": 1672324988882}  # fmt: skip
    message = {"topic": f"kline.{text}.BTCUSDT", "data": [row], "ts": 1672324988882, "type": "snapshot"}
    (event,) = read(message)
    assert isinstance(event, BarUpdate)
    assert (event.interval, event.final, event.event_ns) == (interval, True, 1672324988882 * MS)
    assert event.bar.open_ns == start * MS
    assert math.isnan(event.bar.taker_buy_volume)
    assert (event.bar.open, event.bar.high, event.bar.low, event.bar.close) == (16649.5, 16677, 16608, 16677)
    assert (event.bar.volume, event.bar.quote_volume) == (2.081, 34666.4005)
    assert isinstance(event.bar, Bar)


def test_a_bar_that_breaks_its_own_bounds_or_grid_is_refused() -> None:
    good = {"start": 1672324800000, "open": "2", "close": "2", "high": "2", "low": "2", "volume": "0", "turnover": "0", "confirm": False}  # fmt: skip
    for change in ({"high": "1"}, {"low": "3"}, {"start": 1672324800001}, {"open": "0"}):
        message = {"topic": "kline.1.BTCUSDT", "data": [good | change], "ts": 1, "type": "snapshot"}
        with pytest.raises(WireError):
            read(message)
    assert len(read({"topic": "kline.1.BTCUSDT", "data": [good], "ts": 1, "type": "snapshot"})) == 1


def test_buy_says_that_a_long_was_liquidated() -> None:
    row = {"T": 1739502302929, "s": "BTCUSDT", "S": "Buy", "v": "2084.9", "p": "0.05165"}
    other = row | {"S": "Sell"}
    message = {
        "topic": "allLiquidation.BTCUSDT",
        "type": "snapshot",
        "ts": 1739502303204,
        "data": [row, other],
    }
    assert read(message) == [
        Liquidation(BTC.instrument, 1739502302929 * MS, AT, "long", 0.05165, 2084.9),
        Liquidation(BTC.instrument, 1739502302929 * MS, AT, "short", 0.05165, 2084.9),
    ]


@pytest.mark.data
def test_quoted_real_liquidations_have_the_pinned_notional(data_dir: Path) -> None:
    table = SymbolTable([listing("STRKUSDT", "STRK"), listing("ADAUSDT", "ADA"), BTC])
    events = [
        event
        for frame in read_quoted_frames(data_dir, "bybit")
        for event in parse_frame("linear", frame, AT, table)
        if isinstance(event, Liquidation)
    ]
    strk, ada = events
    assert (strk.side, ada.side) == ("long", "short")
    assert strk.price * strk.size == pytest.approx(107.685085, abs=1e-9)


@pytest.mark.data
def test_the_recorded_books_have_no_gap_and_end_uncrossed(data_dir: Path) -> None:
    recording = read_session(data_dir, VENUE)
    table = recording.symbols(VENUE)
    last: dict[object, int] = {}
    books: dict[object, tuple[dict[float, float], dict[float, float]]] = {}
    counted = {"snapshot": 0, "delta": 0}
    for category, frame, receive_ns in recording.frames:
        for event in parse_frame(category, frame, receive_ns, table):
            if isinstance(event, BookSnapshot):
                books[event.instrument] = (dict(event.bids), dict(event.asks))
                counted["snapshot"] += 1
            elif isinstance(event, BookDelta):
                assert event.first_sequence == last[event.instrument] + 1
                for side, changes in zip(books[event.instrument], (event.bids, event.asks), strict=True):
                    for price, size in changes:
                        if size:
                            side[price] = size
                        else:
                            del side[price]
                counted["delta"] += 1
            else:
                continue
            last[event.instrument] = event.sequence
            bids, asks = books[event.instrument]
            assert max(bids) < min(asks)
            assert len(bids) == len(asks) == 200  # as the folder's README measured
    assert counted == {"snapshot": 4, "delta": 1381}


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"topic": "orderbook.50.BTCUSDT", "type": "snapshot", "ts": 1}, "data"),
        ({"topic": "orderbook.50.BTCUSDT", "type": "delta", "data": {"b": [], "a": [], "u": 2}}, "ts"),
        (book(2, "patch", [], []), "type"),
        (book(2, "delta", {"a": 1}, []), "data.b"),
        (book(2, "delta", [["1"]], []), "data.b[0]"),
        (book(2, "delta", [["NaN", "1"]], []), "data.b[0][0]"),
        (book(2, "delta", [["1e400", "1"]], []), "data.b[0][0]"),
        (book(2, "delta", [["Infinity", "1"]], []), "data.b[0][0]"),
        (book(2, "delta", [["-1", "1"]], []), "data.b[0][0]"),
        (book(2, "delta", [["0", "1"]], []), "data.b[0][0]"),
        (book(2, "delta", [], [["1", ""]]), "data.a[0][1]"),
        (book(2, "delta", [], [["1", None]]), "data.a[0][1]"),
        (book(2, "delta", [], [["1", "1" + "0" * 30]]), "data.a[0][1]"),
        (book(-1, "delta", [], []), "data.u"),
        (tickers("delta", markPrice="nan"), "data.markPrice"),
        (tickers("delta", markPrice="-5"), "data.markPrice"),
        (tickers("delta", fundingRate="7"), "data.fundingRate"),
        (tickers("delta", lastPrice="n/a"), "data.lastPrice"),
        ({"topic": "publicTrade.BTCUSDT", "ts": 1, "data": {}}, "data"),
        ({"topic": "publicTrade.BTCUSDT", "ts": 1, "data": [{"T": 1, "S": "Long", "v": "1", "p": "1", "i": "x"}]}, "data[0].S"),
        ({"topic": "publicTrade.BTCUSDT", "ts": 1, "data": [{"T": 1, "S": "Buy", "v": "0", "p": "1", "i": "x"}]}, "data[0].v"),
        ({"topic": "publicTrade.BTCUSDT", "ts": 1, "data": [{"T": 1, "S": "Buy", "v": "1", "i": "x"}]}, "data[0].p"),
        ({"topic": ["x"], "ts": 1}, "topic"),
        ({"topic": "tickers.BTCUSDT", "ts": 10**30, "data": {}}, "ts"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(message: object, field: str) -> None:
    with pytest.raises(WireError) as raised:
        read(message)
    assert raised.value.facts["field"] == field


@pytest.mark.parametrize(
    "text", [b"", b"{", b"\xff\xfe", b'{"topic":"\xff"}', b'{"a":' * 100_000, b"[]", b"7"]
)
def test_broken_text_is_a_wire_error(text: bytes) -> None:
    with pytest.raises(WireError):
        parse_frame("linear", text, AT, TABLE)


def test_a_topic_inside_another_field_does_not_mislead() -> None:
    table = SymbolTable([BTC, ETH])
    trade = {"T": 1, "s": "BTCUSDT", "S": "Buy", "v": "1", "p": "2", "i": "x"}
    messages = [
        {"topic": f"tickers.{symbol}", "type": "delta", "ts": 1, "data": {"lastPrice": "3"}}
        for symbol in ("BTCUSDT", "ETHUSDT")
    ]
    messages.append({"topic": "publicTrade.BTCUSDT", "ts": 1, "data": [trade]})
    compact = [json.dumps(message, separators=(",", ":")) for message in messages]
    plain = [parse_frame("linear", text.encode(), AT, table) for text in compact]  # now every topic is known
    assert [len(events) for events in plain] == [1, 1, 1]
    for text, events in zip(compact, plain, strict=True):
        for decoy in messages:
            inner = json.dumps({"stranger": {"topic": decoy["topic"]}}, separators=(",", ":"))
            assert parse_frame("linear", (inner[:-1] + "," + text[1:]).encode(), AT, table) == events


def test_a_listing_added_later_is_read_from_then_on() -> None:
    table = SymbolTable([BTC])
    frame = json.dumps(tickers("delta", lastPrice="3"), separators=(",", ":")).encode()
    other = frame.replace(b"BTCUSDT", b"ETHUSDT")
    assert len(parse_frame("linear", frame, AT, table)) == 1
    assert parse_frame("linear", other, AT, table) == []
    table.add(ETH)
    assert len(parse_frame("linear", other, AT, table)) == 1
    assert len(parse_frame("linear", frame, AT, table)) == 1
