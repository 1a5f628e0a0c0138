"""Which instruments the simulated venue lists, and the character of each."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Final, Literal

from sextant.errors import InputError
from sextant.sim.noise import Dice, mix

Category = Literal["linear", "inverse", "spot"]
Character = Literal["ordinary", "trending", "reverting", "follower"]

_NAMES: Final = (
    "BTC ETH SOL XRP BNB DOGE ADA LINK AVAX SUI TRX DOT LTC BCH NEAR UNI APT TON HBAR XLM ARB OP AAVE FIL ETC ICP ATOM "
    "INJ TIA SEI RENDER FET WLD ENA ONDO JUP PYTH STX IMX GRT LDO MKR CRV RUNE ALGO VET SAND MANA AXS GALA EGLD FLOW "
    "THETA XTZ EOS NEO KAVA SNX COMP ZRX DYDX GMX BLUR PENDLE STRK ZK ZRO W EIGEN ETHFI JTO WIF 1000BONK 1000PEPE 1000FLOKI SHIB1000 "
    "ORDI 10000SATS MEME NOT DOGS CATI HMSTR TAO AR KAS MINA ROSE CFX CKB ZIL ONE HOT ENJ CHZ BAT ANKR SKL STORJ OCEAN "
    "BAND API3 TRB UMA YFI SUSHI CAKE 1INCH BAL LRC COTI IOTA IOST ICX ONT QTUM ZEC DASH XMR WAVES KSM CELO GLMR "
    "MOVR ASTR ACH HIGH MAGIC GMT APE RDNT JOE PERP SSV RPL FXS LQTY AGLD ALICE TLM SFP DENT CTSI MTL RVN SC DGB "
    "HOOK ID EDU CYBER ARKM MAV ALT MANTA DYM AEVO PORTAL SAGA OMNI REZ BB LISTA IO MOVE ME VIRTUAL AIXBT PENGU "
    "USUAL GOAT PNUT ACT MOODENG POPCAT BRETT TURBO MEW NEIRO LUNC PEOPLE JASMY MASK KNC RSR STG LEVER BEL C98 DUSK "
    "CORE GAS SUN JST WIN BSV HNT AUDIO XEM ORCA"
)
_NAMED: Final = tuple(_NAMES.split())
_KNOWN: Final = (*_NAMED, *(f"SIM{lane}" for lane in range(len(_NAMED), 1_000)))
"""The names of real assets, and made ones after them, all of which are small."""

_PRICES: Final = {
    "BTC": 65_000.0,
    "ETH": 1_920.0,
    "SOL": 76.0,
    "XRP": 0.62,
    "BNB": 590.0,
    "DOGE": 0.11,
    "ADA": 0.42,
    "LTC": 68.0,
    "BCH": 340.0,
    "TAO": 290.0,
    "XMR": 160.0,
    "YFI": 5_200.0,
    "1000PEPE": 0.0098,
    "SHIB1000": 0.0171,
    "1000BONK": 0.0214,
    "1000FLOKI": 0.131,
    "10000SATS": 0.0024,
}
FOLLOWS: Final = {"OP": "ARB"}
"""Bases whose log price stays near that of another: the cointegrated pair."""

_LARGEST_TURNOVER: Final = 5.0e9
_SMALLEST_TURNOVER: Final = 5.0e5
_LOTS_A_DAY: Final = 2.0e7
INVERSE_SHARE: Final = 0.1  # of the linear turnover; as a rule a tenth or less
_HOUSE: Final = 10_000  # lanes that each venue has to itself; more than any lists
_FINEST_A_DAY: Final = 2.0e11


@dataclass(frozen=True, slots=True)
class Listing:
    """One instrument as the simulated venue lists it.

    Parameters
    ----------
    position, lane
        Column among all listings; number of the base, by which its noise is addressed.
    category, base, symbol
        Product; base asset; the venue's spelling.
    price
        Price near which the path stays, in quote units.
    tick, tick_decimals, shown_decimals
        Price step; decimals it needs; decimals the venue prints (derivatives print more).
    lot, lot_decimals
        Size step in base units and its decimals; of an inverse contract in dollars, as all its sizes are.
    turnover
        Typical quote units a day.
    volatility
        Typical standard deviation of a day's log return.
    spread_ticks
        Typical distance of the best ask from the best bid.
    character
        How its days follow each other.
    funding_minutes
        Minutes between funding settlements; 0 for spot.
    launch_day
        First day of trading, in days since 1970.
    house
        Number of the venue, by which what is its alone is drawn; 0 is Bybit.
    away
        How far its price strays from that of venue 0: standard deviation of the log distance.
    """

    position: int
    lane: int
    category: Category
    base: str
    symbol: str
    price: float
    tick: float
    tick_decimals: int
    shown_decimals: int
    lot: float
    lot_decimals: int
    turnover: float
    volatility: float
    spread_ticks: int
    character: Character
    funding_minutes: int
    launch_day: int
    house: int = 0
    away: float = 0.0

    @property
    def day_units(self) -> float:
        """What typically trades in a day in the units of ``lot``."""
        return self.turnover if self.category == "inverse" else self.turnover / self.price

    @property
    def own_lane(self) -> int:
        """Lane of what no other instrument and no other venue shares: trades and the order book."""
        return self.position + _HOUSE * self.house

    @property
    def base_lane(self) -> int:
        """Lane of what all instruments of the base share at this venue alone."""
        return self.lane + _HOUSE * self.house

    def coarser(self) -> Listing:
        """The same listing with a price step ten times as large."""
        return dataclasses.replace(
            self,
            tick=self.tick * 10.0,
            tick_decimals=max(0, self.tick_decimals - 1),
            shown_decimals=max(0, self.shown_decimals - 1),
            spread_ticks=max(1, round(self.spread_ticks / 10)),
        )


@dataclass(frozen=True, slots=True)
class Terms:
    """How another venue lists what venue 0 lists.

    Parameters
    ----------
    house
        Its number, above 0; each venue has its own.
    turnover, spread
        Factors on what trades there and on the distance of ask from bid.
    away
        How far its prices stray: standard deviation of the log distance.
    finer
        Decimals by which its price step is finer.
    """

    house: int
    turnover: float
    spread: float
    away: float
    finer: int = 0


def relisted(listing: Listing, terms: Terms, position: int, base: str, symbol: str) -> Listing:
    """The instrument as another venue lists it, under its own spelling and at ``position`` among its listings."""
    turnover = listing.turnover * terms.turnover
    step = 10**terms.finer
    return dataclasses.replace(
        listing,
        position=position,
        base=base,
        symbol=symbol,
        tick=listing.tick / step,
        tick_decimals=listing.tick_decimals + terms.finer,
        shown_decimals=listing.tick_decimals + terms.finer,
        lot_decimals=_lot_decimals(turnover / listing.price),
        lot=1.0 / 10 ** _lot_decimals(turnover / listing.price),
        turnover=turnover,
        spread_ticks=max(1, round(listing.spread_ticks * terms.spread * step)),
        house=terms.house,
        away=terms.away,
    )


def inverse(listing: Listing, position: int) -> Listing:
    """The inverse perpetual beside a linear one: sizes are dollars, margin and profit are in the base asset."""
    return dataclasses.replace(
        listing,
        position=position,
        category="inverse",
        symbol=f"{listing.base}USD",
        lot=1.0,
        lot_decimals=0,
        turnover=listing.turnover * INVERSE_SHARE,
    )


def finest(listing: Listing, decimals: int) -> Listing:
    """The same listing with sizes in that many decimals, as far as a day's volume stays a number of exact steps."""
    fewer = min(decimals, max(0, math.ceil(math.log10(_FINEST_A_DAY / (listing.turnover / listing.price)))))
    return dataclasses.replace(listing, lot_decimals=fewer, lot=1.0 / 10**fewer)


def _lot_decimals(day_units: float) -> int:
    return max(0, math.ceil(math.log10(_LOTS_A_DAY / day_units)))


def names() -> tuple[str, ...]:
    """All base assets the simulator knows, largest turnover first."""
    return _KNOWN


def listings(seed: int, instruments: int) -> tuple[Listing, ...]:
    """The listed instruments: five in six linear USDT perpetuals, the rest spot of the largest bases.

    Parameters
    ----------
    seed
        Seed of the market.
    instruments
        How many, 2..1200.

    Raises
    ------
    InputError
        If the number is out of range.
    """
    known = names()
    greatest = len(known) * 6 // 5
    if not 2 <= instruments <= greatest:
        raise InputError(f"{instruments} instruments asked for; the simulator lists 2..{greatest}.")
    spot = max(1, instruments // 6)
    bases = [("linear", lane) for lane in range(instruments - spot)] + [
        ("spot", lane) for lane in range(spot)
    ]
    found = []
    for position, (category, lane) in enumerate(bases):
        found.append(_listing(seed, position, lane, "spot" if category == "spot" else "linear"))
    return tuple(found)


def _character(lane: int, base: str) -> Character:
    if base in FOLLOWS:
        return "follower"
    if lane % 7 == 3:
        return "trending"
    return "reverting" if lane % 7 == 5 else "ordinary"


def _listing(seed: int, position: int, lane: int, category: Category) -> Listing:
    known = names()
    base = known[lane]
    dice = Dice(mix(seed * 1_000_003 + lane))
    drawn = 10.0 ** (3.6 * dice.unit() - 2.2)
    price = _PRICES.get(base, drawn)
    share = min(1.0, lane / (len(_NAMED) - 1))
    turnover = _LARGEST_TURNOVER * (_SMALLEST_TURNOVER / _LARGEST_TURNOVER) ** share
    turnover = min(_LARGEST_TURNOVER, max(_SMALLEST_TURNOVER, turnover * math.exp(0.8 * (dice.unit() - 0.5))))
    volatility = 0.022 + 0.03 * share + 0.018 * dice.unit()
    coarse = 5 if dice.unit() < 0.12 and lane > 5 else 1
    decimals = 4 - math.floor(math.log10(price)) + (1 if lane < 2 else 0)
    decimals = max(0, decimals)
    tick = coarse / 10**decimals
    day_units = turnover / price
    if category == "spot":
        turnover, day_units = turnover / 6.0, day_units / 6.0
    lot_decimals = _lot_decimals(day_units)
    spread = (0.02 + 14.0 * share**2) * price / 10_000.0
    hours = (8, 8, 8, 4, 8, 4, 1)[dice.below(7)] if lane > 1 else 8
    age = 0 if lane < 60 else dice.below(1_500) if dice.unit() < 0.35 else 0
    return Listing(
        position=position,
        lane=lane,
        category=category,
        base=base,
        symbol=f"{base}USDT",
        price=price,
        tick=tick,
        tick_decimals=decimals,
        shown_decimals=decimals + (1 if lane == 0 else 0),
        lot=1.0 / 10**lot_decimals,
        lot_decimals=lot_decimals,
        turnover=turnover,
        volatility=volatility,
        spread_ticks=max(1, round(spread / tick)),
        character=_character(lane, base),
        funding_minutes=0 if category == "spot" else hours * 60,
        launch_day=19_200 + age,
    )
