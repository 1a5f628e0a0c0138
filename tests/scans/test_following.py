"""Told ideas from the scan that found them to the record that strategies are judged by."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import pytest

from sextant.kit.clock import SystemClock
from sextant.kit.conditions import Conditions
from sextant.model.opportunity import Opportunity
from sextant.model.times import INTERVAL_NS
from sextant.model.view import View, bar_frame
from sextant.scans.following import Follower, LiveIdeas
from sextant.scans.records import ScanRequest
from sextant.scans.run import EvidenceShelf, MarketPart
from sextant.strategies.catalog import strategies
from sextant.strategies.prices import CostAssumptions
from support.carries import pairs_market
from support.house import CALLER, House, house
from support.markets import breakout_market

MINUTE = INTERVAL_NS["1m"]
BREAKOUT = "ai_spot_breakout_strategy"
PAIRS = "ai_pairs_trading"


def part_of(view: View, shelf: EvidenceShelf | None = None) -> MarketPart:
    return MarketPart(view, CostAssumptions(), shelf or EvidenceShelf())


def later(view: View, *closes: float) -> View:
    """The view with minutes from its own instant on, each within its open and close."""
    start_ns = view.as_of_ns // MINUTE * MINUTE
    close = np.repeat(np.array(closes)[:, None], view.size, axis=1)
    opened = np.vstack((close[:1], close[:-1]))
    columns = {
        "open": opened,
        "high": np.maximum(opened, close),
        "low": np.minimum(opened, close),
        "close": close,
    }
    frame = bar_frame("1m", start_ns + MINUTE * np.arange(len(closes), dtype=np.int64), columns)
    return dataclasses.replace(
        view, bars={**view.bars, "1m": frame}, as_of_ns=start_ns + MINUTE * len(closes)
    )


async def told(home: House, strategy_id: str = BREAKOUT) -> Opportunity:
    accepted = await home.scans.discover(CALLER, ScanRequest(strategy_ids=(strategy_id,)))
    await home.ended(accepted.scan_id)
    (found,) = (await home.scans.results("user-1", accepted.scan_id)).found
    return found.opportunity


async def test_a_told_idea_is_followed_to_its_target_and_counted_once(tmp_path: Path) -> None:
    view = breakout_market()
    catalogue = {BREAKOUT: strategies()[BREAKOUT]}
    async with house(tmp_path, catalogue, lambda: part_of(view)) as home:
        row = await told(home)
        assert (await told(home)).opportunity_key == row.opportunity_key
        ideas = LiveIdeas(home.db)
        follower = Follower(ideas, SystemClock(), catalogue, lambda: part_of(view), Conditions(SystemClock()))
        shelf = EvidenceShelf()
        assert await follower.round(part_of(view, shelf)) == 0  # no minute has passed
        assert len(await ideas.open()) == 1
        price, target = float(row.entry or 0), float(row.targets[0].price)
        calm = (price,) * 4
        assert await follower.round(part_of(later(view, *calm), shelf)) == 0
        [(_, held)] = await ideas.open()
        assert held is not None
        assert held.paid == price
        assert await follower.round(part_of(later(view, *calm, target * 1.01), shelf)) == 1
        ended = await ideas.outcome(BREAKOUT, row.opportunity_key)
        assert ended is not None
        assert ended.result == "target"
        assert ended.gross_bps == pytest.approx((target / price - 1) * 1e4)
        assert ended.net_bps is not None
        record = part_of(view, shelf).records[BREAKOUT]
        assert (record.count, record.hit_frac) == (1, 1.0 if ended.net_bps > 0 else 0.0)
        assert await follower.round(part_of(later(view, *calm, target * 1.01), shelf)) == 0


async def test_what_has_ended_never_changes(tmp_path: Path) -> None:
    view = breakout_market()
    catalogue = {BREAKOUT: strategies()[BREAKOUT]}
    async with house(tmp_path, catalogue, lambda: part_of(view)) as home:
        row = await told(home)
        ideas = LiveIdeas(home.db)
        follower = Follower(ideas, SystemClock(), catalogue, lambda: part_of(view), Conditions(SystemClock()))
        await follower.round(part_of(view))
        [(idea, _)] = await ideas.open()
        price = float(row.entry or 0)
        assert row.stop is not None
        await follower.round(part_of(later(view, price, price, price, float(row.stop) * 0.99)))
        first = await ideas.outcome(BREAKOUT, row.opportunity_key)
        assert first is not None
        assert first.result == "stop"
        await ideas.move([(idea, msgspec.structs.replace(first, result="target", net_bps=1e9))])
        assert await ideas.outcome(BREAKOUT, row.opportunity_key) == first


async def test_a_told_couple_is_followed_with_both_legs(tmp_path: Path) -> None:
    view = pairs_market()
    catalogue = {PAIRS: strategies()[PAIRS]}
    async with house(tmp_path, catalogue, lambda: part_of(view)) as home:
        row = await told(home, PAIRS)
        ideas = LiveIdeas(home.db)
        follower = Follower(ideas, SystemClock(), catalogue, lambda: part_of(view), Conditions(SystemClock()))
        assert await follower.round(part_of(view)) == 0
        [(idea, held)] = await ideas.open()
        assert (idea.second, held) == (str(row.legs[1].instrument), None)
        last = view.bars["4h"].close[-1]

        def minutes(*rises: float) -> View:
            flat = later(view, *([1.0] * len(rises)))
            close = last * np.exp(np.column_stack((rises, np.zeros(len(rises)))))
            frame = flat.bars["1m"]
            opened = np.vstack((close[:1], close[:-1]))
            columns = {"open": opened, "high": np.maximum(opened, close), "low": np.minimum(opened, close)}
            return dataclasses.replace(
                flat, bars={**view.bars, "1m": bar_frame("1m", frame.open_ns, columns | {"close": close})}
            )

        assert await follower.round(part_of(minutes(0.0, 0.0, 0.0, 0.0))) == 0
        # The bought leg rises by 5 %, beyond its target; both are left at the next open.
        assert await follower.round(part_of(minutes(0.0, 0.0, 0.0, 0.0, 0.05, 0.05))) == 1
        ended = await ideas.outcome(PAIRS, row.opportunity_key)
        assert ended is not None
        assert ended.result == "target"
        assert ended.gross_bps == pytest.approx(0.05 / max(1.0, idea.ratio) * 1e4)
