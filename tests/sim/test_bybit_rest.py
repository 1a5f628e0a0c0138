"""The market paths answer in the documented shapes and refuse in the documented codes."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sextant.errors import Rejected
from sextant.kit.clock import ManualClock
from sextant.sim.bybit import Simulation, start
from sextant.sim.bybit_rest import Answers
from sextant.sim.live import Live
from sextant.sim.market_model import MarketModel

ANSWERS = Answers(Live(MarketModel(7, 12), 1.0))
START_NS = 1_790_000_010_000_000_000
NOW_MS = START_NS // 1_000_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_NS)


@pytest.fixture
async def venue(clock: ManualClock) -> AsyncIterator[Simulation]:
    async with start(clock, seed=7, instruments=60) as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def _ask(http: aiohttp.ClientSession, venue: Simulation, path: str, **asked: str) -> dict[str, Any]:
    async with http.get(venue.base_url + path, params=asked) as reply:
        assert reply.status == 200
        body: dict[str, Any] = await reply.json()
    assert set(body) == {"retCode", "retMsg", "result", "retExtInfo", "time"}
    return body


CASES = {
    "/v5/market/instruments-info": {"category": "linear"},
    "/v5/market/kline": {"category": "linear", "symbol": "BTCUSDT", "interval": "60"},
    "/v5/market/tickers": {"category": "linear", "symbol": "BTCUSDT"},
    "/v5/market/orderbook": {"category": "linear", "symbol": "BTCUSDT"},
    "/v5/market/recent-trade": {"category": "spot", "symbol": "BTCUSDT"},
    "/v5/market/funding/history": {"category": "linear", "symbol": "BTCUSDT"},
    "/v5/market/open-interest": {"category": "linear", "symbol": "BTCUSDT", "intervalTime": "5min"},
    "/v5/market/account-ratio": {"category": "linear", "symbol": "BTCUSDT", "period": "5min"},
}


def _names(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _names(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_names(value[0])] if value else []
    return type(value).__name__


def _missing(theirs: Any, ours: Any, place: str = "") -> list[str]:
    """Fields of the documented answer that ours lacks or has with another type."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        found = []
        for name, inner in theirs.items():
            found += _missing(inner, ours[name], f"{place}.{name}") if name in ours else [f"{place}.{name}"]
        return found
    if isinstance(theirs, list) and isinstance(ours, list):
        return _missing(theirs[0], ours[0], f"{place}[]") if theirs and ours else []
    return [] if theirs == ours else [f"{place}: {theirs} is {ours}"]


@pytest.mark.data
@pytest.mark.parametrize("path", list(CASES))
async def test_answers_carry_every_documented_field(
    data_dir: Path, venue: Simulation, http: aiohttp.ClientSession, path: str
) -> None:
    documented = []
    with gzip.open(data_dir / "rest" / "jkorf_bybit_payloads.jsonl.gz", "rt") as lines:
        for line in lines:
            row = json.loads(line)
            category = row["response"].get("result", {}) if row.get("path") == path else None
            unfit = isinstance(category, dict) and category.get("category") == "option"
            if row.get("path") == path and not unfit and "PreListing" not in row["file"]:
                documented.append(row["response"])
    assert documented
    for theirs in documented:
        asked = dict(CASES[path])
        if theirs["result"].get("category") == "spot":
            asked["category"] = "spot"
        ours = _names(await _ask(http, venue, path, **asked))
        assert _missing(_names(theirs), ours) == []


@pytest.mark.data
@pytest.mark.parametrize("category", ["linear", "spot"])
async def test_instruments_have_exactly_the_recorded_fields(
    data_dir: Path, venue: Simulation, http: aiohttp.ClientSession, category: str
) -> None:
    zstandard = pytest.importorskip("zstandard")
    place = data_dir / "cryptofeed" / "v3" / "BYBIT_btc_eth.jsonl.zst"
    with place.open("rb") as raw:
        text = zstandard.ZstdDecompressor().stream_reader(raw).read().decode()
    bodies = [json.loads(row["data"]) for row in map(json.loads, text.splitlines()) if row["t"] == "http"]
    theirs = next(body for body in bodies if body["result"]["category"] == category)
    ours = await _ask(http, venue, "/v5/market/instruments-info", category=category)
    recorded = next(row for row in theirs["result"]["list"] if row["symbol"] == "BTCUSDT")
    made = next(row for row in ours["result"]["list"] if row["symbol"] == "BTCUSDT")
    assert _names(made) == _names(recorded)
    assert list(made) == list(recorded)
    assert set(ours["result"]) == set(theirs["result"])


async def test_bars_come_newest_first_and_the_first_is_still_forming(
    venue: Simulation, http: aiohttp.ClientSession
) -> None:
    body = await _ask(
        http, venue, "/v5/market/kline", category="linear", symbol="SOLUSDT", interval="1", limit="1000"
    )
    starts = [int(row[0]) for row in body["result"]["list"]]
    assert len(starts) == 1_000
    assert starts[0] == NOW_MS // 60_000 * 60_000
    assert all(before - after == 60_000 for before, after in itertools.pairwise(starts))
    forming, closed = body["result"]["list"][0], body["result"]["list"][1]
    assert Decimal(forming[1]) == Decimal(closed[4])
    assert Decimal(forming[5]) > 0


@pytest.mark.parametrize(
    ("interval", "minutes"), [("5", 5), ("30", 30), ("60", 60), ("240", 240), ("D", 1_440), ("W", 10_080)]
)
async def test_the_forming_bar_of_each_frame_is_the_fold_of_the_minutes_so_far(
    venue: Simulation, http: aiohttp.ClientSession, interval: str, minutes: int
) -> None:
    async def rows(name: str, **asked: str) -> list[list[str]]:
        body = await _ask(
            http,
            venue,
            "/v5/market/kline",
            category="linear",
            symbol="ETHUSDT",
            interval=name,
            limit="1000",
            **asked,
        )
        found: list[list[str]] = body["result"]["list"]
        return found

    newest = (await rows(interval))[0]
    first = int(newest[0])
    inside: list[list[str]] = []
    end = NOW_MS
    while end >= first:
        page = await rows("1", start=str(first), end=str(end))
        inside += page
        end = int(page[-1][0]) - 1
    assert len(inside) == (NOW_MS - first) // 60_000 + 1 <= minutes
    assert Decimal(newest[1]) == Decimal(inside[-1][1])
    assert Decimal(newest[2]) == max(Decimal(row[2]) for row in inside)
    assert Decimal(newest[3]) == min(Decimal(row[3]) for row in inside)
    assert Decimal(newest[4]) == Decimal(inside[0][4])
    assert Decimal(newest[5]) == sum(Decimal(row[5]) for row in inside)


async def test_pages_of_instruments_and_of_open_interest_join_without_gap(
    venue: Simulation, http: aiohttp.ClientSession
) -> None:
    symbols: list[str] = []
    cursor = ""
    while True:
        asked = {"category": "linear", "limit": "20"} | ({"cursor": cursor} if cursor else {})
        result = (await _ask(http, venue, "/v5/market/instruments-info", **asked))["result"]
        symbols += [row["symbol"] for row in result["list"]]
        cursor = result["nextPageCursor"]
        if not cursor:
            break
    assert len(symbols) == len(set(symbols)) == 50
    asked = {"category": "linear", "symbol": "BTCUSDT", "intervalTime": "5min", "limit": "200"}
    first = (await _ask(http, venue, "/v5/market/open-interest", **asked))["result"]
    second = (await _ask(http, venue, "/v5/market/open-interest", cursor=first["nextPageCursor"], **asked))[
        "result"
    ]
    stamps = [int(row["timestamp"]) for row in first["list"] + second["list"]]
    assert len(stamps) == 400
    assert {before - after for before, after in itertools.pairwise(stamps)} == {300_000}


@pytest.mark.parametrize(
    ("path", "change", "code"),
    [
        ("/v5/market/kline", {"interval": "7"}, 10_001),
        ("/v5/market/kline", {"interval": ""}, 10_001),
        ("/v5/market/kline", {"symbol": "NOPEUSDT"}, 10_029),
        ("/v5/market/kline", {"symbol": ""}, 10_001),
        ("/v5/market/kline", {"symbol": "btcusdt"}, 10_001),
        ("/v5/market/kline", {"limit": "0"}, 10_001),
        ("/v5/market/kline", {"limit": "many"}, 10_001),
        ("/v5/market/kline", {"start": "-5"}, 10_001),
        ("/v5/market/kline", {"category": "futures"}, 10_001),
        ("/v5/market/tickers", {"category": "moon"}, 10_001),
        ("/v5/market/funding/history", {"category": "spot"}, 10_001),
        ("/v5/market/funding/history", {"startTime": "1690000000000"}, 10_001),
        ("/v5/market/open-interest", {"intervalTime": "2min"}, 10_001),
        ("/v5/market/account-ratio", {"cursor": "junk"}, 10_001),
    ],
)
async def test_wrong_parameters_are_refused_with_http_200_and_a_code(
    venue: Simulation, http: aiohttp.ClientSession, path: str, change: dict[str, str], code: int
) -> None:
    body = await _ask(http, venue, path, **CASES[path] | change)
    assert body["retCode"] == code
    assert body["result"] == {}
    assert body["retMsg"]


async def test_start_alone_goes_forward_and_end_alone_goes_back(
    venue: Simulation, http: aiohttp.ClientSession
) -> None:
    base = {"category": "linear", "symbol": "BTCUSDT", "interval": "60", "limit": "5"}
    moment = NOW_MS // 3_600_000 * 3_600_000 - 100 * 3_600_000
    after = (await _ask(http, venue, "/v5/market/kline", start=str(moment), **base))["result"]["list"]
    until = (await _ask(http, venue, "/v5/market/kline", end=str(moment), **base))["result"]["list"]
    assert [int(row[0]) for row in after] == [moment + hour * 3_600_000 for hour in (4, 3, 2, 1, 0)]
    assert [int(row[0]) for row in until] == [moment - hour * 3_600_000 for hour in (0, 1, 2, 3, 4)]


async def test_nothing_is_told_from_before_the_launch(venue: Simulation, http: aiohttp.ClientSession) -> None:
    listing = venue.model.find("linear", "BTCUSDT")
    assert listing is not None
    launch = listing.launch_day * 86_400_000
    asked = {"category": "linear", "symbol": "BTCUSDT", "interval": "D", "limit": "10"}
    body = await _ask(http, venue, "/v5/market/kline", end=str(launch + 2 * 86_400_000), **asked)
    assert [int(row[0]) for row in body["result"]["list"]] == [launch + day * 86_400_000 for day in (2, 1, 0)]


async def test_the_book_is_never_crossed_and_the_touch_agrees_with_the_summary(
    venue: Simulation, clock: ManualClock, http: aiohttp.ClientSession
) -> None:
    for symbol in ("BTCUSDT", "SOLUSDT", "AAVEUSDT"):
        for _ in range(10):
            clock.advance(2.7)
            asked = {"category": "linear", "symbol": symbol}
            book = (await _ask(http, venue, "/v5/market/orderbook", limit="50", **asked))["result"]
            row = (await _ask(http, venue, "/v5/market/tickers", **asked))["result"]["list"][0]
            bids, asks = ([Decimal(level[0]) for level in book[side]] for side in ("b", "a"))
            assert bids == sorted(bids, reverse=True)
            assert asks == sorted(asks)
            assert bids[0] < asks[0]
            assert (row["bid1Price"], row["ask1Price"]) == (book["b"][0][0], book["a"][0][0])
            assert Decimal(row["lastPrice"]) in (bids[0], asks[0])


async def test_the_long_share_and_the_short_share_sum_to_one(
    venue: Simulation, http: aiohttp.ClientSession
) -> None:
    body = await _ask(
        http, venue, "/v5/market/account-ratio", limit="500", **CASES["/v5/market/account-ratio"]
    )
    assert len(body["result"]["list"]) == 500
    for row in body["result"]["list"]:
        assert Decimal(row["buyRatio"]) + Decimal(row["sellRatio"]) == 1


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/v5/market/kline", {"start": str(NOW_MS + 10_000_000)}),
        ("/v5/market/kline", {"end": "1000"}),
        ("/v5/market/kline", {"start": str(NOW_MS - 3_600_000), "end": str(NOW_MS - 36_000_000)}),
        ("/v5/market/funding/history", {"endTime": "1000"}),
        ("/v5/market/funding/history", {"startTime": str(NOW_MS + 1), "endTime": str(NOW_MS + 2)}),
        ("/v5/market/open-interest", {"endTime": "1000"}),
        ("/v5/market/open-interest", {"startTime": str(NOW_MS + 10_000_000)}),
        ("/v5/market/open-interest", {"cursor": "first%3D99999999999"}),
        ("/v5/market/account-ratio", {"endTime": "1000"}),
    ],
)
async def test_a_span_without_data_gives_an_empty_list(
    venue: Simulation, http: aiohttp.ClientSession, path: str, change: dict[str, str]
) -> None:
    body = await _ask(http, venue, path, **CASES[path] | change)
    assert (body["retCode"], body["result"]["list"]) == (0, [])


async def test_an_unknown_path_is_http_404(venue: Simulation, http: aiohttp.ClientSession) -> None:
    async with http.get(venue.base_url + "/v5/market/moon") as reply:
        assert reply.status == 404


async def test_the_week_is_the_fold_of_its_days(venue: Simulation, http: aiohttp.ClientSession) -> None:
    base = {"category": "linear", "symbol": "BTCUSDT"}
    weeks = (await _ask(http, venue, "/v5/market/kline", interval="W", limit="3", **base))["result"]["list"]
    start, end = int(weeks[1][0]), int(weeks[0][0]) - 1
    days = (
        await _ask(http, venue, "/v5/market/kline", interval="D", start=str(start), end=str(end), **base)
    )["result"]["list"]
    assert len(days) == 7
    assert Decimal(weeks[1][2]) == max(Decimal(row[2]) for row in days)
    assert Decimal(weeks[1][5]) == sum(Decimal(row[5]) for row in days)
    assert (weeks[1][1], weeks[1][4]) == (days[-1][1], days[0][4])


_TEXT = st.one_of(
    st.sampled_from(
        ["", "0", "-1", "1", "1000", "99999999999999", "1e5", "\u0663", "BTCUSDT", "linear", "spot", "60"]
    ),
    st.text(max_size=8),
)


@settings(max_examples=300, deadline=None)
@given(
    path=st.sampled_from(list(CASES)),
    change=st.dictionaries(
        st.sampled_from(
            [
                "category",
                "symbol",
                "interval",
                "intervalTime",
                "period",
                "limit",
                "start",
                "end",
                "startTime",
                "endTime",
                "cursor",
                "baseCoin",
                "status",
            ]
        ),
        _TEXT,
        max_size=4,
    ),
)
def test_any_parameters_are_answered_or_refused_with_a_code(path: str, change: dict[str, str]) -> None:
    try:
        result = ANSWERS.paths[path](CASES[path] | change, NOW_MS)
    except Rejected as refusal:
        result = refusal.facts
    assert "list" in result or "b" in result or result["ret_code"] in (10_001, 10_029)
