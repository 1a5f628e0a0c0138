"""Calls as functions of their parameters; the shape of every answer is that of the recorded one."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from sextant.errors import Rejected
from sextant.sim.deribit_market import DerivativesModel
from sextant.sim.deribit_rest import Calls
from sextant.sim.market_model import MarketModel

NOW_MS = 1_782_552_420_000


@pytest.fixture(scope="module")
def calls() -> Calls:
    return Calls(DerivativesModel(MarketModel(7, 24), 1.0))


def shape(value: Any) -> Any:
    """Names and kinds of a value, numbers of both kinds alike."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return ["..."]
    return (
        "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    )


@pytest.mark.data
def test_facts_and_rules_of_an_option_have_the_recorded_shape(data_dir: Path, calls: Calls) -> None:
    with gzip.open(data_dir / "deribit_options" / "btc_chain_20260627T0926Z.json.gz") as packed:
        recorded = json.load(packed)
    rules = next(row for row in calls.instruments({"currency": "BTC"}, NOW_MS) if row["kind"] == "option")
    facts = calls.ticker({"instrument_name": rules["instrument_name"]}, NOW_MS)
    theirs = next(iter(recorded["tickers"].values()))
    mine, told = shape(facts), shape(theirs)
    assert {name: kind for name, kind in mine.items() if name != "stats"} == {
        name: kind for name, kind in told.items() if name != "stats"
    }
    assert set(mine["stats"]) == set(told["stats"])
    listed = shape(recorded["instruments"][0])
    assert shape(rules) == {name: listed[name] for name in rules}


def test_an_instrument_of_another_moment_is_not_found(calls: Calls) -> None:
    name = calls.instruments({"currency": "BTC", "kind": "option"}, NOW_MS)[0]["instrument_name"]
    assert calls.find(name, NOW_MS).name == name
    with pytest.raises(Rejected, match="Invalid params"):
        calls.find(name, NOW_MS + 40 * 86_400_000)


def test_a_span_without_a_whole_bar_has_no_data(calls: Calls) -> None:
    asked = {
        "instrument_name": "BTC-PERPETUAL",
        "resolution": "60",
        "start_timestamp": NOW_MS,
        "end_timestamp": NOW_MS,
    }
    assert calls.bars(asked, NOW_MS)["status"] == "no_data"
    with pytest.raises(Rejected):
        calls.bars({**asked, "start_timestamp": "x"}, NOW_MS)


def test_funding_is_of_perpetuals_alone(calls: Calls) -> None:
    future = next(row for row in calls.instruments({"currency": "ETH", "kind": "future"}, NOW_MS) if row["settlement_period"] != "perpetual")  # fmt: skip
    asked = {"instrument_name": future["instrument_name"], "start_timestamp": NOW_MS, "end_timestamp": NOW_MS}
    with pytest.raises(Rejected):
        calls.funding(asked, NOW_MS)


def test_the_perpetual_states_its_funding_for_eight_hours(calls: Calls) -> None:
    told = calls.ticker({"instrument_name": "BTC-PERPETUAL"}, NOW_MS)
    rows = calls.funding(
        {"instrument_name": "BTC-PERPETUAL", "start_timestamp": NOW_MS, "end_timestamp": NOW_MS}, NOW_MS
    )
    assert told["current_funding"] == pytest.approx(rows[-1]["interest_8h"], abs=1e-8)
    assert told["open_interest"] % 10 == 0
