"""How Kraken spells pairs, prices, sizes, moments and checksums.

References
----------
docs.kraken.com, read 2026-11-25: Spot WebSocket v2 channels, the guide to the book's checksum, Spot REST market data.
"""

from __future__ import annotations

import datetime
import zlib
from typing import Any, Final

import orjson

from sextant.sim.books import Level
from sextant.sim.market_model import MarketModel
from sextant.sim.tape import Forming, Print, slots_a_minute
from sextant.sim.universe import Listing, Terms, finest, relisted

TERMS: Final = Terms(house=4, turnover=0.12, spread=1.5, away=2.0e-4)
SIZE_DECIMALS: Final = 8
_SHOWN_DECIMALS: Final = 5  # REST prints at least so many of a price
_CHECKED: Final = 10
_FORMER: Final = {"BTC": "XBT", "DOGE": "XDG"}
_CLASSED: Final = frozenset(("XBT", "XDG", "ETH", "LTC", "XRP", "XLM", "ETC", "XMR", "ZEC"))
"""Assets of the first years, which carry a letter for their class."""

INTERVALS: Final = (1, 5, 15, 30, 60, 240, 1_440, 10_080, 21_600)
"""Minutes of the intervals of bars."""


def market_of(model: MarketModel) -> MarketModel:
    """The market as this venue lists it: every spot base against the dollar."""
    spot = [listing for listing in model.listings if listing.category == "spot"]
    return model.listed_as(
        [
            finest(relisted(listing, TERMS, row, listing.base, f"{listing.base}/USD"), SIZE_DECIMALS)
            for row, listing in enumerate(spot)
        ]
    )


def former(base: str) -> str:
    """The name that REST has for a base."""
    return _FORMER.get(base, base)


def asset_key(base: str) -> str:
    """The name of an asset in answers about assets."""
    name = former(base)
    return f"X{name}" if name in _CLASSED else name


def pair_key(listing: Listing) -> str:
    """The name of a pair in answers of REST."""
    name = former(listing.base)
    if name in _CLASSED and name != "XDG":
        return f"X{name}ZUSD"
    return f"{name}USD"


def pair_names(listing: Listing) -> tuple[str, ...]:
    """All names by which REST can be asked for a pair."""
    name = former(listing.base)
    return pair_key(listing), f"{name}USD", f"{name}/USD", listing.symbol


def price_text(listing: Listing, ticks: int) -> str:
    """A price at the precision of its pair."""
    return f"{ticks * listing.tick:.{listing.tick_decimals}f}"


def shown_price(listing: Listing, price: float) -> str:
    """A price as most answers of REST print it."""
    return f"{price:.{max(_SHOWN_DECIMALS, listing.tick_decimals)}f}"


def size_text(listing: Listing, lots: int) -> str:
    """A size with all its decimals."""
    return f"{lots * listing.lot:.{SIZE_DECIMALS}f}"


def number(text: str) -> orjson.Fragment:
    """A JSON number in exactly these digits, which the checksum is of."""
    return orjson.Fragment(text)


def checksum(listing: Listing, bids: list[Level], asks: list[Level]) -> int:
    """CRC32 over the ten best asks, then bids, each best first."""
    rows = [*asks[:_CHECKED], *bids[:_CHECKED]]
    text = "".join(
        part.replace(".", "").lstrip("0")
        for ticks, lots in rows
        for part in (price_text(listing, ticks), size_text(listing, lots))
    )
    return zlib.crc32(text.encode())


def levels(listing: Listing, rows: list[Level]) -> list[dict[str, orjson.Fragment]]:
    """Levels of a book frame, in the order given; gone is of size 0."""
    return [
        {"price": number(price_text(listing, ticks)), "qty": number(size_text(listing, lots))}
        for ticks, lots in rows
    ]


def moment_text(now_ms: int, digits: int = 6) -> str:
    """A moment as frames state it, with so many digits of a second."""
    moment = datetime.datetime.fromtimestamp(now_ms / 1_000, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{now_ms % 1_000:03d}{'0' * (digits - 3)}Z"


def trade_row(listing: Listing, trade: Print, name: int) -> dict[str, Any]:
    """One row of a frame about trades."""
    return {
        "symbol": listing.symbol,
        "side": "buy" if trade.bought else "sell",
        "price": number(price_text(listing, trade.ticks)),
        "qty": number(size_text(listing, trade.lots)),
        "ord_type": "market" if abs(trade.turn) == 1 else "limit",
        "trade_id": name,
        "timestamp": moment_text(trade.time_ms),
    }


def mean_price(listing: Listing, bar: Forming) -> float:
    """The volume-weighted mean price of a bar, within its range; the close where nothing traded."""
    if bar.lots == 0:
        return bar.close * listing.tick
    mean = bar.turnover / (bar.lots * listing.lot)
    return min(max(mean, bar.low * listing.tick), bar.high * listing.tick)


def trade_count(listing: Listing, pace: float, bar: Forming) -> int:
    """About how many trades a bar is of: its volume in typical trades, one at least where anything traded."""
    if bar.lots == 0:
        return 0
    a_day = listing.turnover / listing.price / listing.lot
    typical = a_day / (1_440 * slots_a_minute(listing, pace) * 2.5)
    return max(1, round(bar.lots / typical))
