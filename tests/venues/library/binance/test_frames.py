"""Hand-worked frames; the shapes are those of the venue's documentation and of its recorded messages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec import UNSET

from sextant.errors import WireError
from sextant.market.state import MarketState
from sextant.model.bar import Bar
from sextant.model.events import (
    BarUpdate,
    BookDelta,
    BookSnapshot,
    DerivativesUpdate,
    Event,
    Liquidation,
    QuoteUpdate,
    Trade,
)
from sextant.venues.library.binance import VENUE
from sextant.venues.library.binance.frames import parse_frame
from sextant.venues.recordings import read_recording
from sextant.venues.replay import replay_events
from support.binance import AT, DATED, PERP, SPOT, TABLE

MS = 1_000_000


def read(kind: str, data: object, category: str = "usdm", symbol: str = "btcusdt") -> list[Event]:
    message = {"stream": f"{symbol}@{kind}", "data": data}
    return parse_frame(category, json.dumps(message).encode(), AT, TABLE)


def depth(**more: object) -> dict[str, object]:
    return {
        "e": "depthUpdate",
        "E": 1723161256299,
        "s": "BTCUSDT",
        "U": 5,
        "u": 9,
        "b": [["58710.20", "0.014"], ["61510.90", "0.000"]],
        "a": [],
        **more,
    }


@pytest.mark.parametrize("kind", ["depth", "depth@0ms", "depth@100ms", "depth@250ms", "depth@500ms"])
def test_a_futures_change_names_the_one_before_and_is_dated_by_the_matching(kind: str) -> None:
    assert read(kind, depth(T=1723161256298, pu=4)) == [
        BookDelta(PERP.instrument, 1723161256298 * MS, AT, 9, 5, 4, [(58710.2, 0.014), (61510.9, 0.0)], [])
    ]


def test_a_spot_change_folds_numbers_and_names_none_before() -> None:
    assert read("depth@100ms", depth(), "spot") == [
        BookDelta(SPOT.instrument, 1723161256299 * MS, AT, 9, 5, None, [(58710.2, 0.014), (61510.9, 0.0)], [])
    ]


def test_best_prices_of_spot_are_dated_by_their_arrival() -> None:
    best = {"u": 7, "s": "BTCUSDT", "b": "61800.20", "B": "2.507", "a": "61800.30", "A": "2.510"}
    assert read("bookTicker", best, "spot") == [
        QuoteUpdate(SPOT.instrument, AT, AT, 61800.2, 2.507, 61800.3, 2.51)
    ]
    assert read("bookTicker", {**best, "T": 1723161256313, "E": 1723161256314}) == [
        QuoteUpdate(PERP.instrument, 1723161256313 * MS, AT, 61800.2, 2.507, 61800.3, 2.51)
    ]


def test_a_side_without_orders_is_none_never_nought() -> None:
    best = {"u": 7, "s": "BTCUSDT", "b": "0.00", "B": "0", "a": "61800.30", "A": "1"}
    assert read("bookTicker", best, "spot") == [
        QuoteUpdate(SPOT.instrument, AT, AT, None, None, 61800.3, 1.0)
    ]


def trade(**more: object) -> dict[str, object]:
    return {"e": "trade", "E": 2, "T": 1723161256322, "s": "BTCUSDT", "t": 5266583935, "p": "61800.30", "q": "0.006", "m": False, **more}  # fmt: skip


@pytest.mark.parametrize(
    ("more", "aggressor", "block"),
    [
        ({}, 1, False),
        ({"m": True}, -1, False),
        ({"X": "MARKET"}, 1, False),
        ({"X": "INSURANCE_FUND"}, 1, True),
        ({"X": "ADL", "m": True}, -1, True),
    ],
)
def test_the_side_is_the_takers_and_trades_away_from_the_book_are_marked(
    more: dict[str, object], aggressor: int, *, block: bool
) -> None:
    assert read("trade", trade(**more)) == [
        Trade(PERP.instrument, 1723161256322 * MS, AT, "5266583935", 61800.3, 0.006, aggressor, block)  # type: ignore[arg-type]  # -1 or 1
    ]


@pytest.mark.parametrize("more", [{"X": "NA"}, {"p": "0"}, {"q": "0"}])
def test_a_row_that_is_no_trade_is_none(more: dict[str, object]) -> None:
    assert read("trade", trade(**more)) == []


def test_a_trade_of_several_rows_of_one_order_has_its_own_number() -> None:
    message = {"e": "aggTrade", "E": 1, "a": 16599292, "s": "BTCUSDT", "p": "1.011", "q": "10", "f": 1, "l": 2, "T": 1626992741421, "m": True}  # fmt: skip
    assert read("aggTrade", message) == [
        Trade(PERP.instrument, 1626992741421 * MS, AT, "16599292", 1.011, 10.0, -1)
    ]


def kline(**more: object) -> dict[str, object]:
    row = {"t": 1626992700000, "T": 1626992759999, "s": "BTCUSDT", "i": "1m", "f": 1, "L": 2, "o": "1.01000", "c": "1.01100", "h": "1.01200", "l": "1.01000", "v": "3917", "n": 48, "x": False, "q": "3957.89900", "V": "1729", "Q": "1748.01900", "B": "0", **more}  # fmt: skip
    return {"e": "kline", "E": 1626992741424, "s": "BTCUSDT", "k": row}


def test_a_bar_says_whether_it_is_final_and_what_takers_bought() -> None:
    bar = Bar(1626992700000 * MS, 1.01, 1.012, 1.01, 1.011, 3917.0, 3957.899, 1729.0)
    at = 1626992741424 * MS
    assert read("kline_1m", kline()) == [BarUpdate(PERP.instrument, at, AT, "1m", bar, final=False)]
    assert read("kline_1m", kline(x=True)) == [BarUpdate(PERP.instrument, at, AT, "1m", bar, final=True)]
    assert read("kline_3m", kline()) == []


def mark(**more: object) -> dict[str, object]:
    return {"e": "markPriceUpdate", "E": 1680652800010, "s": "BTCUSDT", "p": "28155.10", "P": "28141.47", "i": "28165.04", "r": "0.00002760", "T": 1680681600000, **more}  # fmt: skip


def test_mark_index_and_the_coming_funding() -> None:
    assert read("markPrice@1s", mark()) == [
        DerivativesUpdate(
            PERP.instrument,
            1680652800010 * MS,
            AT,
            mark=28155.1,
            index=28165.04,
            funding_rate=0.0000276,
            next_funding_ns=1680681600000 * MS,
        )
    ]


def test_a_dated_future_has_no_funding() -> None:
    (event,) = read("markPrice@1s", mark(r="", T=0), symbol="btcusdt_240927")
    assert isinstance(event, DerivativesUpdate)
    assert event.instrument is DATED.instrument
    assert (event.funding_rate, event.next_funding_ns, event.last) == (None, None, UNSET)


def test_facts_of_the_last_day() -> None:
    day = {"e": "24hrTicker", "E": 123456789, "s": "BTCUSDT", "p": "-1", "P": "-2.5", "w": "1", "c": "0.0025", "Q": "10", "o": "1", "h": "1", "l": "1", "v": "10000", "q": "18", "O": 0, "C": 86400000, "F": 0, "L": 18150, "n": 18151}  # fmt: skip
    assert read("ticker", day, "spot") == [
        DerivativesUpdate(
            SPOT.instrument,
            123456789 * MS,
            AT,
            last=0.0025,
            volume_24h=10000.0,
            turnover_24h=18.0,
            change_24h_frac=-0.025,
        )
    ]


@pytest.mark.parametrize(
    ("more", "side", "price", "size"),
    [
        ({"S": "BUY"}, "short", 1.4912, 127.2),
        ({"S": "SELL"}, "long", 1.4912, 127.2),
        ({"S": "SELL", "ap": "0", "z": "0"}, "long", 1.4984, 130.0),
    ],
)
def test_a_forced_order_closes_the_other_side(
    more: dict[str, object], side: str, price: float, size: float
) -> None:
    order = {"s": "BTCUSDT", "o": "LIMIT", "f": "IOC", "q": "130.0", "p": "1.4984", "ap": "1.4912", "X": "FILLED", "l": "108.1", "z": "127.2", "T": 1791091174219, **more}  # fmt: skip
    assert read("forceOrder", {"e": "forceOrder", "E": 1791091175227, "o": order}) == [
        Liquidation(PERP.instrument, 1791091174219 * MS, AT, side, price, size)  # type: ignore[arg-type]  # one of two
    ]


def test_the_same_symbol_names_another_instrument_on_each_market() -> None:
    for category, listing in (("spot", SPOT), ("usdm", PERP)):
        (event,) = read("trade", trade(), category)
        assert isinstance(event, Trade)
        assert event.instrument is listing.instrument


@pytest.mark.parametrize(
    ("kind", "data", "field"),
    [
        ("depth", depth(b=[["0", "1"]]), "data.b[0][0]"),
        ("depth", depth(a=[["1", "-1"]]), "data.a[0][1]"),
        ("depth", depth(u=4), "U"),
        ("depth", depth(pu=-1), "data.pu"),
        ("depth", {}, "data.E"),
        ("bookTicker", {"b": "x", "B": "1", "a": "1", "A": "1"}, "data.b"),
        ("trade", trade(t=None), "data.t"),
        ("aggTrade", {key: value for key, value in trade().items() if key != "t"}, "t"),
        ("kline_1m", kline(t=1626992700001), "t"),
        ("kline_1m", kline(h="1"), "k"),
        ("markPrice", mark(r="2"), "data.r"),
        ("ticker", {"E": 1}, "data.c"),
        ("forceOrder", {"o": {"S": "HOLD"}}, "data.o.S"),
    ],
)
def test_what_is_not_as_documented_names_its_field(kind: str, data: object, field: str) -> None:
    with pytest.raises(WireError) as raised:
        read(kind, data)
    assert raised.value.facts["field"].startswith(field.rpartition(".")[0])
    assert raised.value.facts["field"].rpartition(".")[2] == field.rpartition(".")[2]


@pytest.mark.data
def test_real_forced_orders_that_were_quoted_are_read(data_dir: Path) -> None:
    lines = (data_dir / "liquidations" / "quoted_real_frames.jsonl").read_text().splitlines()
    frames = [json.loads(line)["frame"] for line in lines if '"binance_usdm"' in line]
    orders = [json.loads(frame) for frame in frames]
    assert len(orders) == 3
    for order in orders:
        inner = order.get("data", order)
        (event,) = read("forceOrder", inner)
        assert isinstance(event, Liquidation)
        assert event.side == ("short" if inner["o"]["S"] == "BUY" else "long")


BOTH_AT_ONE_NUMBER = {
    "cryptofeed/v3/BINANCE.jsonl.zst": 26,
    "cryptofeed/v3/BINANCE_FUTURES.jsonl.zst": 50,
    "hftbacktest/usdm_btcusdt_20240808.gz": 629,
}
"""Recordings with a beginning of their books, and how often book and best prices bear one update number; counted
by a plain loop over the raw frames."""


@pytest.mark.data
@pytest.mark.parametrize("name", BOTH_AT_ONE_NUMBER)
def test_the_top_of_a_rebuilt_book_is_the_recorded_best_at_the_same_number(data_dir: Path, name: str) -> None:
    best: dict[tuple[str, int], tuple[float, ...]] = {}
    for frame in read_recording(data_dir / name):
        if frame.kind == "received" and b"@bookTicker" in frame.data:
            row = json.loads(frame.data)["data"]
            best[row["s"], row["u"]] = tuple(float(row[field]) for field in "bBaA")
    state = MarketState("replay", simulated=False)
    both, same = 0, 0
    for event in replay_events([data_dir / name]).events:
        state.apply(event)
        if isinstance(event, BookDelta | BookSnapshot):
            book = state.book(event.instrument, 1)
            stated = best.get((event.instrument.base + event.instrument.quote, book.sequence))
            if book.valid and stated is not None:
                both += 1
                same += stated == (*book.bids[0], *book.asks[0])
    assert (same, both) == (BOTH_AT_ONE_NUMBER[name], BOTH_AT_ONE_NUMBER[name])


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "changes"), [("spot_btcusdt_20240809.gz", 3_044), ("usdm_btcusdt_20230405.dat.gz", 11_788)]
)
def test_recorded_changes_follow_each_other_without_a_break(data_dir: Path, name: str, changes: int) -> None:
    """As the README of the recordings states it; these two have no beginning of the book."""
    category = "spot" if name.startswith("spot") else "usdm"
    last, found = 0, 0
    for frame in read_recording(data_dir / "hftbacktest" / name):
        for event in VENUE.parse_frame(category, frame.data, frame.receive_ns, TABLE):
            if isinstance(event, BookDelta):
                found += 1
                follows = (
                    event.previous_sequence == last
                    if category == "usdm"
                    else event.first_sequence == last + 1
                )
                assert follows or last == 0
                last = event.sequence
    assert found == changes
