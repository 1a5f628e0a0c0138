"""Markets of cycles: three spot instruments of one venue, priced as the page has them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from decimal import Decimal

import msgspec
import numpy as np

from sextant.model.instrument import Instrument
from sextant.model.times import MILLISECOND_NS
from sextant.model.view import Books, View
from support.carries import Carried, carrying
from support.markets import frozen

PAIRS = (("BTC", "USDT"), ("ETH", "BTC"), ("ETH", "USDT"))
LOTS = (Decimal("0.000001"), Decimal("0.00001"), Decimal("0.00001"))
TICKS = (Decimal("0.01"), Decimal("0.000001"), Decimal("0.01"))


def cycle_market(
    eth_usdt: float = 3_012.0,
    *,
    ages_ms: tuple[float, float, float] = (0.0, 100.0, 200.0),
    sizes: tuple[float, float, float] = (10.0, 200.0, 200.0),
    lots: tuple[Decimal, Decimal, Decimal] = LOTS,
    venue: str = "bybit",
) -> View:
    """strategies.md 4, triangular_arbitrage: bitcoin asked at 60,000, ether at 0.05 bitcoin, and bid at ``eth_usdt``.

    Touches are a hundredth of a basis point apart; ``sizes`` base units lie at each, and a hundred times that 5 bps further.
    """
    apart = 1e-6
    mids = (60_000.0 / (1 + apart / 2), 0.05 / (1 + apart / 2), eth_usdt / (1 - apart / 2))
    legs = tuple(
        Carried(venue, "spot", price=mid, spread_bps=apart * 1e4, base=base)
        for mid, (base, _) in zip(mids, PAIRS, strict=True)
    )
    view = carrying(legs, rows=1_500, interval="1m")
    specs = tuple(
        msgspec.structs.replace(
            spec, instrument=Instrument(venue, *pair, "spot"), lot=lot, tick=tick, min_notional=Decimal(0)
        )
        for spec, pair, lot, tick in zip(view.instruments, PAIRS, lots, TICKS, strict=True)
    )
    quotes, held = view.quotes, np.array(sizes)
    further = np.column_stack((held, held * 100))
    seen = view.as_of_ns - (np.array(ages_ms) * MILLISECOND_NS).astype(np.int64)
    books = Books(
        bid_price=np.column_stack((quotes.bid, quotes.bid * (1 - 5e-4))),
        bid_size=further,
        ask_price=np.column_stack((quotes.ask, quotes.ask * (1 + 5e-4))),
        ask_size=further.copy(),
        valid=np.ones(3, dtype=np.bool_),
        event_ns=seen,
    )
    quotes = dataclasses.replace(quotes, bid_size=held, ask_size=held.copy(), event_ns=seen)
    return frozen(dataclasses.replace(view, instruments=specs, quotes=quotes, books=books))


EMITS: dict[str, Callable[[], View]] = {"triangular_arbitrage": cycle_market}
"""By strategy of cycles: a market in which it must speak."""

REFUSES: dict[str, tuple[Callable[[], View], str, str]] = {
    "triangular_arbitrage": (lambda: cycle_market(3_005.0), "negative_net_edge", "min_edge_bps"),
}
"""One in which it must not, and the disposition of its better cycle."""
