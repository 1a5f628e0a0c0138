"""What recent trades say to whoever would quote: how deep they reach, how fast they come, and where the price goes after them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.model.bar import Floats, Integers
from sextant.model.times import SECOND_NS
from sextant.model.view import TradeTape

WINDOW_S: Final = 900.0
LEAST_TRADES: Final = 300
LEAST_PER_SIDE: Final = 100
DEPTHS: Final = (0.5, 1.0, 1.5, 2.0, 3.0)  # of the half spread
LEAST_SWEEPS: Final = 5
LEAST_POINTS: Final = 3
HORIZONS_S: Final = (10.0, 60.0)
CAUTION: Final = 0.84  # standard errors between a mean and its careful bound
TOXIC_TRADES: Final = 300
_EXACT: Final = 1e-9  # of a depth: binary rounding must not move a trade to the next depth


@dataclass(frozen=True, eq=False)
class Sweeps:
    """Trades with consecutive prints of one order joined, oldest first.

    Parameters
    ----------
    time_ns
        int64 (n,).
    price
        float64 (n,): the deepest price of each.
    size
        float64 (n,): base units together.
    side
        float64 (n,): +1 for buyers, -1 for sellers.
    """

    time_ns: Integers
    price: Floats
    size: Floats
    side: Floats

    @property
    def count(self) -> int:
        """How many, n."""
        return len(self.price)


def sweeps_of(tape: TradeTape, as_of_ns: int, window_s: float = WINDOW_S) -> Sweeps:
    """The sweeps of the newest part of a tape; trades without a known side are left out."""
    since = as_of_ns - round(window_s * SECOND_NS)
    seen = (tape.event_ns > since) & (tape.event_ns <= as_of_ns) & (tape.aggressor != 0)
    time, price = tape.event_ns[seen], tape.price[seen]
    size, side = tape.size[seen], tape.aggressor[seen]
    if not len(price):
        return Sweeps(time, price, size, side)
    last = np.concatenate(((time[1:] != time[:-1]) | (side[1:] != side[:-1]), [True]))
    first = np.concatenate(([0], np.flatnonzero(last)[:-1] + 1))
    deepest = np.where(side[last] > 0, np.maximum.reduceat(price, first), np.minimum.reduceat(price, first))
    return Sweeps(time[last], deepest, np.add.reduceat(size, first), side[last])


def mids_of(sweeps: Sweeps) -> Floats:
    """float64 (n + 1,): the mean of the last buyer's and the last seller's price among the first k sweeps; NaN before both."""
    bought, sold = (_last_of(sweeps, side) for side in (1.0, -1.0))
    return 0.5 * (bought + sold)


def _last_of(sweeps: Sweeps, side: float) -> Floats:
    known = np.where(sweeps.side == side, np.arange(1, sweeps.count + 1), 0)
    last = np.concatenate(([0], np.maximum.accumulate(known)))
    prices = np.concatenate(([np.nan], sweeps.price))
    filled: Floats = prices[last]
    return filled


@dataclass(frozen=True)
class Rate:
    """Sweeps per second of one side that reach a depth: exp(log_a - k depth), depth in basis points."""

    log_a: float
    k: float

    def at(self, depth_bps: float) -> float:
        """Per second."""
        return math.exp(self.log_a - self.k * depth_bps)


@dataclass(frozen=True)
class Flow:
    """The flow of one book.

    Parameters
    ----------
    count, buys, sells
        Sweeps in the window.
    points
        Depths that at least five sweeps reached.
    deepest_bps
        The deepest of them; 0 without one. Fills beyond it are not known.
    k
        Decay of the flow with depth, both sides together, per basis point; NaN with fewer than three points.
    rates
        Of buyers and of sellers.
    adverse_bps
        Move against whoever was hit, careful: the larger of both horizons' mean + 0.84 standard errors, >= 0.
    adverse_se_bps
        Its standard error.
    toxicity
        |signed volume| over volume of the last 300, [0, 1].
    hourly
        Base units an hour.
    """

    count: int
    buys: int
    sells: int
    points: int
    deepest_bps: float
    k: float
    rates: tuple[Rate, Rate]
    adverse_bps: float
    adverse_se_bps: float
    toxicity: float
    hourly: float

    def slower(self, depth_bps: float) -> float:
        """Sweeps per second that reach a depth, of the slower side."""
        return min(rate.at(depth_bps) for rate in self.rates)


def flow_of(sweeps: Sweeps, half_spread_bps: float, window_s: float = WINDOW_S) -> Flow:
    """The flow that sweeps show around a half spread.

    Notes
    -----
    depth_j = a_j (p_j - mid_j)/mid_j with the mid before the sweep. ln lambda = ln A - k depth by least squares over the
    depths 0.5, 1, 1.5, 2, 3 half spreads that at least five sweeps reached, weighted by counts. The move after a sweep,
    a_j (mid_{t+tau} - mid_j)/mid_j, has as many independent samples as its horizon fits into the window.

    References
    ----------
    Avellaneda, Stoikov 2008, High-frequency trading in a limit order book, Quantitative Finance 8.
    Glosten, Milgrom 1985, Bid, Ask and Transaction Prices in a Specialist Market, Journal of Financial Economics 14.
    """
    mids = mids_of(sweeps)
    before = mids[:-1]
    depth = 1e4 * sweeps.side * (sweeps.price - before) / before
    grid = half_spread_bps * np.array(DEPTHS)
    reach = depth[:, None] >= grid * (1.0 - _EXACT) - _EXACT
    by_side = np.stack([(reach & (sweeps.side == side)[:, None]).sum(axis=0) for side in (1.0, -1.0)])
    both = by_side.sum(axis=0)
    known = both >= LEAST_SWEEPS
    pooled = _fitted(grid, both / 2.0, window_s)
    rates = tuple(_fitted(grid, counts, window_s) or pooled or Rate(-math.inf, 0.0) for counts in by_side)
    adverse, error = _adverse(sweeps, mids, window_s)
    newest = slice(-TOXIC_TRADES, None)
    volume = float(sweeps.size[newest].sum())
    return Flow(
        count=sweeps.count,
        buys=int((sweeps.side > 0).sum()),
        sells=int((sweeps.side < 0).sum()),
        points=int(known.sum()),
        deepest_bps=float(grid[known].max(initial=0.0)),
        k=math.nan if pooled is None else pooled.k,
        rates=(rates[0], rates[1]),
        adverse_bps=adverse,
        adverse_se_bps=error,
        toxicity=abs(float((sweeps.side * sweeps.size)[newest].sum())) / volume if volume > 0 else math.nan,
        hourly=float(sweeps.size.sum()) * 3_600.0 / window_s,
    )


def _fitted(grid: Floats, counts: Floats, window_s: float) -> Rate | None:
    """The weighted line through the logarithms; None with fewer than three points or a flow that does not fall."""
    known = counts >= LEAST_SWEEPS / 2.0
    if int(known.sum()) < LEAST_POINTS:
        return None
    x, w = grid[known], counts[known].astype(np.float64)
    y = np.log(counts[known] / window_s)
    mean_x, mean_y = float(np.average(x, weights=w)), float(np.average(y, weights=w))
    slope = float(np.sum(w * (x - mean_x) * (y - mean_y)) / np.sum(w * (x - mean_x) ** 2))
    return Rate(mean_y - slope * mean_x, -slope)


def _adverse(sweeps: Sweeps, mids: Floats, window_s: float) -> tuple[float, float]:
    """The careful move against the maker and its standard error, basis points."""
    worst, error = 0.0, math.nan
    if not sweeps.count:
        return worst, error
    for horizon_s in HORIZONS_S:
        later = sweeps.time_ns + round(horizon_s * SECOND_NS)
        whole = later <= sweeps.time_ns[-1]
        after = mids[np.searchsorted(sweeps.time_ns, later, side="right")]
        moves = (1e4 * sweeps.side * (after - mids[:-1]) / mids[:-1])[whole]
        moves = moves[np.isfinite(moves)]
        if len(moves) < LEAST_PER_SIDE:
            continue
        se = float(moves.std(ddof=1)) / math.sqrt(max(window_s / horizon_s, 1.0))
        careful = float(moves.mean()) + CAUTION * se
        if math.isnan(error) or careful > worst:
            worst, error = max(careful, 0.0), se
    return worst, error
