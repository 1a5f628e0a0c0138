"""The fixtures of strategies.md 4 with the numbers stated there, and what follows from them by hand."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from sextant.model.bar import Floats
from sextant.model.times import HOUR_NS, MINUTE_NS
from sextant.model.view import LiquidationTape, View, bar_frame
from support.bar_markets import reversal_market
from support.judging import run
from support.markets import known_at, specs_of
from support.said import failed, said

REVERSAL = "liquidation_reversal"

BEFORE = 100.0
"""The close before the move, up to a scale: 494 alternating steps end where they began."""

EXTREME = BEFORE * math.exp(-0.045) / 1.0005
NOW = BEFORE * math.exp(-0.028)


def mirrored(view: View) -> View:
    """The market upside down: a forced rise that has begun to fall."""
    frame = view.bars["5m"]
    turned: dict[str, Floats] = {name: 10_000.0 / getattr(frame, name) for name in ("open", "close")}
    turned |= {
        "high": 10_000.0 / frame.low,
        "low": 10_000.0 / frame.high,
        "quote_volume": frame.quote_volume.copy(),
    }
    turned["volume"] = turned["quote_volume"] / turned["close"]
    made = bar_frame("5m", frame.open_ns, turned)
    quotes = dataclasses.replace(view.quotes, bid=10_000.0 / view.quotes.ask, ask=10_000.0 / view.quotes.bid)
    return dataclasses.replace(view, bars={"5m": made}, quotes=quotes)


def test_a_forced_fall_that_has_begun_to_turn_is_bought() -> None:
    view = reversal_market()
    verdict, gates = said(REVERSAL, view)
    assert failed(gates) == []
    assert verdict.signals.direction[-1, 0] == 1
    assert gates["rebound"].value == pytest.approx(0.38, abs=0.005)
    assert gates["activity"].value == pytest.approx(6.0, rel=1e-6)
    assert gates["interest_closed"].value == pytest.approx(-0.05)
    # Returns of 0.1 % before: 4.55 % over 0.1 % x sqrt 6.
    assert gates["displacement"].value == pytest.approx(0.0455 / (0.001 * math.sqrt(6.0)), rel=1e-3)
    scale = view.bars["5m"].close[-1, 0] / NOW
    assert verdict.signals.stop[-1, 0] == pytest.approx(scale * (EXTREME - 0.1 * (BEFORE - EXTREME)))
    assert verdict.signals.target[-1, 0] == pytest.approx(scale * (NOW + 0.5 * (BEFORE - NOW)))
    (row,), _ = run(REVERSAL, view)
    assert (row.direction, row.horizon_s, row.grade) == ("long", 7_200.0, "unproven")


def test_a_fall_that_has_not_turned_is_left_alone() -> None:
    _, gates = said(REVERSAL, reversal_market(0.0005))
    assert failed(gates) == ["rebound"]
    assert gates["rebound"].value == pytest.approx(0.04, abs=0.005)
    assert gates["rebound"].threshold == 0.35


def test_a_fall_that_has_turned_too_far_is_late() -> None:
    _, gates = said(REVERSAL, reversal_market(0.012))
    assert failed(gates) == ["rebound_cap"]


def test_the_mirror_of_a_forced_fall_is_sold() -> None:
    verdict, gates = said(REVERSAL, mirrored(reversal_market()))
    assert failed(gates) == []
    assert verdict.signals.direction[-1, 0] == -1
    assert verdict.signals.stop[-1, 0] > verdict.facts["extreme"][-1, 0]


def test_open_interest_decides_where_it_is_known_and_is_not_asked_for_where_it_is_not() -> None:
    _, gates = said(REVERSAL, reversal_market(interest=-0.02))
    assert failed(gates) == ["interest_closed"]
    unknown = dataclasses.replace(reversal_market(), open_interest_history={})
    _, gates = said(REVERSAL, unknown)
    assert failed(gates) == []
    assert gates["interest_closed"].value is None
    spot = dataclasses.replace(unknown, instruments=specs_of(1))
    _, (answer,) = run(REVERSAL, spot)
    assert answer.kind == "opportunity"


def test_liquidations_of_the_side_that_was_forced_decide_where_they_are_known() -> None:
    view = reversal_market()
    close_ns = int(view.bars["5m"].open_ns[-1]) + 5 * MINUTE_NS
    # One long of 1,000 USD an hour for 30 hours, then six in the last half hour: 6,000 against a usual 500.
    times = [close_ns - 1 - hour * HOUR_NS for hour in range(30, 0, -1)] + [
        close_ns - 2 - i for i in range(6, 0, -1)
    ]

    def forced(side: float) -> View:
        tape = LiquidationTape(np.array(times), np.full(36, 100.0), np.full(36, 10.0), np.full(36, side))
        return dataclasses.replace(view, liquidations={view.instruments[0].instrument: tape})

    _, gates = said(REVERSAL, forced(1.0))
    assert failed(gates) == []
    assert gates["liquidations"].value == pytest.approx(12.0)
    _, gates = said(REVERSAL, forced(-1.0))
    assert failed(gates) == ["liquidations"]
    assert gates["liquidations"].value == 0.0
    _, gates = said(REVERSAL, view)
    assert gates["liquidations"].value is None


def test_the_share_that_must_hit_is_shown_and_bounded_by_the_strategys_own_limit() -> None:
    (row,), _ = run(REVERSAL, reversal_market())
    reading = next(reading for reading in row.gates if reading.gate == "payoff")
    stop, target = 1.0 - (EXTREME - 0.1 * (BEFORE - EXTREME)) / NOW, 0.5 * (BEFORE - NOW) / NOW
    # Two taker fees of 5, a spread of 2 and one settlement of 1 bp within two hours.
    assert reading.value == pytest.approx((stop + 13e-4) / (stop + target), rel=1e-3)
    assert reading.threshold == 0.70


def test_a_hole_a_short_history_and_bars_without_trades_never_signal() -> None:
    view = reversal_market()
    frame = view.bars["5m"]
    names = ("open", "high", "low", "close", "volume", "quote_volume")
    fields = {name: getattr(frame, name).copy() for name in names}
    fields["quote_volume"][-6:] = fields["volume"][-6:] = 0.0
    still = dataclasses.replace(view, bars={"5m": bar_frame("5m", frame.open_ns, fields)})
    _, gates = said(REVERSAL, still)
    assert gates["activity"].value == pytest.approx(0.0, abs=1e-9)
    fields = {name: getattr(frame, name).copy() for name in names}
    fields["low"][-100] = np.nan
    holed = dataclasses.replace(view, bars={"5m": bar_frame("5m", frame.open_ns, fields)})
    _, (answer,) = run(REVERSAL, holed)
    assert (answer.kind, answer.stage, answer.value) == ("insufficient_data", "bars.5m", 99.0)
    _, (answer,) = run(REVERSAL, known_at(view, int(frame.open_ns[3])))
    assert answer.kind == "insufficient_data"
