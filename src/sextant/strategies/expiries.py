"""The options of one expiry as strategies read them: quotes in dollars, volatilities, deltas, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sextant.model.bar import Floats, Integers
from sextant.model.instrument import InstrumentSpec
from sextant.model.times import DAY_NS, MILLISECOND_NS
from sextant.model.view import OptionChain
from sextant.strategies.black import YEAR_DAYS, greeks, implied


@dataclass(frozen=True, eq=False)
class Expiry:
    """The options of one expiry that trade and are quoted on both sides, by strike, puts before calls.

    Parameters
    ----------
    chain
        Name of the chain.
    expiry_ns, days
        When it settles, and how far away that is.
    forward, index
        Price of the underlying for that day, and now; quote units.
    unit_usd
        USD of one price unit: of the base asset where options are inverse, of the quote asset else.
    specs
        N rules; the order of every column.
    strike, right, bid, ask, bid_size, ask_size, iv, delta, open_interest, age_ms
        float64 (N,), ``right`` int64: prices in price units, sizes in base units, iv a fraction a year, delta of Black's
        formula; iv and delta NaN where nothing implies them.
    listed
        How many options of this expiry are listed at all.
    """

    chain: str
    expiry_ns: int
    days: float
    forward: float
    index: float
    unit_usd: float
    specs: tuple[InstrumentSpec, ...]
    strike: Floats
    right: Integers
    bid: Floats
    ask: Floats
    bid_size: Floats
    ask_size: Floats
    iv: Floats
    delta: Floats
    open_interest: Floats
    age_ms: Floats
    listed: int

    @property
    def years(self) -> float:
        """Time to expiry in years of 365 days."""
        return self.days / YEAR_DAYS

    @property
    def mid(self) -> Floats:
        """Halfway between bid and ask, price units."""
        return 0.5 * (self.bid + self.ask)

    @property
    def spread_frac(self) -> Floats:
        """Quoted spread as a share of mid."""
        return (self.ask - self.bid) / self.mid

    @cached_property
    def spread_ticks(self) -> Floats:
        """Quoted spread in ticks."""
        ticks = np.array([float(spec.tick) for spec in self.specs])
        return np.asarray((self.ask - self.bid) / ticks, dtype=np.float64)

    def find(self, strike: float, right: int) -> int | None:
        """The option of a strike and right; None where it is not quoted."""
        hits = np.flatnonzero((self.strike == strike) & (self.right == right))
        return int(hits[0]) if len(hits) else None

    def near_delta(self, wanted: float, right: int, tolerance: float) -> int | None:
        """The option whose absolute delta is nearest to what is wanted, within a tolerance; the lower strike of a tie."""
        off = np.where(self.right == right, np.abs(np.abs(self.delta) - wanted), np.inf)
        off = np.where(np.isfinite(off), off, np.inf)
        if not len(off) or not off.min() <= tolerance:
            return None
        return int(np.argmin(off))

    def at_the_money(self, widest_frac: float) -> float | None:
        """The strike nearest to the forward with both rights quoted, at most ``widest_frac`` away."""
        both = [strike for strike in np.unique(self.strike) if self.find(strike, 1) is not None]
        both = [strike for strike in both if self.find(strike, -1) is not None]
        off = [abs(strike / self.forward - 1.0) for strike in both]
        return float(both[int(np.argmin(off))]) if off and min(off) <= widest_frac else None

    def atm_iv(self, widest_frac: float) -> float | None:
        """Volatility at the forward, linear in strike; of the nearest strike alone where the forward lies outside them.

        Returns
        -------
        float or None
            None where no volatility is known, or the only side is further away than ``widest_frac``.
        """
        known = np.isfinite(self.iv)
        strikes = np.unique(self.strike[known])
        if not len(strikes):
            return None
        ivs = np.array([self.iv[known & (self.strike == strike)].mean() for strike in strikes])
        inside = strikes[0] <= self.forward <= strikes[-1]
        off = np.abs(strikes / self.forward - 1.0).min()
        return float(np.interp(self.forward, strikes, ivs)) if inside or off <= widest_frac else None

    @cached_property
    def bent_ticks(self) -> float:
        """How far mids are from falling (calls) or rising (puts) and being convex in strike, beyond their spreads; ticks, 0 if not."""
        worst = 0.0
        for right in (1, -1):
            own = self.right == right
            value, half = self.mid[own] * right, 0.5 * (self.ask - self.bid)[own]
            tick = min((float(spec.tick) for spec in self.specs), default=1.0)
            rises = (value[1:] - value[:-1]) - (half[1:] + half[:-1])
            worst = max(worst, float(rises.max(initial=0.0)) / tick)
            if own.sum() > 2:
                worst = max(worst, _bent(self.strike[own], self.mid[own], half) / tick)
        return worst


def _bent(strike: Floats, mid: Floats, half: Floats) -> float:
    """How far a middle strike stands above the line through its neighbours, beyond the spreads of all three."""
    weight = (strike[2:] - strike[1:-1]) / (strike[2:] - strike[:-2])
    line = weight * mid[:-2] + (1.0 - weight) * mid[2:]
    room = half[1:-1] + weight * half[:-2] + (1.0 - weight) * half[2:]
    return float((mid[1:-1] - line - room).max(initial=0.0))


def expiries_of(chain: OptionChain, as_of_ns: int) -> tuple[Expiry, ...]:
    """The expiries of a chain, nearest first; one whose forward or index nobody states is left out."""
    found = (_expiry(chain, int(time), as_of_ns) for time in np.unique(chain.expiry_ns))
    return tuple(expiry for expiry in found if expiry is not None)


def _expiry(chain: OptionChain, expiry_ns: int, as_of_ns: int) -> Expiry | None:
    rows = np.flatnonzero(chain.expiry_ns == expiry_ns)
    forward = _newest(chain.column("forward")[rows], chain.event_ns[rows])
    index = _newest(chain.column("index"), chain.event_ns)
    days = (expiry_ns - as_of_ns) / DAY_NS
    if forward is None or index is None:
        return None
    trading = np.array([chain.instruments[row].status == "trading" for row in rows], dtype=np.bool_)
    quoted = np.isfinite(chain.column("bid")[rows]) & np.isfinite(chain.column("ask")[rows])
    own = rows[trading & quoted]
    mid = 0.5 * (chain.column("bid")[own] + chain.column("ask")[own])
    per_price = forward if chain.style == "inverse" else 1.0
    strike, right = chain.strike[own], chain.right[own]
    every = np.ones(len(own))
    years = every * days / YEAR_DAYS
    stated = chain.column("mark_iv")[own]
    iv = np.where(
        np.isfinite(stated), stated, implied(mid * per_price, every * forward, strike, years, right)
    )
    return Expiry(
        chain=chain.name,
        expiry_ns=expiry_ns,
        days=days,
        forward=forward,
        index=index,
        unit_usd=index if chain.style == "inverse" else 1.0,
        specs=tuple(chain.instruments[row] for row in own),
        strike=strike,
        right=right,
        bid=chain.column("bid")[own],
        ask=chain.column("ask")[own],
        bid_size=chain.column("bid_size")[own],
        ask_size=chain.column("ask_size")[own],
        iv=iv,
        delta=greeks(every * forward, strike, iv, years, right).delta,
        open_interest=chain.column("open_interest")[own],
        age_ms=(as_of_ns - chain.event_ns[own]) / MILLISECOND_NS,
        listed=len(rows),
    )


def _newest(values: Floats, times: Integers) -> float | None:
    """The value that was stated last; None where none is known."""
    known = np.isfinite(values)
    if not known.any():
        return None
    return float(values[known][np.argmax(times[known])])
