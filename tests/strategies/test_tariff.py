from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest

from sextant.model.account import Account, FeeTier
from sextant.scans.run import EvidenceShelf, MarketPart
from sextant.strategies.costs import Pricing, Stay, capacity, capacity_of, terms_of
from sextant.strategies.prices import CostAssumptions
from sextant.strategies.tariff import Tariff
from support.markets import momentum_market, specs_of

VIEW = momentum_market()
CHEAP = FeeTier(
    venue="binance",
    kind="spot",
    tier="vip",
    maker_bps=1.0,
    taker_bps=2.0,
    assumed=False,
    source="test",
    read_on="never",
)
POOR, RICH = Account(equity_usd=1_000.0), Account(equity_usd=1e6)
KEEN = Account(equity_usd=1e6, fees={"binance:spot": CHEAP})


def test_round_trips_are_charged_by_the_fees_and_the_quoted_spread() -> None:
    tariff = Tariff(VIEW, KEEN.fees, CostAssumptions())
    assert tariff.taker_bps.tolist() == [2.0] * VIEW.size
    assert tariff.round_trip_bps == pytest.approx(4.0 + tariff.touch.spread_bps)
    assert tariff.resting_bps == pytest.approx(3.0 + 0.5 * tariff.touch.spread_bps)
    entry = Tariff(VIEW, {}, CostAssumptions())
    assert (entry.maker_bps.tolist(), entry.taker_bps.tolist()) == ([10.0] * VIEW.size, [10.0] * VIEW.size)


def test_accounts_of_the_same_fees_share_a_tariff_and_others_do_not() -> None:
    part = MarketPart(VIEW, CostAssumptions(), EvidenceShelf())
    assert part.tariff(POOR) is part.tariff(RICH)
    assert part.tariff(KEEN) is not part.tariff(RICH)


def test_terms_and_capacity_are_made_once_for_accounts_of_the_same_fees() -> None:
    tariff = Tariff(VIEW, {}, CostAssumptions())
    poor, rich = (Pricing(VIEW, who, CostAssumptions(), tariff) for who in (POOR, RICH))
    stay = Stay(0, 1, 86_400.0, sigma_day=0.04, stop_share=0.5)
    assert terms_of(poor, stay) is terms_of(rich, dataclasses.replace(stay))
    assert terms_of(poor, stay) is not terms_of(poor, dataclasses.replace(stay, direction=-1))
    assert capacity_of(poor, stay, 40.0) == capacity(
        terms_of(Pricing(VIEW, RICH, CostAssumptions()), stay), 40.0
    )


def test_perpetuals_are_found_by_base_and_quote_while_they_trade() -> None:
    specs = specs_of(2, "perpetual", "bybit")
    halted = msgspec.structs.replace(specs[1], status="halted")
    view = dataclasses.replace(VIEW, instruments=(*specs[:1], halted))
    own = specs[0].instrument
    assert Tariff(view, {}, CostAssumptions()).perpetuals == {(own.base, own.quote): [0]}


def test_a_fee_that_is_unknown_is_no_number() -> None:
    elsewhere = dataclasses.replace(VIEW, instruments=specs_of(VIEW.size, "spot", "nowhere"))
    assert np.isnan(Tariff(elsewhere, {}, CostAssumptions()).taker_bps).all()
