"""Funding a position will pay or receive: settlements on the instrument's own clock, at a rate that reverts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from sextant.model.bar import Floats
from sextant.model.times import DAY_NS, SECOND_NS
from sextant.model.view import View

WINDOW_NS: Final = 30 * DAY_NS
TRIM_FRAC: Final = 0.2
LEAST_SETTLEMENTS: Final = 30
PHI_WHEN_FEW: Final = 0.5
PHI_HIGHEST: Final = 0.95
SAME: Final = 1e-9  # deviations below this share of the mean are rounding


@dataclass(frozen=True)
class FundingForecast:
    """What one unit of a long position is expected to pay in funding over a horizon.

    Parameters
    ----------
    sum_frac
        Fraction of size x mark; positive: longs pay shorts.
    count
        Settlements inside the horizon.
    mean_frac, phi
        Level the rate reverts to, and what remains of a deviation after one settlement.
    settled_count
        Past settlements behind both; under 30 phi is 0.5.
    """

    sum_frac: float
    count: int
    mean_frac: float
    phi: float
    settled_count: int


def settlements(as_of_ns: int, horizon_s: float, next_ns: int, interval_s: float) -> int:
    """How many settlements lie after ``as_of_ns`` and not after the horizon.

    Examples
    --------
    Next in an hour, hourly, for a day:

    >>> settlements(0, 86_400.0, 3_600 * 10**9, 3_600.0)
    24
    """
    step_ns = round(interval_s * SECOND_NS)
    next_ns = _following(as_of_ns, next_ns, step_ns)
    end_ns = as_of_ns + round(horizon_s * SECOND_NS)
    return 0 if end_ns < next_ns else (end_ns - next_ns) // step_ns + 1


def forecast_sum(rate: float, settled: Floats, count: int) -> FundingForecast:
    """The expected sum of the next ``count`` rates.

    Parameters
    ----------
    rate
        Current estimate of the next settlement, f_0.
    settled
        Past rates, oldest first.

    Notes
    -----
    ``f_k = m + (f_0 - m) phi^k``; m = mean without the highest and lowest fifth, phi = lag-1 autocorrelation in
    [0, 0.95]. Without any settled rate m is f_0.
    """
    return _read(settled).forecast(rate, count)


@dataclass(frozen=True)
class _Settled:
    """What past rates say whatever the horizon: the mean without the highest and lowest fifth, None without a rate."""

    mean: float | None
    phi: float
    count: int

    def forecast(self, rate: float, count: int) -> FundingForecast:
        mean, phi = rate if self.mean is None else self.mean, self.phi
        total = count * mean + (rate - mean) * (1.0 - phi**count) / (1.0 - phi)
        return FundingForecast(total, count, mean, phi, self.count)


def _read(settled: Floats) -> _Settled:
    mean = _trimmed_mean(settled) if len(settled) else None
    phi = PHI_WHEN_FEW if len(settled) < LEAST_SETTLEMENTS else _autocorrelation(settled)
    return _Settled(mean, phi, len(settled))


def _settled(view: View, column: int) -> _Settled:
    """What the settlements of the last thirty days say of an instrument."""
    history = view.funding_history.get(view.instruments[column].instrument)
    if history is None:
        return _read(np.empty(0))
    first = int(np.searchsorted(history.time_ns, view.as_of_ns - WINDOW_NS, side="right"))
    known: tuple[int, _Settled] | None = history.kept.get("settled")
    if known is None or known[0] != first:
        recent = history.value[first:]
        known = history.kept["settled"] = (first, _read(recent[np.isfinite(recent)]))
    return known[1]


@dataclass(frozen=True)
class _Paid:
    """What is known of the funding of one perpetual: its current estimate, the clock it settles by, and its past."""

    rate: float
    next_ns: int
    step_ns: int
    settled: _Settled

    def forecast(self, end_ns: int) -> FundingForecast:
        """The rates up to an instant."""
        count = 0 if end_ns < self.next_ns else (end_ns - self.next_ns) // self.step_ns + 1
        return self.settled.forecast(self.rate, count)


def _paid(view: View) -> dict[int, _Paid]:
    """By column, the perpetuals whose rate, interval and next settlement are known."""
    known: dict[int, _Paid] | None = view.kept.get("funding")
    if known is None:
        facts = view.derivatives
        able = np.isfinite(facts.funding_rate) & (facts.funding_interval_s > 0) & (facts.next_funding_ns > 0)
        known = {}
        for column in np.flatnonzero(able).tolist():
            step_ns = round(float(facts.funding_interval_s[column]) * SECOND_NS)
            next_ns = _following(view.as_of_ns, int(facts.next_funding_ns[column]), step_ns)
            rate = float(facts.funding_rate[column])
            known[column] = _Paid(rate, next_ns, step_ns, _settled(view, column))
        view.kept["funding"] = known
    return known


def funding_of(view: View, column: int, horizon_s: float) -> FundingForecast | None:
    """The forecast for a perpetual of the view; None where its rate, interval or next settlement is unknown."""
    paid = _paid(view).get(column)
    return None if paid is None else paid.forecast(view.as_of_ns + round(horizon_s * SECOND_NS))


def funding_sums(view: View, horizon_s: float) -> Floats:
    """What one unit of a long position of each instrument is expected to pay over a horizon, float64 (S,).

    Notes
    -----
    Fraction of size x mark; NaN where the instrument has no funding or it is unknown.
    """
    sums = np.full(view.size, np.nan)
    end_ns = view.as_of_ns + round(horizon_s * SECOND_NS)
    for column, paid in _paid(view).items():
        sums[column] = paid.forecast(end_ns).sum_frac
    return sums


def received_bps(view: View, forecasts: Mapping[int, FundingForecast | None]) -> Floats:
    """What a short position is expected to have received by the last settlement of its forecast, float64 (S,).

    Notes
    -----
    Basis points of the notional: the payments of :func:`accrued`, added one by one. NaN where there is no forecast.
    """
    out = np.full(view.size, np.nan)
    of_count: dict[int, list[int]] = {}
    for column, forecast in forecasts.items():
        if forecast is not None:
            of_count.setdefault(forecast.count, []).append(column)
    for count, columns in of_count.items():
        known = [forecast for column in columns if (forecast := forecasts[column]) is not None]
        mean = np.array([forecast.mean_frac for forecast in known])[:, None]
        phi = np.array([forecast.phi for forecast in known])[:, None]
        apart = view.derivatives.funding_rate[columns][:, None] - mean
        sums = np.cumsum(mean + apart * phi ** np.arange(count), axis=1)
        each = np.diff(sums, prepend=0.0, axis=1) * 1e4
        out[columns] = np.cumsum(each, axis=1)[:, -1] if count else 0.0
    return out


def _following(as_of_ns: int, next_ns: int, step_ns: int) -> int:
    """The first settlement after an instant, where a stated one may have passed."""
    return next_ns if next_ns > as_of_ns else next_ns + ((as_of_ns - next_ns) // step_ns + 1) * step_ns


def _trimmed_mean(values: Floats) -> float:
    ordered = np.sort(values)
    cut = int(TRIM_FRAC * len(ordered))
    return float(np.mean(ordered[cut : len(ordered) - cut]))


def _autocorrelation(values: Floats) -> float:
    centred = values - np.mean(values)
    square = float(np.sum(centred * centred))
    if square <= len(values) * (SAME * float(np.mean(values))) ** 2:
        return 0.0  # what is left of a constant is rounding
    phi = float(np.sum(centred[1:] * centred[:-1])) / square
    return min(max(phi, 0.0), PHI_HIGHEST)


def accrued(view: View, column: int, forecast: FundingForecast | None, sold: float) -> tuple[Floats, Floats]:
    """What a position is expected to have received by each settlement of a forecast.

    Parameters
    ----------
    sold
        +1 for a short position, which receives positive rates; -1 for a long one.

    Returns
    -------
    tuple
        Seconds from now and sums so far, fraction of the notional, float64 (n,) each; the last sum is that of the
        forecast. Empty where there is none or nothing settles in time.
    """
    if forecast is None or not forecast.count:
        return np.empty(0), np.empty(0)
    facts = view.derivatives
    step_ns = round(float(facts.funding_interval_s[column]) * SECOND_NS)
    next_ns = _following(view.as_of_ns, int(facts.next_funding_ns[column]), step_ns)
    number = np.arange(forecast.count)
    apart = float(facts.funding_rate[column]) - forecast.mean_frac
    rates = forecast.mean_frac + apart * forecast.phi**number
    return (next_ns - view.as_of_ns + number * step_ns) / SECOND_NS, sold * np.cumsum(rates)
