"""What recent trades say to whoever would quote: how deep they reach, how fast they come, and where the price goes after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
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
_NO_TIMES: Final = np.empty(0, dtype=np.int64)
_NOTHING: Final = np.empty(0)  # of no book at all nothing could be joined


@dataclass(frozen=True, eq=False)
class Flows:
    """The flows of some books, float64 (n,) each.

    A sweep is what one order printed: consecutive trades of one time and one side are its deepest price and whole size.

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
    log_a_buy, k_buy, log_a_sell, k_sell
        Of buyers and of sellers alone, for :func:`reaching`; the common line where a side has fewer than three points,
        and -inf and 0 where both have.
    adverse_bps
        Move against whoever was hit, careful: the larger of both horizons' mean + 0.84 standard errors, >= 0.
    adverse_se_bps
        Its standard error; NaN where no horizon has a hundred moves.
    toxicity
        |signed volume| over volume of the last 300, [0, 1]; NaN without a sweep.
    hourly
        Base units an hour.
    """

    count: Floats
    buys: Floats
    sells: Floats
    points: Floats
    deepest_bps: Floats
    k: Floats
    log_a_buy: Floats
    k_buy: Floats
    log_a_sell: Floats
    k_sell: Floats
    adverse_bps: Floats
    adverse_se_bps: Floats
    toxicity: Floats
    hourly: Floats


def reaching(log_a: Floats, k: Floats, depth_bps: Floats) -> Floats:
    """Sweeps per second of one side that reach a depth, of many books at once: exp(log_a - k depth)."""
    out: Floats = np.exp(log_a - k * depth_bps)
    return out


def flows_of(
    tapes: Sequence[TradeTape], half_spread_bps: Floats, as_of_ns: int, window_s: float = WINDOW_S
) -> Flows:
    """The flows that trades of the last while show, each around a half spread; trades of no known side are left out.

    Parameters
    ----------
    tapes
        n of them; any may be empty.
    half_spread_bps
        float64 (n,).
    as_of_ns, window_s
        Trades after ``as_of_ns - window_s`` up to ``as_of_ns`` count.

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
    ends = np.cumsum([0, *(len(tape.event_ns) for tape in tapes)], dtype=np.int64)
    columns = (
        np.concatenate((_NO_TIMES, *(tape.event_ns for tape in tapes))),
        np.concatenate((_NOTHING, *(tape.price for tape in tapes))),
        np.concatenate((_NOTHING, *(tape.size for tape in tapes))),
        np.concatenate((_NOTHING, *(tape.aggressor for tape in tapes))),
    )
    since_ns = as_of_ns - round(window_s * SECOND_NS)
    said = np.empty((len(tapes), len(fields(Flows))))
    _tell(columns, ends, (since_ns, as_of_ns), half_spread_bps[:, None] * _DEPTHS, window_s, said)
    return Flows(*np.ascontiguousarray(said.T))


@compiled
def _tell(
    tapes: tuple[Integers, Floats, Floats, Floats],
    ends: Integers,
    span: tuple[int, int],
    grids: Floats,
    window_s: float,
    said: Floats,
) -> None:
    # All books in one call, since a scan reads hundreds of them.
    event_ns, price, size, side = tapes
    longest = 0
    for book in range(grids.shape[0]):
        longest = max(longest, ends[book + 1] - ends[book])
    time, parts, mids = np.empty(longest, np.int64), np.empty((3, longest)), np.empty(longest + 1)
    moves = np.empty(longest)
    for book in range(grids.shape[0]):
        lo, hi = ends[book], ends[book + 1]
        n = _joined((event_ns[lo:hi], price[lo:hi], size[lo:hi], side[lo:hi]), span, time, parts)
        _read(
            (time[:n], parts[0, :n], parts[1, :n], parts[2, :n]),
            mids,
            moves,
            grids[book],
            window_s,
            said[book],
        )


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


@compiled
def _read(
    sweeps: tuple[Integers, Floats, Floats, Floats],
    mids: Floats,
    moves: Floats,
    grid: Floats,
    window_s: float,
    said: Floats,
) -> None:
    # What is said of one book, in the order of `Flows`; mids and moves are room to work in.
    time_ns, price, size, side = sweeps
    count = price.shape[0]
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
        said[2 * row + 6] = -np.inf if np.isnan(k) else log_a
        said[2 * row + 7] = 0.0 if np.isnan(k) else k
    buys, whole = 0.0, 0.0
    for j in range(count):
        buys += 1.0 if side[j] > 0 else 0.0
        whole += size[j]
    newest, net = 0.0, 0.0
    for j in range(max(count - TOXIC_TRADES, 0), count):
        newest += size[j]
        net += size[j] * side[j]
    said[0], said[1], said[2] = count, buys, count - buys
    said[3], said[4], said[5] = points, deepest, pooled[1]
    said[10], said[11] = _adverse(time_ns, side, mids, moves, window_s)
    said[12] = abs(net) / newest if newest > 0 else np.nan
    said[13] = whole * 3_600.0 / window_s


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
def _adverse(
    time_ns: Integers, side: Floats, mids: Floats, moves: Floats, window_s: float
) -> tuple[float, float]:
    # The careful move against the maker and its standard error, basis points.
    worst, error = 0.0, np.nan
    for horizon_s in HORIZONS_S:
        count = _moved(time_ns, side, mids, round(horizon_s * SECOND_NS), moves)
        if count < LEAST_PER_SIDE:
            continue
        total, squares = 0.0, 0.0
        for j in range(count):
            total += moves[j]
        mean = total / count
        for j in range(count):
            squares += (moves[j] - mean) ** 2
        se = np.sqrt(squares / (count - 1)) / np.sqrt(max(window_s / horizon_s, 1.0))
        careful = mean + CAUTION * se
        if np.isnan(error) or careful > worst:
            worst, error = max(careful, 0.0), se
    return worst, error


@compiled
def _moved(time_ns: Integers, side: Floats, mids: Floats, horizon_ns: int, moves: Floats) -> int:
    # How far the mid stands on the aggressor's side after a time, basis points, for sweeps whose whole time lies in the
    # window; how many there are.
    size, count, k = time_ns.shape[0], 0, 0
    for j in range(size):
        later = time_ns[j] + horizon_ns
        if later > time_ns[size - 1]:
            break
        while k < size and time_ns[k] <= later:
            k += 1
        move = 1e4 * side[j] * (mids[k] - mids[j]) / mids[j]
        if not np.isnan(move):
            moves[count] = move
            count += 1
    return count
