"""Executable prices of a view, and what is assumed, by explicit wish, where a recording has none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from sextant.errors import InputError
from sextant.model.bar import Floats, Integers
from sextant.model.instrument import is_dollar
from sextant.model.times import INTERVALS, MILLISECOND_NS, Interval
from sextant.model.view import View

IMPACT_LOW: Final = 0.5
IMPACT_HIGH: Final = 2.0
WIDEST_ASSUMED_BPS: Final = 1_000.0


@dataclass(frozen=True)
class CostAssumptions:
    """What a scan may assume; every use is named in the cost lines and warnings it touches.

    Parameters
    ----------
    spread_bps_assumed
        Quoted spread to take where a *replay* holds no quote at all; None means that nothing is
        assumed, and such candidates end as ``insufficient_data``.
    impact
        Factor of the square-root law for sizes beyond the touch where no book is known, dimensionless.

    Raises
    ------
    InputError
        If a number is outside its bounds.
    """

    spread_bps_assumed: float | None = None
    impact: float = 1.0

    def __post_init__(self) -> None:
        """Refuse assumptions that no market could meet."""
        if self.spread_bps_assumed is not None and not 0 <= self.spread_bps_assumed <= WIDEST_ASSUMED_BPS:
            raise InputError(
                f"An assumed spread of {self.spread_bps_assumed} bps is not in 0..{WIDEST_ASSUMED_BPS}.",
                reason="out_of_range",
                field="spread_bps_assumed",
            )
        if not IMPACT_LOW <= self.impact <= IMPACT_HIGH:
            raise InputError(
                f"The impact factor {self.impact} is not in {IMPACT_LOW}..{IMPACT_HIGH}.",
                reason="out_of_range",
                field="impact",
            )


@dataclass(frozen=True, eq=False)
class Touch:
    """Best prices of all instruments.

    Parameters
    ----------
    bid, ask
        float64 (S,), quote units; NaN where unknown or crossed.
    bid_size, ask_size
        float64 (S,), base units; NaN where unknown.
    event_ns
        int64 (S,), 0 where never seen.
    age_ms
        float64 (S,); NaN where never seen.
    assumed
        The view is a replay without any quote: mid is the last close and the spread was assumed.
    """

    bid: Floats
    ask: Floats
    bid_size: Floats
    ask_size: Floats
    event_ns: Integers
    age_ms: Floats
    assumed: bool

    @cached_property
    def mid(self) -> Floats:
        """float64 (S,): halfway between bid and ask."""
        return 0.5 * (self.bid + self.ask)

    @cached_property
    def spread_bps(self) -> Floats:
        """float64 (S,): quoted spread in basis points of mid."""
        return 1e4 * (self.ask - self.bid) / self.mid


def touch(view: View, assumptions: CostAssumptions) -> Touch:
    """The best prices of a view.

    Notes
    -----
    An assumed spread is applied only to a replay that holds no quote of any instrument, around the
    close of the newest bar. A live or simulated feed, and an instrument without a quote among quoted
    ones, is never helped out: there the missing quote is a fact.
    """
    quotes = view.quotes
    if view.feed == "replay" and assumptions.spread_bps_assumed is not None and not np.any(quotes.event_ns):
        close, event_ns = newest_close(view)
        half = close * (assumptions.spread_bps_assumed / 2e4)
        unknown = np.full(view.size, np.nan)
        return Touch(close - half, close + half, unknown, unknown, event_ns, unknown, assumed=True)
    good = (quotes.bid > 0) & (quotes.ask >= quotes.bid) & (quotes.event_ns > 0)
    age_ms = (view.as_of_ns - quotes.event_ns) / MILLISECOND_NS
    return Touch(
        bid=np.where(good, quotes.bid, np.nan),
        ask=np.where(good, quotes.ask, np.nan),
        bid_size=np.where(good, quotes.bid_size, np.nan),
        ask_size=np.where(good, quotes.ask_size, np.nan),
        event_ns=quotes.event_ns,
        age_ms=np.where(good, age_ms, np.nan),
        assumed=False,
    )


def newest_close(view: View) -> tuple[Floats, Integers]:
    """The close of the newest bar of each instrument, float64 (S,), and when it closed, int64 (S,); NaN and 0 without one.

    Notes
    -----
    Only last rows count, the latest-closing frame first: a close further back is not today's price.
    """
    close = np.full(view.size, np.nan)
    event_ns = np.zeros(view.size, dtype=np.int64)
    frames = [view.bars[interval] for interval in INTERVALS if interval in view.bars]
    for frame in sorted(frames, key=lambda frame: -(frame.last_close_ns or 0)):
        if frame.last_close_ns is not None:
            fresh = np.isnan(close) & np.isfinite(frame.close[-1])
            close[fresh] = frame.close[-1][fresh]
            event_ns[fresh] = frame.last_close_ns
    return close, event_ns


def usd_per_quote(view: View, interval: Interval) -> Floats | None:
    """USD of one unit of each instrument's quote asset on every row, float64 (T, S); NaN where unknown.

    Returns
    -------
    array or None
        None where all are worth 1 USD on all rows.

    Notes
    -----
    Dollar-pegged assets count as 1 USD (``STABLE_ASSETS``); others take the close of a spot instrument of
    the view that trades them against such an asset, at the same venue where there is one.
    """
    frame = view.bars[interval]
    needed = [
        None if is_dollar(spec.instrument.quote) else (spec.instrument.quote, spec.instrument.venue)
        for spec in view.instruments
    ]
    if not any(needed):
        return None
    out = np.ones((frame.rows, view.size))
    for column, pair in enumerate(needed):
        if pair is not None:
            via = _converter(view, *pair)
            out[:, column] = np.nan if via is None else frame.close[:, via]
    return out


def usd_now(view: View) -> Floats:
    """USD of one unit of each instrument's quote asset now, float64 (S,); NaN where unknown."""
    close, _ = newest_close(view)
    out = np.ones(view.size)
    for column, spec in enumerate(view.instruments):
        if not is_dollar(spec.instrument.quote):
            via = _converter(view, spec.instrument.quote, spec.instrument.venue)
            out[column] = np.nan if via is None else close[via]
    return out


def _converter(view: View, asset: str, venue: str) -> int | None:
    found = [
        (spec.instrument.venue != venue, str(spec.instrument), column)
        for column, spec in enumerate(view.instruments)
        if spec.instrument.base == asset
        and spec.instrument.kind == "spot"
        and is_dollar(spec.instrument.quote)
    ]
    return min(found)[2] if found else None
