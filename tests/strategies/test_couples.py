from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest

from sextant.model.instrument import Instrument
from sextant.strategies.couples import (
    Couple,
    CoupleSet,
    PastSignals,
    WhenAsked,
    couples_of_base,
    leaving,
    no_past,
    signals_of,
    weights_of,
)
from support.views import spec

SPOT = spec("BTC").instrument
PERPETUAL = spec("BTC", "perpetual").instrument


def nothing() -> PastSignals:
    raise AssertionError("nobody asks for the past here")


def a_set(horizon_rows: int = 3) -> CoupleSet:
    one, two = np.ones(2), np.ones((2, 2))
    couples = (Couple(SPOT, PERPETUAL), Couple(PERPETUAL, SPOT))
    return CoupleSet(
        couples=couples,
        legs=np.array([[0, 1], [1, 0]]),
        ratio=one,
        horizon_s=one,
        horizon_rows=horizon_rows,
        sigma_frac=one,
        sigma_day=two,
        leverage=two,
        age_rows=np.zeros(2, dtype=np.int64),
        entry=one,
        stop=one,
        target=one,
        level_unit="bps",
        stop_reason="none",
        past=nothing,
    )


def test_a_couple_is_named_after_both_instruments_the_first_first() -> None:
    assert str(Couple(SPOT, PERPETUAL)) == "binance:BTC-USDT:spot / binance:BTC-USDT:perpetual"
    assert Couple(SPOT, PERPETUAL).instruments == (SPOT, PERPETUAL)


@pytest.mark.parametrize(
    ("ratio", "weights"), [(1.0, (1.0, 1.0)), (1.25, (0.8, 1.0)), (0.5, (1.0, 0.5)), (5.0, (0.2, 1.0))]
)
def test_the_larger_side_is_the_reference(ratio: float, weights: tuple[float, float]) -> None:
    assert weights_of(ratio) == pytest.approx(weights)


def test_only_instruments_of_one_base_are_coupled_and_in_the_order_of_their_names() -> None:
    specs = (spec("ETH", "perpetual"), spec("BTC", "perpetual"), spec("BTC"), spec("ETH"), spec("SOL"))

    def wanted(first: Instrument, second: Instrument) -> bool:
        return first.kind == "spot" and second.kind == "perpetual"

    couples, legs = couples_of_base(specs, wanted)
    assert [str(couple.first) for couple in couples] == ["binance:BTC-USDT:spot", "binance:ETH-USDT:spot"]
    assert legs.tolist() == [[2, 1], [3, 0]]
    moved, moved_legs = couples_of_base(specs[::-1], wanted)
    assert moved == couples
    assert moved_legs.tolist() == [[2, 3], [1, 4]]
    assert couples_of_base(specs[:1], wanted)[1].shape == (0, 2)


def test_an_inverse_contract_is_no_leg_of_a_couple() -> None:
    linear, inverse = spec("BTC", "perpetual"), spec("BTC", "perpetual", "bybit")
    specs = [linear, msgspec.structs.replace(inverse, style="inverse"), spec("BTC")]
    couples, legs = couples_of_base(specs, lambda *_: True)
    assert len(couples) == 2
    assert set(legs.ravel().tolist()) == {0, 2}


def test_dense_columns_become_signals_in_the_order_of_their_rows() -> None:
    passing = np.array([[False, True], [True, True], [False, False]])
    direction = np.array([[0.0, -1.0], [1.0, 1.0], [0.0, 0.0]])
    strength = np.array([[0.0, 1.5], [1.1, 1.2], [0.0, 0.0]])
    found = signals_of(passing, a_set(), direction, strength)
    assert found.row.tolist() == [0, 1, 1]
    assert found.couple.tolist() == [1, 0, 1]
    assert found.direction.tolist() == [-1, 1, 1]
    assert found.strength.tolist() == [1.5, 1.1, 1.2]
    assert found.last_row.tolist() == [3, 4, 4]
    assert found.leave_row.tolist() == [-1, -1, -1]
    assert np.isnan(found.stop).all()
    assert np.isnan(found.target).all()
    flagged = leaving(found, np.array([2, -1, 3]))
    assert flagged.leave_row.tolist() == [2, -1, 3]
    assert flagged.row is found.row


def test_a_set_counts_its_couples_and_asks_nothing_of_edges_unless_told() -> None:
    said = a_set()
    assert said.count == 2
    assert said.economics.least_annual_frac is None
    assert said.exits == ("trade", "trade")
    assert dataclasses.replace(said, couples=()).count == 0


def test_what_all_users_share_is_made_once() -> None:
    said = a_set()
    made: list[int] = []

    def make() -> int:
        made.append(1)
        return len(made)

    assert [said.once("x", make), said.once("x", make), said.once("y", make)] == [1, 1, 2]
    assert a_set().once("x", make) == 3


def test_what_is_judged_by_its_terms_has_no_past() -> None:
    past = no_past()
    assert past.couples == ()
    assert past.legs.shape == (0, 2)
    assert {len(getattr(past, name)) for name in ("couple", "row", "direction", "ratio", "last_row")} == {0}


def test_what_is_made_when_asked_is_made_once_and_for_that_couple_alone() -> None:
    asked: list[int] = []

    def words(place: int) -> str:
        asked.append(place)
        return f"couple {place}"

    told = WhenAsked(words)
    assert (told[2], told[2], told[0]) == ("couple 2", "couple 2", "couple 0")
    assert asked == [2, 0]
