"""How Bybit v5 spells prices, sizes, instruments and bars."""

from __future__ import annotations

from typing import Any, Final

from sextant.sim.books import Level
from sextant.sim.paths import Bars
from sextant.sim.tape import Forming, Print
from sextant.sim.universe import Listing

INTERVALS: Final = {
    "1": 1,
    "3": 3,
    "5": 5,
    "15": 15,
    "30": 30,
    "60": 60,
    "120": 120,
    "240": 240,
    "360": 360,
    "720": 720,
    "D": 1_440,
    "W": 10_080,
}
"""Minutes of each interval as the venue spells it; its calendar month is not simulated."""

WEEK_SHIFT_MINUTES: Final = 4 * 1_440
"""Weeks open on Monday; 1970-01-01 was a Thursday, so the first Monday is four days later."""

_TURNS: Final = {1: "PlusTick", -1: "MinusTick", 2: "ZeroPlusTick", -2: "ZeroMinusTick"}


def trimmed(value: float, decimals: int) -> str:
    """The number without trailing zeros, as ``65140`` for 65140.0.

    Examples
    --------
    >>> trimmed(65140.0, 1), trimmed(0.5, 3), trimmed(100.0, 0)
    ('65140', '0.5', '100')
    """
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def rate_text(rate: float) -> str:
    """A funding rate with at most eight decimals and no exponent.

    Examples
    --------
    >>> rate_text(0.0001), rate_text(0.00004617), rate_text(-0.0)
    ('0.0001', '0.00004617', '0')
    """
    text = trimmed(rate, 8)
    return "0" if text == "-0" else text


def all_trimmed(values: list[float], decimals: int) -> list[str]:
    """`trimmed` of each value; one formatting call for all of them, as histories are long.

    Examples
    --------
    >>> all_trimmed([65140.0, 1922.5], 2)
    ['65140', '1922.5']
    """
    texts = ((f"%.{decimals}f " * len(values)) % tuple(values)).split()
    return [text.rstrip("0").rstrip(".") for text in texts] if decimals else texts


def price_text(listing: Listing, ticks: int) -> str:
    """A price as books, trades and summaries print it: derivatives keep trailing zeros, spot drops them."""
    if listing.category == "spot":
        return trimmed(ticks * listing.tick, listing.tick_decimals)
    return f"{ticks * listing.tick:.{listing.shown_decimals}f}"


def size_text(listing: Listing, lots: int) -> str:
    """A size in base units, of inverse contracts in dollars; gone is ``0``."""
    if lots == 0:
        return "0"
    if listing.category == "spot":
        return trimmed(lots * listing.lot, listing.lot_decimals)
    return f"{lots * listing.lot:.{listing.lot_decimals}f}"


def levels_text(listing: Listing, levels: list[Level]) -> list[list[str]]:
    """Price and size of each level, in the order given."""
    return [[price_text(listing, ticks), size_text(listing, lots)] for ticks, lots in levels]


def step_text(value: float, decimals: int) -> str:
    """A price or size step with exactly its decimals."""
    return f"{value:.{decimals}f}"


def turnover_decimals(listing: Listing) -> int:
    """Digits of turnover: of inverse contracts it counts base coins."""
    return 8 if listing.category == "inverse" else 4


def bar_rows(listing: Listing, opens_ms: list[int], bars: Bars) -> list[list[str]]:
    """Rows of start, open, high, low, close, volume, turnover; newest first, as the venue orders them."""
    sides = (bars.open, bars.high, bars.low, bars.close)
    prices = [all_trimmed((side * listing.tick).tolist(), listing.tick_decimals) for side in sides]
    volumes = all_trimmed((bars.lots * listing.lot).tolist(), listing.lot_decimals)
    turnovers = all_trimmed(bars.turnover.tolist(), turnover_decimals(listing))
    starts = [str(open_ms) for open_ms in opens_ms]
    rows = [list(row) for row in zip(starts, *prices, volumes, turnovers, strict=True)]
    rows.reverse()
    return rows


def bar_row(listing: Listing, open_ms: int, bar: Forming) -> list[str]:
    """One row of the same shape for a bar that is still forming."""
    prices = [
        trimmed(ticks * listing.tick, listing.tick_decimals)
        for ticks in (bar.open, bar.high, bar.low, bar.close)
    ]
    return [
        str(open_ms),
        *prices,
        trimmed(bar.lots * listing.lot, listing.lot_decimals),
        trimmed(bar.turnover, turnover_decimals(listing)),
    ]


def bar_push(listing: Listing, interval: str, open_ms: int, bar: Forming) -> dict[str, Any]:
    """The element of ``data`` of a bar push, but for ``confirm`` and ``timestamp``, which come last."""
    start, open_, high, low, close, volume, turnover = bar_row(listing, open_ms, bar)
    return {
        "start": int(start),
        "end": open_ms + INTERVALS[interval] * 60_000 - 1,
        "interval": interval,
        "open": open_,
        "close": close,
        "high": high,
        "low": low,
        "volume": volume,
        "turnover": turnover,
    }


def trade_push(listing: Listing, trade: Print, seq: int) -> dict[str, Any]:
    """One element of ``data`` of a trade push; spot has no price direction."""
    found: dict[str, Any] = {
        "T": trade.time_ms,
        "s": listing.symbol,
        "S": "Buy" if trade.bought else "Sell",
        "v": size_text(listing, trade.lots),
        "p": price_text(listing, trade.ticks),
    }
    if listing.category != "spot":
        found["L"] = _TURNS[trade.turn]
    found |= {"i": trade.id, "BT": False, "RPI": False, "seq": seq}
    return found


def trade_row(listing: Listing, trade: Print, seq: int) -> dict[str, Any]:
    """One row of the answer about recent trades."""
    return {
        "execId": trade.id,
        "symbol": listing.symbol,
        "price": price_text(listing, trade.ticks),
        "size": size_text(listing, trade.lots),
        "side": "Buy" if trade.bought else "Sell",
        "time": str(trade.time_ms),
        "isBlockTrade": False,
        "isRPITrade": False,
        "seq": str(seq),
    }


def turn_text(trade: Print) -> str:
    """Direction of the last price, as the venue names it."""
    return _TURNS[trade.turn]


def instrument_row(listing: Listing) -> dict[str, Any]:
    """One row of the answer about instruments."""
    tick, lot = step_text(listing.tick, listing.shown_decimals), step_text(listing.lot, listing.lot_decimals)
    largest = listing.day_units / 20.0
    if listing.category == "spot":
        return {
            "symbolId": 5_000 + listing.position,
            "symbol": listing.symbol,
            "baseCoin": listing.base,
            "quoteCoin": "USDT",
            "innovation": "0",
            "status": "Trading",
            "marginTrading": "utaOnly",
            "stTag": "0",
            "lotSizeFilter": _spot_lots(listing, lot, largest),
            "priceFilter": {"tickSize": step_text(listing.tick, listing.tick_decimals)},
            "riskParameters": {"priceLimitRatioX": "0.005", "priceLimitRatioY": "0.01"},
            "symbolType": "",
            "xstockMultiplier": "1",
        }
    limit = step_text(largest, listing.lot_decimals)
    inverse = listing.category == "inverse"
    return {
        "symbol": listing.symbol,
        "contractType": "InversePerpetual" if inverse else "LinearPerpetual",
        "status": "Trading",
        "baseCoin": listing.base,
        "quoteCoin": "USD" if inverse else "USDT",
        "launchTime": str(listing.launch_day * 86_400_000),
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": str(listing.shown_decimals),
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "50.00", "leverageStep": "0.01"},
        "priceFilter": {
            "minPrice": tick,
            "maxPrice": step_text(listing.price * 30.0, listing.shown_decimals),
            "tickSize": tick,
        },
        "lotSizeFilter": {
            "maxOrderQty": limit,
            "minOrderQty": lot,
            "qtyStep": lot,
            "postOnlyMaxOrderQty": limit,
            "maxMktOrderQty": step_text(largest / 10.0, listing.lot_decimals),
            "minNotionalValue": "" if inverse else "5",
        },
        "unifiedMarginTrade": True,
        "fundingInterval": listing.funding_minutes,
        "settleCoin": listing.base if inverse else "USDT",
        "copyTrading": "none" if inverse else "both",
        "upperFundingRate": "0.005",
        "lowerFundingRate": "-0.005",
        "isPreListing": False,
        "preListingInfo": None,
        "riskParameters": {"priceLimitRatioX": "0.01", "priceLimitRatioY": "0.02"},
        "displayName": "",
        "symbolType": "",
        "forbidUplWithdrawal": False,
        "symbolId": 5 + listing.position,
    }


def _spot_lots(listing: Listing, lot: str, largest: float) -> dict[str, str]:
    limit = trimmed(largest, listing.lot_decimals)
    return {
        "basePrecision": lot,
        "quotePrecision": "0.0000001",
        "minOrderQty": lot,
        "maxOrderQty": limit,
        "minOrderAmt": "5",
        "maxOrderAmt": "8000000",
        "maxLimitOrderQty": limit,
        "maxMarketOrderQty": trimmed(largest / 2.0, listing.lot_decimals),
        "postOnlyMaxLimitOrderSize": trimmed(largest * 5.0, listing.lot_decimals),
    }
