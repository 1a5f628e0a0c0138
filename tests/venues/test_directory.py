from __future__ import annotations

import dataclasses
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from aiohttp import web

from sextant.errors import Rejected, WireError
from sextant.kit.clock import Deadline, ManualClock
from sextant.kit.http import HttpSettings, RestClient
from sextant.kit.retry import Retrying
from sextant.model.events import DerivativesUpdate, QuoteUpdate
from sextant.venues.directory import Directory, changes, read_directory, read_quotes
from sextant.venues.library.bybit import VENUE
from sextant.venues.port import Listing, SymbolTable
from support.listings import BTC, BTC_SPOT, ETH
from support.loopback import serving

Answer = Callable[[dict[str, str]], Any]


def _row(base: str, category: str) -> dict[str, object]:
    row: dict[str, object] = {
        "symbol": f"{base}USDT",
        "baseCoin": base,
        "quoteCoin": "USDT",
        "status": "Trading",
        "priceFilter": {"tickSize": "0.1"},
        "lotSizeFilter": {"basePrecision": "0.1", "qtyStep": "0.1"},
    }
    return row if category == "spot" else row | {"contractType": "LinearPerpetual"}


async def _with_client(answer: Answer, use: Callable[[RestClient, Deadline], Any]) -> tuple[Any, list[str]]:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path_qs)
        result = answer(dict(request.query))
        if result is None:
            return web.Response(status=404)
        return web.json_response({"retCode": 0, "retMsg": "OK", "result": result, "time": 1672025956592})

    clock = ManualClock()
    async with serving(handler) as host:
        settings = HttpSettings(refusal=VENUE.refusal)
        retrying = Retrying(clock, lambda: 0.5, repeats=0)
        async with RestClient(f"http://{host}", retrying, settings) as client:
            return await use(client, Deadline(clock, 10)), asked


def _read(client: RestClient, deadline: Deadline) -> Any:
    return read_directory(VENUE, client, deadline)


def _pages(query: dict[str, str]) -> dict[str, object]:
    category = query["category"]
    linear = {"": ["BTC", "ETH"], "two": ["SOL"]}[query.get("cursor", "")]
    bases = {"linear": linear, "spot": ["BTC"]}.get(category, [])
    more = "two" if category == "linear" and "cursor" not in query else ""
    return {"category": category, "list": [_row(base, category) for base in bases], "nextPageCursor": more}


async def test_every_page_of_every_category_is_read() -> None:
    found, asked = await _with_client(_pages, _read)
    assert isinstance(found, Directory)
    assert [(listing.category, listing.symbol) for listing in found.symbols] == [
        ("linear", "BTCUSDT"),
        ("linear", "ETHUSDT"),
        ("linear", "SOLUSDT"),
        ("spot", "BTCUSDT"),
    ]
    assert [event.spec for event in found.events] == [listing.spec for listing in found.symbols]
    assert (len(asked), found.left_out) == (4, ())


async def test_a_cursor_that_never_ends_is_refused() -> None:
    def endless(query: dict[str, str]) -> dict[str, object]:
        return {"category": query["category"], "list": [], "nextPageCursor": "again"}

    with pytest.raises(WireError, match="more than 50 pages"):
        await _with_client(endless, _read)


async def test_half_a_directory_is_no_directory() -> None:
    with pytest.raises(Rejected, match="404"):
        await _with_client(lambda query: None if "cursor" in query else _pages(query), _read)


async def test_latest_facts_are_read_once_a_category() -> None:
    def latest(query: dict[str, str]) -> dict[str, object]:
        row = {"symbol": "BTCUSDT", "bid1Price": "1", "ask1Price": "2", "lastPrice": "1.5"}
        return {"category": query["category"], "list": [row, {"symbol": "NOUSDT", "lastPrice": "9"}]}

    symbols = SymbolTable([BTC, BTC_SPOT, ETH])

    def use(client: RestClient, deadline: Deadline) -> Any:
        return read_quotes(VENUE, client, deadline, symbols)

    events, asked = await _with_client(latest, use)
    assert [(type(event), event.instrument) for event in events] == [
        (QuoteUpdate, BTC.instrument),
        (DerivativesUpdate, BTC.instrument),
        (QuoteUpdate, BTC_SPOT.instrument),
        (DerivativesUpdate, BTC_SPOT.instrument),
    ]
    assert asked == ["/v5/market/tickers?category=linear", "/v5/market/tickers?category=spot"]


def _directory(*listings: Listing) -> Directory:
    return Directory(SymbolTable(listings), (), ())


def test_changed_rules_and_vanished_instruments_are_told() -> None:
    finer = dataclasses.replace(BTC, spec=msgspec.structs.replace(BTC.spec, tick=Decimal("0.05"), as_of_ns=9))
    later = dataclasses.replace(ETH, spec=msgspec.structs.replace(ETH.spec, as_of_ns=9))
    told = changes([BTC, ETH, BTC_SPOT], _directory(finer, later), at_ns=77)
    assert [(listing.instrument, listing.spec.status) for listing in told] == [
        (BTC.instrument, "trading"),
        (BTC_SPOT.instrument, "delisted"),
    ]
    assert told[0].spec.tick == Decimal("0.05")
    assert told[1].spec.as_of_ns == 77


def test_a_delisting_is_told_once() -> None:
    (gone,) = changes([BTC, ETH], _directory(ETH), at_ns=77)
    assert changes([gone, ETH], _directory(ETH), at_ns=99) == []


def test_a_directory_that_lost_most_of_its_rows_is_not_believed() -> None:
    with pytest.raises(WireError, match="2 of 3"):
        changes([BTC, ETH, BTC_SPOT], _directory(BTC), at_ns=77)
