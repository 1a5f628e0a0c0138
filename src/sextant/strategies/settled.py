"""Settled funding on the rows of a frame: what had been charged by each close, and what was to be expected then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.model.bar import Floats, Integers
from sextant.model.times import INTERVAL_NS, SECOND_NS, Interval
from sextant.model.view import View
from sextant.strategies import rolling
from sextant.strategies.funding import LEAST_SETTLEMENTS, PHI_HIGHEST, SAME, TRIM_FRAC, WINDOW_NS

_BLIND: Final = 1.5  # intervals after a settlement from which a history has ended: the next one is missing


@dataclass(frozen=True, eq=False)
class Settled:
    """Settled rates of some instruments as they were known at each close; arrays are float64 (T, P).

    Parameters
    ----------
    count
        Settlements so far; 0 before the first and where there is no history.
    total
        Sum of all rates so far, fraction; NaN where the history has not begun or has ended.
    expected
        Sum of the rates forecast for the horizon then; NaN with fewer than 30 settlements behind.
    realised
        Sum of the rates settled within the horizon afterwards; NaN where that is not known yet.
    """

    count: Floats
    total: Floats
    expected: Floats
    realised: Floats


def settled_on(view: View, interval: Interval, columns: Integers, horizon_rows: int) -> Settled:
    """What had been settled at the close of each row, what was forecast, and what came.

    Parameters
    ----------
    columns
        int64 (P,): instruments of the view; their true intervals are used.
    horizon_rows
        Rows of the frame that a forecast spans.

    Notes
    -----
    A forecast is that of :mod:`sextant.strategies.funding` with the last settled rate in the place of the estimate, whose
    past is not recorded. A row sees settlements up to its close, itself included.
    """
    frame = view.bars[interval]
    close_ns = frame.open_ns + INTERVAL_NS[interval]
    # One row per instrument while they are filled: each is written in one piece.
    shape = (len(columns), frame.rows)
    count, expected, total = np.zeros(shape), np.full(shape, np.nan), np.full(shape, np.nan)
    span_ns = horizon_rows * INTERVAL_NS[interval]
    for place, column in enumerate(columns.tolist()):
        history = view.funding_history.get(view.instruments[column].instrument)
        interval_s = float(view.derivatives.funding_interval_s[column])
        if history is None or not len(history.time_ns) or not interval_s > 0:
            continue
        step_ns = round(interval_s * SECOND_NS)
        seen = np.searchsorted(history.time_ns, close_ns, side="right")
        sums = np.concatenate(([0.0], np.cumsum(history.value)))
        newest = history.time_ns[np.maximum(seen - 1, 0)]
        known = (seen > 0) & (close_ns - newest < _BLIND * step_ns)
        times, rates = np.ascontiguousarray(history.time_ns), np.ascontiguousarray(history.value)
        _expect((times, rates), (close_ns, seen), (step_ns, span_ns, WINDOW_NS), expected[place])
        count[place] = seen
        total[place] = np.where(known, sums[seen], np.nan)
        expected[place, ~known] = np.nan
    ahead = min(horizon_rows, frame.rows)
    realised = np.full(shape, np.nan)
    realised[:, : frame.rows - ahead] = total[:, ahead:] - total[:, : frame.rows - ahead]
    return Settled(count.T, total.T, expected.T, realised.T)


@rolling.compiled
def _expect(
    history: tuple[Integers, Floats],
    rows: tuple[Integers, Integers],
    spans: tuple[int, int, int],
    out: Floats,
) -> None:
    # The forecast of funding.forecast_sum on every row. The window slides with the rows and stays sorted; its figures
    # are made anew when it has moved, so that no row depends on where the frame begins.
    times, rates = history
    close_ns, seen = rows
    step_ns, horizon_ns, window_ns = spans
    window = np.empty(len(rates))
    first, last, mean, phi = 0, 0, np.nan, np.nan
    for t in range(len(close_ns)):
        moved = False
        while last < seen[t]:
            place = last - first
            while place > 0 and window[place - 1] > rates[last]:
                window[place] = window[place - 1]
                place -= 1
            window[place] = rates[last]
            last += 1
            moved = True
        while first < last and times[first] <= close_ns[t] - window_ns:
            place = np.searchsorted(window[: last - first], rates[first])
            for k in range(place, last - first - 1):
                window[k] = window[k + 1]
            first += 1
            moved = True
        n = last - first
        if n < LEAST_SETTLEMENTS:
            continue
        if moved or np.isnan(mean):
            cut = int(TRIM_FRAC * n)
            mean = window[cut : n - cut].mean()
            centre = rates[first:last].mean()
            square, cross = 0.0, 0.0
            for k in range(first, last):
                square += (rates[k] - centre) ** 2
                if k > first:
                    cross += (rates[k] - centre) * (rates[k - 1] - centre)
            rounding = n * (SAME * centre) ** 2
            phi = min(max(cross / square, 0.0), PHI_HIGHEST) if square > rounding else 0.0
        next_ns = times[last - 1] + step_ns
        end_ns = close_ns[t] + horizon_ns
        count = 0 if end_ns < next_ns else (end_ns - next_ns) // step_ns + 1
        # The estimate of the next settlement, whose past is not recorded, is taken to be the last settled rate.
        out[t] = count * mean + (rates[last - 1] - mean) * (1.0 - phi**count) / (1.0 - phi)
