"""Cycles: three spot instruments of one venue over which an asset is traded back into itself.

A hop buys the base of its instrument with the quote, or sells the base for the quote. What a venue takes of a trade it
takes of what is received, so that each hop has less to go on with than prices alone would give.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Final

import numpy as np

from sextant.model.bar import Floats, Integers
from sextant.model.instrument import InstrumentSpec, is_dollar
from sextant.model.view import View
from sextant.strategies.dispositions import Named
from sextant.strategies.prices import Touch

HOPS: Final = 3
_NOISE: Final = 1e-12  # what floating point may lose of a whole lot


@dataclass(frozen=True, eq=False)
class CycleSet:
    """C directed cycles in the order of their names.

    Parameters
    ----------
    subjects
        Their names, as ``bybit USDT > BTC > ETH``, and their instruments.
    starts
        The asset that each begins and ends with.
    legs, sides
        int64 (C, 3): columns of the instruments in the view, in the order of the hops; +1 buys the base, -1 sells it.
    """

    subjects: tuple[Named, ...]
    starts: tuple[str, ...]
    legs: Integers
    sides: Integers

    def product(self, bid: Floats, ask: Floats) -> Floats:
        """Units that one unit of the start becomes at prices (S,), before any fee, (C,); NaN where a price is unknown."""
        rates = np.where(self.sides > 0, 1.0 / ask[self.legs], bid[self.legs])
        out: Floats = rates.prod(axis=1)
        return out


def cycles_of(specs: Sequence[InstrumentSpec]) -> CycleSet:
    """All cycles of three spot instruments of one venue, each in both directions.

    Notes
    -----
    A cycle begins with a dollar where it has one: that is what most accounts hold. Else with the asset in which most of
    its prices are stated; ties go by name.
    """
    traded: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for column, spec in enumerate(specs):
        one = spec.instrument
        if one.kind == "spot":
            traded[one.venue][one.base][one.quote] = column
            traded[one.venue][one.quote][one.base] = column
    found = [
        _directed(venue, edges, specs, order)
        for venue, edges in traded.items()
        for order in _triangles(edges)
    ]
    both = sorted((item for pair in found for item in pair), key=lambda item: str(item[0]))
    legs = np.array([item[2] for item in both], dtype=np.int64).reshape(-1, HOPS)
    sides = np.array([item[3] for item in both], dtype=np.int64).reshape(-1, HOPS)
    return CycleSet(tuple(item[0] for item in both), tuple(item[1] for item in both), legs, sides)


def _triangles(edges: Mapping[str, Mapping[str, int]]) -> list[tuple[str, str, str]]:
    """Assets of which each is traded against each, once for every three, in the order of their names."""
    return [
        (first, second, third)
        for first in sorted(edges)
        for second in sorted(edges[first])
        if first < second
        for third in sorted(edges[first].keys() & edges[second].keys())
        if second < third
    ]


_Directed = tuple[Named, str, list[int], list[int]]


def _directed(
    venue: str,
    edges: Mapping[str, Mapping[str, int]],
    specs: Sequence[InstrumentSpec],
    assets: tuple[str, str, str],
) -> tuple[_Directed, _Directed]:
    """Both directions of a triangle, from its start."""
    pairs = ((assets[0], assets[1]), (assets[1], assets[2]), (assets[2], assets[0]))
    quoted = Counter(specs[edges[one][other]].instrument.quote for one, other in pairs)
    start = min(assets, key=lambda asset: (not is_dollar(asset), -quoted[asset], asset))
    first, second = (asset for asset in assets if asset != start)

    def along(path: tuple[str, str, str]) -> _Directed:
        hops = list(zip(path, (*path[1:], path[0]), strict=True))
        legs = [edges[given][taken] for given, taken in hops]
        sides = [
            1 if specs[leg].instrument.quote == given else -1
            for leg, (given, _) in zip(legs, hops, strict=True)
        ]
        name = Named(f"{venue} {' > '.join(path)}", tuple(specs[leg].instrument for leg in legs))
        return name, start, legs, sides

    return along((start, first, second)), along((start, second, first))


@dataclass(frozen=True, eq=False)
class Hop:
    """One instrument of a cycle and what one side of its book fills.

    Parameters
    ----------
    spec, side
        What is traded; +1 buys the base, -1 sells it.
    fee_frac
        Taker fee as a fraction of what is received.
    base, quote
        float64 (L + 1,): units from the touch outwards to each level, summed, beginning with 0.
    price
        float64 (L,): of each level.
    """

    spec: InstrumentSpec
    side: int
    fee_frac: float
    base: Floats
    quote: Floats
    price: Floats

    def received(self, given: Floats) -> Floats:
        """What amounts (n,) become, after the fee; NaN beyond what the levels hold."""
        have, get = (self.quote, self.base) if self.side > 0 else (self.base, self.quote)
        return np.interp(given, have, get, right=np.nan) * (1.0 - self.fee_frac)


def hop_of(view: View, touch: Touch, place: tuple[int, int], fee_frac: float, greatest_age_ns: float) -> Hop:
    """The hop over an instrument: the touch, and behind it what the book shows beyond that price.

    Parameters
    ----------
    place
        Column and side.
    greatest_age_ns
        A book that is older is not read.
    """
    (column, side), books = place, view.books
    price, size = (touch.ask, touch.ask_size) if side > 0 else (touch.bid, touch.bid_size)
    prices, sizes = price[column : column + 1], size[column : column + 1]
    if books.valid[column] and view.as_of_ns - int(books.event_ns[column]) <= greatest_age_ns:
        levels, shown = (books.ask_price, books.ask_size) if side > 0 else (books.bid_price, books.bid_size)
        behind = side * (levels[column] - prices[0]) > 0
        prices = np.concatenate((prices, levels[column][behind]))
        sizes = np.concatenate((sizes, shown[column][behind]))
    held = np.isfinite(prices) & (sizes > 0)
    prices, sizes = prices[held], sizes[held]
    base = np.concatenate(([0.0], np.cumsum(sizes)))
    quote = np.concatenate(([0.0], np.cumsum(sizes * prices)))
    return Hop(view.instruments[column], side, fee_frac, base, quote, prices)


def returned(hops: Sequence[Hop], given: Floats) -> Floats:
    """What amounts (n,) of the start become of it after all hops and fees, lots aside; NaN where a book is too shallow."""
    out = given
    for hop in hops:
        out = hop.received(out)
    return out


@dataclass(frozen=True)
class Filled:
    """The orders of a cycle at one size.

    Parameters
    ----------
    quantities
        Base units of each order, multiples of its lot.
    prices
        Price of the worst level that each reaches, quote units.
    spent, got
        Units of the start that leave and come back.
    dust_frac
        What lots leave over on the way, as a share of what was there.
    """

    quantities: tuple[Decimal, ...]
    prices: tuple[float, ...]
    spent: float
    got: float
    dust_frac: float

    @property
    def edge_frac(self) -> float:
        """What remains of what was spent; what lots leave over counts as lost."""
        return self.got / self.spent - 1.0


def fill(hops: Sequence[Hop], amount: float) -> Filled | None:
    """The orders that an amount of the start leads to, each sized by what the one before it brings; None where one is nothing.

    Notes
    -----
    What the lot of the first order leaves over is not spent; what those of the others leave over is dust.
    """
    quantities, prices, dust, spent, have = [], [], 0.0, 0.0, amount
    for place, hop in enumerate(hops):
        units = (
            float(np.interp(have, hop.quote, hop.base)) if hop.side > 0 else min(have, float(hop.base[-1]))
        )
        lots = (Decimal(units * (1.0 + _NOISE)) / hop.spec.lot).to_integral_value(ROUND_FLOOR) * hop.spec.lot
        if lots <= 0:
            return None
        base = min(float(lots), float(hop.base[-1]))
        quote = float(np.interp(base, hop.base, hop.quote))
        given, taken = (quote, base) if hop.side > 0 else (base, quote)
        if place == 0:
            spent = given
        else:
            dust += max(0.0, 1.0 - given / have)
        level = min(int(np.searchsorted(hop.base, base * (1.0 - _NOISE))), len(hop.price)) - 1
        quantities.append(lots)
        prices.append(float(hop.price[max(level, 0)]))
        have = taken * (1.0 - hop.fee_frac)
    return Filled(tuple(quantities), tuple(prices), spent, have, dust)


def greatest(hops: Sequence[Hop]) -> float:
    """The largest amount of the start that all books can fill, units of it."""
    limit = math.inf
    for hop in reversed(hops):
        # Backwards: what may come out of a hop bounds what may go in.
        have, get = (hop.quote, hop.base) if hop.side > 0 else (hop.base, hop.quote)
        wanted = limit / (1.0 - hop.fee_frac)
        limit = float(have[-1]) if wanted >= get[-1] else float(np.interp(wanted, get, have))
    return limit
