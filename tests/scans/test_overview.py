from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sextant.confluence.market_wide import Held
from sextant.confluence.scorer import evaluate
from sextant.model.times import MINUTE_NS
from sextant.model.view import MINUTE_FIELDS, MinuteFrame, Series, View
from sextant.scans.overview import DAY_ROWS, Overview, overview
from support import minutes
from support.indicators import walk
from support.lively import quoted
from support.views import spec

NONE = Held("unknown", 0)


def picture(rows: int = 1_500, size: int = 6) -> Overview:
    view = minutes.walked(rows, size)
    return overview(view, evaluate(view), NONE)


def test_shares_equal_what_counting_gives() -> None:
    view = minutes.walked(1_500, 6)
    found = overview(view, evaluate(view), NONE)
    five = view.bars["5m"].close
    day = five[-1] / five[-1 - DAY_ROWS] - 1
    assert found.up_24h.frac == pytest.approx(np.count_nonzero(day > 0) / 6)
    assert (found.up_24h.n, found.up_24h.of) == (6, 6)
    one = view.bars["1m"].close
    assert found.up_1h.frac == pytest.approx(np.mean(0.5 + 0.5 * np.sign(one[-1] / one[-61] - 1)))
    assert found.mood.median_24h == sorted(day.tolist())[2]


def test_movers_are_told_by_what_they_did() -> None:
    found = picture()
    rose = [item.return_24h_frac for item in found.up]
    fell = [item.return_24h_frac for item in found.down]
    traded = [item.volume_24h for item in found.volume]
    assert rose == sorted(rose, key=lambda x: -(x or 0))
    assert fell == sorted(fell, key=lambda x: x or 0)
    assert traded == sorted(traded, key=lambda x: -(x or 0))
    assert len(rose) == 5


def test_too_little_past_is_unknown_and_not_a_half() -> None:
    found = picture(rows=40)
    assert (found.up_24h.frac, found.up_24h.n) == (None, 0)
    assert found.up_1h.frac is None
    assert found.apart.frac is None
    assert found.highs_minus_lows is None
    assert found.held == NONE
    assert found.up == ()


def test_regime_is_held_from_picture_to_picture() -> None:
    view = minutes.walked(1_500, 6)
    scores = evaluate(view)
    first = overview(view, scores, NONE)
    assert first.held.label != "unknown"
    assert overview(view, scores, first.held).held == first.held


def test_dollars_and_dated_instruments_are_no_part_of_the_universe() -> None:
    bars = walk(400, 3, 2)
    view = minutes.view_of(bars, [spec("USDC"), spec("ADA"), spec("BTC", "perpetual")])
    found = overview(view, evaluate(view), NONE)
    assert found.up_1h.of == 2


def test_perpetuals_are_measured_where_their_facts_are_known() -> None:
    view = quoted()
    facts = replace(
        view.derivatives,
        open_interest=np.full(view.size, 10.0),
        index=view.derivatives.mark * 0.999,
    )
    view = replace(view, derivatives=facts)
    found = overview(view, evaluate(view), NONE).perpetuals
    assert found.f8_median.frac == pytest.approx(0.0001)
    assert found.f8_positive.frac == 1.0
    assert found.basis_median.frac == pytest.approx(1 / 0.999 - 1)
    assert found.open_interest_usd.frac == pytest.approx(10 * float(facts.mark.sum()))
    assert found.open_interest_change.frac is None
    assert found.closed_long_usd.frac is None
    assert picture(rows=100).perpetuals.f8_median.frac is None


def test_open_interest_of_a_day_ago_is_taken_at_its_own_price() -> None:
    view = held_a_day_ago(minutes_apart=4)
    change = overview(view, evaluate(view), NONE).perpetuals.open_interest_change
    now = 10.0 * float(view.bars["1m"].close[-1, 0])
    row = np.searchsorted(
        view.bars["5m"].open_ns + 5 * MINUTE_NS, view.as_of_ns - 1_436 * MINUTE_NS, side="right"
    )
    before = 8.0 * float(view.bars["5m"].close[row - 1, 0])
    assert change.frac == pytest.approx(now / before - 1)
    assert (change.n, change.of) == (1, 6)


def test_open_interest_far_from_a_day_ago_says_nothing_of_its_change() -> None:
    view = held_a_day_ago(minutes_apart=11)
    assert overview(view, evaluate(view), NONE).perpetuals.open_interest_change.frac is None


def held_a_day_ago(minutes_apart: int) -> View:
    """Perpetuals with open interest now, and of the first some minutes less than a day ago."""
    view = perpetual_market()
    time_ns = view.as_of_ns - (1_440 - minutes_apart) * MINUTE_NS
    history = Series(np.array([time_ns]), np.array([8.0]))
    return replace(view, open_interest_history={view.instruments[0].instrument: history})


def perpetual_market() -> View:
    view = minutes.view_of(walk(1_700, 6, 5), minutes.perpetuals(6))
    close = view.bars["1m"].close[-1]
    facts = replace(view.derivatives, mark=close, open_interest=np.full(6, 10.0))
    return replace(view, derivatives=facts)


def test_forced_closes_of_a_day_are_summed_where_all_of_it_was_watched() -> None:
    view = perpetual_market()
    values = np.full((len(MINUTE_FIELDS), 1_440, 6), 2.0, dtype=np.float32)
    values[MINUTE_FIELDS.index("liq_short_usd"), 700, 2] = np.nan
    open_ns = view.bars["1m"].open_ns[-1_440:]
    view = replace(view, minutes=MinuteFrame(open_ns, (values,), bytes(16 * 1_440)))
    found = overview(view, evaluate(view), NONE).perpetuals
    assert (found.closed_long_usd.frac, found.closed_long_usd.n) == (6 * 2_880.0, 6)
    assert (found.closed_short_usd.frac, found.closed_short_usd.n) == (5 * 2_880.0, 5)


def test_those_stand_at_risk_whose_every_input_is_known() -> None:
    view = perpetual_market()
    facts = replace(
        view.derivatives,
        open_interest=np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.nan]) * 1e6,
        funding_rate=np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) * 1e-4,
        funding_interval_s=np.full(6, 28_800.0),
        turnover_24h=np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) * 1e9,
    )
    view = replace(view, derivatives=facts)
    found = overview(view, evaluate(view), NONE)
    assert set(found.risk) == {spec.instrument for spec in view.instruments[:5]}
    assert list(found.risk.values()) == sorted(found.risk.values(), reverse=True)
    assert max(found.risk.values()) <= 1.0
