"""The fixtures of strategies.md 4 with the numbers stated there."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sextant.model.view import bar_frame
from sextant.strategies.library.volatility_squeeze import squeezed
from support.bar_markets import squeeze_market
from support.judging import run
from support.markets import alternating, bars_of, closes_of, framed, view_of
from support.said import failed, said

SQUEEZE = "volatility_squeeze"


def test_a_close_that_leaves_a_long_quiet_spell_on_volume_is_followed() -> None:
    view = squeeze_market()
    verdict, gates = said(SQUEEZE, view)
    assert failed(gates) == []
    assert verdict.signals.direction[-1, 0] == 1
    assert gates["run"].value == pytest.approx(180, rel=0.02)
    assert gates["volume"].value == pytest.approx(3.0)
    assert verdict.signals.strength[-1, 0] == pytest.approx(180 / 6, rel=0.02)
    atr, close = verdict.facts["atr"][-1, 0], view.bars["4h"].close[-1, 0]
    assert verdict.signals.stop[-1, 0] == pytest.approx(close - 1.5 * atr)
    assert verdict.signals.target[-1, 0] == pytest.approx(close + 3.0 * atr)
    assert verdict.signals.horizon_rows == 30


def test_the_same_close_on_ordinary_volume_is_not() -> None:
    _, gates = said(SQUEEZE, squeeze_market(1.0))
    assert failed(gates) == ["volume"]
    assert gates["volume"].value == pytest.approx(1.0)
    assert gates["volume"].threshold == 1.3


def test_only_the_row_on_which_the_squeeze_ends_may_signal() -> None:
    verdict, _ = said(SQUEEZE, squeeze_market())
    quiet = next(gate for gate in verdict.gates if gate.name == "released").values[:, 0]
    assert quiet[-2:].tolist() == [1.0, 0.0]
    # The average true range of 20 rows needs one close before them.
    assert np.isnan(quiet[:20]).all()
    assert (quiet[20:-1] == 1.0).all()


def test_the_band_is_compared_with_the_channel_on_both_sides() -> None:
    # Sample deviation of 0, 1 alternating over 20 rows: sqrt(5/19) = 0.513, so the band is 1.026 to either side of 0.5.
    close = np.tile([[0.0], [1.0]], (10, 1))
    level = np.full((20, 1), 0.5)
    assert squeezed(close, level, np.full((20, 1), 0.685))[-1, 0] == 1.0  # 1.5 x 0.685 = 1.0275
    assert squeezed(close, level, np.full((20, 1), 0.683))[-1, 0] == 0.0  # 1.5 x 0.683 = 1.0245
    for shifted in (level + 0.01, level - 0.01):
        assert squeezed(close, shifted, np.full((20, 1), 0.685))[-1, 0] == 0.0
    assert np.isnan(squeezed(close, level, np.full((20, 1), 0.685))[:-1]).all()


def test_a_market_that_never_was_quiet_fails_at_the_run() -> None:
    rising = view_of(framed("4h", bars_of(closes_of([np.full(200, 0.01)]))))
    _, gates = said(SQUEEZE, rising)
    assert failed(gates)[0] == "run"
    assert gates["run"].value == 0.0


def test_a_spell_a_row_short_is_a_near_miss_and_says_what_would_flip_it() -> None:
    # Fifteen wild rows, then quiet ones until the close that leaves: the window of 20 forgets the wild ones late.
    steps = alternating(200, 0.0005)
    steps[:170] = np.where(np.arange(170) % 8 < 4, 0.02, -0.02)
    steps[-1] = 0.02
    runs = {}
    for rows in range(180, 201):
        view = view_of(framed("4h", bars_of(closes_of([np.append(steps[: rows - 1], 0.05)]))))
        _, gates = said(SQUEEZE, view)
        runs[rows] = gates["run"].value
    assert sorted(set(runs.values())) == list(range(int(max(runs.values())) + 1))  # type: ignore[type-var, arg-type]  # all read
    rows = next(rows for rows, value in runs.items() if value == 5.0)
    view = view_of(framed("4h", bars_of(closes_of([np.append(steps[: rows - 1], 0.05)]))))
    _, (answer,) = run(SQUEEZE, view)
    assert (answer.kind, answer.stage, answer.value, answer.limit) == ("gate_failed", "run", 5.0, 6.0)
    assert answer.distance == pytest.approx(1.0 / 6.0)
    assert answer.flips_if == "run rises from 5 to 6 rows"


def test_bars_without_trades_are_measured_zeros_and_a_hole_is_insufficient() -> None:
    view = squeeze_market()
    frame = view.bars["4h"]
    fields = {
        name: getattr(frame, name).copy()
        for name in ("open", "high", "low", "close", "volume", "quote_volume")
    }
    fields["quote_volume"][-1] = fields["volume"][-1] = 0.0
    still = dataclasses.replace(view, bars={"4h": bar_frame("4h", frame.open_ns, fields)})
    _, gates = said(SQUEEZE, still)
    assert gates["volume"].value == 0.0
    fields["close"] = fields["close"].copy()
    fields["close"][150] = np.nan
    holed = dataclasses.replace(view, bars={"4h": bar_frame("4h", frame.open_ns, fields)})
    _, (answer,) = run(SQUEEZE, holed)
    assert (answer.kind, answer.stage, answer.value) == ("insufficient_data", "bars.4h", 49.0)
