"""Weights of Binance's paths, minutes that begin anew, and bans that grow."""

from __future__ import annotations

import pytest

from sextant.sim.binance_limits import FIRST_BAN_MS, PATIENCE, WeightLimits, spent
from sextant.sim.limits import Counters

NOW_MS = 1_790_000_010_000  # half a minute after a whole one

WEIGHTS = [
    ("/api/v3/ping", {}, "spot", 1),
    ("/api/v3/exchangeInfo", {}, "spot", 20),
    ("/api/v3/depth", {}, "spot", 5),
    ("/api/v3/depth", {"limit": "500"}, "spot", 25),
    ("/api/v3/depth", {"limit": "1000"}, "spot", 50),
    ("/api/v3/depth", {"limit": "9999"}, "spot", 250),
    ("/api/v3/klines", {"limit": "1000"}, "spot", 2),
    ("/api/v3/ticker/24hr", {}, "spot", 80),
    ("/api/v3/ticker/24hr", {"symbol": "BTCUSDT"}, "spot", 2),
    ("/api/v3/ticker/24hr", {"symbols": '["A","B"]'}, "spot", 2),
    ("/api/v3/ticker/24hr", {"symbols": "[" + ",".join(['"A"'] * 21) + "]"}, "spot", 40),
    ("/fapi/v1/depth", {}, "usdm", 10),
    ("/fapi/v1/depth", {"limit": "1000"}, "usdm", 20),
    ("/fapi/v1/klines", {"limit": "99"}, "usdm", 1),
    ("/fapi/v1/klines", {"limit": "1000"}, "usdm", 5),
    ("/fapi/v1/ticker/24hr", {}, "usdm", 40),
    ("/fapi/v1/premiumIndex", {}, "usdm", 10),
    ("/fapi/v1/fundingRate", {"symbol": "BTCUSDT"}, "funding", 1),
    ("/futures/data/openInterestHist", {}, "statistics", 1),
]
"""As the venue's pages state them."""


@pytest.mark.parametrize(("path", "asked", "budget", "weight"), WEIGHTS)
def test_a_call_weighs_what_the_documentation_says(
    path: str, asked: dict[str, str], budget: str, weight: int
) -> None:
    assert spent(path, asked) == (budget, weight)


def test_a_minute_that_is_spent_is_refused_until_the_next_one_begins() -> None:
    limits = WeightLimits(Counters())
    assert limits.admit("a", "spot", 6_000, NOW_MS) is None
    assert limits.admit("b", "spot", 1, NOW_MS) is None  # another address has its own
    assert limits.admit("a", "usdm", 1, NOW_MS) is None  # and each market
    refusal = limits.admit("a", "spot", 1, NOW_MS)
    assert refusal is not None
    assert (refusal.status, refusal.wait_s, refusal.until_ms) == (429, 30, NOW_MS + 30_000)
    assert limits.used("a", "spot", NOW_MS) == 6_000
    assert limits.admit("a", "spot", 1, NOW_MS + 30_000) is None
    assert limits.used("a", "spot", NOW_MS + 30_000) == 1


def test_who_goes_on_is_banned_for_two_minutes_then_for_four_up_to_three_days() -> None:
    counters = Counters()
    limits = WeightLimits(counters)
    limits.admit("a", "usdm", 2_400, NOW_MS)
    statuses = []
    for _ in range(PATIENCE + 1):
        refusal = limits.admit("a", "usdm", 1, NOW_MS)
        assert refusal is not None
        statuses.append(refusal.status)
    assert statuses == [429] * PATIENCE + [418]
    assert (counters.bans, counters.limited, counters.after_retry_after) == (1, PATIENCE + 1, PATIENCE)
    refusal = limits.admit(
        "a", "spot", 1, NOW_MS + FIRST_BAN_MS - 500
    )  # a ban is of the address, not of a market
    assert refusal is not None
    assert (refusal.status, refusal.wait_s, counters.after_ban) == (418, 1, 1)
    assert limits.banned("a", NOW_MS + FIRST_BAN_MS) is None
    assert limits.admit("a", "spot", 1, NOW_MS + FIRST_BAN_MS) is None
    assert limits.ban("a", NOW_MS).until_ms == NOW_MS + 2 * FIRST_BAN_MS
    for _ in range(20):
        last = limits.ban("a", NOW_MS)
    assert last.until_ms == NOW_MS + 3 * 86_400_000


def test_calls_before_the_time_told_are_counted() -> None:
    counters = Counters()
    limits = WeightLimits(counters)
    limits.asked_to_wait("a", NOW_MS + 30_000)
    assert limits.admit("a", "spot", 1, NOW_MS) is None
    assert limits.admit("a", "spot", 1, NOW_MS + 30_000) is None
    assert counters.after_retry_after == 1
