"""Structures of options from POST discover to the page of one and its replay, over the simulated chains of a fixed day."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sextant.scans.archive import ViewArchive
from sextant.scans.run import EvidenceShelf, MarketPart
from sextant.sim.market_model import MarketModel
from sextant.strategies.prices import CostAssumptions
from support.api import Api, api_on
from support.database import sqlite
from support.simulated_options import optioned

DAY = 20_814  # the options of BTC are dear on it, those of ETH cheap
BASES = ("BTC", "ETH", "SOL")
IDS = ["ai_options_trade", "ai_complex_strategy", "parity_violation"]


@pytest.fixture(scope="module")
def part() -> MarketPart:
    model = MarketModel(7, 24)
    listed = [one for one in model.listings if one.category == "linear" and one.base in BASES]
    return MarketPart(optioned(model, listed, DAY), CostAssumptions(), EvidenceShelf())


@pytest.fixture
async def api(tmp_path: Path, part: MarketPart) -> AsyncIterator[Api]:
    async with (
        sqlite(tmp_path) as db,
        api_on(db, working=True, shown=lambda: part, views=tmp_path / "views") as found,
    ):
        yield found


async def scanned(api: Api) -> tuple[dict[str, str], str, list[dict[str, Any]]]:
    user, bearer = await api.onboarded()
    scan_id = await api.discover(bearer, strategy_ids=IDS)
    await api.ended(user, scan_id)
    results = await api.client.get(f"/api/v1/opportunities/results/{scan_id}", headers=bearer)
    assert results.status_code == 200, results.text
    return bearer, scan_id, results.json()["opportunities"]


async def test_dear_and_cheap_volatility_are_found_with_their_legs(api: Api) -> None:
    bearer, _, rows = await scanned(api)
    found = {(row["strategy_id"], row["symbol"]): row for row in rows}
    assert found.keys() == {
        ("ai_options_trade", "BTC/USD"), ("ai_options_trade", "ETH/USD"), ("ai_complex_strategy", "BTC/USD"),
    }  # fmt: skip
    row = found["ai_complex_strategy", "BTC/USD"]
    assert (row["direction"], row["grade"], row["opportunity_type"]) == (
        "neutral",
        "analytic",
        "complex_derivative",
    )
    assert (row["stop_price"], row["exit_price"]) == (None, None)
    page = await api.client.get(f"/api/v1/opportunities/{row['opportunity_id']}", headers=bearer)
    assert page.status_code == 200, page.text
    body = page.json()
    assert [(leg["kind"], leg["side"], leg["quantity"]) for leg in body["legs"]] == [
        ("option", "buy", 0.1), ("option", "sell", 0.1), ("option", "sell", 0.1), ("option", "buy", 0.1),
    ]  # fmt: skip
    assert [leg["instrument"] for leg in body["legs"]] == row["instruments"]
    assert sum(line["bps"] for line in body["waterfall"]) == pytest.approx(row["edge_bps"])
    facts = row["metadata"]["risk_facts"]
    assert row["required_capital_usd"] == pytest.approx(facts["largest_loss_usd"])
    assert facts["break_even_1"] < facts["break_even_2"]


async def test_every_instrument_is_told_what_became_of_its_chain(api: Api) -> None:
    bearer, scan_id, _ = await scanned(api)
    coverage = await api.client.get(f"/api/v1/scans/{scan_id}/coverage", headers=bearer)
    told = {strategy["strategy_id"]: strategy for strategy in coverage.json()["strategies"]}
    for strategy in told.values():
        assert strategy["candidates"] == 3 == sum(strategy["dispositions"].values())
        assert strategy["dispositions"]["insufficient_data"] == 1  # nobody trades options on SOL
    assert told["parity_violation"]["dispositions"]["negative_net_edge"] == 2
    (near,) = told["ai_complex_strategy"]["near_misses"]
    assert (near["gate"], near["limit"]) == ("term_ratio", 1.15)


async def test_a_scan_of_chains_is_run_again_to_the_letter(
    api: Api, part: MarketPart, tmp_path: Path
) -> None:
    bearer, scan_id, _ = await scanned(api)
    ViewArchive(tmp_path / "views").keep(part)
    told = (await api.client.get(f"/api/v1/scans/{scan_id}/replay", headers=bearer)).json()
    assert told["identical"], told["differences"]
