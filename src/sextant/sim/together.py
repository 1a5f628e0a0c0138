"""All simulated venues on one port: one market, quoted by each in its own words and told apart by their paths."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Unpack

from sextant.kit.clock import Clock
from sextant.sim import binance, bybit, coinbase, coincap, coingecko, deribit, kraken, kucoin
from sextant.sim.hosting import Below, Hosted, hosted
from sextant.sim.scene import Scene


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
    options = deribit.made(clock, scene)
    venues: dict[str, Hosted] = {"/": bybit.made(clock, scene), **dict.fromkeys(deribit.PATHS, options)}
    venues["/binance/"] = Below("/binance", binance.made(clock, scene))
    venues["/kraken/"] = Below("/kraken", kraken.made(clock, scene))
    venues["/kucoin/"] = Below("/kucoin", kucoin.made(clock, scene))
    venues["/coinbase/"] = Below("/coinbase", coinbase.made(clock, scene))
    prices = coingecko.made(clock, scene)
    venues["/coingecko/"] = Below("/coingecko", prices)
    venues["/coingecko/pro/"] = Below("/coingecko", prices.pro)
    venues["/coincap/"] = Below("/coincap", coincap.made(clock, scene))
    async with hosted(venues, scene.get("port", 0)) as address:
        yield address
