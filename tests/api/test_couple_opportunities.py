"""Couples from POST discover to the page of one opportunity, over the simulated market of a fixed day."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from sextant.scans.run import EvidenceShelf, MarketPart
from sextant.sim.market_model import MarketModel
from sextant.sim.universe import Listing
from sextant.strategies.prices import CostAssumptions
from support.api import Api, api_on
from support.database import sqlite
from support.simulated import simulated

SEED = 7
FUNDED_DAY = 20_080  # the crowded lanes of this world pay on it
APART_DAY = 20_811  # and on this one the cointegrated pair stands apart
IDS = ["ai_pairs_trading", "ai_funding_arbitrage", "basis_carry", "venue_spot_arbitrage"]


def wanted(listing: Listing) -> bool:
    spot = listing.category == "spot" and listing.lane < 14
    return spot or listing.lane < 14 or listing.base in ("ARB", "OP")


@pytest.fixture(scope="module")
def world() -> Callable[[int], MarketPart]:
    model = MarketModel(SEED, 120)
    listed = [listing for listing in model.listings if wanted(listing)]
    parts = {
        day: MarketPart(simulated(model, listed, day), CostAssumptions(), EvidenceShelf())
        for day in (FUNDED_DAY, APART_DAY)
    }
    return lambda day: parts[day]


@pytest.fixture
async def api(
    request: pytest.FixtureRequest, tmp_path: Path, world: Callable[[int], MarketPart]
) -> AsyncIterator[Api]:
    async with sqlite(tmp_path) as db, api_on(db, working=True, shown=lambda: world(request.param)) as found:
        yield found


async def scanned(api: Api) -> tuple[dict[str, str], str, list[dict[str, Any]]]:
    user, bearer = await api.onboarded()
    scan_id = await api.discover(bearer, strategy_ids=IDS)
    await api.ended(user, scan_id)
    results = await api.client.get(f"/api/v1/opportunities/results/{scan_id}", headers=bearer)
    assert results.status_code == 200
    return bearer, scan_id, results.json()["opportunities"]


@pytest.mark.parametrize("api", [FUNDED_DAY], indirect=True)
async def test_a_crowded_perpetual_is_found_with_both_legs_and_its_waterfall(api: Api) -> None:
    bearer, scan_id, rows = await scanned(api)
    mine = [row for row in rows if row["strategy_id"] == "ai_funding_arbitrage"]
    # Nobody's account: 1,000 USD, a quarter of 0.5 % of it may be lost. BNB would lose 4.2 % of its size in a bad week, so
    # 29.7 USD are allowed, and its legs share lots of 0.1 BNB, 50.7 USD. BCH risks 3.4 % and shares lots of 28.6 USD.
    assert {row["symbol"] for row in mine} == {"BCH/USDT"}
    coverage = await api.client.get(
        f"/api/v1/scans/{scan_id}/coverage",
        params={"strategy_id": "ai_funding_arbitrage", "disposition": "below_min_notional"},
        headers=bearer,
    )
    (small,) = coverage.json()["candidates"]
    assert small["unit"] == "bybit:BNB-USDT:spot / bybit:BNB-USDT:perpetual"
    assert (small["value"], small["limit"]) == (0.0, pytest.approx(50.7, abs=0.1))
    row = mine[0]
    assert row["direction"] == "neutral"
    assert row["opportunity_type"] == "funding_arbitrage"
    assert (row["grade"], row["edge_bps"], row["profit_potential_usd"]) == ("unproven", None, None)
    assert row["metadata"]["level_unit"].startswith("basis points of basis")
    assert row["confidence_reason"].startswith("insufficient history")
    page = await api.client.get(f"/api/v1/opportunities/{row['opportunity_id']}", headers=bearer)
    assert page.status_code == 200, page.text
    body = page.json()
    assert [(leg["kind"], leg["side"], leg["role"]) for leg in body["legs"]] == [
        ("spot", "buy", "entry"), ("perpetual", "sell", "hedge"),
    ]  # fmt: skip
    assert body["legs"][0]["quantity"] == body["legs"][1]["quantity"]
    lines = {line["item"]: line for line in body["waterfall"]}
    assert lines["gross"]["bps"] is None
    assert lines["fee_entry"]["bps"] == pytest.approx(-15.5)
    assert lines["fee_exit"]["bps"] == pytest.approx(-15.5)
    assert body["break_even_s"] <= 3.5 * 86_400
    assert any("Expected gross" in reason for reason in row["rank_reasons"])


@pytest.mark.parametrize("api", [APART_DAY], indirect=True)
async def test_the_cointegrated_pair_of_the_simulator_is_found_and_no_other(api: Api) -> None:
    bearer, scan_id, rows = await scanned(api)
    (row,) = [row for row in rows if row["strategy_id"] == "ai_pairs_trading"]
    assert set(row["instruments"]) == {"bybit:ARB-USDT:perpetual", "bybit:OP-USDT:perpetual"}
    coverage = await api.client.get(
        f"/api/v1/scans/{scan_id}/coverage", params={"strategy_id": "ai_pairs_trading"}, headers=bearer
    )
    (told,) = coverage.json()["strategies"]
    assert told["candidates"] == 16 * 15 / 2 == sum(told["dispositions"].values())
    assert told["dispositions"]["opportunity"] == 1
    assert told["dispositions"]["gate_failed"] == 119


@pytest.mark.parametrize("api", [APART_DAY], indirect=True)
async def test_every_couple_has_one_reason_and_what_cannot_be_coupled_is_skipped_with_one(api: Api) -> None:
    bearer, scan_id, _ = await scanned(api)
    coverage = await api.client.get(f"/api/v1/scans/{scan_id}/coverage", headers=bearer)
    told = {strategy["strategy_id"]: strategy for strategy in coverage.json()["strategies"]}
    for strategy in told.values():
        assert sum(strategy["dispositions"].values()) == strategy["candidates"]
        left = strategy["candidates"]
        for stage in strategy["funnel"]:
            assert stage["in"] == left
            left = stage["out"]
        assert left == strategy["dispositions"]["opportunity"]
    assert told["ai_funding_arbitrage"]["candidates"] == 14
    assert (told["basis_carry"]["outcome"], told["venue_spot_arbitrage"]["outcome"]) == ("skipped", "skipped")
    assert told["basis_carry"]["reason"] == "no dated future with spot or a perpetual of its base"
    assert told["venue_spot_arbitrage"]["reason"] == "no asset that two venues trade against the same quote"
