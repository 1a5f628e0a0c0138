"""What the venues' headers and errors say about their budgets."""

from __future__ import annotations

import pytest

from sextant.errors import Throttled
from sextant.venues.broker import Learnt
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
