"""Hand-worked frames; the shapes are those of the venue's documentation and of its recorded messages."""

from __future__ import annotations

import json

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
    QuoteUpdate,
    Trade,
)
from sextant.venues.library.okx.frames import parse_frame
from support.okx import AT, MS, SPOT, SWAP, TABLE, TICKER, books, message

BID, ASK = ["29999.9", "4", "0", "2"], ["30000.1", "3", "0", "1"]
BOOK_NS = 1652459225393 * MS


def read(frame: object) -> list[Event]:
    """Read twice: from the head, and by the route that the first reading left."""
    data = json.dumps(frame, separators=(",", ":")).encode()
    events = parse_frame("public", data, AT, TABLE)
    assert parse_frame("public", data, AT, TABLE) == events
    return events


def test_sizes_of_contracts_become_base_units() -> None:
    assert read(books("snapshot", [BID], [ASK], seqId=100, prevSeqId=-1)) == [
        BookSnapshot(SWAP.instrument, BOOK_NS, AT, 100, 400, [(29999.9, 0.04)], [(30000.1, 0.03)])
    ]
    assert read(books("snapshot", [BID], [ASK], "BTC-USDT", seqId=100)) == [
        BookSnapshot(SPOT.instrument, BOOK_NS, AT, 100, 400, [(29999.9, 4.0)], [(30000.1, 3.0)])
    ]


def test_contracts_of_an_inverse_one_are_worth_quote_units() -> None:
    levels = [["50000", "25", "0", "1"], ["49999", "0", "0", "0"]]
    (event,) = read(books("update", levels, [], "BTC-USD-SWAP", seqId=105, prevSeqId=100))
    assert isinstance(event, BookDelta)
    assert event.bids == [(50000.0, 0.05), (49999.0, 0.0)]  # 25 contracts of 100 USD
    row = {"tradeId": "1", "px": "50000", "sz": "5", "side": "buy", "ts": "1630048897897"}
    (trade,) = read(message("trades", row, symbol="BTC-USD-SWAP"))
    assert isinstance(trade, Trade)
    assert trade.size == 0.01
    (quoted, _) = read(message("tickers", {**TICKER, "askPx": "50000", "askSz": "10"}, symbol="BTC-USD-SWAP"))
    assert isinstance(quoted, QuoteUpdate)
    assert quoted.ask_size == 0.02


def test_a_change_names_the_one_before_it() -> None:
    gone = ["30000.1", "0", "0", "0"]
    assert read(books("update", [BID], [gone], seqId=105, prevSeqId=100)) == [
        BookDelta(SWAP.instrument, BOOK_NS, AT, 105, 101, 100, [(29999.9, 0.04)], [(30000.1, 0.0)])
    ]


def test_a_change_without_levels_only_proves_life_and_one_without_numbers_has_none() -> None:
    assert read(books("update", [], [], seqId=105, prevSeqId=105)) == []
    assert read(books("update", [BID], [])) == [
        BookDelta(SWAP.instrument, BOOK_NS, AT, 0, 0, None, [(29999.9, 0.04)], [])
    ]


def test_a_whole_book_without_levels_is_none_to_begin_with() -> None:
    assert read(books("snapshot", [], [], seqId=105, prevSeqId=-1)) == []
    assert read(books("snapshot", [], [])) == [BookCleared(SWAP.instrument, BOOK_NS, AT, "empty_book")]


def test_a_trade_has_the_takers_side() -> None:
    row = {
        "instId": "BTC-USDT-SWAP",
        "tradeId": "130639474",
        "px": "42219.9",
        "sz": "12",
        "side": "sell",
        "ts": "1630048897897",
    }
    assert read(message("trades", row, {**row, "side": "buy"})) == [
        Trade(SWAP.instrument, 1630048897897 * MS, AT, "130639474", 42219.9, 0.12, side) for side in (-1, 1)
    ]  # fmt: skip


def test_facts_of_derivatives_turn_base_units_into_turnover_at_the_last_price() -> None:
    at = 1652459223003 * MS
    assert read(message("tickers", TICKER)) == [
        QuoteUpdate(SWAP.instrument, at, AT, 29999.9, 4.0, 30000.1, 3.0),
        DerivativesUpdate(
            SWAP.instrument,
            at,
            AT,
            last=30000.0,
            volume_24h=2620.0,
            turnover_24h=2620.0 * 30000,
            change_24h_frac=30000 / 25000 - 1,
        ),
    ]


def test_facts_of_spot_state_both_volumes_and_an_empty_text_does_not_apply() -> None:
    row = {**TICKER, "bidPx": "", "bidSz": "", "open24h": "1e-320"}  # as little a price as 0
    assert read(message("tickers", row, symbol="BTC-USDT")) == [
        QuoteUpdate(SPOT.instrument, 1652459223003 * MS, AT, None, None, 30000.1, 300.0),
        DerivativesUpdate(
            SPOT.instrument,
            1652459223003 * MS,
            AT,
            last=30000.0,
            volume_24h=262000.0,
            turnover_24h=2620.0,
            change_24h_frac=None,
        ),
    ]


def test_funding_mark_and_open_interest() -> None:
    row = {"fundingRate": "0.0001875", "fundingTime": "1700726400000", "nextFundingTime": "1700755200000", "instId": "BTC-USDT-SWAP", "ts": "1700724675402", "method": "current_period"}  # fmt: skip
    at = 1700724675402 * MS
    (funding,) = read(message("funding-rate", row))
    assert funding == DerivativesUpdate(
        SWAP.instrument,
        at,
        AT,
        funding_rate=0.0001875,
        funding_interval_s=8 * 3600,
        next_funding_ns=1700726400000 * MS,
    )
    (without,) = read(message("funding-rate", {**row, "fundingRate": "", "nextFundingTime": ""}))
    assert isinstance(without, DerivativesUpdate)
    assert (without.funding_rate, without.funding_interval_s) == (None, UNSET)
    assert read(message("mark-price", {"markPx": "42310.6", "ts": "1700724675402"})) == [
        DerivativesUpdate(SWAP.instrument, at, AT, mark=42310.6)
    ]
    assert read(message("open-interest", {"oi": "100", "oiCcy": "2.5", "ts": "1700724675402"})) == [
        DerivativesUpdate(SWAP.instrument, at, AT, open_interest=2.5)
    ]


def test_bars_have_base_units_and_say_whether_they_are_final() -> None:
    row = ["1597026360000", "10", "12", "9", "11", "1100", "11", "121", "0"]
    bar = Bar(1597026360000 * MS, 10.0, 12.0, 9.0, 11.0, 11.0, 121.0)
    assert read(message("candle1m", row, [*row[:8], "1"])) == [
        BarUpdate(SWAP.instrument, AT, AT, "1m", bar, final=final) for final in (False, True)
    ]
    (spot,) = read(message("candle1m", row, symbol="BTC-USDT"))
    assert isinstance(spot, BarUpdate)
    assert spot.bar.volume == 1100.0
    assert read(message("candle1D", row)) == []  # its days begin at 16:00 UTC


@pytest.mark.parametrize(
    ("frame", "field"),
    [
        (books("update", [["0", "1", "0", "1"]], []), "data[0].bids[0][0]"),
        (books("update", [["1", "1"]], []), "data[0].bids[0]"),
        (books("renewal", [], []), "action"),
        (books("update", [], [], seqId=-5), "data[0].seqId"),
        (
            message("trades", {"tradeId": "1", "px": "1", "sz": "1", "side": "hold", "ts": "1"}),
            "data[0].side",
        ),
        (message("tickers", {**TICKER, "last": "x"}), "data[0].last"),
        (message("candle1m", ["1597026360001", "10", "12", "9", "11", "1", "1", "1", "1"]), "data"),
        (message("candle1m", ["1597026360000", "10", "9", "9", "11", "1", "1", "1", "1"]), "data"),
        ({"arg": {"channel": "trades", "instId": "BTC-USDT"}}, "data"),
        ({"arg": 5}, "arg"),
        ([], ""),
    ],
)
def test_what_is_not_as_documented_names_its_field(frame: object, field: str) -> None:
    with pytest.raises(WireError) as raised:
        parse_frame("public", json.dumps(frame).encode(), AT, TABLE)
    assert raised.value.facts["field"] == field


def test_answers_pongs_unknown_channels_and_unlisted_symbols_give_nothing() -> None:
    for data in (
        b"pong",
        b'{"event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT"}}',
        b'{"arg":{"channel":"status"},"data":[]}',
        b'{"arg":{"channel":"trades","instId":"SOL-USDT"},"data":[]}',
    ):
        assert parse_frame("public", data, AT, TABLE) == []
