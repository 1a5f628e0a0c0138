"""How Binance spells symbols, prices, sizes, bars, trades and its lists of instruments.

References
----------
binance/binance-spot-api-docs at a5e0bc3 (rest-api.md, web-socket-streams.md, filters.md) and developers.binance.com, USD-M
futures, market data endpoints and streams; read 2026-11-25.
"""

from __future__ import annotations

from typing import Any, Final

from sextant.sim.books import Level
from sextant.sim.market_model import FIRST_DAY, MarketModel
from sextant.sim.tape import Forming, Print, Tape
from sextant.sim.universe import Listing, Terms, relisted
from sextant.sim.wire import WEEK_SHIFT_MINUTES

SPOT_TERMS: Final = Terms(house=1, turnover=2.2, spread=0.7, away=1.5e-4, finer=1)
USDM_TERMS: Final = Terms(house=1, turnover=1.9, spread=0.8, away=1.5e-4)
TRADES_A_SLOT: Final = 3
SPOT_DECIMALS: Final = 8
SHOWN_DECIMALS: Final = 8  # marks, indices and sums
_RENAMED: Final = {"SHIB1000": "1000SHIB"}
_NOT_LISTED: Final = frozenset(("10000SATS",))  # the venue lists it by another thousand
_MINUTES_OF: Final = {"m": 1, "h": 60, "d": 1_440, "w": 10_080}
_INTERVALS: Final = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "1w")
_BOUGHT: Final = 0.001

INTERVALS: Final = {text: int(text[:-1]) * _MINUTES_OF[text[-1]] for text in _INTERVALS}
"""Minutes of each interval; its seconds, its three days and its calendar month are not simulated."""


def market_of(model: MarketModel) -> MarketModel:
    """The market as this venue lists it: the same perpetuals and spot pairs, in finer steps on spot."""
    found: list[Listing] = []
    for listing in model.listings:
        if listing.base in _NOT_LISTED:
            continue
        base = _RENAMED.get(listing.base, listing.base)
        terms = SPOT_TERMS if listing.category == "spot" else USDM_TERMS
        found.append(relisted(listing, terms, len(found), base, f"{base}USDT"))
    return model.listed_as(found)


def shift_of(minutes: int) -> int:
    """Minutes after 1970 from which bars of that length are counted: weeks open on Monday."""
    return WEEK_SHIFT_MINUTES if minutes == INTERVALS["1w"] else 0


def price_text(listing: Listing, ticks: float) -> str:
    """A price: spot prints eight decimals, futures those of the tick."""
    decimals = SPOT_DECIMALS if listing.category == "spot" else listing.tick_decimals
    return f"{ticks * listing.tick:.{decimals}f}"


def size_text(listing: Listing, lots: float) -> str:
    """A size in base units: spot prints eight decimals, futures those of the lot."""
    decimals = SPOT_DECIMALS if listing.category == "spot" else listing.lot_decimals
    return f"{lots * listing.lot:.{decimals}f}"


def sum_text(listing: Listing, quote: float) -> str:
    """An amount of quote units."""
    return f"{quote:.{SPOT_DECIMALS if listing.category == 'spot' else 5}f}"


def levels_text(listing: Listing, levels: list[Level]) -> list[list[str]]:
    """Price and size of each level, in the order given."""
    return [[price_text(listing, ticks), size_text(listing, lots)] for ticks, lots in levels]


def bought_lots(listing: Listing, bar: Forming) -> int:
    """What takers bought of a bar: about half, more where the price rose.

    Notes
    -----
    The lean follows the log price, so it adds up over bars that follow each other; within a lot the halves do too.
    """
    moved = (bar.close - bar.open) / bar.open
    a_day = listing.turnover / listing.price / listing.lot
    lean = _BOUGHT * a_day * moved / listing.volatility
    return min(bar.lots, max(0, bar.lots // 2 + round(lean)))


def bar_row(tape: Tape, open_ms: int, minutes: int, bar: Forming, played: int) -> list[Any]:
    """One row of the answer about bars; ``played`` slots of it have traded."""
    listing = tape.listing
    bought = bought_lots(listing, bar)
    share = bought / bar.lots if bar.lots else 0.0
    return [
        open_ms,
        price_text(listing, bar.open),
        price_text(listing, bar.high),
        price_text(listing, bar.low),
        price_text(listing, bar.close),
        size_text(listing, bar.lots),
        open_ms + minutes * 60_000 - 1,
        sum_text(listing, bar.turnover),
        played * TRADES_A_SLOT,
        size_text(listing, bought),
        sum_text(listing, bar.turnover * share),
        "0",
    ]


def first_trade(tape: Tape, slot: int) -> int:
    """Number of the first trade of a slot: every slot has as many."""
    return (slot - FIRST_DAY * 1_440 * tape.parts) * TRADES_A_SLOT + 1


def slot_of(tape: Tape, number: int) -> int:
    """The slot in which the trade of that number happened."""
    return (number - 1) // TRADES_A_SLOT + FIRST_DAY * 1_440 * tape.parts


def trades_of(tape: Tape, slot: int) -> list[tuple[int, Print]]:
    """The trades of a slot with their numbers, which leave none out; large ones are filled in parts until there are enough."""
    found = tape.trades(slot)
    while len(found) < TRADES_A_SLOT:
        row = max(range(len(found)), key=lambda place: found[place].lots)
        large = found[row]
        half = large.lots // 2
        found[row : row + 1] = [
            Print(large.time_ms, large.bought, large.ticks, lots, large.turn, large.id)
            for lots in (large.lots - half, half)
        ]
    return list(enumerate(found, first_trade(tape, slot)))


def rate_limits(*, spot: bool) -> list[dict[str, Any]]:
    """What an address and an account may do, as both lists of instruments state it."""

    def limit(kind: str, interval: str, number: int, most: int) -> dict[str, Any]:
        return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": most}

    if spot:
        return [
            limit("REQUEST_WEIGHT", "MINUTE", 1, 6_000),
            limit("ORDERS", "SECOND", 10, 100),
            limit("ORDERS", "DAY", 1, 200_000),
            limit("RAW_REQUESTS", "MINUTE", 5, 61_000),
        ]
    return [
        limit("REQUEST_WEIGHT", "MINUTE", 1, 2_400),
        limit("ORDERS", "MINUTE", 1, 1_200),
        limit("ORDERS", "SECOND", 10, 300),
    ]


def _spot_filters(listing: Listing) -> list[dict[str, Any]]:
    step, lot = f"{listing.tick:.8f}", f"{listing.lot:.8f}"
    largest = listing.turnover / listing.price / 20.0
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": step,
            "maxPrice": f"{listing.price * 30.0:.8f}",
            "tickSize": step,
        },
        {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": f"{largest:.8f}", "stepSize": lot},
        {"filterType": "ICEBERG_PARTS", "limit": 10},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": "0.00000000",
            "maxQty": f"{largest / 10:.8f}",
            "stepSize": "0.00000000",
        },
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": 10,
            "maxTrailingAboveDelta": 2_000,
            "minTrailingBelowDelta": 10,
            "maxTrailingBelowDelta": 2_000,
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": "5",
            "bidMultiplierDown": "0.2",
            "askMultiplierUp": "5",
            "askMultiplierDown": "0.2",
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": "5.00000000",
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
    ]


def spot_row(listing: Listing, *, sets: bool) -> dict[str, Any]:
    """One pair of the list of spot; its sets of permissions where they are asked for."""
    return {
        "symbol": listing.symbol,
        "status": "TRADING",
        "baseAsset": listing.base,
        "baseAssetPrecision": 8,
        "quoteAsset": "USDT",
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": [
            "LIMIT",
            "LIMIT_MAKER",
            "MARKET",
            "STOP_LOSS",
            "STOP_LOSS_LIMIT",
            "TAKE_PROFIT",
            "TAKE_PROFIT_LIMIT",
        ],
        **dict.fromkeys(_ALLOWED, True),
        "filters": _spot_filters(listing),
        "permissions": [],
        "permissionSets": [["SPOT", "MARGIN"]] if sets else [],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT"],
    }


_ALLOWED: Final = (
    "icebergAllowed",
    "ocoAllowed",
    "otoAllowed",
    "quoteOrderQtyMarketAllowed",
    "allowTrailingStop",
    "cancelReplaceAllowed",
    "amendAllowed",
    "isSpotTradingAllowed",
    "isMarginTradingAllowed",
)


def _usdm_filters(listing: Listing) -> list[dict[str, Any]]:
    step, lot = f"{listing.tick:.{listing.tick_decimals}f}", f"{listing.lot:.{listing.lot_decimals}f}"
    largest = listing.turnover / listing.price / 20.0
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": step,
            "maxPrice": price_text(listing, round(listing.price * 30.0 / listing.tick)),
            "tickSize": step,
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": lot,
            "maxQty": size_text(listing, largest / listing.lot),
            "stepSize": lot,
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": lot,
            "maxQty": size_text(listing, largest / 8 / listing.lot),
            "stepSize": lot,
        },
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
        {"filterType": "MIN_NOTIONAL", "notional": "5"},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": "1.0500",
            "multiplierDown": "0.9500",
            "multiplierDecimal": "4",
        },
        {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
    ]


def usdm_row(listing: Listing) -> dict[str, Any]:
    """One contract of the list of USD-M futures."""
    return {
        "symbol": listing.symbol,
        "pair": listing.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": 4_133_404_800_000,
        "onboardDate": listing.launch_day * 86_400_000,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": listing.base,
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "pricePrecision": listing.tick_decimals,
        "quantityPrecision": listing.lot_decimals,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"] if listing.base == "BTC" else [],
        "permissionSets": ["GRID", "COPY"],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10_000,
        "filters": _usdm_filters(listing),
        "orderTypes": [
            "LIMIT",
            "MARKET",
            "STOP",
            "STOP_MARKET",
            "TAKE_PROFIT",
            "TAKE_PROFIT_MARKET",
            "TRAILING_STOP_MARKET",
        ],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    }
