"""All simulated venues on one port: one market, quoted by each in its own words and told apart by their paths."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Unpack

from sextant.errors import InputError
from sextant.kit.clock import Clock
from sextant.sim import binance, bybit, coinbase, coincap, coingecko, deribit, kraken, kucoin
from sextant.sim.binance import BinanceSimulation
from sextant.sim.bybit import Simulation
from sextant.sim.coinbase import CoinbaseSimulation
from sextant.sim.coincap import CoinCapSimulation
from sextant.sim.coingecko import CoinGeckoSimulation
from sextant.sim.deribit import DeribitSimulation
from sextant.sim.hosting import Below, Hosted, hosted
from sextant.sim.kraken import KrakenSimulation
from sextant.sim.kucoin import KucoinSimulation
from sextant.sim.scene import Scene

Scripts = Mapping[str, Iterable[Mapping[str, Any]]]
"""What goes wrong, by the name of the venue."""

NAMES: Final = ("bybit", "binance", "kraken", "kucoin", "coinbase", "deribit", "coingecko", "coincap")


@dataclass(frozen=True)
class Venues:
    """Every simulated venue, and the one address at which all of them answer."""

    bybit: Simulation
    binance: BinanceSimulation
    kraken: KrakenSimulation
    kucoin: KucoinSimulation
    coinbase: CoinbaseSimulation
    deribit: DeribitSimulation
    coingecko: CoinGeckoSimulation
    coincap: CoinCapSimulation
    address: str = ""

    def pump(self) -> None:
        """Push everything that has become due at any of them."""
        for venue in (self.bybit, self.binance, self.kraken, self.kucoin, self.coinbase, self.deribit):
            venue.pump()

    def places(self) -> dict[str, Hosted]:
        """The venues by the beginning of their paths."""
        found: dict[str, Hosted] = {"/": self.bybit, **dict.fromkeys(deribit.PATHS, self.deribit)}
        for name in ("binance", "kraken", "kucoin", "coinbase", "coincap", "coingecko"):
            found[f"/{name}/"] = Below(f"/{name}", getattr(self, name))
        found["/coingecko/pro/"] = Below("/coingecko", self.coingecko.pro)
        return found


@contextlib.asynccontextmanager
async def standing(
    clock: Clock, scripts: Scripts | None = None, **scene: Unpack[Scene]
) -> AsyncIterator[Venues]:
    """Every simulated venue at one address until the context ends.

    Parameters
    ----------
    clock
        Whose time the market follows.
    scripts
        What goes wrong at each; one that is not named plays the faults of the scene.
    **scene
        As of one venue.

    Raises
    ------
    InputError
        If a parameter or the clock is out of range, or a script is malformed or of no venue.
    """
    own = dict(scripts or {})
    unknown = [name for name in own if name not in NAMES]
    if unknown:
        raise InputError(f"No such simulated venue: {', '.join(unknown)}. There are {', '.join(NAMES)}.")

    def of(name: str) -> Scene:
        return {**scene, "faults": own.get(name, scene.get("faults", ()))}

    venues = Venues(
        bybit.made(clock, of("bybit")),
        binance.made(clock, of("binance")),
        kraken.made(clock, of("kraken")),
        kucoin.made(clock, of("kucoin")),
        coinbase.made(clock, of("coinbase")),
        deribit.made(clock, of("deribit")),
        coingecko.made(clock, of("coingecko")),
        coincap.made(clock, of("coincap")),
    )
    async with hosted(venues.places(), scene.get("port", 0)) as address:
        yield replace(venues, address=address)


@contextlib.asynccontextmanager
async def start(clock: Clock, **scene: Unpack[Scene]) -> AsyncIterator[str]:
    """The address at which every simulated venue answers until the context ends.

    Parameters
    ----------
    clock
        Whose time the market follows.
    **scene
        As of one venue; its faults hit whichever venue has the path or topic they name.

    Raises
    ------
    InputError
        If a parameter or the clock is out of range, or the script is malformed.
    """
    async with standing(clock, **scene) as venues:
        yield venues.address
