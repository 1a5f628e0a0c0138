"""Views as tests need them."""

from __future__ import annotations

from decimal import Decimal

from sextant.model.instrument import Instrument, InstrumentSpec, Kind
from sextant.model.view import View, no_books, no_derivatives, no_quotes


def spec(base: str, kind: Kind = "spot", venue: str = "binance") -> InstrumentSpec:
    """Rules of an instrument against USDT with negligible steps."""
    return InstrumentSpec(
        instrument=Instrument(venue, base, "USDT", kind),
        tick=Decimal("0.000001"),
        lot=Decimal("0.000001"),
        min_notional=Decimal(5),
        contract_size=Decimal(1),
        status="trading",
        funding_interval_s=28_800 if kind == "perpetual" else None,
        max_leverage=None,
        as_of_ns=0,
    )


def empty_view(*bases: str) -> View:
    """A view that knows instruments and nothing about them."""
    size = len(bases)
    return View(
        as_of_ns=0,
        feed="replay",
        simulated=False,
        instruments=tuple(spec(base) for base in bases),
        bars={},
        quotes=no_quotes(size),
        books=no_books(size),
        derivatives=no_derivatives(size),
        funding_history={},
        open_interest_history={},
        trades={},
    )
