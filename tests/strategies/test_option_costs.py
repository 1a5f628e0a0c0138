from __future__ import annotations

import dataclasses
import math

import msgspec
import numpy as np
import pytest

from sextant.model.account import Account, FeeTier
from sextant.model.instrument import Instrument
from sextant.model.view import View
from sextant.strategies.columns import Columns
from sextant.strategies.costs import CostAssumptions, Pricing
from sextant.strategies.expiries import Expiry, expiries_of
from sextant.strategies.option_costs import Charges, PricedStructure, charges_of, option_delivery_bps
from sextant.strategies.option_ideas import perpetual_of
from sextant.strategies.structures import OptionLeg, Structure
from support.option_markets import AS_OF_NS, NAME, PERPETUAL, Quoted, chain, daily, market

SETTLED = np.array([50_000.0, 56_000.0, 60_000.0, 64_000.0, 72_000.0])


def at(expiry: Expiry, strike: float, right: int, quantity: int) -> OptionLeg:
    place = expiry.find(strike, right)
    assert place is not None
    return OptionLeg(expiry, place, quantity)


def view() -> View:
    return market(daily(0.03, rows=40), chain(Quoted(14, 0.40, [60_000.0]), Quoted(28, 0.45, [60_000.0])))


def straddle(of: View) -> Structure:
    near = expiries_of(of.chains[NAME], AS_OF_NS)[0]
    return Structure("long_straddle", (at(near, 60_000.0, 1, 1), at(near, 60_000.0, -1, 1)))


def pricing(of: View, account: Account | None = None) -> Pricing:
    return Pricing(of, account or Account(), CostAssumptions())


def charged(structure: Structure, of: View, account: Account | None = None) -> Charges:
    found = charges_of(structure, SETTLED, pricing(of, account))
    assert isinstance(found, Charges)
    return found


def priced(structure: Structure, of: View) -> PricedStructure:
    return PricedStructure(structure, charged(structure, of), SETTLED, 50.0)


def test_a_straddle_pays_two_fees_of_three_basis_points_and_its_spread() -> None:
    of = view()
    structure = straddle(of)
    found = charged(structure, of)
    assert found.fee_entry == pytest.approx(36.0)  # 2 x 0.0003 x 60,000
    assert found.fee_exit == found.funding == 0.0
    assert structure.debit_usd + found.fee_entry == pytest.approx(3_879.05, abs=0.01)  # strategies.md 3.9
    assert found.spread == pytest.approx(structure.debit_usd - structure.mid_usd)


def test_the_fee_of_a_cheap_option_is_an_eighth_of_its_price() -> None:
    of = market(daily(0.03, rows=40), chain(Quoted(14, 0.40, [90_000.0], half_width=0.001)))
    near = expiries_of(of.chains[NAME], AS_OF_NS)[0]
    leg = at(near, 90_000.0, 1, 1)
    assert leg.usd < 144.0  # under that the cap binds: 18 / 0.125
    assert charged(Structure("long_strangle", (leg,)), of).fee_entry == pytest.approx(leg.usd / 8)


def test_an_accounts_own_tier_is_charged() -> None:
    of = view()
    tier = FeeTier(
        "deribit", "option", "vip", 1.0, 1.0, assumed=False, source="account", read_on="2026-01-01"
    )
    found = charged(straddle(of), of, Account(fees={"deribit:option": tier}))
    assert found.fee_entry == pytest.approx(12.0)
    assert "assumed" not in found.fee_words


def test_profits_are_worked_by_hand() -> None:
    of = view()
    found = priced(straddle(of), of)
    paid = found.structure.debit_usd + 36.0
    payoff = np.array([10_000.0, 4_000.0, 0.0, 4_000.0, 12_000.0])
    delivered = np.array(
        [7.5, 8.4, 0.0, 9.6, 10.8]
    )  # 1.5 bps of the settlement price of the one in the money
    np.testing.assert_allclose(found.net, payoff - paid - delivered, rtol=1e-12)
    assert found.profitable == 0.8
    assert found.worst == pytest.approx(paid)
    assert found.es95 == pytest.approx(paid)
    assert found.best == pytest.approx(12_000.0 - 10.8 - paid)
    assert found.edge == pytest.approx(found.net.mean())
    assert found.error == pytest.approx(np.std(found.net, ddof=1) / math.sqrt(50))


def test_the_lines_add_up_to_the_edge() -> None:
    of = view()
    found = priced(straddle(of), of)
    lines = found.lines(0.1, of.as_of_ns)
    assert [line.item for line in lines] == ["gross", "fee_entry", "fee_exit", "spread", "slippage", "funding", "borrow", "transfer", "delivery"]  # fmt: skip
    assert math.fsum(line.bps or 0.0 for line in lines) == pytest.approx(found.bps(found.edge), abs=1e-9)
    assert math.fsum(line.usd or 0.0 for line in lines) == pytest.approx(found.edge * 0.1, abs=1e-9)


def test_break_evens_are_where_the_profit_turns() -> None:
    of = view()
    found = priced(straddle(of), of)
    low, high = found.break_evens
    paid = found.structure.debit_usd + 36.0
    assert low == pytest.approx(60_000 - paid, abs=15)
    assert high == pytest.approx(60_000 + paid, abs=15)


def test_a_calendar_pays_for_leaving_its_far_option_too() -> None:
    of = view()
    near, far = expiries_of(of.chains[NAME], AS_OF_NS)
    calendar = Structure("calendar_spread", (at(near, 60_000.0, 1, -1), at(far, 60_000.0, 1, 1)))
    found = charged(calendar, of)
    assert 0 < found.fee_exit <= 0.0003 * SETTLED.mean()
    half = calendar.legs[1].usd - calendar.legs[1].mid_usd
    assert found.spread == pytest.approx(calendar.debit_usd - calendar.mid_usd + half)


def hedged(of: View) -> Structure:
    perpetual = perpetual_of(Columns(of), NAME)
    assert perpetual is not None
    near = expiries_of(of.chains[NAME], AS_OF_NS)[0]
    hedge = dataclasses.replace(perpetual, units=-0.5)
    return Structure("call_credit_vertical", (at(near, 60_000.0, 1, 1),), hedge)


def funded(of: View, rate: float) -> View:
    facts = dataclasses.replace(
        of.derivatives,
        funding_rate=np.array([rate]),
        funding_interval_s=np.array([3_600.0]),
        next_funding_ns=np.array([AS_OF_NS + 3_600 * 10**9], dtype=np.int64),
        event_ns=np.array([AS_OF_NS], dtype=np.int64),
    )
    return dataclasses.replace(of, derivatives=facts)


def test_a_hedge_pays_two_fees_two_half_spreads_and_its_funding() -> None:
    of = funded(view(), 1e-5)
    bare = Structure("call_credit_vertical", hedged(of).legs)
    one, other = charged(hedged(of), of), charged(bare, of)
    assert one.fee_entry - other.fee_entry == pytest.approx(0.5 * 60_000 * 5 / 1e4)
    assert one.fee_exit - other.fee_exit == pytest.approx(15.0)
    assert one.spread - other.spread == pytest.approx(0.5 * 60_000 * 2 / 1e4)
    # Nothing was settled yet, so the present rate is all that is known: 14 x 24 hours of it, received by the short.
    assert one.funding == pytest.approx(-0.5 * 60_000 * 336 * 1e-5)


def test_unknown_costs_are_named() -> None:
    of = view()
    assert charges_of(hedged(of), SETTLED, pricing(of)) == "funding"
    structure = straddle(of)
    near = structure.expiry
    elsewhere = [
        msgspec.structs.replace(spec, instrument=msgspec.structs.replace(spec.instrument, venue="nowhere"))
        for spec in near.specs
    ]
    moved = dataclasses.replace(near, specs=tuple(elsewhere))
    legs = tuple(OptionLeg(moved, leg.at, leg.quantity) for leg in structure.legs)
    assert charges_of(Structure("long_straddle", legs), SETTLED, pricing(of)) == "fees"
    bybit = Instrument("bybit", "BTC", "USDT", "perpetual")
    assert option_delivery_bps(bybit) is None
    assert option_delivery_bps(PERPETUAL) == 1.5
