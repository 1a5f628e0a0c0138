"""What recent trades say to whoever would quote: how deep they reach, how fast they come, and where the price goes after them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.model.bar import Floats, Integers
from sextant.model.times import SECOND_NS
from sextant.model.view import TradeTape
from sextant.strategies.rolling import compiled

WINDOW_S: Final = 900.0
LEAST_TRADES: Final = 300
LEAST_PER_SIDE: Final = 100
DEPTHS: Final = (0.5, 1.0, 1.5, 2.0, 3.0)  # of the half spread
LEAST_SWEEPS: Final = 5
LEAST_POINTS: Final = 3
HORIZONS_S: Final = (10.0, 60.0)
CAUTION: Final = 0.84  # standard errors between a mean and its careful bound
TOXIC_TRADES: Final = 300

_DEPTHS: Final = np.array(DEPTHS)
_SAID: Final = (
    "buys",
    "points",
    "deepest_bps",
    "k",
    "log_a_buy",
    "k_buy",
    "log_a_sell",
    "k_sell",
    "adverse_bps",
    "adverse_se_bps",
    "toxicity",
    "size",
)


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
    since_ns = as_of_ns - round(window_s * SECOND_NS)
    size = len(tape.event_ns)
    time, parts = np.empty(size, dtype=np.int64), np.empty((3, size))
    count = _joined((tape.event_ns, tape.price, tape.size, tape.aggressor), (since_ns, as_of_ns), time, parts)
    return Sweeps(time[:count], *(part[:count] for part in parts))


@compiled
def _joined(
    tape: tuple[Integers, Floats, Floats, Floats], span: tuple[int, int], time: Integers, parts: Floats
) -> int:
    # Prints of one order, which bear one time and one side, become its deepest price and its whole size.
    event_ns, price, size, side = tape
    count = 0
    for j in range(event_ns.shape[0]):
        if side[j] == 0 or event_ns[j] <= span[0] or event_ns[j] > span[1]:
            continue
        last = count - 1
        if count > 0 and time[last] == event_ns[j] and parts[2, last] == side[j]:
            parts[1, last] += size[j]
            if side[j] * (price[j] - parts[0, last]) > 0:
                parts[0, last] = price[j]
            continue
        time[count] = event_ns[j]
        parts[0, count], parts[1, count], parts[2, count] = price[j], size[j], side[j]
        count += 1
    return count


def mids_of(sweeps: Sweeps) -> Floats:
    """float64 (n + 1,): the mean of the last buyer's and the last seller's price among the first k sweeps; NaN before both."""
    mids = np.empty(sweeps.count + 1)
    _mids(sweeps.price, sweeps.side, mids)
    return mids


@compiled
def _mids(price: Floats, side: Floats, mids: Floats) -> None:
    bought, sold = np.nan, np.nan
    mids[0] = np.nan
    for j in range(price.shape[0]):
        if side[j] > 0:
            bought = price[j]
        else:
            sold = price[j]
        mids[j + 1] = 0.5 * (bought + sold)


@dataclass(frozen=True)
class Rate:
    """Sweeps per second of one side that reach a depth in basis points: exp(log_a - k depth), see :func:`reaching`."""

    log_a: float
    k: float


def reaching(log_a: Floats, k: Floats, depth_bps: Floats) -> Floats:
    """Sweeps per second that reach a depth, of many books at once."""
    out: Floats = np.exp(log_a - k * depth_bps)
    return out


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
    said = np.empty(len(_SAID))
    columns = (sweeps.time_ns, sweeps.price, sweeps.size, sweeps.side)
    _read(columns, half_spread_bps * _DEPTHS, window_s, said)
    told = dict(zip(_SAID, said.tolist(), strict=True))
    return Flow(
        count=sweeps.count,
        buys=int(told["buys"]),
        sells=sweeps.count - int(told["buys"]),
        points=int(told["points"]),
        deepest_bps=told["deepest_bps"],
        k=told["k"],
        rates=(Rate(told["log_a_buy"], told["k_buy"]), Rate(told["log_a_sell"], told["k_sell"])),
        adverse_bps=told["adverse_bps"],
        adverse_se_bps=told["adverse_se_bps"],
        toxicity=told["toxicity"],
        hourly=told["size"] * 3_600.0 / window_s,
    )


@compiled
def _read(
    sweeps: tuple[Integers, Floats, Floats, Floats], grid: Floats, window_s: float, said: Floats
) -> None:
    # Everything in one call, since a scan reads hundreds of books.
    time_ns, price, size, side = sweeps
    mids = np.empty(price.shape[0] + 1)
    _mids(price, side, mids)
    reached = np.zeros((2, grid.shape[0]))
    _reached(price, side, mids, grid, reached)
    both = reached[0] + reached[1]
    points, deepest = 0.0, 0.0
    for g in range(grid.shape[0]):
        if both[g] >= LEAST_SWEEPS:
            points += 1.0
            deepest = max(deepest, grid[g])
    pooled = _fitted(grid, both / 2.0, window_s)
    for row in range(2):
        log_a, k = _fitted(grid, reached[row], window_s)
        if np.isnan(k):
            log_a, k = pooled
        said[2 * row + 4] = -np.inf if np.isnan(k) else log_a
        said[2 * row + 5] = 0.0 if np.isnan(k) else k
    buys, whole = 0.0, 0.0
    for j in range(price.shape[0]):
        buys += 1.0 if side[j] > 0 else 0.0
        whole += size[j]
    newest, net = 0.0, 0.0
    for j in range(max(price.shape[0] - TOXIC_TRADES, 0), price.shape[0]):
        newest += size[j]
        net += size[j] * side[j]
    said[0], said[1], said[2], said[3] = buys, points, deepest, pooled[1]
    said[8], said[9] = _adverse(time_ns, side, mids, window_s)
    said[10] = abs(net) / newest if newest > 0 else np.nan
    said[11] = whole


@compiled
def _reached(price: Floats, side: Floats, mids: Floats, grid: Floats, reached: Floats) -> None:
    # How many sweeps of each side reached each depth; binary rounding must not move one to the next depth.
    for j in range(price.shape[0]):
        depth = 1e4 * side[j] * (price[j] - mids[j]) / mids[j]
        row = 0 if side[j] > 0 else 1
        for g in range(grid.shape[0]):
            if depth >= grid[g] * (1.0 - 1e-9) - 1e-9:
                reached[row, g] += 1.0


@compiled
def _fitted(depths: Floats, counts: Floats, window_s: float) -> tuple[float, float]:
    # Height and decay of the line through the logarithms, weighted by counts; NaN with fewer than three points.
    known, total, mean_x, mean_y = 0, 0.0, 0.0, 0.0
    for g in range(depths.shape[0]):
        if counts[g] >= LEAST_SWEEPS / 2.0:
            known += 1
            total += counts[g]
            mean_x += counts[g] * depths[g]
            mean_y += counts[g] * np.log(counts[g] / window_s)
    if known < LEAST_POINTS:
        return np.nan, np.nan
    mean_x, mean_y = mean_x / total, mean_y / total
    joint, square = 0.0, 0.0
    for g in range(depths.shape[0]):
        if counts[g] >= LEAST_SWEEPS / 2.0:
            away = depths[g] - mean_x
            joint += counts[g] * away * (np.log(counts[g] / window_s) - mean_y)
            square += counts[g] * away * away
    slope = joint / square
    return mean_y - slope * mean_x, -slope


@compiled
def _adverse(time_ns: Integers, side: Floats, mids: Floats, window_s: float) -> tuple[float, float]:
    # The careful move against the maker and its standard error, basis points.
    worst, error = 0.0, np.nan
    for horizon_s in HORIZONS_S:
        count, mean, sd = _moves(time_ns, side, mids, round(horizon_s * SECOND_NS))
        if count < LEAST_PER_SIDE:
            continue
        se = sd / np.sqrt(max(window_s / horizon_s, 1.0))
        careful = mean + CAUTION * se
        if np.isnan(error) or careful > worst:
            worst, error = max(careful, 0.0), se
    return worst, error


@compiled
def _moves(time_ns: Integers, side: Floats, mids: Floats, horizon_ns: int) -> tuple[int, float, float]:
    # Count, mean and sample deviation of how far the mid stands on the aggressor's side after a time, in two
    # passes over sweeps whose whole time lies in the window.
    size = time_ns.shape[0]
    count, total, squares = 0, 0.0, 0.0
    mean = 0.0
    for step in range(2):
        k = 0
        for j in range(size):
            later = time_ns[j] + horizon_ns
            if later > time_ns[size - 1]:
                break
            while k < size and time_ns[k] <= later:
                k += 1
            move = 1e4 * side[j] * (mids[k] - mids[j]) / mids[j]
            if np.isnan(move):
                continue
            if step == 0:
                count += 1
                total += move
            else:
                squares += (move - mean) ** 2
        if step == 0:
            mean = total / count if count > 0 else np.nan
    deviation = np.sqrt(squares / (count - 1)) if count > 1 else np.nan
    return count, mean, deviation
