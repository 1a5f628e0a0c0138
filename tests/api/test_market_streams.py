from __future__ import annotations

import pytest

from sextant.api.market_streams import StreamRoutes
from sextant.errors import Stale
from sextant.kit.clock import ManualClock
from support.api import ORIGIN, Api
from support.people import START_NS

PATH = "/api/v1/market/streams"


async def test_streams_are_told_by_venue_and_of_one_instrument(api: Api) -> None:
    _, bearer = await api.session()
    body = (await api.client.get(PATH, headers=bearer)).json()
    assert (body["feed"], body["simulated"], body["instrument"]) == ("demo", True, None)
    rows = {(row["venue"], row["stream"]): row for row in body["streams"]}
    assert rows["bybit", "quote"]["live"] == 1
    assert rows["bybit", "quote"]["since"] is None
    assert rows["bybit", "book"]["invalid"] == 1
    assert rows["bybit", "book"]["reason"] == "gap"
    assert (rows["bybit", "book"]["gaps_total"], rows["bybit", "book"]["resyncs_total"]) == (1, 1)
    assert rows["bybit", "trades"]["losses_total"] == 1
    one = (await api.client.get(f"{PATH}?instrument=bybit:BTC-USDT:perpetual", headers=bearer)).json()
    by_stream = {row["stream"]: row for row in one["instrument"]}
    assert by_stream["quote"]["state"] == "live"
    assert by_stream["quote"]["reason"] is None
    assert by_stream["liquidations"] == {
        "stream": "liquidations",
        "state": "unsupported",
        "since": None,
        "reason": "nothing ever came",
        "as_of": None,
        "age_s": None,
    }


async def test_a_venue_is_told_alone_and_an_unknown_instrument_is_404(api: Api) -> None:
    _, bearer = await api.session()
    assert (await api.client.get(f"{PATH}?venue=kraken", headers=bearer)).json()["streams"] == []
    unknown = await api.client.get(f"{PATH}?instrument=bybit:ETH-USDT:perpetual", headers=bearer)
    assert unknown.status_code == 404
    nonsense = await api.client.get(f"{PATH}?instrument=BTC", headers=bearer)
    assert nonsense.status_code == 422


async def test_process_without_a_market_says_so() -> None:
    routes = StreamRoutes(None, lambda: ORIGIN, ManualClock(START_NS))
    with pytest.raises(Stale, match="no market"):
        await routes.streams(None)  # type: ignore[arg-type]  # it is refused before the call is read
