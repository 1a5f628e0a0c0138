"""The events of Binance's streams: shapes of recorded ones, and what they say together."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from sextant.sim.universe import Category
from support.binance_reading import drain, subscribe
from support.binance_simulated import NOW_MS, Asking, asking
from support.kraken_reading import let_pass
from support.shapes import shape

NAMES: dict[Category, list[str]] = {
    "spot": ["depth@100ms", "bookTicker", "aggTrade", "trade", "kline_1m", "ticker"],
    "linear": [
        "depth@100ms",
        "bookTicker",
        "aggTrade",
        "trade",
        "kline_1m",
        "ticker",
        "markPrice@1s",
        "forceOrder",
    ],
}


async def heard(there: Asking, category: Category, *names: str, seconds: float = 5.0) -> list[dict[str, Any]]:
    """What the streams say of BTC in a while."""
    found: list[dict[str, Any]] = []
    url = there.venue.socket_url("spot").replace(
        "/stream", "/fstream/stream" if category == "linear" else "/stream"
    )
    async with there.http.ws_connect(url, max_msg_size=0) as socket:
        await subscribe(socket, *(f"btcusdt@{name}" for name in names))
        for _ in range(round(seconds / 5)):
            await let_pass(there.venue, there.clock, 5)
            found += await drain(socket)
    return found


def lines_of(data_dir: Path, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Recorded frames of streams."""
    found = []
    for name in names:
        place = data_dir / name
        if name.endswith(".zst"):
            with place.open("rb") as raw:
                text = zstandard.ZstdDecompressor().stream_reader(raw).read().decode()
            rows = [json.loads(line) for line in text.splitlines()]
            found += [json.loads(row["data"]) for row in rows if row["t"] == "recv"]
        else:
            with gzip.open(place, "rt") as plain:
                found += [json.loads(line.partition(" ")[2]) for line in plain.readlines()[:3_000]]
    return [frame for frame in found if isinstance(frame, dict) and "stream" in frame]


RECORDINGS: dict[Category, tuple[str, ...]] = {
    "spot": ("cryptofeed/v3/BINANCE.jsonl.zst", "hftbacktest/spot_btcusdt_20240809.gz"),
    "linear": ("hftbacktest/usdm_btcusdt_20240808.gz", "cryptofeed/v3/BINANCE_FUTURES.jsonl.zst"),
}


def kind_of(frame: dict[str, Any]) -> str:
    return str(frame["stream"].partition("@")[2].partition("@")[0])


@pytest.mark.data
@pytest.mark.parametrize("category", ["spot", "linear"])
async def test_frames_have_the_shape_of_recorded_ones(data_dir: Path, category: Category) -> None:
    recorded: dict[str, dict[str, Any]] = {}
    for frame in lines_of(data_dir, RECORDINGS[category]):
        data = frame["data"]
        if "b" not in data or isinstance(data["b"], str) or (data["b"] and data["a"]):
            recorded.setdefault(kind_of(frame), frame)
    assert set(recorded) >= {"depth", "bookTicker", "trade", "aggTrade", "kline_1m"} & set(recorded)
    assert len(recorded) >= 4
    async with asking() as there:
        frames = await heard(there, category, *NAMES[category])
    for kind, theirs in recorded.items():
        ours = next(
            frame
            for frame in frames
            if kind_of(frame) == kind and frame["data"].get("b") != [] != frame["data"].get("a")
        )
        assert shape(ours) == shape(theirs), kind
        assert list(ours["data"]) == list(theirs["data"]), kind


@pytest.mark.data
async def test_forced_orders_have_the_shape_of_recorded_ones(data_dir: Path) -> None:
    lines = (data_dir / "liquidations" / "quoted_real_frames.jsonl").read_text().splitlines()
    theirs = next(
        json.loads(row["frame"]) for row in map(json.loads, lines) if row["venue"] == "binance_usdm"
    )
    async with asking() as there:
        frames = await heard(there, "linear", "forceOrder", seconds=600)
    assert frames
    assert shape(frames[0]) == shape(theirs)
    assert {frame["data"]["o"]["S"] for frame in frames} <= {"BUY", "SELL"}


async def test_best_prices_are_the_top_of_the_book_at_their_number() -> None:
    async with asking() as there:
        frames = await heard(there, "spot", "bookTicker", "depth@100ms", seconds=10)
        best = [frame["data"] for frame in frames if kind_of(frame) == "bookTicker"]
        listing = there.venue.model.find("spot", "BTCUSDT")
        assert listing is not None
        compared = 0
        for quote in best:
            book = there.venue.book_at("BTCUSDT", quote["u"], "spot")
            if book is not None:
                compared += 1
                bid, ask = book[0][0], book[1][0]
                assert float(quote["b"]) == pytest.approx(bid[0] * listing.tick)
                assert float(quote["A"]) == pytest.approx(ask[1] * listing.lot)
    assert compared > 10


async def test_a_bar_is_final_once_and_equals_the_one_that_rest_tells() -> None:
    async with asking() as there:
        frames = await heard(there, "linear", "kline_1m", seconds=65)
        rows = {
            row[0]: row
            for row in await there.ask("/fapi/v1/klines", symbol="BTCUSDT", interval="1m", limit=5)
        }
    bars = [frame["data"]["k"] for frame in frames]
    final = [bar for bar in bars if bar["x"]]
    assert [bar["t"] for bar in final] == [NOW_MS // 60_000 * 60_000]
    row = rows[final[0]["t"]]
    names = ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q")
    assert [final[0][name] for name in names] == row[:11]
    assert final[0]["L"] - final[0]["f"] + 1 == final[0]["n"]
    forming = [bar for bar in bars if bar["t"] == final[0]["t"] and not bar["x"]]
    assert [bar["n"] for bar in forming] == sorted(bar["n"] for bar in forming)


async def test_trades_of_both_kinds_are_the_ones_that_rest_tells() -> None:
    async with asking() as there:
        frames = await heard(there, "spot", "trade", "aggTrade")
        rows = await there.ask("/api/v3/trades", symbol="BTCUSDT", limit=500)
    every = {row["id"]: (row["price"], row["qty"], row["time"], row["isBuyerMaker"]) for row in rows}
    for kind, number in (("trade", "t"), ("aggTrade", "a")):
        told = [frame["data"] for frame in frames if kind_of(frame) == kind]
        assert len(told) > 20
        assert [row[number] for row in told] == list(range(told[0][number], told[0][number] + len(told)))
        assert all(every[row[number]] == (row["p"], row["q"], row["T"], row["m"]) for row in told)


async def test_summaries_and_marks_speak_once_a_second() -> None:
    async with asking() as there:
        frames = await heard(there, "linear", "ticker", "markPrice@1s", "markPrice", seconds=15)
        day = await there.ask("/fapi/v1/ticker/24hr", symbol="BTCUSDT")
    marks = [frame["data"]["E"] for frame in frames if frame["stream"].endswith("@1s")]
    assert all(1_000 <= after - before <= 1_500 for before, after in itertools.pairwise(marks))
    assert 4 <= sum(frame["stream"].endswith("@markPrice") for frame in frames) <= 6
    last = [frame["data"] for frame in frames if kind_of(frame) == "ticker"][-1]
    assert (last["s"], last["h"], last["l"]) == ("BTCUSDT", day["highPrice"], day["lowPrice"])
    assert float(last["v"]) == pytest.approx(float(day["volume"]), rel=1e-3)


async def test_unknown_streams_and_those_of_the_other_path_stay_silent() -> None:
    async with asking() as there:
        assert await heard(there, "spot", "markPrice", "forceOrder", "nonsense") == []
        async with there.http.ws_connect(there.venue.socket_url("linear"), max_msg_size=0) as socket:
            await subscribe(socket, "btcusdt@aggTrade", "btcusdt@bookTicker")
            await let_pass(there.venue, there.clock, 3)
            kinds = {kind_of(frame) for frame in await drain(socket)}
    assert kinds == {"bookTicker"}
