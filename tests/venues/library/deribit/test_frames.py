"""Hand-worked frames; the shapes are those of the venue's documentation and of its recorded messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sextant.errors import WireError
from sextant.model.events import (
    BookDelta,
    BookSnapshot,
    DerivativesUpdate,
    Event,
    Liquidation,
    OptionUpdate,
    QuoteUpdate,
    Trade,
)
from sextant.venues.library.deribit.frames import BOOK_LEVELS, parse_frame
from support.deribit_listings import CALL, LINEAR, PERPETUAL, TABLE

MS = 1_000_000
SENT = 1_782_552_297_563
AT = SENT * MS + 40 * MS


def read(channel: str, data: object) -> list[Event]:
    message = {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}
    return parse_frame("btc", json.dumps(message).encode(), AT, TABLE)


def option_facts(**changes: Any) -> dict[str, Any]:
    """The message recorded on 2026-06-27, with changes."""
    return {
        "timestamp": SENT,
        "state": "open",
        "stats": {"high": 0.014, "low": 0.0035, "price_change": -28.5714, "volume": 130.6, "volume_usd": 53_362.08},
        "greeks": {"theta": -118.86343, "delta": 0.6511, "gamma": 0.00058, "vega": 11.31716, "rho": 1.00101},
        "index_price": 60_245.57,
        "instrument_name": "BTC-28JUN26-60000-C",
        "last_price": 0.0075,
        "open_interest": 139.1,
        "mark_price": 0.0067,
        "best_ask_price": 0.007,
        "best_bid_price": 0.006,
        "mark_iv": 21.01,
        "bid_iv": 17.81,
        "ask_iv": 23.16,
        "underlying_price": 60_245.57,
        "underlying_index": "index_price",
        "best_ask_amount": 0.1,
        "best_bid_amount": 20.1,
        **changes,
    }  # fmt: skip


def test_facts_of_an_option_are_one_event_with_volatilities_as_fractions() -> None:
    (event,) = read("ticker.BTC-28JUN26-60000-C.100ms", option_facts())
    assert event == OptionUpdate(
        CALL,
        SENT * MS,
        AT,
        bid=0.006,
        bid_size=20.1,
        ask=0.007,
        ask_size=0.1,
        mark=0.0067,
        bid_iv=17.81 / 100,
        ask_iv=23.16 / 100,
        mark_iv=21.01 / 100,
        forward=60_245.57,
        index=60_245.57,
        last=0.0075,
        open_interest=139.1,
        volume_24h=130.6,
        delta=0.6511,
        gamma=0.00058,
        vega=11.31716,
        theta=-118.86343,
    )


@pytest.mark.parametrize("nothing", [0.0, None])
def test_a_side_without_orders_is_none_and_never_a_price_of_nought(nothing: float | None) -> None:
    facts = option_facts(best_bid_price=nothing, best_bid_amount=0.0, bid_iv=nothing, last_price=None)
    (event,) = read("ticker.BTC-28JUN26-60000-C.agg2", facts)
    assert isinstance(event, OptionUpdate)
    assert (event.bid, event.bid_size, event.bid_iv, event.last) == (None, None, None, None)
    assert event.ask == 0.007


def test_facts_of_an_inverse_perpetual_become_base_units_and_hourly_funding() -> None:
    facts = {
        "timestamp": SENT,
        "stats": {"volume": 7_000.5, "volume_usd": 420_000_000.0, "price_change": 1.5},
        "best_bid_price": 60_000.0,
        "best_bid_amount": 120_000.0,
        "best_ask_price": 60_050.0,
        "best_ask_amount": 60_050.0,
        "mark_price": 60_000.0,
        "index_price": 60_010.0,
        "last_price": 60_050.0,
        "open_interest": 900_000_000.0,
        "current_funding": 0.00004,
        "funding_8h": 0.00003,
    }
    quote, derivatives = read("ticker.BTC-PERPETUAL.100ms", facts)
    assert quote == QuoteUpdate(PERPETUAL, SENT * MS, AT, 60_000.0, 2.0, 60_050.0, 1.0)
    assert derivatives == DerivativesUpdate(
        PERPETUAL,
        SENT * MS,
        AT,
        last=60_050.0,
        volume_24h=7_000.5,
        turnover_24h=420_000_000.0,
        change_24h_frac=0.015,
        mark=60_000.0,
        index=60_010.0,
        funding_rate=0.000005,  # 0.00004 is for eight hours
        next_funding_ns=1_782_554_400_000 * MS,  # 10:00:00, the end of the hour that began at 09:00
        open_interest=15_000.0,
    )


def test_amounts_of_a_linear_perpetual_are_base_units_already() -> None:
    facts = {"timestamp": SENT, "best_bid_price": 3_000.0, "best_bid_amount": 2.5, "open_interest": 7.0}
    quote, derivatives = read("ticker.ETH_USDC-PERPETUAL.100ms", facts)
    assert isinstance(quote, QuoteUpdate)
    assert isinstance(derivatives, DerivativesUpdate)
    assert (quote.instrument, quote.bid_size, derivatives.open_interest) == (LINEAR, 2.5, 7.0)


def test_an_amount_in_quote_units_without_a_price_is_not_known() -> None:
    facts = {"timestamp": SENT, "best_bid_price": None, "best_bid_amount": 10.0, "open_interest": 10.0}
    quote, derivatives = read("ticker.BTC-PERPETUAL.100ms", facts)
    assert isinstance(quote, QuoteUpdate)
    assert isinstance(derivatives, DerivativesUpdate)
    assert (quote.bid_size, derivatives.open_interest) == (None, None)


def test_a_book_begins_with_a_snapshot_and_goes_on_by_change_id() -> None:
    snapshot = {
        "type": "snapshot",
        "timestamp": SENT,
        "change_id": 7,
        "instrument_name": "BTC-28JUN26-60000-C",
        "bids": [["new", 0.006, 20.1], ["new", 0.0055, 3.0]],
        "asks": [],
    }
    change = {
        **snapshot,
        "type": "change",
        "prev_change_id": 7,
        "change_id": 12,
        "bids": [["delete", 0.0055, 0.0], ["change", 0.006, 1.0]],
        "asks": [["new", 0.007, 0.1]],
    }
    channel = "book.BTC-28JUN26-60000-C.raw"
    assert read(channel, snapshot) == [
        BookSnapshot(CALL, SENT * MS, AT, 7, BOOK_LEVELS, [(0.006, 20.1), (0.0055, 3.0)], [])
    ]
    assert read(channel, change) == [
        BookDelta(CALL, SENT * MS, AT, 12, 12, 7, [(0.0055, 0.0), (0.006, 1.0)], [(0.007, 0.1)])
    ]
    del change["prev_change_id"]
    with pytest.raises(WireError, match="without prev_change_id"):
        read(channel, change)


def test_a_book_of_an_inverse_perpetual_is_told_in_quote_units_and_kept_in_base_units() -> None:
    book = {
        "type": "snapshot",
        "timestamp": SENT,
        "change_id": 7,
        "bids": [["new", 60_000.0, 120_000.0]],
        "asks": [["new", 60_050.0, 60_050.0]],
    }
    (event,) = read("book.BTC-PERPETUAL.100ms", book)
    assert isinstance(event, BookSnapshot)
    assert (event.bids, event.asks) == ([(60_000.0, 2.0)], [(60_050.0, 1.0)])


def trade_row(**changes: Any) -> dict[str, Any]:
    return {
        "trade_id": "92437",
        "trade_seq": 37,
        "timestamp": SENT,
        "tick_direction": 3,
        "price": 60_000.0,
        "index_price": 60_010.0,
        "mark_price": 60_001.0,
        "instrument_name": "BTC-PERPETUAL",
        "direction": "sell",
        "amount": 30_000.0,
        **changes,
    }


def test_trades_carry_the_takers_side_and_block_trades_are_marked() -> None:
    rows = [trade_row(), trade_row(trade_id="92438", direction="buy", block_trade_id="61")]
    assert read("trades.BTC-PERPETUAL.100ms", rows) == [
        Trade(PERPETUAL, SENT * MS, AT, "92437", 60_000.0, 0.5, -1),
        Trade(PERPETUAL, SENT * MS, AT, "92438", 60_000.0, 0.5, 1, block=True),
    ]


@pytest.mark.parametrize(
    ("direction", "who", "sides"),
    [
        ("sell", "T", ["long"]),
        ("buy", "T", ["short"]),
        ("sell", "M", ["short"]),
        ("buy", "M", ["long"]),
        ("buy", "MT", ["long", "short"]),
    ],
)
def test_a_liquidation_names_the_side_of_the_position(direction: str, who: str, sides: list[str]) -> None:
    events = read("trades.BTC-PERPETUAL.100ms", [trade_row(direction=direction, liquidation=who)])
    assert [event.side for event in events if isinstance(event, Liquidation)] == sides


@pytest.mark.parametrize(
    ("channel", "data", "field"),
    [
        ("ticker.BTC-28JUN26-60000-C.100ms", {"mark_price": 0.1}, "timestamp"),
        ("ticker.BTC-28JUN26-60000-C.100ms", option_facts(best_bid_price=-1.0), "best_bid_price"),
        ("ticker.BTC-28JUN26-60000-C.100ms", option_facts(mark_iv="21"), "mark_iv"),
        ("trades.BTC-PERPETUAL.100ms", [trade_row(amount=0.0)], "[0].amount"),
        ("trades.BTC-PERPETUAL.100ms", [trade_row(direction="up")], "[0].direction"),
        ("book.BTC-PERPETUAL.100ms", {"type": "snapshot", "timestamp": SENT}, "change_id"),
    ],
)
def test_what_is_not_as_documented_is_refused_by_name(channel: str, data: object, field: str) -> None:
    with pytest.raises(WireError) as caught:
        read(channel, data)
    assert (
        str(caught.value.facts["field"]).endswith(field.removeprefix("[0]."))
        or caught.value.facts["field"] == field
    )


def test_answers_unknown_channels_and_unlisted_symbols_are_no_events() -> None:
    assert read("deribit_price_index.btc_usd", {"price": 1.0}) == []
    assert read("ticker.BTC-1JAN30-1-C.100ms", {"timestamp": SENT}) == []
    assert parse_frame("btc", b'{"jsonrpc":"2.0","id":1,"result":["x"]}', AT, TABLE) == []
