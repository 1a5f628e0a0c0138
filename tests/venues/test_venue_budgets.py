"""What the venues' headers and errors say about their budgets."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sextant.errors import Throttled
from sextant.kit.clock import Deadline, ManualClock
from sextant.kit.http import Answer
from sextant.kit.silences import Silences
from sextant.venues.broker import Broker, Call, Learnt
from sextant.venues.library.binance import limits as binance
from sextant.venues.library.bybit import limits as bybit
from sextant.venues.library.coinbase import limits as coinbase
from sextant.venues.library.kraken import limits as kraken
from sextant.venues.library.kucoin import limits as kucoin
from sextant.venues.library.okx import limits as okx


def test_binance_tells_the_weight_of_the_running_minute_of_each_host() -> None:
    headers = {"x-mbx-used-weight-1m": "151"}
    assert binance.read("/api/v3/klines", headers) == (Learnt("spot weight", used=151.0),)
    assert binance.read("/fapi/v1/klines", headers) == (Learnt("usdm weight", used=151.0),)
    assert binance.read("/futures/data/openInterestHist", headers) == ()
    for bad in (
        {},
        {"x-mbx-used-weight-1m": ""},
        {"x-mbx-used-weight-1m": "-5"},
        {"x-mbx-used-weight-1m": "1e9"},
    ):
        assert binance.read("/api/v3/klines", bad) == ()
    assert binance.weigh("/futures/data/openInterestHist") == {"statistics": 1}
    assert binance.weigh("/api/v3/unknown") == {"spot weight": 1}


def test_kucoin_tells_what_is_left_of_a_pool_and_when_it_is_renewed() -> None:
    told = {"gw-ratelimit-limit": "2000", "gw-ratelimit-remaining": "1985", "gw-ratelimit-reset": "12000"}
    assert kucoin.read("/api/v1/market/candles", told) == (
        Learnt("public", used=15.0, most=2000.0, silent_s=None),
    )
    spent = {**told, "gw-ratelimit-remaining": "0"}
    assert kucoin.read("/api/v1/accounts", spent) == (
        Learnt("management", used=2000.0, most=2000.0, silent_s=12.0),
    )
    assert kucoin.read("/api/v1/accounts", {"gw-ratelimit-limit": "2000"}) == ()


@pytest.mark.parametrize(
    ("path", "weights"),
    [
        ("/0/public/OHLC", {"public": 1}),
        ("/0/private/Balance", {"counter": 1}),
        ("/0/private/Ledgers", {"counter": 2}),
    ],
)
def test_kraken_counts_history_of_a_key_twice(path: str, weights: dict[str, float]) -> None:
    assert kraken.weigh(path) == weights


def test_kraken_means_the_address_by_a_lockout_and_the_key_by_a_rate() -> None:
    assert kraken.blames(Throttled("x", retry_after_s=900, reason="ban")) == "address"
    assert kraken.blames(Throttled("x", retry_after_s=5, reason="rate")) == "key"


def test_coinbase_and_okx_count_by_kind_of_path() -> None:
    assert coinbase.weigh("/api/v3/brokerage/market/products") == {"public": 1}
    assert coinbase.weigh("/api/v3/brokerage/accounts") == {"private": 1}
    assert okx.weigh("/api/v5/market/books") == {"/api/v5/market/books": 1}
    assert okx.weigh("/api/v5/account/balance") == {"other": 1}


def test_bybit_tells_what_is_left_of_a_users_second() -> None:
    told = {"x-bapi-limit": "50", "x-bapi-limit-status": "49"}
    assert bybit.read("/v5/account/wallet-balance", told) == (Learnt("account", used=1.0, most=50.0),)
    assert bybit.read("/v5/market/kline", told) == ()
    assert bybit.read("/v5/user/query-api", {"x-bapi-limit": "10"}) == ()
    assert bybit.weigh("/v5/account/wallet-balance") == {"requests": 1, "account": 1}
    assert bybit.weigh("/v5/market/kline") == {"requests": 1}


class Counter:
    """Kraken's counter of a key as its page describes it, written once more: raised by calls, falling steadily."""

    def __init__(self) -> None:
        self.level, self.at_s, self.highest = 0.0, 0.0, 0.0

    def add(self, at_s: float, weight: float) -> None:
        self.level = max(0.0, self.level - (at_s - self.at_s) * 0.33) + weight
        self.at_s, self.highest = at_s, max(self.highest, self.level)


async def test_an_hour_of_mixed_load_never_fills_krakens_counter(tmp_path: Path) -> None:
    clock, counter = ManualClock(0), Counter()
    broker = Broker(kraken.POLICY, clock, Silences(tmp_path / "silences.json", clock))
    chance = random.Random(3)  # noqa: S311  # seeded, not secret
    paths = ("/0/private/Balance", "/0/private/Ledgers", "/0/private/OpenOrders")
    served = 0
    tasks: list[asyncio.Task[Answer]] = []

    def asking(path: str) -> Callable[[], Awaitable[Answer]]:
        async def work() -> Answer:
            nonlocal served
            served += 1
            counter.add(clock.monotonic_ns() / 1e9, 2 if path.endswith("Ledgers") else 1)
            return Answer(b"{}", 0, {})

        return work

    for _ in range(3_600):
        if chance.random() < 0.5:  # more than the counter lets through
            path = chance.choice(paths)
            call = Call(path, "account", {"key": "one"})
            tasks.append(asyncio.ensure_future(broker.run(call, Deadline(clock, 20), asking(path))))
        clock.advance(1.0)
        for _ in range(4):
            await asyncio.sleep(0)
    refused = sum(task.done() and task.exception() is not None for task in tasks)
    assert counter.highest <= 15
    assert served > 500  # of some 0.26 a second that the share of the slowest tier allows, by weight
    assert refused > 0
    assert served + refused >= len(tasks) - 10
