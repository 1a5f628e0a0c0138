"""How Coinbase Advanced Trade spells products, prices, sizes and moments.

References
----------
docs.cdp.coinbase.com, read 2026-11-25: Advanced Trade WebSocket channels, REST reference of public market data.
"""

from __future__ import annotations

import datetime
from typing import Any, Final

from sextant.sim.books import Level
from sextant.sim.day import DayFacts
from sextant.sim.market_model import MarketModel
from sextant.sim.tape import Forming, Print
from sextant.sim.universe import Listing, Terms, finest, relisted
from sextant.sim.wire import trimmed

TERMS: Final = Terms(house=5, turnover=0.35, spread=1.2, away=1.5e-4, finer=1)
_SIZE_DECIMALS: Final = 8

GRANULARITY: Final = {
    "ONE_MINUTE": 1,
    "FIVE_MINUTE": 5,
    "FIFTEEN_MINUTE": 15,
    "THIRTY_MINUTE": 30,
    "ONE_HOUR": 60,
    "TWO_HOUR": 120,
    "FOUR_HOUR": 240,
    "SIX_HOUR": 360,
    "ONE_DAY": 1_440,
}
"""Minutes of each length of bars."""


def market_of(model: MarketModel) -> MarketModel:
    """The market as this venue lists it: every spot base against the dollar."""
    spot = [listing for listing in model.listings if listing.category == "spot"]
    return model.listed_as(
        [
            finest(relisted(listing, TERMS, row, listing.base, f"{listing.base}-USD"), _SIZE_DECIMALS)
            for row, listing in enumerate(spot)
        ]
    )


def price_text(listing: Listing, ticks: int) -> str:
    """A price without trailing noughts."""
    return trimmed(ticks * listing.tick, listing.tick_decimals)


def size_text(listing: Listing, lots: int) -> str:
    """A size without trailing noughts; gone is ``0``."""
    return trimmed(lots * listing.lot, listing.lot_decimals)


def moment_text(now_ms: int, digits: int = 9) -> str:
    """A moment with so many digits of a second."""
    moment = datetime.datetime.fromtimestamp(now_ms / 1_000, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{now_ms % 1_000:03d}{'0' * (digits - 3)}Z"


def changes(listing: Listing, side: str, rows: list[Level], now_ms: int) -> list[dict[str, str]]:
    """Levels of one side in a frame of the book."""
    moment = moment_text(now_ms, 6)
    return [
        {
            "side": side,
            "event_time": moment,
            "price_level": price_text(listing, ticks),
            "new_quantity": size_text(listing, lots),
        }
        for ticks, lots in rows
    ]


def trade_row(listing: Listing, trade: Print, name: int) -> dict[str, str]:
    """One trade; its side is the maker's."""
    return {
        "product_id": listing.symbol,
        "trade_id": str(name),
        "price": price_text(listing, trade.ticks),
        "size": size_text(listing, trade.lots),
        "time": moment_text(trade.time_ms, 6),
        "side": "SELL" if trade.bought else "BUY",
    }


def bar_row(listing: Listing, open_ms: int, bar: Forming) -> dict[str, str]:
    """One bar, named by its open in seconds."""
    return {
        "start": str(open_ms // 1_000),
        "high": price_text(listing, bar.high),
        "low": price_text(listing, bar.low),
        "open": price_text(listing, bar.open),
        "close": price_text(listing, bar.close),
        "volume": size_text(listing, bar.lots),
    }


def change_text(facts: DayFacts) -> str:
    """What the price changed in 24 hours, in per cent."""
    return trimmed((facts.last / facts.rolling.open - 1.0) * 100.0, 14)


def product_row(listing: Listing, facts: DayFacts, quote: str = "USD") -> dict[str, Any]:
    """One product; against ``USDC`` it is the second name of the market against the dollar."""
    second = quote != "USD"
    other = f"{listing.base}-USDC"
    step = f"{listing.tick:.{listing.tick_decimals}f}"
    day = facts.rolling
    return {
        "product_id": other if second else listing.symbol,
        "price": price_text(listing, facts.last),
        "price_percentage_change_24h": change_text(facts),
        "volume_24h": size_text(listing, day.lots),
        "volume_percentage_change_24h": "0",
        "base_increment": f"{listing.lot:.{listing.lot_decimals}f}",
        "quote_increment": step,
        "quote_min_size": "1",
        "quote_max_size": "150000000",
        "base_min_size": f"{listing.lot:.{listing.lot_decimals}f}",
        "base_max_size": trimmed(listing.turnover / listing.price / 4.0, 0),
        "base_name": listing.base.capitalize(),
        "quote_name": quote if second else "US Dollar",
        "watched": False,
        "is_disabled": False,
        "new": False,
        "status": "online",
        "cancel_only": False,
        "limit_only": False,
        "post_only": False,
        "trading_disabled": False,
        "auction_mode": False,
        "product_type": "SPOT",
        "quote_currency_id": quote,
        "base_currency_id": listing.base,
        "fcm_trading_session_details": None,
        "mid_market_price": "",
        "alias": listing.symbol if second else "",
        "alias_to": [] if second else [other],
        "base_display_symbol": listing.base,
        "quote_display_symbol": "USD",
        "view_only": False,
        "price_increment": step,
        "display_name": other if second else listing.symbol,
        "product_venue": "CBE",
        "approximate_quote_24h_volume": f"{day.turnover:.2f}",
        "new_at": "2023-01-01T00:00:00Z",
        "market_cap": "",
        "base_cbrn": "",
        "quote_cbrn": "",
        "product_cbrn": "",
        "icon_color": "",
        "icon_url": "",
        "display_name_overwrite": "",
        "is_alpha_testing": False,
        "about_description": "",
        "best_bid_price": "",
        "best_ask_price": "",
        "high_24h": price_text(listing, day.high),
        "low_24h": price_text(listing, day.low),
    }
