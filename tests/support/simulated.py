"""Views of the simulated market at a moment, made from its model without a socket."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import numpy as np

from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.model.times import DAY_NS, MINUTE_NS, SECOND_NS
from sextant.model.view import Quotes, Series, View, bar_frame, no_books, no_derivatives
from sextant.sim.market_model import MarketModel
from sextant.sim.universe import Listing
from support.markets import frozen

ROWS: Final = 1_000
BAR_MINUTES: Final = 240
SETTLED: Final = 200


def simulated(model: MarketModel, listed: Sequence[Listing], day: int) -> View:
    """The last thousand 4h bars, 200 settlements and the present of some listings at the begin of a day."""
    specs = tuple(spec_of(listing) for listing in listed)
    bars = [model.bars(listing, BAR_MINUTES, day * 6 - ROWS, ROWS) for listing in listed]
    prices = {
        name: np.column_stack([getattr(bar, name) * one.tick for bar, one in zip(bars, listed, strict=True)])
        for name in ("open", "high", "low", "close")
    }
    columns = prices | {
        "volume": np.column_stack([bar.lots * one.lot for bar, one in zip(bars, listed, strict=True)]),
        "quote_volume": np.column_stack([bar.turnover for bar in bars]),
    }
    as_of_ns = day * DAY_NS
    open_ns = as_of_ns - np.arange(ROWS, 0, -1, dtype=np.int64) * BAR_MINUTES * MINUTE_NS
    last = prices["close"][-1]
    half = np.array([listing.spread_ticks * listing.tick / 2.0 for listing in listed])
    sizes = np.array([listing.turnover / listing.price / 1_000.0 for listing in listed])
    size = len(listed)
    return frozen(
        View(
            as_of_ns=as_of_ns,
            feed="demo",
            simulated=True,
            instruments=specs,
            bars={"4h": bar_frame("4h", open_ns, columns)},
            quotes=Quotes(last - half, last + half, sizes, sizes.copy(), np.full(size, as_of_ns)),
            books=no_books(size),
            derivatives=dataclasses.replace(no_derivatives(size), **facts_of(model, listed, as_of_ns)),
            funding_history={
                spec.instrument: settled_of(model, listing, as_of_ns)
                for spec, listing in zip(specs, listed, strict=True)
                if listing.funding_minutes
            },
            open_interest_history={},
            trades={},
        )
    )


def spec_of(listing: Listing) -> InstrumentSpec:
    """Its rules."""
    kind: Any = "spot" if listing.category == "spot" else "perpetual"
    return InstrumentSpec(
        instrument=Instrument("bybit", listing.base, "USDT", kind),
        tick=Decimal(str(round(listing.tick, 10))),
        lot=Decimal(str(round(listing.lot, 10))),
        min_notional=Decimal(5),
        contract_size=Decimal(1),
        status="trading",
        funding_interval_s=listing.funding_minutes * 60 or None,
        max_leverage=None if kind == "spot" else Decimal(50),
        as_of_ns=0,
    )


def facts_of(model: MarketModel, listed: Sequence[Listing], now_ns: int) -> dict[str, Any]:
    """Funding and open interest as they stand."""
    minutes = np.array([listing.funding_minutes for listing in listed], dtype=np.int64)
    pays = minutes > 0
    steps = np.where(pays, minutes, 1) * MINUTE_NS
    following = now_ns // steps + 1
    rates = [
        model.funding_rate(listing, int(number)) if listing.funding_minutes else np.nan
        for listing, number in zip(listed, following, strict=True)
    ]
    fives = np.array([now_ns // (5 * MINUTE_NS)], dtype=np.int64)
    return {
        "funding_rate": np.array(rates),
        "funding_interval_s": np.where(pays, minutes * 60.0, np.nan),
        "next_funding_ns": np.where(pays, following * steps, 0),
        "open_interest": np.array([float(model.open_interest(listing, fives)[0]) for listing in listed]),
        "event_ns": np.full(len(listed), now_ns - SECOND_NS),
    }


def settled_of(model: MarketModel, listing: Listing, as_of_ns: int) -> Series:
    """The last 200 settlements."""
    step_ns = listing.funding_minutes * MINUTE_NS
    numbers = as_of_ns // step_ns - np.arange(SETTLED - 1, -1, -1, dtype=np.int64)
    rates = [model.funding_rate(listing, int(number)) for number in numbers]
    return Series(numbers * step_ns, np.array(rates))
