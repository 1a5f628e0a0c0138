"""The catalogue over HTTP: what strategies read, what they have earned, and how they have ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sextant.strategies.catalog import strategies
from support.api import Api, api_on, market
from support.database import sqlite

PATH = "/api/v1/strategies"
MOMENTUM = "ai_spot_momentum_strategy"


@pytest.fixture
async def working(tmp_path: Path) -> AsyncIterator[Api]:
    async with sqlite(tmp_path) as db, api_on(db, working=True) as api:
        yield api


async def test_the_catalogue_lists_every_strategy_and_what_is_granted(api: Api) -> None:
    _, bearer = await api.session()
    _, rich = await api.onboarded("bob@example.org")
    rows = (await api.client.get(PATH, headers=bearer)).json()["strategies"]
    assert [row["strategy_id"] for row in rows] == list(strategies())
    assert not any(row["granted"] for row in rows)
    for row in rows:
        assert row["needs"]["columns"]
        assert row["types"]
        for parameter in row["parameters"]:
            assert parameter["low"] <= parameter["value"] <= parameter["high"]
    granted = (await api.client.get(f"{PATH}?granted=true", headers=rich)).json()["strategies"]
    assert len(granted) == len(rows)
    assert (await api.client.get(f"{PATH}?granted=false", headers=rich)).json() == {"strategies": []}
    assert (await api.client.get(f"{PATH}?granted=maybe", headers=rich)).status_code == 422


async def test_before_anything_was_scored_a_card_is_unknown_and_never_a_zero(api: Api) -> None:
    _, bearer = await api.session()
    [row] = [
        row
        for row in (await api.client.get(PATH, headers=bearer)).json()["strategies"]
        if row["strategy_id"] == MOMENTUM
    ]
    card = row["scorecard"]
    assert (card["state"], card["hit_rate_pct"], card["mean_net_bps"]) == ("unknown", None, None)
    assert card["reason"]


async def test_a_strategy_tells_its_past_its_two_sides_and_its_runs(working: Api) -> None:
    api = working
    user, bearer = await api.onboarded()
    scan_id = await api.discover(bearer, strategy_ids=[MOMENTUM])
    await api.ended(user, scan_id)
    assert api.rooms.board is not None
    api.rooms.board.learn(market(), [strategies()[MOMENTUM]])
    body = (await api.client.get(f"{PATH}/{MOMENTUM}?window=365d", headers=bearer)).json()
    card = body["strategy"]["scorecard"]
    assert card["n"] == body["long"]["n"] + body["short"]["n"] > 0
    assert card["state"] in {"scored", "insufficient_history"}
    assert body["runs_count"] == 1
    assert sum(body["outcome_rates"].values()) == pytest.approx(1.0)
    assert body["last_run"]["scan_id"] == scan_id
    narrow = (await api.client.get(f"{PATH}/{MOMENTUM}?window=30d", headers=bearer)).json()
    assert narrow["strategy"]["scorecard"]["n"] <= card["n"]


async def test_what_is_not_known_is_said(api: Api) -> None:
    _, bearer = await api.session()
    assert (await api.client.get(f"{PATH}/none", headers=bearer)).status_code == 404
    ahead = await api.client.get(f"{PATH}/{MOMENTUM}?as_of=2999-01-01T00:00:00Z", headers=bearer)
    assert (ahead.status_code, ahead.json()["reason"]) == (422, "out_of_range")
    past = await api.client.get(f"{PATH}/{MOMENTUM}?as_of=2020-01-01T00:00:00Z", headers=bearer)
    assert (past.status_code, past.json()["reason"]) == (410, "as_of_too_old")
    assert (await api.client.get(f"{PATH}/{MOMENTUM}?window=1d", headers=bearer)).status_code == 422
