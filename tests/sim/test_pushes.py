"""Frames of each topic: final bars at their time, bursts that keep the volume."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sextant.sim.faults import parse
from sextant.sim.live import Live
from sextant.sim.market_model import MarketModel
from sextant.sim.pushes import Pushes
from sextant.sim.universe import Listing

NOON_MS = 1_790_035_200_000 - 1_790_035_200_000 % 86_400_000


@pytest.fixture
def live() -> Live:
    return Live(MarketModel(7, 12), 1.0)


def _btc(live: Live) -> Listing:
    found = live.find("linear", "BTCUSDT")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("interval", "after_ms", "ends"),
    [
        ("1", 60_000, True),
        ("5", 60_000, False),
        ("5", 300_000, True),
        ("60", 3_600_000, True),
        ("D", 0, True),
        ("D", 3_600_000, False),
    ],
)
def test_a_bar_is_final_exactly_when_its_interval_ends(
    live: Live, interval: str, after_ms: int, ends: bool
) -> None:
    frame = Pushes(live).closed(_btc(live), f"kline.{interval}.BTCUSDT", NOON_MS + after_ms + 15)
    assert (frame is not None) == ends
    if frame is not None:
        row = frame["data"][0]
        assert row["confirm"] is True
        assert row["end"] == NOON_MS + after_ms - 1


def test_a_burst_splits_trades_without_changing_volume_or_prices(live: Live) -> None:
    listing = _btc(live)
    pushes = Pushes(live)
    slot = live.tape(listing).due(NOON_MS)
    frame = pushes.slot(listing, ["publicTrade.BTCUSDT"], slot)["publicTrade.BTCUSDT"]
    fault = parse(
        [{"at": {"topic": "publicTrade.BTCUSDT", "message": 1}, "fault": "burst", "messages": 1024}]
    )[0]
    burst = pushes.bend(listing, "publicTrade.BTCUSDT", frame, fault)
    total = sum(Decimal(row["v"]) for row in frame["data"])
    assert sum(Decimal(row["v"]) for row in burst["data"]) == total
    assert {row["p"] for row in burst["data"]} == {row["p"] for row in frame["data"]}
    assert len(burst["data"]) == min(1_024, round(float(total) / listing.lot))
    assert len({row["i"] for row in burst["data"]}) == len(burst["data"])


def test_a_drifted_push_differs_in_one_place(live: Live) -> None:
    listing = _btc(live)
    pushes = Pushes(live)
    frame = pushes.first(listing, "tickers.BTCUSDT", NOON_MS, alone=True)
    assert frame is not None
    fault = parse(
        [
            {
                "at": {"topic": "tickers.BTCUSDT", "message": 1},
                "fault": "drift",
                "field": "data.lastPrice",
                "value": "",
            }
        ]
    )[0]
    bent = pushes.bend(listing, "tickers.BTCUSDT", frame, fault)
    assert bent["data"] == {**frame["data"], "lastPrice": ""}
