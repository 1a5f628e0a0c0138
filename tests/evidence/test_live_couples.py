"""Told couples followed on minutes, by hand: the first leg stands at 100 and moves, the second stays at 50."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import msgspec
import numpy as np
import pytest

from sextant.evidence.live import Ended, Idea, Position
from sextant.evidence.live_couples import couple_idea_of, follow_couple
from sextant.model.times import DAY_NS, INTERVAL_NS
from sextant.model.view import Series, View
from support.carries import BPS, Carried, carrying, dated, pairs_market, spot_carry
from support.couple_runs import scanned, single
from support.markets import framed

MINUTE = INTERVAL_NS["1m"]
LEVEL = math.log(100.0 / 50.0)


def minutes(rows: int, moves: dict[int, float] | None = None, unknown: int | None = None) -> View:
    """Minutes whose close jumps by ``moves`` (log) on a row; the next open is that close."""
    legs = (
        Carried("bybit", "spot"),
        Carried("bybit", "perpetual", price=50.0, interval_h=8, rate=BPS, settled=np.full(90, 3 * BPS)),
    )
    view = carrying(legs, rows=rows, interval="1m")
    level = np.zeros(rows)
    for row, move in (moves or {}).items():
        level[row:] += move
    close = np.column_stack((100.0 * np.exp(level), np.full(rows, 50.0)))
    opens = np.vstack(([[100.0, 50.0]], close[:-1]))
    if unknown is not None:
        close[unknown, 1] = np.nan
    columns = {
        "open": opens,
        "high": np.maximum(opens, close),
        "low": np.minimum(opens, close),
        "close": close,
    }
    return dataclasses.replace(view, bars={"1m": framed("1m", columns)})


def idea(view: View, **changes: Any) -> Idea:
    """Long the first leg from the close of the first minute, without levels, for ten minutes, at 25 bps of cost."""
    made = Idea(
        strategy_id="ai_pairs_trading",
        opportunity_key="key",
        instrument=str(view.instruments[0].instrument),
        direction=1,
        stop=-math.inf,
        target=math.inf,
        tick=0.0,
        horizon_s=600.0,
        as_of_ns=int(view.bars["1m"].open_ns[0]) + MINUTE,
        cell=0,
        edge_bps=None,
        cost_bps=25.0,
        confidence=None,
        second=str(view.instruments[1].instrument),
    )
    return msgspec.structs.replace(made, **changes)


def ended(stand: Position | Ended | None) -> tuple[str, float, float]:
    assert isinstance(stand, Ended)
    assert stand.gross_bps is not None
    assert stand.net_bps is not None
    return stand.result, round(stand.gross_bps, 6), round(stand.net_bps, 6)


def test_a_couple_is_entered_at_the_first_minute_that_opens_60_s_after_its_view() -> None:
    early = minutes(2)
    assert follow_couple(idea(early), None, early) is None
    later = minutes(3)
    held = follow_couple(idea(later), None, later)
    assert isinstance(held, Position)
    assert held.entered_ns == int(later.bars["1m"].open_ns[2])
    assert held.paid == pytest.approx(LEVEL)


def test_time_is_up_at_the_close_of_the_last_minute() -> None:
    view = minutes(20, {5: 0.01, 15: 0.05})
    assert ended(follow_couple(idea(view), None, view)) == ("time", 100.0, 75.0)
    assert ended(follow_couple(idea(view, direction=-1), None, view)) == ("time", -100.0, -125.0)


def test_levels_are_read_at_closes_and_left_at_the_next_open() -> None:
    view = minutes(20, {5: 0.02, 6: 0.01})
    reached = follow_couple(idea(view, target=LEVEL + 0.015), None, view)
    assert ended(reached) == ("target", 200.0, 175.0)
    assert isinstance(reached, Ended)
    assert reached.resolved_ns == int(view.bars["1m"].open_ns[6])
    fallen = minutes(20, {5: -0.02})
    assert ended(follow_couple(idea(fallen, stop=LEVEL - 0.015), None, fallen)) == ("stop", -200.0, -225.0)


def test_the_larger_side_is_the_unit_and_settled_funding_belongs_to_it() -> None:
    view = minutes(20, {5: 0.01})
    assert ended(follow_couple(idea(view, ratio=2.0), None, view))[1] == pytest.approx(50.0)
    name = view.instruments[1].instrument
    inside = int(view.bars["1m"].open_ns[7])
    around = np.array([inside - DAY_NS // 3, inside, inside + DAY_NS // 3])
    settled = dataclasses.replace(view, funding_history={name: Series(around, np.full(3, 3 * BPS))})
    # The second leg is sold and receives 3 bps on its notional.
    assert ended(follow_couple(idea(view), None, settled))[1] == pytest.approx(103.0)
    assert ended(follow_couple(idea(view, ratio=2.0), None, settled))[1] == pytest.approx(53.0)


def test_following_minute_by_minute_ends_as_following_at_once() -> None:
    moves = {4: -0.004, 6: 0.012, 9: 0.003}
    whole = minutes(20, moves)
    wanted = follow_couple(idea(whole, target=LEVEL + 0.007), None, whole)
    held: Position | Ended | None = None
    for rows in range(3, 21):
        view = minutes(rows, {row: move for row, move in moves.items() if row < rows})
        if not isinstance(held, Ended):
            held = follow_couple(idea(view, target=LEVEL + 0.007), held, view)
    assert isinstance(held, Ended)
    assert isinstance(wanted, Ended)
    for name in ("result", "resolved_ns", "gross_bps", "net_bps", "adverse_bps", "favourable_bps"):
        assert getattr(held, name) == pytest.approx(getattr(wanted, name)), name


@pytest.mark.parametrize(
    ("view", "changes", "words"),
    [
        (minutes(20, unknown=6), {}, "has no price of one leg"),
        (minutes(20, {1: 0.02}), {"target": LEVEL + 0.01}, "left the range"),
        (minutes(20), {"as_of_ns": 0}, "no longer known"),
    ],
)
def test_what_cannot_be_known_is_void_with_its_reason(
    view: View, changes: dict[str, Any], words: str
) -> None:
    stand = follow_couple(idea(view, **changes), None, view)
    assert isinstance(stand, Ended)
    assert stand.result == "void"
    assert stand.reason is not None
    assert words in stand.reason


def test_a_leg_that_has_gone_is_waited_for_until_a_day_after_the_horizon() -> None:
    view = minutes(20)
    lost = idea(view, second="bybit:ETH-USDT:perpetual")
    assert follow_couple(lost, None, view) is None
    late = dataclasses.replace(view, as_of_ns=view.as_of_ns + 2 * DAY_NS)
    stand = follow_couple(lost, None, late)
    assert isinstance(stand, Ended)
    assert stand.result == "void"


def test_what_is_told_of_a_pair_is_what_is_followed() -> None:
    row = single(scanned("ai_pairs_trading", pairs_market()))
    made = couple_idea_of(row)
    assert made is not None
    first, second = row.legs
    assert (made.instrument, made.second) == (str(first.instrument), str(second.instrument))
    assert made.direction == 1
    assert made.ratio == pytest.approx(second.notional_usd / first.notional_usd)
    spread = math.log(float(first.price)) - made.ratio * math.log(float(second.price))
    assert row.entry is not None
    one = abs(float(row.entry)) / 2.4 / 1e4  # a standard deviation of the spread
    assert made.stop == pytest.approx(spread - 1.5 * one, abs=1e-6)
    assert made.target == pytest.approx(spread + 1.9 * one, abs=1e-6)
    funding = next(line.bps for line in row.costs if line.item == "funding")
    total = -sum(line.bps or 0.0 for line in row.costs if line.item != "gross")
    assert made.cost_bps == pytest.approx(total + (funding or 0.0))


def test_a_carry_without_a_stop_has_none_and_contracts_are_not_followed() -> None:
    made = couple_idea_of(single(scanned("ai_funding_arbitrage", spot_carry())))
    assert made is not None
    assert (made.stop, made.target) == (-math.inf, math.inf)
    assert made.cost_bps == pytest.approx(35.0)
    assert couple_idea_of(single(scanned("basis_carry", dated()))) is None
