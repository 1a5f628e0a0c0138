"""How KuCoin spells symbols, prices, sizes and its list of symbols.

References
----------
www.kucoin.com/docs-new, spot market data (REST and public channels), read 2026-11-25.
"""

from __future__ import annotations

from typing import Any, Final

from sextant.sim.books import Level
from sextant.sim.day import DayFacts
from sextant.sim.diff_books import Numbered
from sextant.sim.market_model import FIRST_DAY, MarketModel
from sextant.sim.tape import Forming, Print, Tape
from sextant.sim.universe import Listing, Terms, relisted
from sextant.sim.wire import trimmed

TERMS: Final = Terms(house=2, turnover=0.1, spread=2.0, away=2.5e-4)
FEE: Final = "0.001"
_TRADES_A_SLOT: Final = 4

INTERVALS: Final = {
    "1min": 1,
    "3min": 3,
    "5min": 5,
    "15min": 15,
    "30min": 30,
    "1hour": 60,
    "2hour": 120,
    "4hour": 240,
    "6hour": 360,
    "8hour": 480,
    "12hour": 720,
    "1day": 1_440,
}
"""Minutes of each interval; weeks and months are not simulated."""


def market_of(model: MarketModel) -> MarketModel:
    """The market as this venue lists it: the spot pairs."""
    spot = [listing for listing in model.listings if listing.category == "spot"]
    return model.listed_as(
        [
            relisted(listing, TERMS, row, listing.base, f"{listing.base}-USDT")
            for row, listing in enumerate(spot)
        ]
    )


def price_text(listing: Listing, ticks: float) -> str:
    """A price without trailing zeros."""
    return trimmed(ticks * listing.tick, listing.tick_decimals)


def size_text(listing: Listing, lots: float) -> str:
    """A size in base units without trailing zeros."""
    return trimmed(lots * listing.lot, listing.lot_decimals)


def levels_text(listing: Listing, levels: list[Level]) -> list[list[str]]:
    """Price and size of each level, in the order given."""
    return [[price_text(listing, ticks), size_text(listing, lots)] for ticks, lots in levels]


def changes_text(listing: Listing, rows: list[Numbered]) -> list[list[str]]:
    """Price, size and number of each change, in the order of the numbers."""
    return [
        [price_text(listing, ticks), size_text(listing, lots), str(number)]
        for ticks, lots, number in sorted(rows, key=lambda row: row[2])
    ]


def bar_row(listing: Listing, open_ms: int, bar: Forming) -> list[str]:
    """Start in seconds, open, close, high, low, volume, turnover: in this order."""
    return [
        str(open_ms // 1_000),
        price_text(listing, bar.open),
        price_text(listing, bar.close),
        price_text(listing, bar.high),
        price_text(listing, bar.low),
        size_text(listing, bar.lots),
        trimmed(bar.turnover, 8),
    ]


def trade_number(tape: Tape, slot: int, row: int) -> int:
    """The number of a trade: rises with time, and is the same whenever asked."""
    return (slot - FIRST_DAY * 1_440 * tape.parts) * _TRADES_A_SLOT + row


def trade_row(listing: Listing, trade: Print, number: int) -> dict[str, Any]:
    """One row of the answer about recent trades."""
    return {
        "sequence": str(number),
        "price": price_text(listing, trade.ticks),
        "size": size_text(listing, trade.lots),
        "side": "buy" if trade.bought else "sell",
        "time": trade.time_ms * 1_000_000,
    }


def day_row(listing: Listing, facts: DayFacts) -> dict[str, Any]:
    """What summaries say of the last 24 hours."""
    day = facts.rolling
    mean = day.turnover / (day.lots * listing.lot)
    return {
        "changeRate": trimmed(facts.last / day.open - 1.0, 4),
        "changePrice": price_text(listing, facts.last - day.open),
        "high": price_text(listing, day.high),
        "low": price_text(listing, day.low),
        "vol": size_text(listing, day.lots),
        "volValue": trimmed(day.turnover, 8),
        "last": price_text(listing, facts.last),
        "averagePrice": trimmed(mean, 8),
        "takerFeeRate": FEE,
        "makerFeeRate": FEE,
        "takerCoefficient": "1",
        "makerCoefficient": "1",
    }


def symbol_row(listing: Listing) -> dict[str, Any]:
    """One row of the list of symbols."""
    lot = trimmed(listing.lot, listing.lot_decimals)
    return {
        "symbol": listing.symbol,
        "name": listing.symbol,
        "baseCurrency": listing.base,
        "quoteCurrency": "USDT",
        "feeCurrency": "USDT",
        "market": "USDS",
        "baseMinSize": lot,
        "quoteMinSize": "0.1",
        "baseMaxSize": "10000000000",
        "quoteMaxSize": "99999999",
        "baseIncrement": lot,
        "quoteIncrement": "0.000001",
        "priceIncrement": trimmed(listing.tick, listing.tick_decimals),
        "priceLimitRate": "0.1",
        "minFunds": "0.1",
        "isMarginEnabled": True,
        "enableTrading": True,
        "feeCategory": 1,
        "makerFeeCoefficient": "1.00",
        "takerFeeCoefficient": "1.00",
        "st": False,
        "callauctionIsEnabled": False,
        "callauctionPriceFloor": None,
        "callauctionPriceCeiling": None,
        "callauctionFirstStageStartTime": None,
        "callauctionSecondStageStartTime": None,
        "callauctionThirdStageStartTime": None,
        "tradingStartTime": None,
    }
