"""Clients of ccxt, which know nothing of this project, sent to a simulated venue instead of the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import ccxt.async_support as ccxt  # type: ignore[import-untyped]  # ships no types

HOSTS: Final = {
    "binance": ("https://api.binance.com", "https://fapi.binance.com"),
    "bybit": ("https://api.{hostname}",),
    "deribit": ("https://www.deribit.com",),
    "kucoin": ("https://api.kucoin.com",),
    "kraken": ("https://api.kraken.com",),
    "coinbase": ("https://api.coinbase.com",),
}
"""Addresses of the real venue, which the client must not ask."""

ONLY: Final[dict[str, dict[str, Any]]] = {
    "binance": {"fetchMarkets": {"types": ["spot", "linear"]}},
    "bybit": {"fetchMarkets": {"types": ["spot", "linear", "inverse"]}},
    "kucoin": {"fetchMarkets": {"types": ["spot"]}},
}
"""Which of a venue's markets are asked for, where fewer than the venue has are simulated."""


def _moved(urls: Any, hosts: tuple[str, ...], address: str) -> Any:
    """The addresses with every one of the real venue replaced."""
    if isinstance(urls, dict):
        return {name: _moved(inner, hosts, address) for name, inner in urls.items()}
    if isinstance(urls, str):
        for host in hosts:
            urls = urls.replace(host, address)
    return urls


@asynccontextmanager
async def independent(name: str, address: str) -> AsyncIterator[Any]:
    """A client of one venue that asks ``address`` and waits for nobody, with its markets loaded."""
    client = getattr(ccxt, name)({"enableRateLimit": False, "options": ONLY.get(name, {})})
    client.urls["api"] = _moved(client.urls["api"], HOSTS[name], address)
    try:
        await client.load_markets()
        yield client
    finally:
        await client.close()
