"""Where to quote around a mid, what a round trip leaves, and how long it takes; of many books at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.model.bar import Floats
from sextant.model.view import Flags

MARGIN_BPS: Final = 0.5  # kept above fees and adverse selection
INSIDE_SHARE: Final = 0.5  # of the sweeps that reach a quote inside the touch, how many fill it
QUEUE_SHARE: Final = (0.02, 0.5)  # of those that reach the touch, by the place in its queue


@dataclass(frozen=True, eq=False)
class Book:
    """What is known of books that might be quoted, float64 (n,) each.

    Parameters
    ----------
    half_spread_bps, tick_bps
        Half of the quoted spread, and one tick.
    maker_bps
        The account's fee for a resting order; below 0 where it is a rebate.
    adverse_bps
        Careful move against whoever is hit, >= 0.
    sigma_bps
        Volatility, basis points per square root of a second.
    k
        Decay of the flow with depth, per basis point.
    """

    half_spread_bps: Floats
    tick_bps: Floats
    maker_bps: Floats
    adverse_bps: Floats
    sigma_bps: Floats
    k: Floats

    @property
    def least_bps(self) -> Floats:
        """The distance from the mid that pays for fee, adverse selection and a margin."""
        return self.maker_bps + self.adverse_bps + MARGIN_BPS


@dataclass(frozen=True, eq=False)
class Quote:
    """A pair of resting orders around the reservation price of each book.

    Parameters
    ----------
    delta_bps
        float64 (n,): distance of each from the reservation price.
    inside
        bool (n,): whether they stand inside the touch, alone.
    fill_share
        float64 (n,): share of the sweeps that reach them and fill them.
    """

    delta_bps: Floats
    inside: Flags
    fill_share: Floats


def half_spread_as(book: Book, gamma: float, tau_s: float) -> Floats:
    """Half the spread that inventory risk and the flow's decay ask for, basis points.

    Notes
    -----
    0.5 gamma sigma^2 tau + ln(1 + gamma/k)/gamma.

    References
    ----------
    Avellaneda, Stoikov 2008, High-frequency trading in a limit order book, Quantitative Finance 8.
    Gueant, Lehalle, Fernandez-Tapia 2013, Dealing with the inventory risk, Mathematics and Financial Economics 7.
    """
    out: Floats = 0.5 * gamma * book.sigma_bps**2 * tau_s + np.log1p(gamma / book.k) / gamma
    return out


def reservation_shift_bps(sigma_bps: float, held_sizes: float, gamma: float, tau_s: float) -> float:
    """How far the reservation price stands from the mid: below it with a long inventory, in quote sizes."""
    return -held_sizes * gamma * sigma_bps**2 * tau_s


def quote_of(book: Book, size_share: Floats, gamma: float, tau_s: float) -> Quote:
    """Where to quote.

    Parameters
    ----------
    size_share
        float64 (n,): the quote over itself and the queue at the touch.
    """
    delta = np.maximum(half_spread_as(book, gamma, tau_s), book.least_bps)
    inside = delta <= book.half_spread_bps - book.tick_bps
    return Quote(
        delta_bps=np.where(inside, delta, np.maximum(delta, book.half_spread_bps)),
        inside=inside,
        fill_share=np.where(inside, INSIDE_SHARE, np.clip(size_share, *QUEUE_SHARE)),
    )


@dataclass(frozen=True, eq=False)
class RoundTrip:
    """What buying and selling once leaves, basis points of one side, float64 (n,) each.

    Parameters
    ----------
    gross_bps, fees_bps, adverse_bps, inventory_bps
        Both distances, both fees, both adverse moves, and the risk of holding; all but the first are taken off.
    seconds
        Expected time of one.
    """

    gross_bps: Floats
    fees_bps: Floats
    adverse_bps: Floats
    inventory_bps: Floats
    seconds: Floats

    @property
    def edge_bps(self) -> Floats:
        """What is left."""
        return self.gross_bps - self.fees_bps - self.adverse_bps - self.inventory_bps


def round_trip(book: Book, quote: Quote, per_second: Floats, gamma: float) -> RoundTrip:
    """The round trip of a quote, where ``per_second`` sweeps of the slower side reach it."""
    rate = quote.fill_share * per_second
    seconds = np.divide(1.0, rate, out=np.full(len(rate), np.inf), where=rate > 0)
    return RoundTrip(
        gross_bps=2.0 * quote.delta_bps,
        fees_bps=2.0 * book.maker_bps,
        adverse_bps=2.0 * book.adverse_bps,
        inventory_bps=0.5 * gamma * book.sigma_bps**2 * seconds,
        seconds=seconds,
    )
