from __future__ import annotations

import dataclasses
import math

import msgspec
import numpy as np
import pytest

from sextant.model.view import OptionChain
from sextant.strategies.expiries import Expiry, expiries_of
from support.option_markets import AS_OF_NS, Quoted, chain, with_values


def only(one: OptionChain) -> Expiry:
    (found,) = expiries_of(one, AS_OF_NS)
    return found


def three(iv: float = 0.5) -> OptionChain:
    return chain(Quoted(14, iv, [55_000.0, 60_000.0, 66_000.0]))


def test_an_expiry_holds_what_is_quoted_on_both_sides_and_trades() -> None:
    one = three()
    bid = one.column("bid").copy()
    bid[0] = math.nan
    halted = msgspec.structs.replace(one.instruments[1], status="halted")
    changed = dataclasses.replace(
        with_values(one, bid=bid), instruments=(one.instruments[0], halted, *one.instruments[2:])
    )
    found = only(changed)
    assert (len(found.specs), found.listed) == (4, 6)
    assert found.strike.tolist() == [60_000.0, 60_000.0, 66_000.0, 66_000.0]
    assert (found.days, found.forward, found.index, found.unit_usd) == (14.0, 60_000.0, 60_000.0, 60_000.0)
    assert found.years == 14 / 365


def test_expiries_come_nearest_first_and_one_without_a_forward_is_left_out() -> None:
    one = chain(Quoted(14, 0.5, [60_000.0]), Quoted(7, 0.5, [60_000.0]), Quoted(30, 0.5, [60_000.0]))
    assert [round(found.days) for found in expiries_of(one, AS_OF_NS)] == [7, 14, 30]
    forward = one.column("forward").copy()
    forward[:2] = math.nan
    assert [round(found.days) for found in expiries_of(with_values(one, forward=forward), AS_OF_NS)] == [
        14,
        30,
    ]
    nowhere = with_values(one, index=np.full(one.size, math.nan))
    assert expiries_of(nowhere, AS_OF_NS) == ()


def test_the_newest_forward_counts() -> None:
    one = three()
    forward = one.column("forward").copy()
    forward[3] = 61_000.0
    times = one.event_ns.copy()
    times[3] += 1
    assert only(dataclasses.replace(with_values(one, forward=forward), event_ns=times)).forward == 61_000.0


def test_a_volatility_that_nobody_states_is_implied_by_the_mid() -> None:
    one = three(0.5)
    found = only(with_values(one, mark_iv=np.full(one.size, math.nan)))
    # Bid and ask lie a point on either side; the mid of prices is the price of the middle but for curvature.
    assert found.iv == pytest.approx(0.5, abs=2e-4)
    assert np.isfinite(found.delta).all()


def test_deltas_are_blacks() -> None:
    """d1 = 0.5 x 0.5 x sqrt(14/365) = 0.04896 at the money: N = 0.51953."""
    found = only(three())
    place = found.find(60_000.0, 1)
    assert place is not None
    assert found.delta[place] == pytest.approx(0.51953, abs=1e-5)
    assert found.find(61_000.0, 1) is None


def test_the_nearest_delta_is_found_within_a_tolerance() -> None:
    found = only(three())
    call = found.near_delta(0.20, 1, 0.10)
    assert call is not None
    assert (found.strike[call], found.right[call]) == (66_000.0, 1)
    assert found.near_delta(0.20, 1, 0.01) is None
    assert found.near_delta(0.90, -1, 0.05) is None


def test_at_the_money_needs_both_rights_near_the_forward() -> None:
    found = only(three())
    assert found.at_the_money(0.02) == 60_000.0
    calls = only(chain(Quoted(14, 0.5, [60_000.0], rights=("call",))))
    assert calls.at_the_money(0.02) is None
    assert only(chain(Quoted(14, 0.5, [62_000.0]))).at_the_money(0.02) is None


def test_the_volatility_at_the_forward_is_linear_in_strike() -> None:
    one = chain(Quoted(14, 0.5, [58_000.0, 61_000.0]))
    iv = np.array([0.6, 0.6, 0.3, 0.3])
    assert only(with_values(one, mark_iv=iv)).atm_iv(0.02) == pytest.approx(0.4)  # two thirds of the way
    assert only(chain(Quoted(14, 0.5, [60_000.0]))).atm_iv(0.02) == 0.5
    assert only(chain(Quoted(14, 0.5, [62_000.0]))).atm_iv(0.02) is None  # the only strike, too far away


def test_spreads_are_told_in_ticks_and_as_a_share() -> None:
    one = chain(Quoted(14, 0.5, [60_000.0]))
    specs = tuple(msgspec.structs.replace(spec, tick=spec.tick * 1_000) for spec in one.instruments)  # 0.0001
    size = np.ones(one.size)
    found = only(with_values(dataclasses.replace(one, instruments=specs), bid=0.030 * size, ask=0.033 * size))
    assert found.spread_ticks == pytest.approx([30.0, 30.0])
    assert found.spread_frac == pytest.approx([0.003 / 0.0315] * 2)


def test_a_surface_of_one_volatility_is_not_bent() -> None:
    assert only(chain(Quoted(14, 0.5, [50_000.0, 55_000.0, 60_000.0, 66_000.0, 70_000.0]))).bent_ticks == 0.0


def test_a_call_dearer_than_the_next_lower_strike_is_seen_beyond_its_spread() -> None:
    one = three()
    bid, ask = one.column("bid").copy(), one.column("ask").copy()
    calls = np.flatnonzero(one.right > 0)
    bid[calls[2]], ask[calls[2]] = bid[calls[0]] + 0.01, ask[calls[0]] + 0.01
    assert only(with_values(one, bid=bid, ask=ask)).bent_ticks > 0


def test_a_middle_strike_above_its_neighbours_line_is_seen() -> None:
    one = chain(Quoted(14, 0.5, [58_000.0, 60_000.0, 62_000.0], half_width=0.0001))
    bid, ask = one.column("bid").copy(), one.column("ask").copy()
    middle = np.flatnonzero((one.strike == 60_000.0) & (one.right > 0))
    bid[middle] += 0.003
    ask[middle] += 0.003
    found = only(with_values(one, bid=bid, ask=ask))
    # Convexity by hand: n(d2) / (K iv sqrt T) x 2,000^2 / 2 = 6.79e-5 x 2e6 = 136 USD or 0.00226; the tick is 1e-7.
    assert found.bent_ticks == pytest.approx((0.003 - 0.00226) * 1e7, rel=0.05)
