"""What a strategy says about the first instrument of a market, and whether every way of asking agrees."""

from __future__ import annotations

from sextant.model.opportunity import GateReading
from sextant.model.view import View
from sextant.strategies.catalog import strategy
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Verdict
from sextant.strategies.gates import assess


def said(name: str, view: View, column: int = 0, **params: float) -> tuple[Verdict, dict[str, GateReading]]:
    """The verdict and the readings of one instrument's gates by name."""
    chosen = strategy(name)
    verdict = chosen.evaluate(view, chosen.defaults(**params), Columns(view))
    return verdict, {
        reading.gate: reading
        for reading in assess(verdict.gates, verdict.signals.direction.shape[1]).readings(column)
    }


def away_frac(verdict: Verdict, view: View, column: int = 0) -> tuple[float, float]:
    """Distance of stop and of target from the last close, as fractions of it."""
    close = view.bars[verdict.interval].close[-1, column]
    return (
        abs(verdict.signals.stop[-1, column] / close - 1.0),
        abs(verdict.signals.target[-1, column] / close - 1.0),
    )


def failed(readings: dict[str, GateReading]) -> list[str]:
    """Names of the gates that did not pass, in declared order."""
    return [name for name, reading in readings.items() if not reading.passed]
