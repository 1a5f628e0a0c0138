"""Options, futures and perpetuals on the bases of the seeded market: any moment is a pure function of (seed, time)."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from sextant.sim.market_model import DAY_MINUTES, FIRST_DAY, MarketModel
from sextant.sim.noise import mix
from sextant.sim.tape import MINUTE_MS, Tape
from sextant.sim.universe import Listing

DAY_MS: Final = 86_400_000
SETTLES_MS: Final = 8 * 3_600_000  # of the day, UTC
YEAR_MS: Final = 365 * DAY_MS

CURRENCIES: Final = ("BTC", "ETH")
TICK: Final = 0.0001
COARSE_TICK: Final = 0.0005
COARSE_ABOVE: Final = 0.005

_FACTOR: Final = {"BTC": 1.45, "ETH": 0.68}
"""Implied volatility over what the base has moved lately: one base's options are dear and the other's cheap, so that
whoever compares both with a forecast finds something on either side."""

_PERPETUAL_TICK: Final = {"BTC": 0.5, "ETH": 0.05}
_OPTION_LOT: Final = {"BTC": 0.1, "ETH": 1.0}
_CONTRACT: Final = {"BTC": 10.0, "ETH": 1.0}
_MEMORY_DAYS: Final = 45
_STRIKE_DAYS: Final = 3
_STRIKES_A_SIDE: Final = 7
_SIZES_KEPT: Final = 10_000
_IV: Final = 40
_SIZE: Final = 41
_INTEREST: Final = 42
_CARRY: Final = 43


@dataclass(frozen=True, slots=True)
class Contract:
    """One instrument.

    Parameters
    ----------
    name
        As the venue spells it.
    currency
        Base and settlement asset.
    kind
        option, future or perpetual.
    expiry_ms
        Settlement; None for the perpetual.
    strike, call
        Of an option.
    period
        day, week, month or perpetual.
    """

    name: str
    currency: str
    kind: Literal["option", "future", "perpetual"]
    expiry_ms: int | None = None
    strike: float = 0.0
    call: bool = False
    period: str = "week"

    @property
    def tick(self) -> float:
        """Smallest price step; options have a coarser one above 0.005."""
        if self.kind == "option":
            return TICK
        return _PERPETUAL_TICK[self.currency] * (5.0 if self.kind == "future" else 1.0)

    @property
    def lot(self) -> float:
        """Smallest amount: base units of options, dollars of everything else."""
        return _OPTION_LOT[self.currency] if self.kind == "option" else _CONTRACT[self.currency]


@dataclass(frozen=True, slots=True)
class OptionQuote:
    """An option at a moment; prices in base units, volatilities in percent, None where there is none."""

    forward: float
    index: float
    mark: float
    mark_iv: float
    bid: float | None
    ask: float
    bid_iv: float | None
    ask_iv: float | None
    bid_amount: float
    ask_amount: float
    open_interest: float
    volume: float
    delta: float
    gamma: float
    vega: float
    theta: float


class DerivativesModel:
    """What the simulated venue lists and quotes.

    Parameters
    ----------
    model
        The market whose prices everything follows.
    pace
        Factor on how often the bases trade.
    """

    def __init__(self, model: MarketModel, pace: float) -> None:
        self.model = model
        self.tapes: dict[str, Tape] = {}
        for currency in CURRENCIES:
            listing = model.find("linear", f"{currency}USDT")
            if listing is not None:
                self.tapes[currency] = Tape(model, listing, pace)
        self._volatility: dict[tuple[str, int], float] = {}
        self._strikes: dict[tuple[str, int], tuple[float, ...]] = {}
        self._moment_ms = -1
        self._known: dict[tuple[str, str, int], float] = {}
        self._drawn: dict[str, tuple[int, tuple[float, float, float, float]]] = {}

    def _once(self, key: tuple[str, str, int], now_ms: int, make: Callable[[], float]) -> float:
        """A number of one moment, computed when first asked for: hundreds of options share a forward."""
        if now_ms != self._moment_ms:
            self._moment_ms = now_ms
            self._known.clear()
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]

    def listing(self, currency: str) -> Listing:
        """The instrument of the market that a currency follows."""
        return self.tapes[currency].listing

    def price(self, currency: str, now_ms: int) -> float:
        """What the perpetual last traded at."""
        tape = self.tapes[currency]
        minute, row = divmod(tape.due(now_ms), tape.parts)
        return float(tape.plan(minute).close[row]) * tape.listing.tick

    def index(self, currency: str, now_ms: int) -> float:
        """The basket price, to a cent."""
        return self._once(("index", currency, 0), now_ms, lambda: self._index(currency, now_ms))

    def _index(self, currency: str, now_ms: int) -> float:
        basis = self.model.basis(self.listing(currency), now_ms / DAY_MS)
        return round(self.price(currency, now_ms) / (1.0 + basis), 2)

    def forward(self, currency: str, expiry_ms: int, now_ms: int) -> float:
        """Price for delivery at an expiry, to a cent: the index and a carry of a few percent a year."""
        key = ("forward", currency, expiry_ms)
        return self._once(key, now_ms, lambda: self._forward(currency, expiry_ms, now_ms))

    def _forward(self, currency: str, expiry_ms: int, now_ms: int) -> float:
        wave = float(self.model.noise.wave(_CARRY, self.listing(currency).lane, now_ms / DAY_MS / 6.0)[0])
        carry = 0.05 + 0.02 * wave
        years = max(expiry_ms - now_ms, 0) / YEAR_MS
        return round(self.index(currency, now_ms) * math.exp(carry * years), 2)

    def volatility(self, currency: str, expiry_ms: int, now_ms: int) -> float:
        """Implied volatility at the forward, a fraction a year."""
        key = ("volatility", currency, expiry_ms)
        return self._once(key, now_ms, lambda: self._implied(currency, expiry_ms, now_ms))

    def _implied(self, currency: str, expiry_ms: int, now_ms: int) -> float:
        lane, day = self.listing(currency).lane, now_ms / DAY_MS
        wave = float(self.model.noise.wave(_IV, lane, day / 5.0)[0])
        years = max(expiry_ms - now_ms, 0) / YEAR_MS
        term = 1.0 + 0.04 * (math.sqrt(years * 12.0) - 0.7)
        return self._moved(currency, int(day)) * _FACTOR[currency] * math.exp(0.05 * wave) * term

    def _moved(self, currency: str, day: int) -> float:
        """Volatility a year of the daily closes of the weeks before a day."""
        key = (currency, day)
        if key not in self._volatility:
            first = max(day - _MEMORY_DAYS, FIRST_DAY + 1)
            bars = self.model.bars(self.listing(currency), DAY_MINUTES, first, day - first)
            moves = np.diff(np.log(bars.close.astype(np.float64)))
            self._volatility = {kept: value for kept, value in self._volatility.items() if kept[1] >= day - 1}
            self._volatility[key] = float(np.std(moves, ddof=1)) * math.sqrt(365.0)
        return self._volatility[key]

    # -- what is listed ----------------------------------------------------------------------------

    def contracts(self, currency: str, now_ms: int) -> Iterator[Contract]:
        """Everything of a currency that trades at a moment."""
        if currency not in self.tapes:
            return
        yield Contract(f"{currency}-PERPETUAL", currency, "perpetual", period="perpetual")
        for expiry_ms, period in expiries(now_ms):
            dated = f"{currency}-{_spelt(expiry_ms)}"
            if period != "day":
                yield Contract(dated, currency, "future", expiry_ms, period=period)
            for strike in self.strikes(currency, now_ms):
                for call in (True, False):
                    name = f"{dated}-{strike:.0f}-{'C' if call else 'P'}"
                    yield Contract(name, currency, "option", expiry_ms, strike, call, period)

    def strikes(self, currency: str, now_ms: int) -> tuple[float, ...]:
        """Strikes around the closes of the last days: as the price moves some are added, none leaves at once."""
        day = now_ms // DAY_MS
        key = (currency, day)
        if key not in self._strikes:
            first = max(day - _STRIKE_DAYS, FIRST_DAY + 1)
            bars = self.model.bars(self.listing(currency), DAY_MINUTES, first, day - first)
            found: set[float] = set()
            for close in (bars.close * self.listing(currency).tick).tolist():
                step = _step(close)
                middle = round(close / step)
                found |= {(middle + place) * step for place in range(-_STRIKES_A_SIDE, _STRIKES_A_SIDE + 1)}
            self._strikes = {kept: value for kept, value in self._strikes.items() if kept[1] >= day - 1}
            self._strikes[key] = tuple(sorted(strike for strike in found if strike > 0))
        return self._strikes[key]

    # -- what is quoted ----------------------------------------------------------------------------

    def option(self, contract: Contract, now_ms: int) -> OptionQuote:
        """The quote of an option."""
        expiry_ms, currency = contract.expiry_ms or now_ms, contract.currency
        forward, index = self.forward(currency, expiry_ms, now_ms), self.index(currency, now_ms)
        years = max(expiry_ms - now_ms, 1_000) / YEAR_MS
        iv = _smiling(self.volatility(currency, expiry_ms, now_ms), forward, contract.strike, years)
        value, greeks = black(forward, contract.strike, iv, years, call=contract.call)
        mark = value / forward
        half = max(0.00006, 0.012 * mark)
        low, high = _floor(mark - half), _ceiling(mark + half)
        sizes = self._sizes(contract, now_ms)
        return OptionQuote(
            forward=forward,
            index=index,
            mark=round(mark, 6),
            mark_iv=round(iv * 100.0, 2),
            bid=low if low > 0 else None,
            ask=high,
            bid_iv=_around(iv, (low - mark) * forward, greeks[2]) if low > 0 else None,
            ask_iv=_around(iv, (high - mark) * forward, greeks[2]),
            bid_amount=sizes[0] if low > 0 else 0.0,
            ask_amount=sizes[1],
            open_interest=sizes[2],
            volume=sizes[3],
            delta=round(greeks[0], 5),
            gamma=round(greeks[1], 7),
            vega=round(greeks[2], 5),
            theta=round(greeks[3], 5),
        )

    def _sizes(self, contract: Contract, now_ms: int) -> tuple[float, float, float, float]:
        """Amounts bid and offered, open interest and volume; they change every quarter of an hour and every day."""
        quarter, day = now_ms // (15 * MINUTE_MS), now_ms // DAY_MS
        drawn = self._drawn.get(contract.name)
        if drawn is not None and drawn[0] == quarter:
            return drawn[1]
        lane = mix(int.from_bytes(contract.name.encode(), "little")) >> 24
        noise, unit = self.model.noise, max(contract.lot, 1.0)
        bid, ask = (
            2 + int(60 * float(draw) ** 2)
            for draw in noise.uniform(_SIZE, lane, [2 * quarter, 2 * quarter + 1])
        )
        interest = 40 + int(3_000 * float(noise.uniform(_INTEREST, lane, day)[0]) ** 2)
        sizes = (bid * unit, ask * unit, interest * unit, round(interest * 0.05) * unit)
        if len(self._drawn) > _SIZES_KEPT:
            self._drawn.clear()
        self._drawn[contract.name] = (quarter, sizes)
        return sizes

    def touch(self, contract: Contract, now_ms: int) -> tuple[float, float]:
        """Best bid and ask of a future or perpetual: a tick or two around its price, on ticks."""
        middle = (
            self.price(contract.currency, now_ms)
            if contract.expiry_ms is None
            else self.forward(contract.currency, contract.expiry_ms, now_ms)
        )
        bid = math.floor(middle / contract.tick) * contract.tick
        return round(bid, 2), round(bid + contract.tick, 2)


def expiries(now_ms: int) -> list[tuple[int, str]]:
    """Settlement times that trade at a moment, nearest first: two days, three Fridays, two last Fridays of months."""
    today = (now_ms - SETTLES_MS) // DAY_MS + 1  # the first day whose settlement has not passed
    found = dict.fromkeys(range(today, today + 2), "day")
    fridays = [day for day in range(today, today + 160) if day % 7 == 1]  # 1970-01-01 was a Thursday
    found |= dict.fromkeys(fridays[:3], "week")
    last = [day for day in fridays if _month(day) != _month(day + 7)]
    found |= dict.fromkeys(last[:2], "month")
    return [(day * DAY_MS + SETTLES_MS, found[day]) for day in sorted(found)]


def _month(day: int) -> int:
    return _date(day).month


def _date(day: int) -> datetime.date:
    return datetime.date(1970, 1, 1) + datetime.timedelta(days=day)


def _spelt(expiry_ms: int) -> str:
    """A day as the venue writes it: ``5DEC26``."""
    date = _date(expiry_ms // DAY_MS)
    return f"{date.day}{date:%b%y}".upper()


def _step(price: float) -> float:
    """A round distance of strikes near a fortieth of the price."""
    power = 10.0 ** math.floor(math.log10(price / 40.0))
    return power * min((1.0, 2.0, 5.0, 10.0), key=lambda size: abs(math.log(size * power * 40.0 / price)))


def _smiling(atm: float, forward: float, strike: float, years: float) -> float:
    """Volatility of a strike: wings are dearer, the lower one a little more."""
    away = math.log(strike / forward) / (atm * math.sqrt(years))
    away = max(-4.0, min(4.0, away))
    return atm * (1.0 - 0.015 * away + 0.012 * away * away)


def _around(iv: float, change: float, vega: float) -> float | None:
    """The volatility that a price a little off the mark stands for, percent; None where vega says nothing."""
    if vega < 0.01:
        return None
    return round(max(iv * 100.0 + change / vega, 0.01), 2)


def _floor(price: float) -> float:
    tick = COARSE_TICK if price > COARSE_ABOVE else TICK
    return round(math.floor(price / tick + 1e-9) * tick, 4)


def _ceiling(price: float) -> float:
    tick = COARSE_TICK if price > COARSE_ABOVE else TICK
    return round(math.ceil(price / tick - 1e-9) * tick, 4)


def black(
    forward: float, strike: float, iv: float, years: float, *, call: bool
) -> tuple[float, tuple[float, float, float, float]]:
    """Value and (delta, gamma, vega a point, theta a day) of an option on a forward, in dollars, without interest."""
    spread = iv * math.sqrt(years)
    first = math.log(forward / strike) / spread + spread / 2.0
    ahead, behind = _below(first), _below(first - spread)
    value, delta = forward * ahead - strike * behind, ahead
    if not call:
        value, delta = value - forward + strike, delta - 1.0
    density = math.exp(-first * first / 2.0) / math.sqrt(2.0 * math.pi)
    gamma = density / (forward * spread)
    vega = forward * density * math.sqrt(years) / 100.0
    theta = -forward * density * iv / (2.0 * math.sqrt(years)) / 365.0
    return max(value, 0.0), (delta, gamma, vega, theta)


def _below(x: float) -> float:
    """Probability that a standard normal value is below x."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))
