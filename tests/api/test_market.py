from __future__ import annotations

from dataclasses import replace

import pytest

from sextant.api.market import MarketRoutes
from sextant.confluence.forced import Wave, market_cascade
from sextant.confluence.market_wide import Held
from sextant.errors import Stale
from sextant.kit.clock import ManualClock
from sextant.model.times import iso_ms
from sextant.scans.overview import overview
from support.api import Api, scored, scored_market
from support.people import START_NS

PATH = "/api/v1/market/overview"


async def test_market_is_told_in_one_picture(api: Api) -> None:
    scoring = api.rooms.scoring
    assert scoring is not None
    _, bearer = await api.session()
    made = overview(scored_market().view, scored().evaluation, Held("unknown", 0))
    body = (await api.client.get(PATH, headers=bearer)).json()
    assert (body["feed"], body["simulated"]) == ("demo", True)
    assert body["breadth"]["universe"] == 12
    assert body["breadth"]["up_1h_frac"] == made.up_1h.frac
    assert body["breadth"]["up_24h_frac"] is None  # seven hours are known
    assert body["regime"]["label"] == "unknown"
    assert body["regime"]["since"] is None
    assert {item["name"] for item in body["regime"]["inputs"]} >= {"up_24h", "dispersion", "leader_hv"}
    assert body["streams"]["live"] + body["streams"]["unsupported"] > 0
    scoring._kept.append(replace(scored(), overview=None))
    assert (await api.client.get(PATH, headers=bearer)).status_code == 503
    assert body["as_of"] == "2026-03-01T12:00:00.000Z"


async def test_perpetuals_are_told_with_of_how_many_each_figure_was_taken(api: Api) -> None:
    _, bearer = await api.session()
    made = overview(scored_market().view, scored().evaluation, Held("unknown", 0))
    body = (await api.client.get(PATH, headers=bearer)).json()
    told = body["perpetuals"]
    figures = {name: value for name, value in told.items() if name not in ("known", "count")}
    assert told["known"].keys() == figures.keys()
    assert {name for name, n in told["known"].items() if not n} == {
        name for name, value in figures.items() if value is None
    }
    assert told["funding_8h_median_frac"] == made.perpetuals.f8_median.frac
    assert told["known"]["funding_8h_median_frac"] == made.perpetuals.f8_median.n
    assert told["liquidated_long_24h_usd"] is None  # nobody watched for a day
    risky = body["liquidation_risk"]
    assert [row["instrument"] for row in risky["rows"]] == [str(name) for name in list(made.risk)[:5]]
    assert risky["n"] == len(made.risk)


async def test_cascade_of_the_whole_market_stands_in_the_picture_of_now(api: Api) -> None:
    scoring = api.rooms.scoring
    assert scoring is not None
    _, bearer = await api.session()
    assert (await api.client.get(PATH, headers=bearer)).json()["facts"] == []
    scoring._facts.update(market_cascade([Wave(-1, 3e6, 60, 4)], {}), START_NS)
    body = (await api.client.get(PATH, headers=bearer)).json()
    [fact] = body["facts"]
    assert (fact["kind"], fact["cause"], fact["direction"]) == ("market_cascade", "longs", "down")
    assert fact["facts"]["instruments"] == 4.0
    earlier = await api.client.get(PATH, params={"as_of": iso_ms(START_NS)}, headers=bearer)
    assert (earlier.status_code, earlier.json()["facts"]) == (200, [])


async def test_process_without_a_market_says_so() -> None:
    routes = MarketRoutes(None, ManualClock(START_NS))
    with pytest.raises(Stale, match="no market"):
        await routes.overview(None)  # type: ignore[arg-type]  # it is refused before the call is read
