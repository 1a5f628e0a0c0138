"""What keeps a hedged couple alive: how far its derivatives are from liquidation, and whether its spot can be sold."""

from __future__ import annotations

import numpy as np

from sextant.model.bar import Floats, Integers
from sextant.model.view import Flags, View
from sextant.strategies import rolling
from sextant.strategies.contract import Gate
from sextant.strategies.couples import Couple
from sextant.strategies.gates import passed
from sextant.strategies.leverage import STOPS_AWAY, leverage_of


def margins(
    view: View, legs: Integers, sigma_day: Floats, asked: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Leverage of each leg now, float64 (C, 2), NaN for spot; and the liquidation distance without any, (T, C).

    Parameters
    ----------
    sigma_day
        float64 (T, S): daily standard deviations.
    asked
        The highest leverage, and how many daily standard deviations liquidation must stay away.

    Notes
    -----
    The distance is that of the leg that is closer, in its daily standard deviations; NaN where a venue states no largest
    leverage, by which the maintenance margin is bounded, and then nothing is levered.
    """
    cap, sigmas = asked
    used, place = np.unique(legs, return_inverse=True)
    times, least = np.full(len(used), np.nan), np.full(len(used), np.inf)
    stops = sigmas * np.nan_to_num(sigma_day[-1, used]) / STOPS_AWAY
    for number, (column, stop) in enumerate(zip(used.tolist(), stops.tolist(), strict=True)):
        spec = view.instruments[column]
        if spec.instrument.kind != "spot":
            levered = leverage_of(spec, cap, stop)
            times[number] = 1.0 if levered is None else levered.times
            least[number] = np.nan if spec.max_leverage is None else 1.0 - 1.0 / float(spec.max_leverage)
    distance = rolling.ratio(np.broadcast_to(least, (len(sigma_day), len(used))), sigma_day[:, used])
    place = place.reshape(legs.shape)
    return times[place], np.minimum(distance[:, place[:, 0]], distance[:, place[:, 1]])


def shortable(couples: tuple[Couple, ...], direction: Floats) -> Gate:
    """0 where the first instrument is spot that would have to be sold short, whose borrow rate nobody states.

    Parameters
    ----------
    direction
        float64 (T, C).
    """
    spot = np.array([couple.first.kind == "spot" for couple in couples], dtype=np.bool_)
    able = np.where(np.isnan(direction), np.nan, np.where(spot & (direction < 0), 0.0, 1.0))
    return Gate("shortable", able, 1.0, 1)


def historic_rows(gates: tuple[Gate, ...], direction: Floats) -> tuple[Flags, Integers]:
    """Where all gates that have a history pass in a direction, bool (T, C), and for how many rows by now, int64 (C,)."""
    together: Flags = np.isfinite(direction) & (direction != 0)
    for gate in gates:
        if not gate.live_only:
            together &= passed(gate)
    ages: Integers = rolling.signal_age(together, np.nan_to_num(direction))[-1].astype(np.int64)
    return together, ages
