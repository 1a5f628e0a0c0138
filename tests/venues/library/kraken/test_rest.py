from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from sextant.errors import Rejected, Throttled, Unreachable, VenueError, WireError
from sextant.model.events import DerivativesUpdate, QuoteUpdate
from sextant.model.times import MINUTE_NS
from sextant.venues.library.kraken import rest
from sextant.venues.port import SymbolTable
from sextant.venues.recordings import read_recording
from support.kraken import AT, BTC, ETH, TABLE, pair
from support.recordings import read_examples


def answer(result: object, *errors: str) -> bytes:
    return json.dumps({"error": list(errors), "result": result}).encode()


@pytest.mark.parametrize(
    ("words", "kind", "reason"),
    [
        ("EAPI:Rate limit exceeded", Throttled, "rate"),
        ("EService: Throttled: 1786310819", Throttled, "rate"),
        ("EGeneral:Temporary lockout", Throttled, "ban"),
        ("EService:Unavailable", Unreachable, "busy"),
        ("EService:Busy", Unreachable, "busy"),
        ("EQuery:Unknown asset pair", Rejected, "unknown_symbol"),
        ("EGeneral:Permission denied", Rejected, "permission"),
        ("EAPI:Invalid key", Rejected, "auth"),
        ("EQuery:What", Rejected, "refused"),
    ],
)
def test_the_venues_words_have_their_meaning(words: str, kind: type[VenueError], reason: str) -> None:
    body = json.dumps({"error": [words]}).encode()
    told = rest.refusal(200, body)
    assert type(told) is kind
    assert told.reason == reason
    with pytest.raises(kind):
        rest.parse_instruments(body, AT)
    assert rest.refusal(500, body) is None


def test_a_lockout_lasts_a_quarter_of_an_hour() -> None:
    told = rest.refusal(200, answer({}, "EGeneral:Temporary lockout"))
    assert isinstance(told, Throttled)
    assert told.retry_after_s == 900


@pytest.mark.parametrize(
    "body", [b"<html>", b'{"error":"x"}', answer({}, "WSomething:only a warning"), answer({})]
)
def test_what_is_no_refusal_is_left_to_the_parser(body: bytes) -> None:
    assert rest.refusal(200, body) is None


def test_pairs_are_listed_under_the_names_of_the_sockets_with_steps_from_tick_or_decimals() -> None:
    row = {
        "altname": "XBTUSD",
        "wsname": "XBT/USD",
        "pair_decimals": 1,
        "lot_decimals": 8,
        "costmin": "0.5",
        "tick_size": "0.1",
        "status": "online",
    }
    old = {"wsname": "XDG/EUR", "pair_decimals": 7, "lot_decimals": 2}
    dark = {"altname": "X.d", "pair_decimals": 1, "lot_decimals": 8}
    page = rest.parse_instruments(answer({"XXBTZUSD": row, "XDGEUR": old, "X.d": dark}), AT)
    assert [(listing.symbol, str(listing.instrument)) for listing in page.listings] == [
        ("BTC/USD", "kraken:BTC-USD:spot"),
        ("DOGE/EUR", "kraken:DOGE-EUR:spot"),
    ]
    specs = [listing.spec for listing in page.listings]
    assert [str(spec.tick) for spec in specs] == ["0.1", "1E-7"]
    assert [spec.min_notional if spec.min_notional is None else str(spec.min_notional) for spec in specs] == [
        "0.5",
        None,
    ]
    assert [spec.status for spec in specs] == ["trading", "trading"]
    assert [key for key, _ in page.left_out] == ["X.d"]
    assert page.cursor is None


def test_latest_facts_find_their_pair_under_the_letters_of_the_first_years() -> None:
    facts = {
        "a": ["30300.1", "1", "1.5"],
        "b": ["30300.0", "1", "2.5"],
        "c": ["30303.2", "0.1"],
        "v": ["1", "4"],
        "p": ["1", "30000"],
        "t": [1, 2],
        "l": ["1", "1"],
        "h": ["1", "1"],
        "o": "1",
    }
    quoted, more = rest.parse_quotes(answer({"XXBTZUSD": facts, "ETHEUR": facts}), AT, TABLE)
    assert quoted == QuoteUpdate(BTC.instrument, AT, AT, 30300.0, 2.5, 30300.1, 1.5)
    assert more == DerivativesUpdate(
        BTC.instrument, AT, AT, last=30303.2, volume_24h=4.0, turnover_24h=120_000.0
    )
    for key in ("ETHUSD", "XETHZUSD"):
        assert len(rest.parse_quotes(answer({key: facts}), AT, TABLE)) == 2


def test_bars_are_asked_under_the_former_name() -> None:
    asked = rest.bars_request(BTC, "1h", 0, 5)
    assert (asked.path, asked.query) == ("/0/public/OHLC", (("pair", "XBTUSD"), ("interval", "60")))
    assert rest.bars_request(pair("DOGE"), "1m", 0, 5).query[0] == ("pair", "XDGUSD")


def test_the_last_bar_of_an_answer_is_left_out_and_turnover_is_volume_times_mean_price() -> None:
    rows = [[1688671200 + 60 * at, "10", "12", "9", "11", "10.5", "2", 23] for at in range(3)]
    block = rest.parse_bars(answer({"XXBTZUSD": rows, "last": 1688671260}), AT, BTC.instrument, "1m")
    assert block.open_ns.tolist() == [1_688_671_200 * 10**9, 1_688_671_260 * 10**9]
    assert [float(column[0, 0]) for column in (block.open, block.high, block.low, block.close)] == [
        10,
        12,
        9,
        11,
    ]
    assert (float(block.volume[0, 0]), float(block.quote_volume[0, 0])) == (2.0, 21.0)
    assert np.isnan(block.taker_buy_volume).all()


@pytest.mark.parametrize(
    "result",
    [
        {"XXBTZUSD": [[1688671200, "10", "9", "8", "10", "9", "2", 1]] * 2, "last": 1},
        {"XXBTZUSD": [[1688671201, "10", "12", "9", "11", "10", "2", 1]] * 2, "last": 1},
        {"last": 1},
        {"A": [], "B": [], "last": 1},
        {"A": [[1688671200, "10"]], "last": 1},
    ],
)
def test_bars_that_no_market_can_have_traded_are_refused(result: object) -> None:
    with pytest.raises(WireError):
        rest.parse_bars(answer(result), AT, BTC.instrument, "1m")


@pytest.mark.data
def test_the_recorded_answers_are_read(data_dir: Path) -> None:
    examples = read_examples(data_dir, "kraken")
    assert len(rest.parse_instruments(examples["/0/public/AssetPairs"][0], AT).listings) > 0
    assert len(rest.parse_quotes(examples["/0/public/Ticker"][0], AT, TABLE)) == 2
    body = gzip.decompress((data_dir / "kraken" / "rest_OHLC_example.json.gz").read_bytes())
    block = rest.parse_bars(body, AT, BTC.instrument, "1m")
    assert len(block.open_ns) == 719  # of 720, as the README of the recordings counts them
    assert set(np.diff(block.open_ns).tolist()) == {MINUTE_NS}


@pytest.mark.data
def test_the_recorded_list_of_pairs_is_read(data_dir: Path) -> None:
    frames = read_recording(data_dir / "cryptofeed" / "v3" / "KRAKEN.jsonl.zst")
    body = next(frame.data for frame in frames if frame.kind == "http")
    page = rest.parse_instruments(body, AT)
    symbols = SymbolTable(page.listings)
    for name in ("BTC/CHF", "KSM/BTC", "WAVES/EUR", "OCEAN/BTC"):
        assert symbols.instrument("spot", name) is not None
    assert all(reason for _, reason in page.left_out)
    assert ETH.symbol in {listing.symbol for listing in page.listings}
