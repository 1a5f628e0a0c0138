"""``sextant confluence`` as a user types it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from sextant.cli import exits
from sextant.cli.scoring import show
from sextant.model.times import MINUTE_NS, iso_ms
from support.commands import run
from support.indicators import walk
from support.minutes import FIRST

ROWS = 300


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of minutes of two perpetuals."""
    bars = walk(ROWS, 2, 4)
    times = (np.arange(ROWS) + FIRST) * 60
    table = {"date": np.repeat(times.astype("datetime64[s]"), 2), "symbol": ["BTCUSDT", "ETHUSDT"] * ROWS}
    table |= {name: bars[name].ravel().round(4) for name in ("open", "high", "low", "close", "volume")}
    place = tmp_path_factory.mktemp("packs") / "bybit_perpetual_1m.parquet"
    pq.write_table(pa.table(table), place)
    return place


def test_one_score_is_taken_apart_over_a_pack(pack: Path, tmp_path: Path) -> None:
    as_of = iso_ms((FIRST + 260) * MINUTE_NS)
    done = run("confluence", "ETH", "--replay", str(pack), "--as-of", as_of, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    body = json.loads(done.stdout)
    assert body["instrument"] == "bybit:ETH-USDT:perpetual"
    assert body["as_of"] == as_of
    assert body["score"] is None
    assert body["direction"] == "unknown"
    assert 0.1 < body["coverage"] < 0.5
    assert sum(part["contribution"] for part in body["dimensions"]) == 0
    assert {item["code"] for item in body["missing"]} >= {"UNSUPPORTED", "WARMING", "FEED_DOWN"}
    told = {item["name"]: item for part in body["dimensions"] for item in part["signals"]}
    assert told["rsi"]["inputs"][0]["indicator"] == "rsi@1m"
    assert told["rsi"]["age_s"] == 0.0
    assert body["market"]["leader"] == "bybit:BTC-USDT:perpetual"
    minutes = body["market"]["following"][0]
    assert (minutes["interval"], minutes["rows"], minutes["n"]) == ("1m", 240, 240)
    assert minutes["beta"] is not None
    assert body["market"]["following"][-1]["beta"] is None  # of 4h there are too few


def test_table_names_what_is_missing(pack: Path, tmp_path: Path) -> None:
    done = run("confluence", "BTC", "--replay", str(pack), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no score" in done.stdout
    assert "Too few rows since the last hole: 300 of 1441." in done.stdout
    assert "orderbook.depth" in done.stdout
    assert "Follows bybit:BTC-USDT:perpetual  1m beta 1.00 (correlation 1.00)" in done.stdout


def test_instrument_that_is_not_in_the_pack_is_named(pack: Path, tmp_path: Path) -> None:
    done = run("confluence", "DOGE", "--replay", str(pack), folder=tmp_path)
    assert done.returncode == exits.INPUT
    assert "DOGE" in done.stderr


def test_server_is_not_asked_without_a_token(tmp_path: Path) -> None:
    done = run("confluence", "BTC", folder=tmp_path)
    assert done.returncode == exits.REFUSED
    assert "SEXTANT_TOKEN" in done.stderr


def told(**changes: Any) -> str:
    """What a person reads of a body without parts."""
    body = {
        "instrument": "bybit:BTC-USDT:perpetual",
        "direction": "neutral",
        "score": 55.0,
        "word": "leaning long",
        "coverage": 0.58,
        "agreement": "agreed",
        "regime": "range",
        "as_of": "2026-03-01T12:00:00.000Z",
        "feed": "demo",
        "simulated": True,
        "why_not": None,
        "confidence": {"confidence": None, "reason": "none"},
        "dimensions": [],
        "missing": [],
        "conditions": [],
        "facts": [],
        "flips": [],
        "levels": {},
        "market": None,
    }
    console = Console(width=160, record=True, file=io.StringIO())
    show(console, body | changes)
    return console.export_text()


def test_conditions_and_facts_are_told_with_their_numbers() -> None:
    since = "2026-03-01T11:00:00.000Z"
    low = {
        "kind": "coverage_low",
        "subject": "",
        "have": 0.58,
        "need": 0.6,
        "since": since,
        "effect": "shrinks",
    }
    never = low | {"kind": "not_applicable", "subject": "sentiment.risk", "have": None}
    hole = low | {"kind": "bars_hole", "subject": "1m", "have": 2.0, "need": 0.0}
    whale = {
        "kind": "whale_trade",
        "cause": "buy",
        "word": "large",
        "direction": "up",
        "value": 1.2e6,
        "since": since,
    }
    text = told(conditions=[low, never, hole], facts=[whale])
    assert f"coverage_low (0.58, line 0.6) since {since}: shrinks" in text
    assert f"bars_hole 1m (2, line 0) since {since}" in text
    assert "not_applicable" not in text
    assert f"whale_trade buy large up since {since}, 1.2e+06" in text
    assert "Conditions" not in told()
    assert "Facts" not in told()


def test_a_lead_and_the_risk_of_forced_closes_are_told_where_they_are_known() -> None:
    unknown = {"interval": "4h", "beta": None, "correlation": None}
    minutes = {"interval": "1m", "beta": 1.25, "correlation": 0.5}
    place = {
        "leader": "bybit:BTC-USDT:perpetual",
        "following": [minutes, unknown],
        "lead_minutes": 2,
        "liquidation_risk_frac": 0.71,
    }
    text = told(market=place)
    assert "Follows bybit:BTC-USDT:perpetual  1m beta 1.25 (correlation 0.50), it goes ahead by 2 min" in text
    assert "Risk of forced closes  0.71" in text
    nothing = place | {"following": [unknown], "lead_minutes": None, "liquidation_risk_frac": None}
    assert "Follows" not in told(market=nothing)
    assert "Risk" not in told(market=nothing)
