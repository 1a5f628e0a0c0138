"""The pool of KuCoin's public calls."""

from __future__ import annotations

from sextant.sim.kucoin_limits import PoolLimits, weight_of
from sextant.sim.limits import Counters

NOW_MS = 1_790_000_010_000


def test_paths_cost_what_the_documentation_says() -> None:
    paths = ("/api/v1/market/allTickers", "/api/v1/market/orderbook/level2_100", "/api/v1/bullet-public")
    assert [weight_of(path) for path in (*paths, "/api/v1/market/candles")] == [15, 4, 10, 3]


def test_a_pool_of_two_thousand_is_full_again_thirty_seconds_after_its_first_call() -> None:
    counters = Counters()
    limits = PoolLimits(counters)
    assert limits.admit("a", 1_990, NOW_MS)
    assert limits.admit("b", 2_000, NOW_MS + 1)
    assert limits.headers("a", NOW_MS + 10_000) == {
        "gw-ratelimit-limit": "2000",
        "gw-ratelimit-remaining": "10",
        "gw-ratelimit-reset": "20000",
    }
    assert not limits.admit("a", 15, NOW_MS + 10_000)
    assert limits.headers("a", NOW_MS + 10_000)["gw-ratelimit-remaining"] == "0"
    assert counters.after_retry_after == 0
    assert not limits.admit("a", 1, NOW_MS + 29_999)
    assert counters.after_retry_after == 1
    assert limits.admit("a", 1, NOW_MS + 30_000)
    limits.empty("a", NOW_MS + 30_000)
    assert not limits.admit("a", 1, NOW_MS + 30_001)
    assert (counters.bans, counters.limited, counters.after_retry_after) == (1, 3, 2)
    limits.asked_to_wait("c", NOW_MS + 5)
    assert limits.admit("c", 1, NOW_MS)
    assert counters.after_retry_after == 3
