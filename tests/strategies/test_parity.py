"""Values of combinations worked by hand, and the recorded chains, in which nothing is free."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from sextant.market.state import MarketState
from sextant.model.view import OptionChain
from sextant.strategies.columns import Columns
from sextant.strategies.expiries import Expiry, expiries_of
from sextant.strategies.parity import Future, Violation, futures_of, violations
from sextant.venues.library.deribit.frames import parse_frame
from sextant.venues.library.deribit.instruments import parse_instruments
from sextant.venues.port import SymbolTable
from support.option_markets import AS_OF_NS, NAME, Quoted, chain, parity_market

FUTURE = Future(1, 60_000.0, 60_006.0, 500.0, (3.0, 4.0))


def ladder(rows: dict[tuple[float, str], dict[str, float]], forward: float = 60_000.0) -> Expiry:
    strikes = sorted({strike for strike, _ in rows})
    made = chain(Quoted(14, 0.4, strikes, forward=forward, overrides=rows))
    return expiries_of(made, AS_OF_NS)[0]


def best(expiry: Expiry, shape: str, future: Future | None = None) -> Violation:
    return max((one for one in violations(expiry, future) if one.shape == shape), key=lambda one: one.value)


def test_a_synthetic_cheaper_than_the_future() -> None:
    """strategies.md 4: (1 - 60,000/60,000) - (0.0250 - 0.0275) = 25 bps; mids: 0.0245, 0.0280, 60,003."""
    expiry = ladder(
        {
            (60_000.0, "call"): {"bid": 0.0240, "ask": 0.0250},
            (60_000.0, "put"): {"bid": 0.0275, "ask": 0.0285},
        }
    )
    found = best(expiry, "long_synthetic", FUTURE)
    assert found.value == pytest.approx(0.0025)
    assert found.mid_value == pytest.approx((1 - 60_000 / 60_003) - (0.0245 - 0.0280))
    assert found.future == (FUTURE, -1)
    assert [(leg.quantity, int(leg.expiry.right[leg.at])) for leg in found.legs] == [(1, 1), (-1, -1)]
    assert found.touch_units == 3.0  # what the future is bid for
    assert found.ages_ms == (500.0, 1_000.0)


def test_and_its_mirror() -> None:
    """(0.0280 - 0.0250) - (1 - 60,000/60,006) = 0.0030 - 0.0001."""
    expiry = ladder(
        {
            (60_000.0, "call"): {"bid": 0.0280, "ask": 0.0290},
            (60_000.0, "put"): {"bid": 0.0240, "ask": 0.0250},
        }
    )
    found = best(expiry, "short_synthetic", FUTURE)
    assert found.value == pytest.approx(0.0030 - (1 - 60_000 / 60_006))
    assert found.touch_units == 4.0


def test_a_box_pays_the_distance_of_its_strikes() -> None:
    """Bought at 58,000 for 0.0500 - 0.0190, sold at 60,000 for 0.0340 - 0.0320; 2,000 dollars are 0.03333."""
    expiry = ladder(
        {
            (58_000.0, "call"): {"bid": 0.0490, "ask": 0.0500},
            (58_000.0, "put"): {"bid": 0.0190, "ask": 0.0195},
            (60_000.0, "call"): {"bid": 0.0340, "ask": 0.0345},
            (60_000.0, "put"): {"bid": 0.0315, "ask": 0.0320},
        }
    )
    found = best(expiry, "box")
    assert found.value == pytest.approx(2_000 / 60_000 - (0.0500 - 0.0190) + (0.0340 - 0.0320))
    assert [leg.quantity for leg in found.legs] == [1, -1, -1, 1]


def test_a_dearer_call_at_the_higher_strike_is_a_vertical_for_nothing() -> None:
    expiry = ladder(
        {
            (58_000.0, "call"): {"bid": 0.0290, "ask": 0.0300},
            (60_000.0, "call"): {"bid": 0.0310, "ask": 0.0320},
        }
    )
    found = best(expiry, "vertical")
    assert found.value == pytest.approx(0.0310 - 0.0300)
    bought, sold = found.legs
    assert (bought.expiry.strike[bought.at], sold.expiry.strike[sold.at]) == (58_000.0, 60_000.0)


def test_a_middle_strike_dearer_than_its_wings_is_a_butterfly_for_nothing() -> None:
    expiry = ladder(
        {
            (58_000.0, "call"): {"bid": 0.0490, "ask": 0.0500},
            (60_000.0, "call"): {"bid": 0.0450, "ask": 0.0460},
            (62_000.0, "call"): {"bid": 0.0290, "ask": 0.0300},
        }
    )
    found = best(expiry, "butterfly")
    assert found.value == pytest.approx(2 * 0.0450 - 0.0500 - 0.0300)
    assert [leg.quantity for leg in found.legs] == [1, -2, 1]
    assert found.touch_units == 50.0  # two of the middle for one of each wing


def test_strikes_at_unequal_distances_make_no_butterfly() -> None:
    expiry = ladder({(58_000.0, "call"): {}, (60_000.0, "call"): {}, (63_000.0, "call"): {}})
    assert not [one for one in violations(expiry, None) if one.shape == "butterfly"]


def test_one_strike_without_a_future_makes_nothing() -> None:
    assert list(violations(ladder({(60_000.0, "call"): {}}), None)) == []


def test_the_future_of_the_same_expiry_is_found() -> None:
    view = parity_market()
    (expiry_ns,) = set(view.chains[NAME].expiry_ns.tolist())
    found = futures_of(Columns(view), NAME)
    assert list(found) == [expiry_ns]
    assert (found[expiry_ns].bid, found[expiry_ns].ask, found[expiry_ns].column) == (60_000.0, 60_005.0, 1)


def recorded(data_dir: Path) -> OptionChain:
    with gzip.open(data_dir / "deribit_options" / "btc_chain_20260627T0926Z.json.gz") as packed:
        told = json.load(packed)
    page = parse_instruments(json.dumps({"result": told["instruments"]}).encode(), 1)
    table, state = SymbolTable(page.listings), MarketState("replay", simulated=False)
    newest = 0
    for event in page.events:
        state.apply(event)
    for name, row in told["tickers"].items():
        frame = {"method": "subscription", "params": {"channel": f"ticker.{name}.100ms", "data": row}}
        newest = max(newest, row["timestamp"] * 1_000_000)
        for fact in parse_frame("btc", json.dumps(frame).encode(), row["timestamp"] * 1_000_000, table):
            state.apply(fact)
    return state.view(newest).chains[NAME]


@pytest.mark.data
def test_nothing_is_free_in_a_recorded_chain(data_dir: Path) -> None:
    """330 options of 2026-06-27: no combination gains after fees, whatever its quotes' ages; boxes lose in all."""
    one = recorded(data_dir)
    newest = int(one.event_ns.max())
    found = [bad for expiry in expiries_of(one, newest) for bad in violations(expiry, None)]
    assert len(found) > 50
    fee = 0.0003
    net = np.array([bad.value - fee * sum(abs(leg.quantity) for leg in bad.legs) for bad in found])
    assert net.max() < 0
    assert max(bad.value for bad in found if bad.shape == "box") < 0.0012
