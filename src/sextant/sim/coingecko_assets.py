"""The assets that simulated price sources list, and what one market of all venues says of their prices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sextant.sim.market_model import DAY_MINUTES, MarketModel
from sextant.sim.noise import Dice, mix
from sextant.sim.universe import Listing

_DOLLARS: Final = {"USDT": "Tether", "USDC": "USDC"}
_PEG: Final = 60
_LOOKALIKES: Final = 3
"""So many of the largest assets have a worthless one beside them that carries their symbol."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One asset.

    Parameters
    ----------
    symbol, name
        Its short name, which others may carry too, and its long one.
    rank
        By market value, from 1.
    supply
        Units in circulation.
    listing
        The instrument whose price it has; None for what is pegged to the dollar or worth nothing.
    scale
        Factor on one dollar where there is no instrument.
    """

    symbol: str
    name: str
    rank: int
    supply: float
    listing: Listing | None
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Quote:
    """What is said of one asset, in dollars: price, extremes and volume of 24 hours, and the price a day ago."""

    price: float
    high: float
    low: float
    volume: float
    day_ago: float


def assets(model: MarketModel) -> list[Asset]:
    """All assets in order of rank: two dollars, every base of the market, then those that only look like the largest."""
    bases: dict[str, Listing] = {}
    for listing in model.listings:
        if listing.category == "spot" or listing.base not in bases:
            bases[listing.base] = listing
    ordered = sorted(bases.values(), key=lambda listing: listing.lane)
    found = [Asset(symbol, name, 0, 1.2e11, None) for symbol, name in _DOLLARS.items()]
    for listing in ordered:
        dice = Dice(mix(model.seed * 77 + listing.lane))
        supply = listing.turnover * (20.0 + 60.0 * dice.unit()) / listing.price
        found.append(Asset(listing.base, listing.base.capitalize(), 0, supply, listing))
    for listing in ordered[:_LOOKALIKES]:
        name = f"{listing.base.capitalize()} Two"
        found.append(Asset(listing.base, name, 0, 1e9, None, 1.7e-7 * (1 + listing.lane)))
    return [
        Asset(each.symbol, each.name, rank, each.supply, each.listing, each.scale)
        for rank, each in enumerate(found, 1)
    ]


def quote(model: MarketModel, asset: Asset, minute: int) -> Quote:
    """What is said of an asset after the whole minutes before ``minute``, counted from 1970."""
    listing = asset.listing
    if listing is None:
        now, ago = (
            asset.scale * (1.0 + 2e-4 * float(model.noise.wave(_PEG, asset.rank, when / DAY_MINUTES)[0]))
            for when in (minute, minute - DAY_MINUTES)
        )
        return Quote(now, max(now, ago), min(now, ago), asset.scale * asset.supply * 0.4, ago)
    bars = model.minute_span(listing, minute - DAY_MINUTES, minute)
    tick = listing.tick
    return Quote(
        float(bars.close[-1]) * tick,
        float(bars.high.max()) * tick,
        float(bars.low.min()) * tick,
        float(bars.turnover.sum()),
        float(bars.open[0]) * tick,
    )
