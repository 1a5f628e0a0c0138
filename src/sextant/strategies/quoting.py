"""Where to quote around a mid, what a round trip leaves, and how long it takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

MARGIN_BPS: Final = 0.5  # kept above fees and adverse selection
INSIDE_SHARE: Final = 0.5  # of the sweeps that reach a quote inside the touch, how many fill it
QUEUE_SHARE: Final = (0.02, 0.5)  # of those that reach the touch, by the place in its queue


@dataclass(frozen=True)
class Book:
    """What is known of a book that might be quoted.

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

    half_spread_bps: float
    tick_bps: float
    maker_bps: float
    adverse_bps: float
    sigma_bps: float
    k: float

    @property
    def least_bps(self) -> float:
        """The distance from the mid that pays for fee, adverse selection and a margin."""
        return self.maker_bps + self.adverse_bps + MARGIN_BPS


@dataclass(frozen=True)
class Quote:
    """A pair of resting orders around the reservation price.

    Parameters
    ----------
    delta_bps
        Distance of each from the reservation price.
    inside
        Whether they stand inside the touch, alone.
    fill_share
        Share of the sweeps that reach them and fill them.
    """

    delta_bps: float
    inside: bool
    fill_share: float


def half_spread_as(book: Book, gamma: float, tau_s: float) -> float:
    """Half the spread that inventory risk and the flow's decay ask for, basis points.

    Notes
    -----
    0.5 gamma sigma^2 tau + ln(1 + gamma/k)/gamma.

    References
    ----------
    Avellaneda, Stoikov 2008, High-frequency trading in a limit order book, Quantitative Finance 8.
    Gueant, Lehalle, Fernandez-Tapia 2013, Dealing with the inventory risk, Mathematics and Financial Economics 7.
    """
    return 0.5 * gamma * book.sigma_bps**2 * tau_s + math.log1p(gamma / book.k) / gamma


def reservation_shift_bps(book: Book, held_sizes: float, gamma: float, tau_s: float) -> float:
    """How far the reservation price stands from the mid: below it with a long inventory, in quote sizes."""
    return -held_sizes * gamma * book.sigma_bps**2 * tau_s


def quote_of(book: Book, size_share: float, gamma: float, tau_s: float) -> Quote:
    """Where to quote.

    Parameters
    ----------
    size_share
        The quote over itself and the queue at the touch.
    """
    delta = max(half_spread_as(book, gamma, tau_s), book.least_bps)
    if delta <= book.half_spread_bps - book.tick_bps:
        return Quote(delta, inside=True, fill_share=INSIDE_SHARE)
    low, high = QUEUE_SHARE
    return Quote(max(delta, book.half_spread_bps), inside=False, fill_share=min(max(size_share, low), high))


@dataclass(frozen=True)
class RoundTrip:
    """What buying and selling once leaves, basis points of one side.

    Parameters
    ----------
    gross_bps, fees_bps, adverse_bps, inventory_bps
        Both distances, both fees, both adverse moves, and the risk of holding; all but the first are taken off.
    seconds
        Expected time of one.
    """

    gross_bps: float
    fees_bps: float
    adverse_bps: float
    inventory_bps: float
    seconds: float

    @property
    def edge_bps(self) -> float:
        """What is left."""
        return self.gross_bps - self.fees_bps - self.adverse_bps - self.inventory_bps


def round_trip(book: Book, quote: Quote, per_second: float, gamma: float) -> RoundTrip:
    """The round trip of a quote, where ``per_second`` sweeps of the slower side reach it."""
    rate = quote.fill_share * per_second
    seconds = 1.0 / rate if rate > 0 else math.inf
    return RoundTrip(
        gross_bps=2.0 * quote.delta_bps,
        fees_bps=2.0 * book.maker_bps,
        adverse_bps=2.0 * book.adverse_bps,
        inventory_bps=0.5 * gamma * book.sigma_bps**2 * seconds,
        seconds=seconds,
    )
