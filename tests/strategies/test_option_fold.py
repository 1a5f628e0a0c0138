from __future__ import annotations

import numpy as np

from sextant.model.opportunity import Disposition, GateReading
from sextant.strategies.option_fold import eaten, fold, lack_of, nearest, refused_by, too_small
from support.markets import bars_of, framed, specs_of, view_of

READING = GateReading("vol_ratio", 1.0, 1.2, passed=False, distance=0.2)


def failed(unit: str, count: int, distance: float) -> Disposition:
    return refused_by(unit, GateReading("g", 0.0, 1.0, passed=False, distance=distance), (), "", count)


def test_of_refused_candidates_the_nearest_one_that_was_looked_at_is_told() -> None:
    lacking = lack_of("a", ("chain.quotes", 0.0, 1.0, "quotes"))
    assert nearest([lacking, failed("b", 2, 0.1), failed("c", 1, 0.9)]).unit == "c"
    assert nearest([failed("b", 1, 0.3), failed("c", 1, 0.2)]).unit == "c"
    assert nearest([lacking, eaten("d", 10.0, -5.0)]).unit == "d"
    assert nearest([lacking]).unit == "a"


def test_an_instrument_whose_base_has_no_chain_says_so() -> None:
    view = view_of(framed("1d", bars_of(np.full((3, 2), 100.0))), specs=specs_of(2))
    base = view.instruments[0].instrument.base
    rows, dispositions = fold({base: failed("x", 1, 0.5)}, view)
    assert rows == []
    assert [item.kind for item in dispositions] == ["gate_failed", "insufficient_data"]
    assert (dispositions[1].stage, dispositions[1].unit) == ("chain", str(view.instruments[1].instrument))
    assert dispositions[0].instruments == (view.instruments[0].instrument,)


def test_words_say_what_would_change_the_answer() -> None:
    assert refused_by("BTC", READING, (READING,), "x").flips_if == "vol_ratio of BTC rises from 1 to 1.2 x"
    assert lack_of("BTC", ("chain.age_ms", 9_000.0, 5_000.0, "ms")).flips_if == "chain.age_ms reaches 5000 ms"
    small = too_small("BTC", 10.0, 100.0, "risk", ())
    assert (small.distance, small.flips_if) == (0.9, "risk allows 100.00 USD instead of 10.00")
    gone = eaten("BTC", 12.0, -3.0)
    assert (gone.cost_bps, gone.flips_if) == (15.0, "costs of BTC fall from 15.0 below 12.0 bps")
    never = eaten("BTC", -4.0, -10.0)
    assert (never.cost_bps, never.flips_if) == (6.0, "gross of BTC rises from -4.0 above costs of 6.0 bps")
