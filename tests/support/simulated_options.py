"""Chains of the simulated market at the begin of a day, read off its wire by the venue's own reader."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

import numpy as np
import orjson

from sextant.market.state import MarketState
from sextant.model.events import Event, Listed
from sextant.model.times import DAY_NS, MINUTE_NS
from sextant.model.view import View, bar_frame
from sextant.sim.deribit_market import DerivativesModel
from sextant.sim.deribit_rest import Calls
from sextant.sim.deribit_socket import envelope
from sextant.sim.market_model import DAY_MINUTES, MarketModel
from sextant.sim.universe import Listing
from sextant.venues.library.deribit import VENUE
from sextant.venues.port import SymbolTable
from support.simulated import ROWS, simulated

MS_NS: Final = 1_000_000
FURTHEST_NS: Final = 45 * DAY_NS


def optioned(model: MarketModel, listed: list[Listing], day: int) -> View:
    """Listings with their daily bars and the chains on them at the begin of a day."""
    view = simulated(model, listed, day)
    bars = [model.bars(listing, DAY_MINUTES, day - ROWS, ROWS) for listing in listed]
    columns = {
        name: np.column_stack([getattr(bar, name) * one.tick for bar, one in zip(bars, listed, strict=True)])
        for name in ("open", "high", "low", "close")
    }
    columns |= {
        "volume": np.column_stack([bar.lots * one.lot for bar, one in zip(bars, listed, strict=True)]),
        "quote_volume": np.column_stack([bar.turnover for bar in bars]),
    }
    open_ns = (day - np.arange(ROWS, 0, -1, dtype=np.int64)) * DAY_MINUTES * MINUTE_NS
    state = MarketState("demo", simulated=True)
    for event in told(DerivativesModel(model, 1.0), day * DAY_NS):
        state.apply(event)
    chains = state.view(day * DAY_NS).chains
    return dataclasses.replace(
        view, bars={**view.bars, "1d": bar_frame("1d", open_ns, columns)}, chains=chains
    )


def told(market: DerivativesModel, now_ns: int) -> Iterator[Event]:
    """Every option of both currencies that settles in time: its rules, and what its channel says."""
    calls, now_ms = Calls(market), now_ns // MS_NS
    for currency in ("BTC", "ETH"):
        rows = calls.instruments({"currency": currency, "kind": "option"}, now_ms)
        read = VENUE.parse_instruments(envelope(1, rows, now_ms).encode(), now_ns)
        symbols = SymbolTable(read.listings)
        for listing in read.listings:
            if (listing.instrument.expiry_ns or 0) > now_ns + FURTHEST_NS:
                continue
            yield Listed(listing.spec, now_ns, now_ns)
            data = calls.ticker({"instrument_name": listing.symbol}, now_ms)
            params = {"channel": f"ticker.{listing.symbol}.100ms", "data": data}
            frame = orjson.dumps({"jsonrpc": "2.0", "method": "subscription", "params": params})
            yield from VENUE.parse_frame(listing.category, frame, now_ns, symbols)
