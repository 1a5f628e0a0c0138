from __future__ import annotations

import math
from decimal import ROUND_FLOOR, Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.strategies.cycles import Hop, cycles_of, fill, greatest, returned
from support.views import spec


def spot(base: str, quote: str, venue: str = "binance") -> InstrumentSpec:
    return msgspec.structs.replace(spec(base), instrument=Instrument(venue, base, quote, "spot"))


def test_every_triangle_is_found_once_in_each_direction() -> None:
    specs = [
        spot("BTC", "USDT"), spot("ETH", "USDT"), spot("ETH", "BTC"), spot("SOL", "USDT"), spot("SOL", "BTC"),
        spot("SOL", "ETH"), spot("ADA", "USDT"), spec("BTC", "perpetual"), spot("ETH", "EUR"),
    ]  # fmt: skip
    cycles = cycles_of(specs)
    # BTC-ETH-USDT, BTC-SOL-USDT, ETH-SOL-USDT, BTC-ETH-SOL.
    assert [str(subject) for subject in cycles.subjects] == [
        "binance BTC > ETH > SOL",
        "binance BTC > SOL > ETH",
        "binance USDT > BTC > ETH",
        "binance USDT > BTC > SOL",
        "binance USDT > ETH > BTC",
        "binance USDT > ETH > SOL",
        "binance USDT > SOL > BTC",
        "binance USDT > SOL > ETH",
    ]
    assert cycles.starts == ("BTC", "BTC", *("USDT",) * 6)


def test_instruments_of_two_venues_form_no_cycle() -> None:
    specs = [spot("BTC", "USDT"), spot("ETH", "USDT", "bybit"), spot("ETH", "BTC")]
    assert cycles_of(specs).subjects == ()
    assert cycles_of(()).legs.shape == (0, 3)


def test_the_product_buys_at_the_ask_and_sells_at_the_bid() -> None:
    cycles = cycles_of([spot("BTC", "USDT"), spot("ETH", "BTC"), spot("ETH", "USDT")])
    bid, ask = np.array([59_990.0, 0.0499, 3_012.0]), np.array([60_000.0, 0.05, 3_013.0])
    forth, back = cycles.product(bid, ask).tolist()
    assert forth == pytest.approx(3_012.0 / (60_000.0 * 0.05))
    assert back == pytest.approx(0.0499 * 59_990.0 / 3_013.0)


# ---- a second implementation: level by level, in exact numbers ------------------------------------


def _walked(hops: list[Hop], amount: Decimal) -> tuple[list[Decimal], Decimal, Decimal] | None:
    """Quantities, what was spent and what came back, each order filled level by level."""
    have, spent, quantities = amount, amount, []
    for place, hop in enumerate(hops):
        sizes = [Decimal(float(size)) for size in np.diff(hop.base)]
        levels = list(zip([Decimal(float(price)) for price in hop.price], sizes, strict=True))
        left, base = have, Decimal(0)
        for price, size in levels:
            take = min(size, left / price) if hop.side > 0 else min(size, left)
            base += take
            left -= take * price if hop.side > 0 else take
        lots = (base * (1 + Decimal("1e-12")) / hop.spec.lot).to_integral_value(ROUND_FLOOR) * hop.spec.lot
        if lots <= 0:
            return None
        open_, quote = lots, Decimal(0)
        for price, size in levels:
            take = min(size, open_)
            quote += take * price
            open_ -= take
        given_, taken = (quote, lots) if hop.side > 0 else (lots, quote)
        if place == 0:
            spent = given_
        quantities.append(lots)
        have = taken * (1 - Decimal(hop.fee_frac))
    return quantities, spent, have


def _hops(draw: st.DrawFn) -> list[Hop]:
    hops = []
    for side, price in ((1, 60_000.0), (1, 0.05), (-1, 3_012.0)):
        count = draw(st.integers(1, 5))
        steps = np.array(draw(st.lists(st.floats(1e-6, 1e-3), min_size=count, max_size=count))).cumsum()
        levels = price * (1 + side * steps)
        sizes = np.array(draw(st.lists(st.floats(0.01, 10.0), min_size=count, max_size=count)))
        lot = Decimal(draw(st.sampled_from(["0.000001", "0.001", "0.01"])))
        rules = msgspec.structs.replace(spot("A", "B"), lot=lot)
        base = np.concatenate(([0.0], sizes.cumsum()))
        quote = np.concatenate(([0.0], (sizes * levels).cumsum()))
        hops.append(Hop(rules, side, draw(st.sampled_from([0.0, 0.001])), base, quote, levels))
    return hops


hops_of = st.composite(_hops)


@given(hops=hops_of(), amount=st.floats(100.0, 50_000.0))
def test_orders_are_what_walking_level_by_level_gives(hops: list[Hop], amount: float) -> None:
    mine, other = fill(hops, amount), _walked(hops, Decimal(amount))
    if mine is None or other is None:
        assert mine is None
        assert other is None
        return
    quantities, spent, got = other
    for own, theirs, hop in zip(mine.quantities, quantities, hops, strict=True):
        assert own % hop.spec.lot == 0
        # A lot that is a hair from fitting may be counted either way; everything else is the same.
        assert abs(own - theirs) <= hop.spec.lot
    if list(mine.quantities) == quantities:
        assert mine.spent == pytest.approx(float(spent), rel=1e-9)
        assert mine.got == pytest.approx(float(got), rel=1e-9)
    assert mine.spent <= amount * (1 + 1e-9)
    assert mine.dust_frac >= 0.0


@given(hops=hops_of(), amount=st.floats(1.0, 100_000.0))
def test_lots_never_give_more_than_none_do(hops: list[Hop], amount: float) -> None:
    filled = fill(hops, amount)
    if filled is None:
        return
    whole = float(returned(hops, np.array([filled.spent]))[0])
    if math.isfinite(whole):
        assert filled.got <= whole * (1 + 1e-9)


@given(hops=hops_of())
def test_the_greatest_amount_is_the_last_that_books_hold(hops: list[Hop]) -> None:
    most = greatest(hops)
    inside, beyond = returned(hops, np.array([most * (1 - 1e-9), most * (1 + 1e-6)]))
    assert math.isfinite(inside)
    assert math.isnan(beyond)
