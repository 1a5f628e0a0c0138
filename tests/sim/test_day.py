"""The last 24 hours and the present day equal the minutes they are of."""

from __future__ import annotations

import numpy as np
import pytest

from sextant.sim.day import Day
from sextant.sim.market_model import DAY_MINUTES, MarketModel
from sextant.sim.tape import MINUTE_MS, Tape

MIDNIGHT = 20_700 * DAY_MINUTES


@pytest.mark.parametrize("minute", [0, 1, 853, 1_439])
def test_facts_are_the_extremes_and_sums_of_the_minutes(minute: int) -> None:
    model = MarketModel(7, 12)
    listing = model.find("spot", "BTCUSDT")
    assert listing is not None
    tape = Tape(model, listing, 1.0)
    day = Day(tape)
    now_ms = (MIDNIGHT + minute) * MINUTE_MS + MINUTE_MS - 1  # the last slot of the minute has traded
    for _ in range(2):
        facts = day.facts(now_ms)
    past = model.minute_span(listing, MIDNIGHT + minute - DAY_MINUTES, MIDNIGHT + minute + 1)
    today = past.slice(DAY_MINUTES - minute, DAY_MINUTES + 1)
    for told, bars in ((facts.rolling, past), (facts.today, today)):
        assert (told.open, told.high, told.low) == (bars.open[0], bars.high.max(), bars.low.min())
        assert (told.close, told.lots) == (bars.close[-1], bars.lots.sum())
        np.testing.assert_allclose(told.turnover, bars.turnover.sum(), rtol=1e-12)
    assert facts.last == past.close[-1]
