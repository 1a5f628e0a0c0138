from __future__ import annotations

import dataclasses
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from sextant.strategies.contract import Gate
from sextant.strategies.couple_margins import historic_rows, margins, shortable
from sextant.strategies.couples import Couple
from support.carries import spot_carry
from support.views import spec

VIEW = spot_carry(days=60)
LEGS = np.array([[0, 1]])


def test_leverage_keeps_liquidation_five_daily_deviations_away() -> None:
    # Largest leverage 50: maintenance is at most 2 %. 1/3 - 0.02 is more than 5 x 6 %; 5 x 7 % is not, and 1/2 - 0.02 is.
    for sigma, wanted in ((0.06, 3.0), (0.07, 2.0), (0.15, 1.0)):
        leverage, _ = margins(VIEW, LEGS, np.full((3, 2), sigma), (3.0, 5.0))
        assert leverage[0, 1] == wanted
        assert np.isnan(leverage[0, 0])


def test_the_distance_is_that_of_the_closer_derivative() -> None:
    _, room = margins(VIEW, LEGS, np.array([[0.01, 0.05], [0.01, 0.098]]), (3.0, 5.0))
    assert room[:, 0].tolist() == pytest.approx([0.98 / 0.05, 10.0])


def test_a_venue_without_a_limit_is_not_levered_and_its_distance_is_unknown() -> None:
    unlimited = msgspec.structs.replace(VIEW.instruments[1], max_leverage=None)
    view = dataclasses.replace(VIEW, instruments=(VIEW.instruments[0], unlimited))
    leverage, room = margins(view, LEGS, np.full((2, 2), 0.01), (3.0, 5.0))
    assert leverage[0, 1] == 1.0
    assert np.isnan(room).all()
    low = msgspec.structs.replace(VIEW.instruments[1], max_leverage=Decimal(2))
    view = dataclasses.replace(VIEW, instruments=(VIEW.instruments[0], low))
    # A largest leverage of 2 bounds the maintenance margin by a half: levered twice, nothing would be left.
    assert margins(view, LEGS, np.full((2, 2), 0.01), (3.0, 5.0))[0][0, 1] == 1.0


def test_spot_cannot_be_sold_short_and_perpetuals_can() -> None:
    spot, perpetual = spec("BTC").instrument, spec("BTC", "perpetual").instrument
    couples = (Couple(spot, perpetual), Couple(perpetual, spec("BTC", "perpetual", "bybit").instrument))
    gate = shortable(couples, np.array([[1.0, 1.0], [-1.0, -1.0], [np.nan, 1.0]]))
    assert gate.values[:2].tolist() == [[1.0, 1.0], [0.0, 1.0]]
    assert np.isnan(gate.values[2, 0])


def test_rows_count_only_where_all_gates_with_a_past_pass_in_one_direction() -> None:
    direction = np.array([[1.0], [1.0], [-1.0], [-1.0], [-1.0]])
    gates = (
        Gate("one", np.array([[1.0], [1.0], [1.0], [1.0], [1.0]]), 1.0, 1),
        Gate("two", np.array([[1.0], [1.0], [0.0], [1.0], [1.0]]), 1.0, 1),
        Gate("now", np.array([[0.0]]), 1.0, 1, live_only=True),
    )
    together, ages = historic_rows(gates, direction)
    assert together[:, 0].tolist() == [True, True, False, True, True]
    assert ages.tolist() == [1]
