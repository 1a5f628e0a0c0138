"""Whoever asks must sign; what is answered has the fields of the venue's pages."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import aiohttp
import pytest

from sextant.kit.clock import ManualClock
from sextant.sim.deribit import DeribitSimulation, start
from sextant.sim.deribit_account import EQUITY_USD

START_NS = 1_786_310_817_000_000_000
START_MS = START_NS // 1_000_000
SUMMARIES = "/api/v2/private/get_account_summaries"
POSITIONS = "/api/v2/private/get_positions?currency=any"


def signed(venue: DeribitSimulation, where: str, stamp_ms: int = START_MS, **changes: str) -> str:
    """The rule of the page written here anew."""
    key = venue.account_key
    text = f"{stamp_ms}\nabcd\nGET\n{where}\n\n"
    parts = {
        "id": key.key,
        "ts": str(stamp_ms),
        "sig": hmac.new(key.secret.encode(), text.encode(), hashlib.sha256).hexdigest(),
        "nonce": "abcd",
    }
    return "deri-hmac-sha256 " + ",".join(f"{name}={value}" for name, value in (parts | changes).items())


async def asked(venue: DeribitSimulation, where: str, authorization: str) -> tuple[int, Any]:
    headers = {"Authorization": authorization} if authorization else {}
    async with (
        aiohttp.ClientSession() as http,
        http.get(venue.base_url + where, headers=headers) as reply,
    ):
        return reply.status, await reply.json()


async def test_only_the_owner_of_the_key_is_answered() -> None:
    async with start(ManualClock(START_NS), instruments=24) as venue:
        status, body = await asked(venue, SUMMARIES, signed(venue, SUMMARIES))
        assert status == 200
        held = {row["currency"]: row["equity"] for row in body["result"]["summaries"] if row["equity"]}
        assert held == {"USDC": EQUITY_USD}
        assert (await asked(venue, POSITIONS, signed(venue, POSITIONS)))[1]["result"] == []
        for wrong in (
            "",
            "Bearer abc",
            signed(venue, POSITIONS),
            signed(venue, SUMMARIES, id="another"),
            signed(venue, SUMMARIES, ts="soon"),
            signed(venue, SUMMARIES, nonce=""),
            signed(venue, SUMMARIES, sig="0" * 64),
        ):
            status, body = await asked(venue, SUMMARIES, wrong)
            assert (status, body["error"]["code"]) == (401, 13_009)


@pytest.mark.parametrize(
    ("shift_ms", "status"), [(-60_000, 200), (-60_001, 401), (60_000, 200), (60_001, 401)]
)
async def test_a_stamp_of_another_time_is_refused(shift_ms: int, status: int) -> None:
    async with start(ManualClock(START_NS), instruments=24) as venue:
        authorization = signed(venue, SUMMARIES, START_MS + shift_ms)
        assert (await asked(venue, SUMMARIES, authorization))[0] == status


async def test_nothing_can_be_ordered() -> None:
    async with start(ManualClock(START_NS), instruments=24) as venue:
        where = "/api/v2/private/buy?amount=1"
        assert (await asked(venue, where, signed(venue, where)))[0] == 401
        assert venue.counters.forbidden == 1
