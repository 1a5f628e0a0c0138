from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from aiohttp import web

from sextant.errors import Throttled
from sextant.kit.clock import Deadline, ManualClock
from sextant.kit.http import RestClient
from sextant.kit.retry import Retrying
from sextant.kit.silences import Silences
from sextant.venues.asking import SILENCES, Asking, broker_of
from sextant.venues.broker import Broker, Limit, Policy
from sextant.venues.library.bybit import VENUE
from sextant.venues.port import Variations
from support.loopback import serving

NOW_NS = 1_786_310_817_000_000_000


def test_a_venue_with_a_policy_has_a_broker_whose_bans_lie_in_the_folder(tmp_path: Path) -> None:
    clock = ManualClock(NOW_NS)
    folder = tmp_path / "new" / "data"
    broker = broker_of(VENUE, clock, folder)
    assert broker is not None
    Silences(folder / SILENCES, clock).ask("bybit|", 60, "banned")
    assert broker.state().status == "limited"
    assert broker_of(dataclasses.replace(VENUE, variations=Variations()), clock, folder) is None


async def test_questions_pass_the_broker_under_their_priority(tmp_path: Path) -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(f"{request.method} {request.path_qs}")
        return web.json_response({})

    clock = ManualClock(NOW_NS)
    rules = Policy("venue", (Limit("all", "address", 5, 60, share=1.0),), lambda _: {"all": 1})
    broker = Broker(rules, clock, Silences(tmp_path / "silences.json", clock))
    async with serving(handler) as host, RestClient(f"http://{host}", Retrying(clock, lambda: 0.5)) as client:
        past, account = Asking(broker, client, "backfill"), Asking(broker, client, "account")
        for _ in range(3):
            await past.get("/x", (("a", "1"),), Deadline(clock, 5))
        with pytest.raises(Throttled) as raised:
            await past.get("/x", (), Deadline(clock, 5))
        assert raised.value.reason == "budget"
        await account.post("/y", Deadline(clock, 5))
        await account.get("/z", (), Deadline(clock, 5))
    assert asked == ["GET /x?a=1"] * 3 + ["POST /y", "GET /z"]
