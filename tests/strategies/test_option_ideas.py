from __future__ import annotations

import dataclasses
import math

import msgspec
import numpy as np
import pytest

from sextant.model.instrument import Instrument
from sextant.model.times import DAY_NS
from sextant.model.view import View
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Verdict
from sextant.strategies.library.ai_options_trade import NEEDS, STRATEGY, proposals
from sextant.strategies.option_ideas import ChainVerdict, Idea, daily_column, perpetual_of, speak
from support.markets import bars_of, framed, specs_of, view_of
from support.option_markets import (
    NAME,
    Quoted,
    chain,
    daily,
    market,
    perpetual_spec,
    straddle_market,
    with_chain,
    with_values,
)


def said(view: View, **params: float) -> Verdict:
    return speak(Columns(view), STRATEGY.defaults(**params), NEEDS, proposals)


def ideas(view: View, **params: float) -> tuple[Idea, ...]:
    found = said(view, **params)
    assert isinstance(found, ChainVerdict)
    return found.underlyings["BTC"].ideas


def lacks(view: View) -> set[str]:
    return {idea.lack[0] for idea in ideas(view) if idea.lack is not None}


def test_without_any_option_the_strategy_is_skipped() -> None:
    bare = market(daily(0.0314))
    assert said(bare).skipped == "no option data"
    empty = dataclasses.replace(chain(Quoted(14, 0.4, [60_000.0])), instruments=())
    assert said(with_chain(bare, empty)).skipped == "no option data"


def test_without_daily_bars_it_is_skipped() -> None:
    assert said(dataclasses.replace(straddle_market(), bars={})).skipped == "no 1d bars"


def test_old_or_few_bars_are_named() -> None:
    view = straddle_market()
    assert lacks(dataclasses.replace(view, as_of_ns=view.as_of_ns + 2 * DAY_NS)) == {"bars.1d.age_s"}
    short = market(daily(0.0314, rows=399), chain(Quoted(14, 0.4, [60_000.0])))
    (idea,) = ideas(short)
    assert idea.lack == ("bars.1d", 399.0, 400.0, "rows")


def test_without_an_expiry_in_the_wanted_days_the_nearest_one_is_told() -> None:
    (far,) = ideas(market(daily(0.0314), chain(Quoted(40, 0.4, [60_000.0]))))
    assert (far.readings[0].gate, far.readings[0].value, far.readings[0].threshold) == ("days", 40.0, 21.0)
    (near,) = ideas(market(daily(0.0314), chain(Quoted(2, 0.4, [60_000.0]))))
    assert (near.readings[0].value, near.readings[0].threshold) == (2.0, 5.0)
    assert not near.readings[0].passed


def test_a_chain_without_a_forward_is_named() -> None:
    view = straddle_market()
    one = view.chains[NAME]
    assert lacks(with_chain(view, with_values(one, forward=np.full(one.size, math.nan)))) == {"chain.forward"}


def test_one_strike_makes_a_straddle_and_nothing_else() -> None:
    found = ideas(straddle_market())
    assert [idea.structure.shape for idea in found if idea.structure is not None] == ["long_straddle"]
    assert lacks(straddle_market()) == {"chain.strikes"}


def test_old_quotes_are_insufficient_and_say_how_old() -> None:
    view = market(daily(0.0314), chain(Quoted(14, 0.4, [60_000.0]), age_s=31.0))
    stale = next(idea for idea in ideas(view) if idea.lack is not None and "straddle" in idea.name)
    assert stale.lack == ("chain.age_ms", 31_000.0, 30_000.0, "ms")


def test_crossed_or_missing_quotes_leave_no_structure() -> None:
    view = straddle_market()
    one = view.chains[NAME]
    held_back = with_values(one, bid=np.full(one.size, math.nan), ask=np.full(one.size, math.nan))
    assert lacks(with_chain(view, held_back)) == {"chain.strikes"}


def test_an_unknown_open_interest_is_named() -> None:
    view = straddle_market()
    one = view.chains[NAME]
    unknown = with_values(one, open_interest=np.full(one.size, math.nan))
    assert "chain.open_interest" in lacks(with_chain(view, unknown))


def test_gates_are_read_in_their_order() -> None:
    straddle = ideas(straddle_market())[0]
    assert [reading.gate for reading in straddle.readings] == [
        "volume_24h_usd",
        "leg_spread",
        "open_interest",
        "mids_shape",
        "skill",
        "vol_ratio",
    ]
    assert all(reading.passed for reading in straddle.readings)
    assert straddle.strength == pytest.approx(0.85 / 0.7508, rel=0.001)


def test_wide_quotes_fail_unless_within_four_ticks() -> None:
    wide = market(daily(0.0314), chain(Quoted(14, 0.40, [60_000.0], half_width=0.04)))
    reading = {r.gate: r for r in ideas(wide)[0].readings}["leg_spread"]
    assert reading.value == pytest.approx(0.2, rel=0.01)
    assert not reading.passed
    one = wide.chains[NAME]
    coarse = tuple(
        msgspec.structs.replace(spec, tick=spec.tick * 20_000) for spec in one.instruments
    )  # 0.002
    told = {
        r.gate: r for r in ideas(with_chain(wide, dataclasses.replace(one, instruments=coarse)))[0].readings
    }
    assert told["leg_spread"].value == 0.0


def test_a_missing_volatility_is_implied_and_greeks_of_the_venue_are_not_needed() -> None:
    view = straddle_market()
    one = view.chains[NAME]
    silent = with_values(one, mark_iv=np.full(one.size, math.nan), delta=np.full(one.size, math.nan))
    told = {r.gate: r.value for r in ideas(with_chain(view, silent))[0].readings}
    before = {r.gate: r.value for r in ideas(view)[0].readings}
    assert told["vol_ratio"] == pytest.approx(before["vol_ratio"], rel=1e-3)


def test_two_chains_of_one_base_are_one_underlying() -> None:
    view = straddle_market()
    linear = dataclasses.replace(view.chains[NAME], name="deribit:BTC-USDC", style="linear")
    both = dataclasses.replace(view, chains={**view.chains, linear.name: linear})
    found = said(both)
    assert isinstance(found, ChainVerdict)
    assert list(found.underlyings) == ["BTC"]
    assert {idea.name.partition(" ")[0] for idea in found.underlyings["BTC"].ideas} == {NAME, linear.name}


def test_the_longest_history_of_the_base_stands_for_it_the_chains_venue_first() -> None:
    view = view_of(
        framed("1d", bars_of(np.full((500, 4), 100.0))),
        specs=(
            *specs_of(1),
            msgspec.structs.replace(perpetual_spec(), instrument=Instrument("bybit", "BTC", "USDT", "spot")),
            perpetual_spec(),
            msgspec.structs.replace(perpetual_spec(), instrument=Instrument("bybit", "BTC", "EUR", "spot")),
        ),
    )
    columns = Columns(view)
    assert daily_column(columns, NAME, "BTC") == (2, 500)
    assert daily_column(columns, "bybit:BTC-USD", "BTC") == (1, 500)
    assert daily_column(columns, NAME, "DOGE") == (None, 0)


def test_the_perpetual_of_the_chain_is_the_hedge() -> None:
    found = perpetual_of(Columns(straddle_market()), NAME)
    assert found is not None
    assert (found.column, found.units) == (0, 0.0)
    assert found.mid == pytest.approx(60_000.0)
    assert perpetual_of(Columns(straddle_market()), "deribit:ETH-USD") is None
