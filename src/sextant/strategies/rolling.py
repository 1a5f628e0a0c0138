"""Rolling and recursive column programs: arrays (rows, instruments) to arrays of equal length.

Notes
-----
Every function is causal, treats columns independently and never fills a NaN: a window that holds a
NaN is NaN, and a recursion starts again at the first finite row after one. Running sums are added
anew from their window every ``REFRESH_ROWS`` rows, which bounds their rounding error; the schedule
counts from row 0, so a prefix of the rows gives the prefix of the result, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from sextant.model.bar import Floats, Integers

F = TypeVar("F", bound=Callable[..., Any])

REFRESH_ROWS: Final = 64


def compiled(function: F) -> F:
    """The function as machine code without the interpreter lock, kept on disk; IEEE arithmetic as written."""
    return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy")(function))


def lag(x: Floats, rows: int) -> Floats:
    """The value ``rows`` rows earlier; NaN before the first."""
    out = np.empty(x.shape)
    out[:rows] = np.nan
    out[rows:] = x[: max(len(x) - rows, 0)]
    return out


def run_length(x: Floats) -> Integers:
    """int64 (T, S): finite rows without a gap that end on this row, 0 where it is NaN."""
    out = np.empty(x.shape, dtype=np.int64)
    _run_length(_readable(x), out)
    return out


def complete_rows(columns: tuple[Floats, Floats, Floats, Floats]) -> Floats:
    """float64 (T, S): rows without a gap in any of four columns that end on this row."""
    out = np.empty(columns[0].shape)
    first, second, third, fourth = (_readable(column) for column in columns)
    _complete_rows((first, second, third, fourth), out)
    return out


def ewstd(x: Floats, half_life: float) -> Floats:
    """The exponentially weighted root mean square of ``x``, in its unit.

    Notes
    -----
    ``v = f v + (1 - f) x^2`` with ``f = 2^(-1/half_life)``, begun with ``x^2`` at the first finite row; the root of v.
    """
    out = np.empty(x.shape)
    _ewstd(_readable(x), 2.0 ** (-1.0 / half_life), out)
    return out


def sum_n(x: Floats, rows: int) -> Floats:
    """The sum over the last ``rows`` rows, this one included."""
    out = np.empty(x.shape)
    _sum(_readable(x), rows, rows, out)
    return out


def sum_so_far(x: Floats, rows: int) -> Floats:
    """The sum over the last ``rows`` rows, or over as many as there are since the last NaN; NaN where x is."""
    out = np.empty(x.shape)
    _sum(_readable(x), rows, 1, out)
    return out


def mean_n(x: Floats, rows: int) -> Floats:
    """The mean over the last ``rows`` rows, this one included."""
    out = sum_n(x, rows)
    out /= rows
    return out


def std_n(x: Floats, rows: int) -> Floats:
    """The sample standard deviation (divisor ``rows - 1``) over the last ``rows`` rows, this one included."""
    out = np.empty(x.shape)
    _std(_readable(x), rows, rows / (rows - 1), out)
    return out


def levels(
    close: Floats, direction: Floats, atr: Floats, stop_atr: float, target_atr: float
) -> tuple[Floats, Floats]:
    """Stop and target so many average true ranges from the close: against the direction and with it."""
    stop, target = np.empty(close.shape), np.empty(close.shape)
    _levels((_readable(close), _readable(direction), _readable(atr)), (stop_atr, target_atr), (stop, target))
    return stop, target


def max_n(x: Floats, rows: int) -> Floats:
    """The largest value of the last ``rows`` rows, this one included."""
    out = np.empty(x.shape)
    _extreme(_readable(x), rows, 1.0, out)
    return out


def min_n(x: Floats, rows: int) -> Floats:
    """The smallest value of the last ``rows`` rows, this one included."""
    out = np.empty(x.shape)
    _extreme(_readable(x), rows, -1.0, out)
    return out


def prior(function: Callable[[Floats, int], Floats], x: Floats, rows: int, by: int = 1) -> Floats:
    """``function(x, rows)`` of the window that ended ``by`` rows earlier."""
    return lag(function(x, rows), by)


def moments(x: Floats, y: Floats, rows: int) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Mean of x, mean of y, variance of x, covariance, variance of y over the last ``rows`` rows.

    Notes
    -----
    Divisor ``rows``; NaN where x or y has a NaN in the window. Sums are taken of differences to a
    recent row, so that a large mean costs no digits.
    """
    out = tuple(np.empty(x.shape) for _ in range(5))
    _moments(_readable(x), _readable(y), rows, out)
    return out[0], out[1], out[2], out[3], out[4]


def moments_with(x: Floats, y: Floats, rows: int) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Moments of each column with one series all share: mean, variance and covariance of x; mean and variance of y.

    Parameters
    ----------
    x
        float64 (T, S).
    y
        float64 (T,).

    Returns
    -------
    tuple
        Mean of x, variance of x, covariance, float64 (T, S); mean of y, variance of y, float64 (T,).

    Notes
    -----
    As :func:`moments`, at half its cost.
    """
    _, mean_y, _, _, var_y = moments(y[:, None], y[:, None], rows)
    out = tuple(np.empty(x.shape) for _ in range(3))
    _moments_with(_readable(x), np.ascontiguousarray(y), rows, out)
    return out[0], out[1], out[2], mean_y[:, 0], var_y[:, 0]


def activity(turnover: Floats, short: int, long: int) -> Floats:
    """Mean turnover of the last ``short`` rows over the geometric mean of the ``long`` rows before them.

    Notes
    -----
    ``mean_short(qv) / exp(mean_long(ln qv) ending short rows earlier)``. A bar that traded less than one unit
    counts as one in the logarithm: a bar without trades is a measured zero, whose logarithm does not exist.
    """
    logs = np.maximum(turnover, 1.0)
    usual = mean_n(np.log(logs, out=logs), long)
    np.exp(usual, out=usual)
    result = mean_n(turnover, short)
    result[:short] = np.nan
    result[short:] /= usual[: max(len(usual) - short, 0)]
    return result


def turnover(stated: Floats, volume: Floats, prices: tuple[Floats, Floats, Floats]) -> Floats:
    """What was traded in each bar, quote units: as stated, and where that is NaN volume times the mean of three prices."""
    out = np.empty(stated.shape)
    first, second, third = (_readable(price) for price in prices)
    _turnover(_readable(stated), _readable(volume), (first, second, third), out)
    return out


def instead(x: Floats, other: Floats, least: Floats) -> Floats:
    """``x``, and where it is NaN the other value if that reaches the column's least, (S,)."""
    out = np.empty(x.shape)
    _instead(_readable(x), _readable(other), np.ascontiguousarray(least), out)
    return out


def ratio(a: Floats, b: Floats) -> Floats:
    """a/b; NaN where b is 0 or either is NaN."""
    out: Floats = np.full(np.broadcast_shapes(a.shape, b.shape), np.nan)
    np.divide(a, b, out=out, where=b != 0)
    return out


def rank_frac(x: Floats, rows: int, at_least: int | None = None) -> Floats:
    """Where the value stands among the last ``rows`` values, itself included: (count below + 0.5 count equal)/rows.

    Parameters
    ----------
    at_least
        With this many values or more, fewer than ``rows`` are enough; None asks for all of them.
    """
    out = np.empty(x.shape)
    _rank(_readable(x), rows, rows if at_least is None else at_least, out)
    return out


def row_median(x: Floats, at_least: int) -> Floats:
    """float64 (T,): the median over the instruments of each row; NaN where fewer than ``at_least`` are finite."""
    rows, columns = x.shape
    out = np.full(rows, np.nan)
    if not columns:
        return out
    ordered = np.sort(x, axis=1)
    count = columns - np.count_nonzero(np.isnan(x), axis=1)
    enough = np.flatnonzero(count >= max(at_least, 1))
    upper, lower = count[enough] // 2, (count[enough] - 1) // 2
    out[enough] = 0.5 * (ordered[enough, lower] + ordered[enough, upper])
    return out


def running_sum(x: Floats) -> Floats:
    """The sum since the first finite row after the last NaN, float64 (T,); NaN where x is."""
    out = np.full(x.shape, np.nan)
    total = 0.0
    for row, value in enumerate(x.tolist()):
        total = 0.0 if math.isnan(value) else total + value
        out[row] = math.nan if math.isnan(value) else total
    return out


def signal_age(passing: NDArray[np.bool_], direction: Floats) -> Floats:
    """Rows since the present run of passing rows of one direction began, float64 (T, S); 0 on its first row and outside.

    Parameters
    ----------
    passing
        bool (T, S).
    direction
        float64 (T, S): +1, -1, or 0 for none.
    """
    out = np.empty(direction.shape)
    _signal_age(np.ascontiguousarray(passing), _readable(direction), out)
    return out


def fold_gate(values: Floats, limits: Floats, sense: int, *, optional: bool, into: NDArray[np.bool_]) -> None:
    """Clears ``into``, bool (T, S), where ``sense * (values - limits) >= 0`` does not hold; NaN holds only if optional."""
    if len(values) and values.strides[0] == 0:
        # One row seen as many, as facts without history are: reading it once is enough.
        into &= (sense * (values[0] - limits) >= 0) | (optional & np.isnan(values[0]))
        return
    _fold_gate(_readable(values), np.ascontiguousarray(limits), float(sense), optional, into)


def failing_from(values: Floats, limits: Floats, sense: int) -> Integers:
    """Int64 (S,): the first row of the run of rows up to the last on which a gate failed; T if the last row did not."""
    out = np.empty(values.shape[1], dtype=np.int64)
    _failing_from(_readable(values), np.ascontiguousarray(limits), float(sense), out)
    return out


def _readable(x: Floats) -> Floats:
    # One type for every caller's array, so that a kernel is compiled once.
    view = np.ascontiguousarray(x, dtype=np.float64).view()
    view.flags.writeable = False
    return view


@compiled
def _turnover(stated: Floats, volume: Floats, prices: tuple[Floats, Floats, Floats], out: Floats) -> None:
    first, second, third = prices
    for t in range(out.shape[0]):
        for s in range(out.shape[1]):
            made = volume[t, s] * ((first[t, s] + second[t, s] + third[t, s]) / 3.0)
            out[t, s] = made if np.isnan(stated[t, s]) else stated[t, s]


@compiled
def _instead(x: Floats, other: Floats, least: Floats, out: Floats) -> None:
    for t in range(out.shape[0]):
        for s in range(out.shape[1]):
            serves = np.isnan(x[t, s]) and other[t, s] >= least[s]
            out[t, s] = other[t, s] if serves else x[t, s]


@compiled
def _run_length(x: Floats, out: Integers) -> None:
    rows, columns = x.shape
    run = np.zeros(columns, np.int64)
    for t in range(rows):
        for s in range(columns):
            run[s] = 0 if np.isnan(x[t, s]) else run[s] + 1
            out[t, s] = run[s]


@compiled
def _complete_rows(bars: tuple[Floats, Floats, Floats, Floats], out: Floats) -> None:
    first, second, third, fourth = bars
    rows, columns = out.shape
    run = np.zeros(columns)
    for t in range(rows):
        for s in range(columns):
            whole = first[t, s] + second[t, s] + third[t, s] + fourth[t, s]
            run[s] = 0.0 if np.isnan(whole) else run[s] + 1.0
            out[t, s] = run[s]


@compiled
def _signal_age(passing: NDArray[np.bool_], direction: Floats, out: Floats) -> None:
    rows, columns = direction.shape
    before = np.zeros(columns)
    age = np.zeros(columns)
    for t in range(rows):
        for s in range(columns):
            now = direction[t, s] if passing[t, s] else 0.0
            age[s] = age[s] + 1.0 if now != 0.0 and now == before[s] else 0.0
            before[s] = now
            out[t, s] = age[s]


@compiled
def _fold_gate(values: Floats, limits: Floats, sense: float, optional: bool, into: NDArray[np.bool_]) -> None:
    rows, columns = values.shape
    for t in range(rows):
        for s in range(columns):
            value = values[t, s]
            good = sense * (value - limits[s]) >= 0.0 or (optional and np.isnan(value))
            into[t, s] = into[t, s] and good


@compiled
def _failing_from(values: Floats, limits: Floats, sense: float, out: Integers) -> None:
    rows, columns = values.shape
    for s in range(columns):
        row = rows
        while row > 0 and sense * (values[row - 1, s] - limits[s]) < 0.0:
            row -= 1
        out[s] = row


@compiled
def _ewstd(x: Floats, fade: float, out: Floats) -> None:
    rows, columns = x.shape
    v = np.full(columns, np.nan)
    for t in range(rows):
        for s in range(columns):
            square = x[t, s] * x[t, s]
            v[s] = square if np.isnan(v[s]) or np.isnan(square) else fade * v[s] + (1.0 - fade) * square
            out[t, s] = np.sqrt(v[s])


@compiled
def _count(here: Floats, run: Floats) -> None:
    # One branch for all columns: what it chooses between is computed for each, several of them at a time.
    for s in range(len(run)):
        run[s] = 0.0 if np.isnan(here[s]) else run[s] + 1.0


@compiled
def _sum(x: Floats, n: int, least: int, out: Floats) -> None:
    rows, columns = x.shape
    run, total, fresh = np.zeros(columns), np.zeros(columns), np.zeros(columns)
    for t in range(rows):
        here = x[t]
        _count(here, run)
        if t >= n:
            gone = x[t - n]
            for s in range(columns):
                change = here[s] - gone[s] if run[s] > n else here[s]
                total[s] = 0.0 if run[s] == 0.0 else total[s] + change
        else:
            for s in range(columns):
                total[s] = 0.0 if run[s] == 0.0 else total[s] + here[s]
        if t >= n and t % REFRESH_ROWS == 0:
            fresh[:] = 0.0
            for j in range(t - n + 1, t + 1):
                row = x[j]
                for s in range(columns):
                    fresh[s] += row[s]
            for s in range(columns):
                total[s] = fresh[s] if run[s] > n else total[s]
        for s in range(columns):
            out[t, s] = total[s] if run[s] >= least else np.nan


@compiled
def _levels(
    seen: tuple[Floats, Floats, Floats], ranges: tuple[float, float], said: tuple[Floats, Floats]
) -> None:
    # One pass: each array between would be written and read for a multiplication.
    (close, direction, atr), (stop, target) = seen, said
    for t in range(close.shape[0]):
        for s in range(close.shape[1]):
            stop[t, s] = close[t, s] - direction[t, s] * ranges[0] * atr[t, s]
            target[t, s] = close[t, s] + direction[t, s] * ranges[1] * atr[t, s]


@compiled
def _extreme(x: Floats, n: int, sign: float, out: Floats) -> None:
    # Van Herk 1992, Gil and Werman 1993: the window is the tail of one block and the head of the next.
    rows, columns = x.shape
    run = np.zeros(columns, np.int64)
    head = np.full(columns, -np.inf)
    tail = np.full((n + 1, columns), -np.inf)
    for t in range(rows):
        k = t % n
        if k == 0:
            head[:] = -np.inf
            for j in range(min(n, t)):
                for s in range(columns):
                    value = sign * x[t - 1 - j, s]
                    after = tail[n - j, s] if j > 0 else -np.inf
                    tail[n - 1 - j, s] = value if value > after else after  # noqa: FURB136  # NaN must lose
        for s in range(columns):
            value = sign * x[t, s]
            run[s] = 0 if np.isnan(value) else run[s] + 1
            if value > head[s]:  # noqa: PLR1730  # NaN must lose
                head[s] = value
            best = head[s]
            if k < n - 1 and tail[k + 1, s] > best:
                best = tail[k + 1, s]
            out[t, s] = sign * best if run[s] >= n else np.nan


@compiled
def _std(x: Floats, n: int, factor: float, out: Floats) -> None:
    # As _moments of a column with itself, at a fraction of its cost.
    rows, columns = x.shape
    run, base = np.zeros(columns), np.zeros(columns)
    one, two = np.zeros(columns), np.zeros(columns)
    for t in range(rows):
        here, gone = x[t], x[max(t - n, 0)]
        _count(here, run)
        for s in range(columns):
            first, full = run[s] == 1.0, run[s] > n
            base[s] = here[s] if first else base[s]
            away = gone[s] - base[s]
            rest, squares = 0.0 if first else one[s], 0.0 if first else two[s]
            rest = rest - away if full else rest
            squares = squares - away * away if full else squares
            away = here[s] - base[s]
            one[s], two[s] = rest + away, squares + away * away
        if t >= n and t % REFRESH_ROWS == 0:
            for s in range(columns):
                full = run[s] > n
                base[s] = here[s] if full else base[s]
                one[s], two[s] = 0.0 if full else one[s], 0.0 if full else two[s]
            for j in range(t - n + 1, t + 1):
                row = x[j]
                for s in range(columns):
                    away = row[s] - base[s]
                    one[s] = one[s] + away if run[s] > n else one[s]
                    two[s] = two[s] + away * away if run[s] > n else two[s]
        for s in range(columns):
            mean = one[s] / n
            variance = two[s] / n - mean * mean
            variance = max(variance, 0.0) * factor
            out[t, s] = np.nan if run[s] < n else np.sqrt(variance)


@compiled
def _moments(x: Floats, y: Floats, n: int, out: tuple[Floats, ...]) -> None:
    rows, columns = x.shape
    run = np.zeros(columns, np.int64)
    base = np.zeros((2, columns))
    sums = np.zeros((5, columns))
    mean_x, mean_y, var_x, cov, var_y = out
    for t in range(rows):
        refresh = t % REFRESH_ROWS == 0
        for s in range(columns):
            if np.isnan(x[t, s]) or np.isnan(y[t, s]):
                run[s] = 0
            else:
                run[s] += 1
                if run[s] == 1 or (run[s] > n and refresh):
                    base[0, s], base[1, s] = x[t, s], y[t, s]
                    sums[:, s] = 0.0
                    for j in range(t - min(run[s], n) + 1, t + 1):
                        _add(sums, s, x[j, s] - base[0, s], y[j, s] - base[1, s], 1.0)
                else:
                    if run[s] > n:
                        _add(sums, s, x[t - n, s] - base[0, s], y[t - n, s] - base[1, s], -1.0)
                    _add(sums, s, x[t, s] - base[0, s], y[t, s] - base[1, s], 1.0)
            if run[s] < n:
                for part in out:
                    part[t, s] = np.nan
            else:
                mx, my = sums[0, s] / n, sums[1, s] / n
                mean_x[t, s], mean_y[t, s] = base[0, s] + mx, base[1, s] + my
                var_x[t, s] = max(sums[2, s] / n - mx * mx, 0.0)
                cov[t, s] = sums[3, s] / n - mx * my
                var_y[t, s] = max(sums[4, s] / n - my * my, 0.0)


@compiled
def _add(sums: Floats, s: int, dx: float, dy: float, sign: float) -> None:
    sums[0, s] += sign * dx
    sums[1, s] += sign * dy
    sums[2, s] += sign * (dx * dx)
    sums[3, s] += sign * (dx * dy)
    sums[4, s] += sign * (dy * dy)


@compiled
def _moments_with(x: Floats, y: Floats, n: int, out: tuple[Floats, ...]) -> None:
    rows, columns = x.shape
    run = np.zeros(columns, np.int64)
    base = np.zeros((2, columns))
    sums = np.zeros((4, columns))
    mean_x, var_x, cov = out
    for t in range(rows):
        refresh = t % REFRESH_ROWS == 0
        here, gone = y[t], y[t - n] if t >= n else np.nan
        for s in range(columns):
            value = x[t, s]
            if np.isnan(value) or np.isnan(here):
                run[s] = 0
            else:
                run[s] += 1
                if run[s] == 1 or (run[s] > n and refresh):
                    base[0, s], base[1, s] = value, here
                    sums[:, s] = 0.0
                    for j in range(t - min(run[s], n) + 1, t + 1):
                        _add_pair(sums, s, x[j, s] - value, y[j] - here, 1.0)
                else:
                    if run[s] > n:
                        _add_pair(sums, s, x[t - n, s] - base[0, s], gone - base[1, s], -1.0)
                    _add_pair(sums, s, value - base[0, s], here - base[1, s], 1.0)
            if run[s] < n:
                mean_x[t, s], var_x[t, s], cov[t, s] = np.nan, np.nan, np.nan
            else:
                mx, my = sums[0, s] / n, sums[1, s] / n
                mean_x[t, s] = base[0, s] + mx
                var_x[t, s] = max(sums[2, s] / n - mx * mx, 0.0)
                cov[t, s] = sums[3, s] / n - mx * my


@compiled
def _add_pair(sums: Floats, s: int, dx: float, dy: float, sign: float) -> None:
    sums[0, s] += sign * dx
    sums[1, s] += sign * dy
    sums[2, s] += sign * (dx * dx)
    sums[3, s] += sign * (dx * dy)


@compiled
def _rank(x: Floats, n: int, least: int, out: Floats) -> None:
    rows, columns = x.shape
    run = np.zeros(columns, np.int64)
    for t in range(rows):
        for s in range(columns):
            run[s] = 0 if np.isnan(x[t, s]) else run[s] + 1
            if run[s] < least:
                out[t, s] = np.nan
            else:
                score, known = 0.0, min(n, run[s])
                for j in range(t - known + 1, t + 1):
                    score += 1.0 if x[j, s] < x[t, s] else (0.5 if x[j, s] == x[t, s] else 0.0)
                out[t, s] = score / known
