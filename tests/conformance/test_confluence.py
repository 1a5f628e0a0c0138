"""What every dimension must keep, whoever wrote it; a new file of the library is found here by itself."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from sextant.confluence.catalog import Voice, voices
from sextant.confluence.contract import FAMILIES, INTERVAL_WEIGHTS
from sextant.confluence.inputs import Extra
from sextant.confluence.nodes import INTERVAL_OF, Node, Reading, Seen, columns_of, walk
from sextant.confluence.passport import STREAMS
from sextant.confluence.scorer import Evaluation, evaluate
from sextant.indicators.catalog import indicator
from sextant.model.bar import Floats
from sextant.model.instrument import Instrument
from sextant.model.times import MINUTE_NS
from sextant.model.view import Series, View
from support import minutes
from support.indicators import walk as walk_bars

ROWS = 3_300
SIZE = 12

every = pytest.mark.parametrize("voice", voices(), ids=[voice.name for voice in voices()])


@cache
def rich() -> tuple[View, Extra]:
    """A market in which every column that a sub-score may ask for is given."""
    bars = walk_bars(ROWS, SIZE, 21)
    view = minutes.view_of(bars, minutes.perpetuals(SIZE))
    rng = np.random.default_rng(5)
    facts = replace(
        view.derivatives,
        funding_rate=rng.normal(0.0001, 0.0003, SIZE),
        funding_interval_s=np.full(SIZE, 28_800.0),
        event_ns=np.full(SIZE, view.as_of_ns - 1),
    )
    view = replace(view, derivatives=facts)

    def uniform(low: float, high: float) -> Floats:
        return rng.uniform(low, high, (ROWS, SIZE))

    usd = uniform(1e5, 2e5)
    more = {
        "trade_count": np.floor(uniform(300, 900)),
        "seen_volume": bars["volume"],
        "book_samples": np.full((ROWS, SIZE), 60.0),
        "book_age_s": np.ones((ROWS, SIZE)),
        "liquidations_age_s": np.ones((ROWS, SIZE)),
        "bid_usd_25": usd,
        "ask_usd_25": usd[::-1],
        "withdrawn_bid_usd": uniform(0, 1e4),
        "withdrawn_ask_usd": uniform(0, 1e4),
        "spread_bps": uniform(1, 3),
        "band_depth_usd_25": 2 * usd,
        "ofi_5": rng.normal(0, 1, (ROWS, SIZE)),
    }
    for name in (
        "depth_imbalance",
        "top_imbalance",
        "touch_imbalance",
        "band_imbalance_50",
        "impact_asymmetry",
    ):
        more[name] = uniform(-0.5, 0.5)
    for name in ("buy_turnover", "sell_turnover", "buy_count", "sell_count", "large_buy", "large_sell"):
        more[name] = bars[name]
    for name in ("root_long", "root_short"):
        more[name] = bars[name]
    return view, Extra(
        more, {"long_share": histories(view, 0.5, 0.05), "open_interest": histories(view, 1e5, 5e3)}
    )


def histories(view: View, mean: float, spread: float) -> dict[Instrument, Series]:
    """A point every five minutes up to the view."""
    rng = np.random.default_rng(9)
    last = view.as_of_ns // (5 * MINUTE_NS)
    times = np.arange(last - 319, last + 1, dtype=np.int64) * 5 * MINUTE_NS
    return {one.instrument: Series(times, rng.normal(mean, spread, 320)) for one in view.instruments}


@cache
def found() -> Evaluation:
    view, extra = rich()
    return evaluate(view, extra)


def at(voice: Voice) -> int:
    return voices().index(voice)


def readings(node: Node) -> list[Reading]:
    return [part for part in walk(node) if isinstance(part, Reading)]


@every
def test_families_streams_and_intervals_are_known(voice: Voice) -> None:
    assert voice.sub.family in FAMILIES
    assert set(voice.sub.streams) <= set(STREAMS)
    assert set(voice.sub.intervals) <= set(INTERVAL_WEIGHTS)
    assert 0 < voice.weight < 1


@every
def test_rows_asked_for_cover_the_warming_of_every_indicator(voice: Voice) -> None:
    for reading in readings(voice.sub.signal):
        chosen = indicator(reading.indicator)
        constants = dict.fromkeys(chosen.constants, 1.0)
        values = chosen.values(**dict(reading.params), **constants)
        assert voice.sub.rows > chosen.warmups(values)[reading.output]


@every
def test_every_voice_speaks_where_all_its_inputs_are_given(voice: Voice) -> None:
    s = found().now.rows.signals[at(voice)][0]
    q = found().now.quality[at(voice)]
    speaking = found().now.rows.applies[at(voice)]
    assert np.all(q[speaking] > 0)
    assert np.all(np.abs(s[speaking]) <= 1)
    assert np.isnan(s[~speaking]).all()
    assert np.std(s[speaking]) > 0


@every
def test_voice_without_its_inputs_is_absent_and_not_neutral(voice: Voice) -> None:
    bare = evaluate(minutes.walked(30, 2))
    given = bare.given["1m"] | {"grid_late_s"}
    if not columns_of(voice.sub.signal) <= given or any(isinstance(x, Seen) for x in walk(voice.sub.signal)):
        assert np.all(bare.now.quality[at(voice)] == 0)
        assert np.isnan(bare.now.rows.signals[at(voice)]).all()


def test_coverage_is_the_share_of_the_frames_that_are_long_enough() -> None:
    view, _ = rich()
    rows = {frame: bars.rows for frame, bars in view.bars.items()}
    expected = 0.0
    for voice in voices():
        declared = [(INTERVAL_WEIGHTS[frame], rows[INTERVAL_OF[frame]]) for frame in voice.sub.intervals]
        enough = sum(weight for weight, count in declared if count >= voice.sub.rows)
        expected += voice.weight * enough / sum(weight for weight, _ in declared)
    assert found().now.folded.coverage[0, 1] == pytest.approx(expected, abs=1e-12)
    assert expected > 0.8
