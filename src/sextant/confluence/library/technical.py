"""The classical oscillators, each in units that have a sign."""

from __future__ import annotations

from typing import Final

from sextant.confluence.contract import ALL, Dimension, SubScore
from sextant.confluence.nodes import Column, Rolled, mapped, read
from sextant.confluence.normalise import Knots, Per, knots, ramp, ratio, sq
from sextant.model.bar import Floats

_CLOSE: Final = Column("close")
_SETTLED: Final = 196

_RSI: Final[Knots] = ((0.0, 0.0), (15.0, 0.6), (20.0, 0.6), (30.0, 0.0), (40.0, -0.6), (50.0, -0.6))
"""Follows inside 30..70, 0 at 80, contrary beyond."""
_WILLIAMS: Final[Knots] = ((0.0, 0.0), (30.0, 0.5), (40.0, 0.5), (50.0, -0.2))


def _rsi(x: Floats) -> Floats:
    return knots(x - 50.0, _RSI)


def _williams(x: Floats) -> Floats:
    return knots(x + 50.0, _WILLIAMS)


def _oscillation(ao: Floats, atr: Floats) -> Floats:
    return sq(ratio(ao, atr) / 2.5)


def _displacement(close: Floats, before: Floats, atr: Floats) -> Floats:
    return sq(ratio(close - before, atr) / 3.0)


def _directed(plus: Floats, minus: Floats, adx: Floats) -> Floats:
    return sq(ratio(plus - minus, plus + minus) / 0.3) * ramp(adx, 15.0, 40.0)


DIMENSION = Dimension(
    name="technical",
    weight=0.10,
    sub_scores=(
        SubScore(
            name="ao",
            weight=0.20,
            family="trend",
            signal=mapped(_oscillation, read("awesome_oscillator"), read("atr")),
            rows=_SETTLED,
            intervals=ALL,
        ),
        SubScore(
            name="rsi",
            weight=0.20,
            family="reversion",
            signal=mapped(_rsi, read("rsi")),
            rows=_SETTLED,
            intervals=ALL,
        ),
        SubScore(
            name="atr",
            weight=0.15,
            family="trend",
            signal=mapped(_displacement, _CLOSE, Rolled("lag", _CLOSE, 10), read("atr")),
            rows=_SETTLED,
            intervals=ALL,
        ),
        SubScore(
            name="cci",
            weight=0.15,
            family="trend",
            signal=mapped(Per(150.0), read("cci")),
            rows=20,
            intervals=ALL,
        ),
        SubScore(
            name="adx",
            weight=0.15,
            family="trend",
            signal=mapped(_directed, read("adx", "plus_di"), read("adx", "minus_di"), read("adx")),
            rows=252,
            intervals=ALL,
        ),
        SubScore(
            name="williams_r",
            weight=0.15,
            family="reversion",
            signal=mapped(_williams, read("williams_r")),
            rows=14,
            intervals=ALL,
        ),
    ),
)
