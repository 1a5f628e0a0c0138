from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest

from sextant.model.bar import BAR_FIELDS
from sextant.model.view import bar_frame
from support.cards import proven
from support.judging import BREAKOUT, answer, run
from support.markets import breakout_market, broad_fall_market, momentum_market


def test_an_edge_that_costs_eat_is_negative_and_says_by_how_much() -> None:
    lost = answer(breakout_market(), proven(gross_mean_bps=25.0))
    assert (lost.kind, lost.stage) == ("negative_net_edge", "min_edge_bps")
    assert lost.gross_bps == pytest.approx(20.0)
    assert lost.cost_bps == pytest.approx(22.0, abs=1e-3)
    assert lost.value == pytest.approx(-2.0, abs=1e-3)
    assert lost.distance == pytest.approx(2.0, abs=1e-3)


def test_the_nearest_gate_is_told_with_what_would_flip_it_and_since_when() -> None:
    view = broad_fall_market()
    _, dispositions = run("ai_spot_mean_reversion", view)
    lost = dispositions[0]
    assert (lost.kind, lost.stage, lost.failed_count) == ("gate_failed", "z", 1)
    assert lost.distance == pytest.approx(0.28, abs=0.01)
    assert lost.flips_if == "z rises from 1.435 to 2 sd"
    assert lost.since_ns is not None
    assert lost.since_ns <= view.as_of_ns


def test_every_instrument_of_a_skipped_verdict_is_disposed() -> None:
    view = momentum_market()
    rows, dispositions = run(BREAKOUT, view)
    assert not rows
    assert len(dispositions) == view.size
    assert {item.stage for item in dispositions} == {"no 1h bars"}


def test_a_gate_that_cannot_be_read_is_insufficient_and_named() -> None:
    view = breakout_market()
    bars = view.bars["1h"]
    fields = {name: getattr(bars, name).copy() for name in BAR_FIELDS}
    fields["quote_volume"][-5] = np.nan
    fields["volume"][-5] = np.nan
    lost = answer(dataclasses.replace(view, bars={"1h": bar_frame("1h", bars.open_ns, fields)}))
    assert (lost.kind, lost.stage) == ("insufficient_data", "gate.volume_24h_usd")
    assert len(lost.gates) == 16


def test_unknown_costs_are_insufficient_and_named() -> None:
    view = breakout_market()
    stranger = msgspec.structs.replace(view.instruments[0].instrument, venue="unheard_of")
    specs = (msgspec.structs.replace(view.instruments[0], instrument=stranger),)
    lost = answer(dataclasses.replace(view, instruments=specs))
    assert (lost.kind, lost.stage) == ("insufficient_data", "cost.fees")
