from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from sextant.confluence.conditions import UNLOGGED, Turn
from sextant.confluence.detectors import Seen
from sextant.errors import Expired, InputError, NotFound, Stale
from sextant.kit.clock import ManualClock
from sextant.kit.conditions import Conditions
from sextant.kit.health import Reading
from sextant.market.state import MarketState
from sextant.model.bar import BarBlock
from sextant.model.events import Unfollowed
from sextant.model.times import MINUTE_NS, SECOND_NS
from sextant.model.view import View, bar_frame
from sextant.scans.beside import Sight
from sextant.scans.scoring import KEEP, LOOK_S, Aside, Scoring, column_named
from sextant.scans.source import MarketSource
from sextant.strategies.prices import CostAssumptions
from support import minutes
from support.loopback import advance_until
from support.market import NOW_NS, block, instrument, listed
from support.views import empty_view, spec

ROWS = 120


@dataclass
class Market:
    """A market of which one minute more is known each time it is moved on."""

    whole: View = field(default_factory=lambda: minutes.walked(ROWS, 2))
    rows: int = 80
    view: View = field(init=False)

    def __post_init__(self) -> None:
        self.move(0)

    def move(self, by: int) -> int:
        self.rows += by
        self.view = minutes.upto(self.whole, self.rows)
        return self.view.as_of_ns

    def read(self) -> Sight:
        if not self.view.size:
            raise Stale("No instrument is known yet.", reason="feed_stale")
        return Sight(self.view)


def scoring(market: Market) -> tuple[Scoring, ManualClock]:
    clock = ManualClock(market.view.as_of_ns)
    return Scoring(market.read, clock), clock


async def test_nothing_is_told_before_the_first_scores() -> None:
    one, _ = scoring(Market())
    with pytest.raises(Stale, match="being computed"):
        one.newest()
    assert (await one.probe()).state == "degraded"


async def test_each_minute_is_scored_once_and_ages_are_told_anew() -> None:
    market = Market()
    one, clock = scoring(market)
    assert await one.look()
    assert not await one.look()
    market.view = replace(market.view, as_of_ns=market.view.as_of_ns + 10 * SECOND_NS)
    clock.set_now_ns(market.view.as_of_ns)
    assert await one.look()
    assert one.newest().evaluation.now.late_s == 11
    clock.set_now_ns(market.move(1))
    assert await one.look()
    assert len(one.newest().evaluation.history.close_ns) == 81


async def test_no_view_is_taken_while_nothing_can_be_due() -> None:
    """A view that is held makes the rings of a filling market be copied at the next bar."""
    market = Market()
    taken: list[int] = []

    def read() -> Sight:
        taken.append(1)
        return market.read()

    clock = ManualClock(market.view.as_of_ns)
    one = Scoring(read, clock)
    assert await one.look()
    for _ in range(9):
        clock.advance(1.0)
        assert not await one.look()
    assert len(taken) == 1
    clock.advance(1.0)
    await one.look()
    assert len(taken) == 2


async def test_past_beliefs_are_kept_for_some_minutes() -> None:
    market = Market()
    one, clock = scoring(market)
    times = [market.view.as_of_ns]
    await one.look()
    for _ in range(KEEP + 4):
        times.append(market.move(1))
        clock.set_now_ns(times[-1])
        await one.look()
    assert one.newest(times[-1]).evaluation.as_of_ns == times[-1]
    assert one.newest(times[-3] + 5).evaluation.as_of_ns == times[-3]
    with pytest.raises(Expired, match="kept since"):
        one.newest(times[0])
    with pytest.raises(InputError, match="future"):
        one.newest(times[-1] + 1)


async def test_market_that_is_not_there_yet_is_waited_for() -> None:
    market = Market()
    market.view = empty_view()
    one, _ = scoring(market)
    assert not await one.look()
    with pytest.raises(Stale, match="No instrument"):
        one.newest()
    market.view = empty_view("BTC")
    assert not await one.look()
    with pytest.raises(Stale, match="No minute"):
        one.newest()


async def test_a_minute_waits_two_seconds_for_the_bars_that_are_not_there_yet() -> None:
    """Scored too early, it would be scored again with every row before it."""
    market = Market()
    one, clock = scoring(market)
    await one.look()
    market.move(1)
    frame = market.view.bars["1m"]
    columns = {name: getattr(frame, name).copy() for name in minutes.FIELDS}
    for column in columns.values():
        column[-1, 1] = np.nan
    late = replace(market.view, bars={**market.view.bars, "1m": bar_frame("1m", frame.open_ns, columns)})
    whole, market.view = market.view, late
    clock.set_now_ns(late.as_of_ns)
    assert not await one.look()
    market.view = replace(late, as_of_ns=late.as_of_ns + SECOND_NS)
    clock.set_now_ns(market.view.as_of_ns)
    assert await one.look()
    market.view = whole
    other, _ = scoring(market)
    assert await other.look()


class Pacing(ManualClock):
    """A clock under which a minute passes at each sleep, until it was asked for the third."""

    def __init__(self, market: Market) -> None:
        super().__init__(market.view.as_of_ns)
        self.market = market
        self.slept = 0

    async def sleep(self, seconds: float) -> None:
        self.slept += 1
        if self.slept == 3:
            raise asyncio.CancelledError
        assert seconds == LOOK_S
        self.set_now_ns(self.market.move(1))


async def test_loop_scores_each_minute_until_it_is_cancelled() -> None:
    market = Market()
    clock = Pacing(market)
    one = Scoring(market.read, clock)
    with pytest.raises(asyncio.CancelledError):
        await one.serve()
    assert len(one.newest().evaluation.history.close_ns) == 82
    assert (await one.probe()).state == "healthy"
    clock.advance(1_000)
    assert (await one.probe()).state == "degraded"


def test_name_of_one_instrument_is_found_and_of_several_refused() -> None:
    names = [one.instrument for one in (spec("BTC"), spec("BTC", "perpetual"), spec("ETH"))]
    assert column_named("eth", names) == 2
    assert column_named("binance:BTC-USDT:perpetual", names) == 1
    with pytest.raises(InputError, match="names 2 instruments"):
        column_named("BTC", names)
    with pytest.raises(NotFound):
        column_named("DOGE", names)


def walk_of(base: str, rows: int) -> BarBlock:
    close = 100.0 * np.exp(np.cumsum(0.001 * np.random.default_rng(4).normal(size=(rows, 1)), axis=0))
    prices = {"open": close, "high": close * 1.001, "low": close * 0.999, "close": close}
    volumes = {"volume": np.full((rows, 1), 5.0), "quote_volume": 5.0 * close}
    first = NOW_NS // MINUTE_NS
    return block("1m", [base], range(first, first + rows), prices | volumes)


async def test_scores_go_on_when_one_instrument_leaves_and_another_comes() -> None:
    clock = ManualClock(NOW_NS + 80 * MINUTE_NS + SECOND_NS)
    source = MarketSource(MarketState("demo", simulated=True), clock, CostAssumptions())
    source.learn([listed(base) for base in ("BTC", "ETH", "SOL")])
    source.learn([walk_of(base, 80) for base in ("BTC", "ETH", "SOL")])
    one = Scoring(source.sight, clock)
    assert await one.look()
    alone = one.newest().evaluation
    now_ns = clock.now_ns()
    source.learn([Unfollowed((instrument("ETH"),), now_ns, now_ns), listed("ADA")])
    source.learn([walk_of(base, 81) for base in ("ADA", "BTC", "SOL")])
    clock.advance(60.0)
    assert await one.look()
    found = one.newest().evaluation
    assert [row.instrument.base for row in found.instruments] == ["ADA", "BTC", "SOL"]
    assert len(found.history.close_ns) == len(alone.history.close_ns) + 1
    assert (found.history.coverage[-1] > 0).all()
    # Who came has the same minutes as who stayed, and so the same column.
    np.testing.assert_array_equal(found.history.coverage[:, 0], found.history.coverage[:, 1])
    np.testing.assert_array_equal(found.history.coverage[:-1, 1], alone.history.coverage[:, 0])


async def test_conditions_that_open_are_told_in_order_and_states_are_not() -> None:
    market = Market()
    one, clock = scoring(market)
    for _ in range(2):
        await one.look()
        clock.set_now_ns(market.move(1))
    told = [notice.what.condition.kind for notice in one.bulletin.after(0) if isinstance(notice.what, Turn)]
    assert set(told) >= {"coverage_low", "window_short_1440", "bars_short"}
    assert not set(told) & UNLOGGED
    assert [notice.number for notice in one.bulletin.after(0)] == list(range(1, one.bulletin.last + 1))
    before = one.bulletin.last
    await one.look()
    assert one.bulletin.last == before


async def test_the_log_of_conditions_has_a_line_a_kind_and_not_one_an_instrument() -> None:
    market = Market()
    clock = ManualClock(market.view.as_of_ns)
    noted = Conditions(clock)
    one = Scoring(market.read, clock, Aside(conditions=noted))
    for _ in range(2):
        await one.look()
        clock.set_now_ns(market.move(1))
    held = {found.kind: found.facts for found in noted.open()}
    assert held["coverage_low"] == {"instruments": 2}
    assert len(noted.open()) == len(held)


async def test_instruments_are_compared_with_the_leader_at_each_scoring() -> None:
    whole = replace(minutes.walked(400, 2), instruments=(spec("BTC", "perpetual"), spec("ADA", "perpetual")))
    one, _ = scoring(Market(whole, 390))
    assert await one.look()
    first = one.newest().relations
    assert first is not None
    assert first.leader == 0
    assert first.following["1m"].beta[0] == pytest.approx(1.0)


async def test_a_part_that_raises_leaves_scores_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    market = Market()
    clock = ManualClock(market.view.as_of_ns)
    noted = Conditions(clock)
    one = Scoring(market.read, clock, Aside(conditions=noted))

    def fail(*_: object) -> list[Seen]:
        raise ZeroDivisionError

    monkeypatch.setattr("sextant.scans.scoring.facts_seen", fail)
    for _ in range(2):
        assert await one.look()
        clock.set_now_ns(market.move(1))
    [failed] = [found for found in noted.open() if found.kind == "part_failed"]
    assert (failed.subject, failed.facts) == ("facts", {"code": "ZeroDivisionError"})
    assert len(one.newest().evaluation.history.close_ns) == 81


async def test_books_are_looked_at_each_second_and_suspected_levels_weaken_the_next_score() -> None:
    market = Market()
    clock = ManualClock(market.view.as_of_ns)
    looked: list[int] = []

    def glance() -> View:
        looked.append(clock.now_ns())
        return market.view

    one = Scoring(market.read, clock, Aside(glance))
    running = asyncio.ensure_future(one.serve())
    for _ in range(3):
        # Looks run in threads: the next second comes when both the watch and the scoring wait for it.
        await advance_until(clock, 0.0, lambda: len(clock._sleepers) == 2, most=10_000)
        clock.advance(1.0)
    await advance_until(clock, 0.0, lambda: len(looked) >= 4, most=10_000)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert np.diff(looked[:4]).tolist() == [SECOND_NS] * 3
    name = market.view.instruments[1].instrument
    one._facts.update([Seen("spoof_suspected", name, "bids", 3.0, opens=True, closes=False)], 1)
    clock.set_now_ns(market.move(1))
    await one.look()
    assert one.newest().evaluation.now.book_trust.tolist() == [1.0, 0.8]


async def test_health_tells_of_how_many_instruments_each_condition_holds() -> None:
    market = Market()
    one, clock = scoring(market)
    await one.look()
    assert await one.probe() == Reading("healthy")
    clock.set_now_ns(market.move(1))
    await one.look()
    detail = (await one.probe()).detail or ""
    assert "coverage_low of 2" in detail
    assert "not_applicable" not in detail
