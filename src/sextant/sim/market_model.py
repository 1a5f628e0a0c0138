"""A seeded market of many instruments: any past or present bar is a pure function of (seed, time)."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final, Self

import numpy as np

from sextant.errors import InputError
from sextant.sim.noise import Floats, Integers, Noise
from sextant.sim.paths import MARKET_LANE, Bars, Cut, Nodes, Voice, fold, join, refine, whole
from sextant.sim.universe import FOLLOWS, Category, Listing, listings, names

FIRST_DAY: Final = 18_993
"""2022-01-01, the first day that the market knows."""
LAST_DAY: Final = 22_645
"""2032-01-01; later moments are refused."""
DAY_MINUTES: Final = 1_440
FEWEST_LOTS: Final = 720
"""Lots of a minute at least, so that up to 240 parts of it can each show three trades."""

_BLOCK_DAYS: Final = 64
_KEPT_DAYS: Final = 1_024
_DAILY: Final = 1
_JUMP: Final = 2
_REGIME: Final = 3
_TREND: Final = 4
_BASIS: Final = 5
_VOLUME: Final = 6
_WICKS: Final = 7
_FUNDING: Final = 20
_INTEREST: Final = 21
_CROWD: Final = 22
_AWAY: Final = 23
_HOUSES: Final = 20_000  # beyond every stream that all venues share

_CUTS: Final = {
    240: Cut(1, 6, 6, FEWEST_LOTS * 240),
    30: Cut(2, 8, 48, FEWEST_LOTS * 30),
    5: Cut(3, 6, 288, FEWEST_LOTS * 5, balanced=True),
    1: Cut(4, 5, 1_440, FEWEST_LOTS, balanced=True),
}
"""Levels below the day by their length in minutes, largest first."""
_APART: Final[Mapping[Category, int]] = {"linear": 0, "spot": 300, "inverse": 600}
"""Streams of volume, so that products of one base trade apart."""


class MarketModel:
    """The market behind a simulated venue.

    Parameters
    ----------
    seed
        Worlds of different seeds share nothing; one seed is one world.
    instruments
        Number of listings, 2..1200.
    together
        How much more of each return the whole market explains, in [0, 1): a share of what is the instrument's own.

    Notes
    -----
    Coarse to fine. A day's open, high, low, close and volume follow from a daily path: a market-wide factor with regimes of
    volatility, own returns, jumps, and by character a drift that changes sign every few weeks, a quick return to its level, or a
    stationary distance from another base. Each day is cut into 4 h, each of these into 30 min, 5 min and 1 min bars, and a minute
    into slots that live trading plays; every cut folds back exactly in prices and lots (see ``paths``). Rounding to ticks is
    monotone, so it keeps the fold exact. Turnover is stated at 30 min and shared out below, so that it adds up in every
    frame; the mean price of a bar stays within its range.
    """

    def __init__(self, seed: int, instruments: int = 240, together: float = 0.0) -> None:
        self.seed = seed
        self.noise = Noise(seed)
        self._together = together
        self.listings = listings(seed, instruments)
        self._by_symbol = {(listing.category, listing.symbol): listing for listing in self.listings}
        self._closes = self._daily_closes()
        self._minutes: OrderedDict[tuple[int, int], Bars] = OrderedDict()

    def find(self, category: str, symbol: str) -> Listing | None:
        """The listing of that spelling, or None."""
        return self._by_symbol.get((_category(category), symbol))

    def relist(self, listing: Listing) -> None:
        """Replace the terms of the listing at that position; its past is stated in the new terms from now on."""
        self.listings = tuple(
            listing if each.position == listing.position else each for each in self.listings
        )
        self._by_symbol[listing.category, listing.symbol] = listing
        for key in [key for key in self._minutes if key[0] == listing.position]:
            del self._minutes[key]

    def listed_as(self, listed: Sequence[Listing]) -> Self:
        """The same market as another venue lists it, in its own spelling, steps and sizes.

        Parameters
        ----------
        listed
            Of lanes that this market has; positions that no other venue of this market uses keep their trades apart.
        """
        other = copy.copy(self)
        other.listings = tuple(listed)
        other._by_symbol = {(listing.category, listing.symbol): listing for listing in other.listings}  # noqa: SLF001  # a copy of ours
        other._minutes = OrderedDict()  # noqa: SLF001  # a copy of ours
        return other

    def bars(self, listing: Listing, minutes: int, first: int, count: int, shift: int = 0) -> Bars:
        """``count`` whole bars of ``minutes`` from bar number ``first``, counted from ``shift`` minutes after 1970.

        Parameters
        ----------
        minutes
            Length: a divisor of a day, or whole days.

        Raises
        ------
        InputError
            If the span leaves the days that the market knows.

        Notes
        -----
        Says nothing of whether the bars have happened; the caller knows the time.
        """
        level = next((size for size in _CUTS if minutes % size == 0 and minutes < DAY_MINUTES), DAY_MINUTES)
        start, end = first * minutes + shift, (first + count) * minutes + shift
        days = np.arange(start // DAY_MINUTES, -(-end // DAY_MINUTES), dtype=np.int64)
        fine = self._days(listing, days, level)
        skip = (start - int(days[0]) * DAY_MINUTES) // level
        parts = minutes // level
        return fold(fine.slice(skip, skip + count * parts), parts)

    def minutes(self, listing: Listing, day: int) -> Bars:
        """The 1,440 minutes of a day; kept for the days asked last."""
        key = (listing.position, day)
        found = self._minutes.get(key)
        if found is None:
            found = self._days(listing, np.array([day], dtype=np.int64), 1)
            self._minutes[key] = found
            if len(self._minutes) > _KEPT_DAYS:
                self._minutes.popitem(last=False)
        else:
            self._minutes.move_to_end(key)
        return found

    def minute_span(self, listing: Listing, first: int, last: int) -> Bars:
        """Minutes number ``first`` up to and without ``last``, counted from 1970, from the days kept."""
        if first >= last:
            return self.minutes(listing, first // DAY_MINUTES).slice(0, 0)
        blocks = []
        for day in range(first // DAY_MINUTES, (last - 1) // DAY_MINUTES + 1):
            begin = day * DAY_MINUTES
            blocks.append(
                self.minutes(listing, day).slice(max(0, first - begin), min(DAY_MINUTES, last - begin))
            )
        return blocks[0] if len(blocks) == 1 else join(blocks)

    def slots(self, listing: Listing, minute: int, parts: int) -> Bars:
        """The minute of that number cut into ``parts`` slots that fold back to it.

        Notes
        -----
        The turnover of slots is not stated (NaN): live trading adds it up from its trades.
        """
        bar = self.minute_span(listing, minute, minute + 1)
        tick = listing.tick
        prices = [np.log(side * tick) for side in (bar.open, bar.high, bar.low, bar.close)]
        nodes = Nodes(prices[0], prices[1], prices[2], prices[3], bar.lots.astype(np.float64))
        cut = Cut(5, parts, parts * DAY_MINUTES, 3)
        fine = refine(self.noise, nodes, self._voice(listing), np.array([minute * parts]), cut)
        return whole(fine, tick)

    def basis(self, listing: Listing, day: float) -> float:
        """(derivative - index) / index at a moment given in days since 1970; 0 for spot."""
        if listing.category == "spot":
            return 0.0
        return float(self._basis(listing.lane, np.array([day]))[0])

    def funding_rate(self, listing: Listing, settlement: int) -> float:
        """The rate charged at settlement number ``settlement``, counted from 1970, as a fraction of that interval.

        Notes
        -----
        Around the interest term of 0.0001 per 8 h, scaled by the interval; one lane in nine is crowded and pays or earns
        several times that for weeks.
        """
        hours = listing.funding_minutes / 60.0
        day = settlement * hours / 24.0
        slow = float(self.noise.wave(_FUNDING, listing.lane, day / 9.0)[0])
        quick = float(self.noise.wave(_FUNDING + 100, listing.lane, day * 2.0)[0])
        scale = 6.0e-4 if listing.lane % 9 == 4 else 0.9e-4
        if listing.house:
            quick += 0.5 * float(self.noise.wave(_FUNDING + _HOUSES, listing.base_lane, day)[0])
        rate = (1.0e-4 + scale * slow + 0.4e-4 * quick) * hours / 8.0
        return max(-0.005, min(0.005, round(rate, 8)))

    def open_interest(self, listing: Listing, five_minutes: Integers) -> Floats:
        """Base units, dollars of inverse contracts, outstanding on both sides, at numbers of 5 minutes since 1970; shape of the numbers."""
        day = five_minutes / 288.0
        shape = self.noise.wave(_INTEREST, listing.lane, day / 3.0) * 0.22
        shape = shape + self.noise.wave(_INTEREST + 100, listing.lane, day * 12.0) * 0.02
        typical = listing.day_units * (0.6 + (listing.lane % 5) * 0.35)
        lots: Floats = np.rint(typical * np.exp(shape) / listing.lot / 2.0) * 2.0
        found: Floats = lots * listing.lot
        return found

    def long_share(self, listing: Listing, five_minutes: Integers) -> Floats:
        """Share of accounts net long in (0, 1), at numbers of 5 minutes since 1970."""
        day = five_minutes / 288.0
        wave = self.noise.wave(_CROWD, listing.lane, day / 2.0) + 0.2 * self.noise.wave(
            _CROWD + 100, listing.lane, day * 20.0
        )
        return np.round(0.56 + 0.09 * np.clip(wave, -2.5, 2.5), 4)

    def _daily_closes(self) -> Floats:
        """float64 (days, lanes): log prices of the bases at the end of each day."""
        days = np.arange(FIRST_DAY, LAST_DAY, dtype=np.int64)
        lanes = max(listing.lane for listing in self.listings) + 1
        leader = {name: lane for lane, name in enumerate(names())}
        by_lane = {listing.lane: listing for listing in self.listings}
        columns = np.empty((len(days), lanes))
        market = self.noise.normal(_DAILY, MARKET_LANE, days)
        mood = np.exp(0.75 * self.noise.wave(_REGIME, MARKET_LANE, days / 17.0))
        for lane in range(lanes):
            listing = by_lane[lane]
            columns[:, lane] = self._daily_path(listing, days, market, mood)
        for base, led_by in FOLLOWS.items():
            lane, ahead = leader[base], leader[led_by]
            if lane < lanes:
                distance = self._reverting(lane, days, 0.022, 0.55)
                columns[:, lane] = (
                    columns[:, ahead] + math.log(by_lane[lane].price / by_lane[ahead].price) + distance
                )
        return columns

    def _daily_path(self, listing: Listing, days: Integers, market: Floats, mood: Floats) -> Floats:
        lane, center = listing.lane, math.log(listing.price)
        if listing.character == "reverting":
            pull = self._reverting(lane, days, listing.volatility * 0.8, 0.4)
            slow = 0.35 * self.noise.wave(_TREND, lane, days / 60.0)
            return np.asarray(
                center + slow + pull + np.cumsum(market * 0.0) + 0.3 * listing.volatility * market
            )
        own = self.noise.normal(_DAILY, lane, days)
        calm = np.exp(0.5 * self.noise.wave(_REGIME, lane, days / 11.0))
        shock = np.where(self.noise.uniform(_JUMP, lane, days) < 0.015, 3.2, 1.0)
        share = self._common(lane)
        moves = (math.sqrt(share) * market * mood + math.sqrt(1.0 - share) * own * calm) * shock
        if listing.character == "trending":
            moves = 0.55 * moves + 0.75 * np.sign(self.noise.normal(_TREND, lane, days // 16))
        moves = moves * listing.volatility
        path, level, pull_back = np.empty(len(days)), 0.0, 1.0 - math.log(2.0) / 120.0
        for row, move in enumerate(moves.tolist()):
            level = level * pull_back + move
            path[row] = level
        return path + center

    def _reverting(self, lane: int, days: Integers, scale: float, stay: float) -> Floats:
        moves = self.noise.normal(_TREND + 200, lane, days) * scale
        found, level = np.empty(len(days)), 0.0
        for row, move in enumerate(moves.tolist()):
            level = level * stay + move
            found[row] = level
        return found

    def _basis(self, lane: int, day: Floats) -> Floats:
        found: Floats = 2.0e-4 + 4.0e-4 * self.noise.wave(_BASIS, lane, np.asarray(day) / 2.0)
        return found

    def _common(self, lane: int) -> float:
        """Share of the variance of a lane's returns that the whole market explains."""
        own = 0.75 if lane < 2 else 0.3 + 0.3 * ((lane * 37) % 10) / 10.0
        return own + self._together * (1.0 - own)

    def _voice(self, listing: Listing) -> Voice:
        led = listing.character == "follower"
        leader = names().index(FOLLOWS[listing.base]) if led else listing.lane
        return Voice(listing.lane, leader, self._common(leader), 0.94 if led else 1.0)

    def _day_nodes(self, listing: Listing, days: Integers) -> Nodes:
        if int(days[0]) <= FIRST_DAY or int(days[-1]) >= LAST_DAY:
            raise InputError(
                f"Day {days[0]}..{days[-1]} is outside the simulated {FIRST_DAY + 1}..{LAST_DAY - 1}."
            )
        rows = days - FIRST_DAY
        close, start = self._closes[rows, listing.lane], self._closes[rows - 1, listing.lane]
        if listing.category != "spot":
            close = close + np.log1p(self._basis(listing.lane, np.asarray(days + 1.0, dtype=np.float64)))
            start = start + np.log1p(self._basis(listing.lane, np.asarray(days, dtype=np.float64)))
        if listing.house:
            # The same all day: a path bent by a hair may touch its extreme elsewhere, and then all of it differs.
            astray = self._astray(listing, days)
            close, start = close + astray, start + astray
        up = np.abs(self.noise.normal(_WICKS, listing.lane, days)) * 0.45 + 0.05
        down = np.abs(self.noise.normal(_WICKS + 100, listing.lane, days)) * 0.45 + 0.05
        high = np.maximum(start, close) + up * listing.volatility
        low = np.minimum(start, close) - down * listing.volatility
        effort = np.abs(close - start) / listing.volatility
        stream = _VOLUME + _APART[listing.category] + (_HOUSES if listing.house else 0)
        size = np.exp(0.45 * self.noise.normal(stream, listing.base_lane, days)) * (
            0.6 + 0.5 * np.minimum(effort, 4.0)
        )
        lots = np.rint(listing.day_units / listing.lot * size)
        return Nodes(start, high, low, close, np.maximum(lots, FEWEST_LOTS * DAY_MINUTES * 2.0))

    def _astray(self, listing: Listing, days: Integers) -> Floats:
        """Log distance of the venue's price from that of venue 0 on each day."""
        stream = _AWAY + (_HOUSES if listing.category == "spot" else 2 * _HOUSES)
        found: Floats = listing.away * self.noise.wave(stream, listing.base_lane, days / 1.5)
        return found

    def _days(self, listing: Listing, days: Integers, level: int) -> Bars:
        """All bars of ``level`` minutes of the days, rounded to ticks and lots.

        Notes
        -----
        In blocks of days that fit a core's cache: one block of 1,000 days takes twice as long.
        """
        if len(days) > _BLOCK_DAYS:
            rows = range(0, len(days), _BLOCK_DAYS)
            return join([self._days(listing, days[row : row + _BLOCK_DAYS], level) for row in rows])
        nodes, voice, length = self._day_nodes(listing, days), self._voice(listing), DAY_MINUTES
        chain = {length: nodes}
        first = days
        for size, cut in _CUTS.items():
            if size < min(level, 30):
                break
            first = (
                first * cut.parts if length == DAY_MINUTES else _children(first, _parts(length), cut.parts)
            )
            nodes = refine(self.noise, nodes, voice, first, cut)
            length = size
            chain[size] = nodes
        stated = _turnover(listing, whole(chain[30], listing.tick))
        turnover: Floats
        if level >= 30:
            turnover = np.asarray(stated.reshape(-1, level // 30).sum(axis=1), dtype=np.float64)
        else:
            turnover = _shared(listing, stated, whole(chain[5], listing.tick))
            if level == 1:
                turnover = _shared(listing, turnover, whole(chain[1], listing.tick))
        return dataclasses.replace(whole(chain[level], listing.tick), turnover=turnover)


def _children(first: Integers, siblings: int, parts: int) -> Integers:
    """Index of the first child of every node of the level whose blocks start at ``first``."""
    each = (first[:, None] + np.arange(siblings, dtype=np.int64)).ravel()
    found: Integers = each * parts
    return found


def _parts(length: int) -> int:
    return _CUTS[length].parts


def _middle(listing: Listing, bars: Bars) -> Floats:
    found: Floats = (bars.open + bars.high + bars.low + bars.close).astype(np.float64) * (listing.tick / 4.0)
    return found


def _turnover(listing: Listing, bars: Bars) -> Floats:
    found: Floats = bars.lots * listing.lot * _worths(listing, bars)[0]
    return found


def _worths(listing: Listing, bars: Bars) -> tuple[Floats, Floats, Floats]:
    """What one unit of size is worth in turnover: in the middle of each bar, at most, and at least."""
    middle = _middle(listing, bars)
    high = np.asarray(bars.high * listing.tick, dtype=np.float64)
    low = np.asarray(bars.low * listing.tick, dtype=np.float64)
    return (1.0 / middle, 1.0 / low, 1.0 / high) if listing.category == "inverse" else (middle, high, low)


def _shared(listing: Listing, totals: Floats, bars: Bars) -> Floats:
    """Turnover of each bar so that those of one parent sum to its total; shape of the bars.

    Notes
    -----
    Each starts at its middle price and moves towards its high or low by one fraction for all, so its mean price stays within its
    range; of inverse contracts, whose turnover is in base units, the lower price is worth more. Where even the extremes do not reach the total the rest is scaled in: measured for one
    minute in 300.
    """
    shape = (len(totals), len(bars) // len(totals))
    size = (bars.lots * listing.lot).reshape(shape)
    middle, most, least = (worth.reshape(shape) for worth in _worths(listing, bars))
    up, down = size * (most - middle), size * (middle - least)
    rough = size * middle
    missing = totals - rough.sum(axis=1)
    room = np.where(missing[:, None] > 0.0, up, down)
    part = np.clip(missing / np.maximum(room.sum(axis=1), 1e-300), -1.0, 1.0)
    found = rough + part[:, None] * room
    found *= (totals / found.sum(axis=1))[:, None]
    return np.asarray(found.ravel(), dtype=np.float64)


def _category(text: str) -> Category:
    return "spot" if text == "spot" else "inverse" if text == "inverse" else "linear"
