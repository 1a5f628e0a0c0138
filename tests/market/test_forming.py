from __future__ import annotations

import pytest

from sextant.market.counters import Counters
from sextant.market.flow import Flow
from sextant.market.forming import FormingBars
from sextant.market.freshness import Pulse
from sextant.model.times import INTERVAL_NS, SECOND_NS
from support.market import bar_update, trade


@pytest.fixture
def counters() -> Counters:
    return Counters()


@pytest.fixture
def flow() -> Flow:
    return Flow()


@pytest.fixture
def pulse() -> Pulse:
    return Pulse(60 * SECOND_NS)


@pytest.fixture
def forming(flow: Flow, pulse: Pulse, counters: Counters) -> FormingBars:
    return FormingBars(flow, pulse, counters)


def test_forming_bar_is_kept_until_its_final_one_or_a_later_one(
    forming: FormingBars, flow: Flow, pulse: Pulse, counters: Counters
) -> None:
    forming.take(bar_update(10, final=False), -1)
    forming.take(bar_update(9, final=False), -1)
    forming.take(bar_update(10, close=55.0, final=False), -1)
    kept = forming.bar("1m")
    assert kept is not None
    assert kept.close == 55.0
    forming.settle("1m", 9 * INTERVAL_NS["1m"])
    assert forming.bar("1m") is kept
    forming.settle("1m", 10 * INTERVAL_NS["1m"])
    forming.settle("5m", 10 * INTERVAL_NS["1m"])
    assert forming.content() == ()
    forming.take(bar_update(10, final=False), 10 * INTERVAL_NS["1m"])
    assert forming.content() == ()
    assert (counters.get("bars_forming"), counters.get("bars_forming_old")) == (2, 2)


def test_minute_bar_gets_its_taker_volume_from_trades_that_add_up_to_it(
    forming: FormingBars, flow: Flow, pulse: Pulse, counters: Counters
) -> None:
    for name, size, aggressor in (("a", 2.0, 1), ("b", 1.0, -1), ("c", 1.0, 1)):
        flow.take(trade(name, 10 * INTERVAL_NS["1m"] + 5, size=size, aggressor=aggressor))
    assert forming.with_takers(bar_update(10, volume=4.0)).bar.taker_buy_volume == 3.0
    assert forming.with_takers(bar_update(10, volume=4.02)).bar.taker_buy_volume == 3.0
    assert counters.get("bars_takers_added") == 2
    for volume in (4.03, 3.97):
        unknown = bar_update(10, volume=volume)
        assert forming.with_takers(unknown) is unknown
    assert counters.get("bars_unreconciled") == 2
    for other in (bar_update(11), bar_update(10, "5m"), bar_update(10, volume=4.0, taker=1.0)):
        assert forming.with_takers(other) is other


def test_minute_without_any_volume_has_no_taker_volume_either(
    forming: FormingBars, flow: Flow, pulse: Pulse
) -> None:
    assert forming.with_takers(bar_update(10, volume=0.0)).bar.taker_buy_volume == 0.0


def test_taker_volume_never_exceeds_the_volume_of_its_bar(
    forming: FormingBars, flow: Flow, pulse: Pulse
) -> None:
    flow.take(trade("a", 5, size=4.01))
    assert forming.with_takers(bar_update(0, volume=4.0)).bar.taker_buy_volume == 4.0


def test_smallest_interval_that_comes_sets_the_cadence_of_bars(
    forming: FormingBars, flow: Flow, pulse: Pulse
) -> None:
    forming.note("1h", 1_000, 1_000)
    assert pulse.cadence_ns == 3_600 * SECOND_NS
    forming.note("1m", 2_000, 2_000)
    forming.note("1h", 3_000, 3_000)
    assert pulse.cadence_ns == 60 * SECOND_NS
