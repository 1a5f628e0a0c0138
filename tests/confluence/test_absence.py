from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sextant.confluence.absence import why_absent
from sextant.confluence.catalog import voices
from sextant.confluence.inputs import Extra
from sextant.confluence.passport import Absent
from sextant.confluence.scorer import evaluate
from sextant.model.times import SECOND_NS
from sextant.model.view import View
from support import minutes
from support.indicators import walk
from support.views import spec

NAMES = [voice.name for voice in voices()]


def why(view: View, name: str, extra: Extra | None = None, column: int = 0) -> Absent | None:
    found = evaluate(view) if extra is None else evaluate(view, extra)
    return why_absent(found, NAMES.index(name), column)


def test_what_speaks_has_no_reason() -> None:
    assert why(minutes.walked(300, 2), "technical.rsi") is None


def test_column_that_no_feed_gives_is_named() -> None:
    told = why(minutes.walked(30, 1), "orderflow.imbalance")
    assert told is not None
    assert told.reason == "UNSUPPORTED"
    assert told.text.endswith("buy_count, sell_count.")


def test_kind_without_the_input_is_told_before_anything_else() -> None:
    bars = walk(30, 1, 2)
    told = why(minutes.view_of(bars, [spec("BTC", "spot")]), "sentiment.funding_rate")
    assert told is not None
    assert told.reason == "NOT_APPLICABLE"


def test_warming_counts_rows() -> None:
    told = why(minutes.walked(100, 1), "technical.adx")
    assert told == Absent("WARMING", "Too few rows since the last hole: 100 of 252.", 100, 252)


def test_newest_bar_that_is_missing_is_a_hole() -> None:
    bars = {name: x.copy() for name, x in walk(300, 2, 2).items()}
    for x in bars.values():
        x[-1, 0] = np.nan
    told = why(minutes.view_of(bars, minutes.perpetuals(2)), "technical.rsi")
    assert told is not None
    assert told.reason == "HOLE"


def test_column_of_takers_that_never_came_is_no_hole() -> None:
    bars = {name: x.copy() for name, x in walk(300, 1, 2).items()}
    bars["taker_buy_volume"][:] = np.nan
    told = why(minutes.view_of(bars, minutes.perpetuals(1)), "orderflow.cvd")
    assert told is not None
    assert told.reason == "FEED_DOWN"


def test_too_few_trades_are_counted() -> None:
    view = minutes.walked(300, 1)
    few = Extra({"trade_count": np.full((300, 1), 0.5)})
    told = why(view, "orderflow.cvd", few)
    assert told == Absent("FEW_TRADES", "Too few trades: 30 of 200.", 30, 200)
    enough = Extra({"trade_count": np.full((300, 1), 2.0)})
    assert why(view, "orderflow.cvd", enough) is None


def test_too_few_instruments_are_counted() -> None:
    told = why(minutes.walked(100, 6), "sentiment.market_activity")
    assert told is not None
    assert (told.reason, told.have, told.need) == ("FEW_SAMPLES", 5, 10)


def test_old_bars_are_stale() -> None:
    view = minutes.walked(300, 1)
    told = why(replace(view, as_of_ns=view.as_of_ns + 300 * SECOND_NS), "technical.cci")
    assert told is not None
    assert (told.reason, told.have, told.need) == ("STALE", 301, 190)


def test_trades_that_do_not_add_up_are_a_gap() -> None:
    bars = walk(300, 1, 2)
    view = minutes.view_of(bars, minutes.perpetuals(1))
    told = why(view, "orderflow.cvd", Extra({"seen_volume": 0.9 * bars["volume"]}))
    assert told is not None
    assert told.reason == "GAPPY"
    assert told.have == pytest.approx(0.1, abs=0.03)  # a still bar in ten is complete
