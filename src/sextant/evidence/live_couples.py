"""What became of couples that were told to somebody: both legs followed on minutes by the function of their evidence."""

from __future__ import annotations

import math
from typing import Final, Literal

import numpy as np

from sextant.evidence.couples import PENDING, VOID, left_of, spread_at
from sextant.evidence.events import settled_funding
from sextant.evidence.live import ENTRY_DELAY_NS, Ended, Idea, Position, overdue, void
from sextant.evidence.outcomes import EXIT_NAMES, TIME, cell_of
from sextant.model.bar import Integers
from sextant.model.opportunity import Opportunity
from sextant.model.times import INTERVAL_NS, SECOND_NS
from sextant.model.view import View

_MINUTE_NS: Final = INTERVAL_NS["1m"]
_FOLLOWED: Final = frozenset({"couple", "funding"})


def couple_idea_of(row: Opportunity) -> Idea | None:
    """What following a couple needs; None for everything else.

    Notes
    -----
    Levels are taken over as distances from the prices at which it was told. Funding is not among the costs: what was
    settled belongs to the outcome.
    """
    if row.evidence.kind not in _FOLLOWED or len(row.legs) != 2 or row.entry is None:
        return None
    costs = [line.bps for line in row.costs if line.item not in ("gross", "funding")]
    if any(cost is None for cost in costs):
        return None
    first, second = row.legs
    direction: Literal[1, -1] = 1 if first.side == "buy" else -1
    ratio = second.notional_usd / first.notional_usd
    told = direction * (math.log(float(first.price)) - ratio * math.log(float(second.price)))
    entry = float(row.entry)
    stop = -math.inf if row.stop is None else told - abs(float(row.stop) - entry) / 1e4
    target = math.inf if not row.targets else told + abs(float(row.targets[0].price) - entry) / 1e4
    return Idea(
        strategy_id=row.strategy_id,
        opportunity_key=row.opportunity_key,
        instrument=str(first.instrument),
        direction=direction,
        stop=stop,
        target=target,
        tick=0.0,
        horizon_s=row.horizon_s,
        as_of_ns=row.as_of_ns,
        cell=int(cell_of(direction, row.strength)),
        edge_bps=row.edge_bps,
        cost_bps=-sum(cost for cost in costs if cost is not None),
        confidence=row.confidence,
        second=str(second.instrument),
        ratio=ratio,
    )


def follow_couple(idea: Idea, held: Position | None, view: View) -> Position | Ended | None:
    """How a couple stands now: not yet entered (None), held, or ended.

    Notes
    -----
    Both legs are entered at the open of the first minute that begins 60 s or more after the idea's view. Levels are read at
    the closes of minutes and left at the next open; at the close of the last minute time is up. Reasons of the strategy
    itself to leave (a refit that refuses, a carry that has turned) are not followed. An unknown price or settlement
    makes the idea void.
    """
    frame = view.bars.get("1m")
    places = {str(spec.instrument): column for column, spec in enumerate(view.instruments)}
    columns = [places.get(name or "") for name in (idea.instrument, idea.second)]
    if frame is None or not frame.rows or None in columns:
        return overdue(idea, held, view)
    legs = np.array(columns, dtype=np.int64)
    begin_ns = int(frame.open_ns[0])
    if held is None:
        start_ns = -(-(idea.as_of_ns + ENTRY_DELAY_NS) // _MINUTE_NS) * _MINUTE_NS
        row = (start_ns - begin_ns) // _MINUTE_NS
        if row < 0:
            return void("The minutes after the idea are no longer known.", start_ns)
        if row >= frame.rows:
            return None
        paid = float(spread_at(frame.open, row, legs, idea.ratio))
        if math.isnan(paid):
            return void("The minute of entry has no price of one leg.", start_ns)
        if not idea.stop < idea.direction * paid < idea.target:
            return void("The spread had left the range between stop and target before entry.", start_ns)
        held = Position(start_ns, paid, start_ns)
    return _walked(idea, held, view, legs)


def _walked(idea: Idea, held: Position, view: View, legs: Integers) -> Position | Ended:
    frame = view.bars["1m"]
    first = (held.from_ns - int(frame.open_ns[0])) // _MINUTE_NS
    if first < 0:
        return void("Minutes while the idea was open are no longer known.", held.from_ns)
    end_ns = held.entered_ns + math.ceil(idea.horizon_s) * SECOND_NS
    last = first + max(0, -(-(end_ns - held.from_ns) // _MINUTE_NS) - 1)
    kind, row, move, worst, best = left_of(
        (frame.open, frame.close),
        legs,
        (float(idea.direction), idea.ratio, idea.stop, idea.target, held.paid),
        (first, last, -1),
    )
    largest = max(1.0, idea.ratio)
    adverse, favourable = max(held.adverse, worst / largest), max(held.favourable, best / largest)
    if kind == PENDING:
        return Position(held.entered_ns, held.paid, int(frame.open_ns[-1]), adverse, favourable)
    if kind == VOID:
        return void("A minute while the idea was open has no price of one leg.", int(frame.open_ns[row]))
    left_ns = int(frame.open_ns[row]) + (_MINUTE_NS if kind == TIME else 0)
    times = (np.array([held.entered_ns]), np.array([left_ns]))
    (paid, known), (hedge, hedge_known) = (
        settled_funding(view, legs[place : place + 1], *times) for place in (0, 1)
    )
    if not (known[0] and hedge_known[0]):
        return void("The funding settled while the idea was open is unknown.", left_ns)
    income = -idea.direction * float(paid[0] - idea.ratio * hedge[0])
    gross_bps = (move + income) / largest * 1e4
    return Ended(
        EXIT_NAMES[kind],
        None,
        left_ns,
        held.entered_ns,
        gross_bps,
        gross_bps - idea.cost_bps,
        adverse * 1e4,
        favourable * 1e4,
    )
