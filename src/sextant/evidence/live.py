"""What became of ideas that were told to somebody: followed on minutes, by the rules their evidence was made with."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, Literal

import msgspec
import numpy as np

from sextant.errors import Insufficient
from sextant.evidence.clusters import clustered, effective_count, standard_error, wilson
from sextant.evidence.events import settled_funding
from sextant.evidence.outcomes import EXIT_NAMES, FLAG, STOP, TARGET, Held, Prices, cell_of, exit_of
from sextant.model.bar import Floats, Integers
from sextant.model.opportunity import Opportunity
from sextant.model.times import DAY_NS, INTERVAL_NS, SECOND_NS
from sextant.model.view import BarFrame, Flags, View
from sextant.strategies.contract import Verdict
from sextant.strategies.proof import PROVEN_EVENTS

Result = Literal["target", "stop", "time", "flag", "void"]

ENTRY_DELAY_NS: Final = 60 * SECOND_NS
"""Who reads an idea needs time to act: it is entered at the first minute that opens this long after its view."""

_MINUTE_NS: Final = INTERVAL_NS["1m"]


class Idea(msgspec.Struct, frozen=True, kw_only=True):
    """What was promised, as far as following it needs; costs and edge as stated to whoever saw it first.

    Parameters
    ----------
    second, ratio
        The instrument that is held against the first and its notional per notional of the first, where a couple was told; stop
        and target are then levels of ``direction * (ln first - ratio ln second)``, infinite where there is none.
    """

    strategy_id: str
    opportunity_key: str
    instrument: str
    direction: Literal[1, -1]
    stop: float
    target: float
    tick: float
    horizon_s: float
    as_of_ns: int
    cell: int
    edge_bps: float | None
    cost_bps: float
    confidence: float | None
    second: str | None = None
    ratio: float = 1.0


class Position(msgspec.Struct, frozen=True):
    """How far an idea has been followed: entered when and at what, and the row to go on from (walked once more)."""

    entered_ns: int
    paid: float
    from_ns: int
    adverse: float = 0.0
    favourable: float = 0.0


class Ended(msgspec.Struct, frozen=True):
    """How an idea ended; gross and net are basis points of the entry, None where it is void."""

    result: Result
    reason: str | None
    resolved_ns: int
    entered_ns: int | None
    gross_bps: float | None
    net_bps: float | None
    adverse_bps: float | None = None
    favourable_bps: float | None = None


def idea_of(row: Opportunity, tick: float) -> Idea | None:
    """What following an opportunity needs; None for those that are no single position with a stop and a target."""
    if row.evidence.kind != "bars" or len(row.legs) != 1 or row.stop is None or len(row.targets) != 1:
        return None
    if row.direction not in ("long", "short"):
        return None
    costs = [line.bps for line in row.costs if line.item != "gross"]
    if any(cost is None for cost in costs):
        return None
    direction: Literal[1, -1] = 1 if row.direction == "long" else -1
    return Idea(
        strategy_id=row.strategy_id,
        opportunity_key=row.opportunity_key,
        instrument=str(row.legs[0].instrument),
        direction=direction,
        stop=float(row.stop),
        target=float(row.targets[0].price),
        tick=tick,
        horizon_s=row.horizon_s,
        as_of_ns=row.as_of_ns,
        cell=int(cell_of(direction, row.strength)),
        edge_bps=row.edge_bps,
        cost_bps=-sum(cost for cost in costs if cost is not None),
        confidence=row.confidence,
    )


def follow(idea: Idea, held: Position | None, view: View, verdict: Verdict | None) -> Position | Ended | None:
    """How an idea stands now: not yet entered (None), held, or ended.

    Parameters
    ----------
    idea
        What was promised.
    held
        How it stood when it was last followed.
    view
        The market now, with bars of a minute.
    verdict
        What the strategy says about this view, for its own reasons to leave; None where it is silent.

    Notes
    -----
    Entry at the open of the first minute that begins 60 s or more after the idea's view; then the rules of
    :func:`~sextant.evidence.outcomes.outcomes` on minutes. A reason to leave counts at the close of a bar of
    the strategy's own frame. Bars that are missing make the idea void: nobody knows what became of it.
    """
    frame = view.bars.get("1m")
    column = next(
        (at for at, spec in enumerate(view.instruments) if str(spec.instrument) == idea.instrument), None
    )
    if frame is None or not frame.rows or column is None:
        return overdue(idea, held, view)
    if held is None:
        entered = _entered(idea, frame, column)
        if not isinstance(entered, Position):
            return entered
        held = entered
    return _walked(idea, held, view, column, _leaving(idea, frame, column, view, verdict))


def _entered(idea: Idea, frame: BarFrame, column: int) -> Position | Ended | None:
    start_ns = -(-(idea.as_of_ns + ENTRY_DELAY_NS) // _MINUTE_NS) * _MINUTE_NS
    row = (start_ns - int(frame.open_ns[0])) // _MINUTE_NS
    if row < 0:
        return void("The minutes after the idea are no longer known.", start_ns)
    if row >= frame.rows:
        return None
    paid = float(frame.open[row, column])
    if math.isnan(paid):
        return void("The minute of entry has no price.", start_ns)
    if not (idea.direction * (paid - idea.stop) > 0 and idea.direction * (idea.target - paid) > 0):
        return void("The price had left the range between stop and target before entry.", start_ns)
    return Position(start_ns, paid, start_ns)


def _walked(idea: Idea, held: Position, view: View, column: int, leave: Flags) -> Position | Ended:
    frame = view.bars["1m"]
    first = (held.from_ns - int(frame.open_ns[0])) // _MINUTE_NS
    if first < 0:
        return void("Minutes while the idea was open are no longer known.", held.from_ns)
    prices = Prices(
        *(
            np.ascontiguousarray(block[first:, column : column + 1])
            for block in (frame.open, frame.high, frame.low, frame.close)
        )
    )
    end_ns = held.entered_ns + math.ceil(idea.horizon_s) * SECOND_NS
    last = max(0, -(-(end_ns - held.from_ns) // _MINUTE_NS) - 1)
    barriers = Held(idea.direction, held.paid, idea.stop, idea.target, idea.tick)
    try:
        found = exit_of(prices, barriers, np.ascontiguousarray(leave[first:]), last)
    except Insufficient as error:
        return void(error.message, int(frame.open_ns[-1]) + _MINUTE_NS)
    if found is None:
        moves = idea.direction * (np.concatenate((prices.low, prices.high)) - held.paid) / held.paid
        return Position(
            held.entered_ns,
            held.paid,
            int(frame.open_ns[-1]),
            max(held.adverse, -float(moves.min())),
            max(held.favourable, float(moves.max())),
        )
    left_ns = held.from_ns + found.row * _MINUTE_NS + (0 if found.kind == FLAG else _MINUTE_NS)
    in_position_ns = left_ns - 1 if found.kind in (STOP, TARGET) else left_ns
    paid, known = settled_funding(
        view, np.array([column]), np.array([held.entered_ns]), np.array([in_position_ns])
    )
    if not known[0]:
        return void("The funding settled while the idea was open is unknown.", left_ns)
    gross_bps = idea.direction * (found.price / held.paid - 1.0 - float(paid[0])) * 1e4
    return Ended(
        EXIT_NAMES[found.kind],
        None,
        left_ns,
        held.entered_ns,
        gross_bps,
        gross_bps - idea.cost_bps,
        max(held.adverse, found.adverse) * 1e4,
        max(held.favourable, found.favourable) * 1e4,
    )


def _leaving(idea: Idea, frame: BarFrame, column: int, view: View, verdict: Verdict | None) -> Flags:
    """Minutes at whose close the strategy itself would leave, bool (T,)."""
    leave = np.zeros(frame.rows, dtype=np.bool_)
    if verdict is None or verdict.skipped is not None:
        return leave
    own = view.bars[verdict.interval]
    signals = verdict.signals
    flagged = signals.exit_flag[:, column, 0 if idea.direction > 0 else 1].copy()
    if signals.exit_close is not None:
        said = (
            int(np.searchsorted(own.open_ns + INTERVAL_NS[verdict.interval], idea.as_of_ns, side="right")) - 1
        )
        if said >= 0:
            beyond = idea.direction * (own.close[:, column] - signals.exit_close[said, column]) < 0
            flagged |= beyond
    closes = own.open_ns[flagged] + INTERVAL_NS[verdict.interval]
    rows = (closes - int(frame.open_ns[0])) // _MINUTE_NS - 1
    leave[rows[(rows >= 0) & (rows < frame.rows)]] = True
    return leave


def overdue(idea: Idea, held: Position | None, view: View) -> Position | Ended | None:
    """What to say of an idea whose instrument has no minutes: wait, but not for ever."""
    due_ns = idea.as_of_ns + ENTRY_DELAY_NS + math.ceil(idea.horizon_s) * SECOND_NS + DAY_NS
    if view.as_of_ns < due_ns:
        return held
    return void("The instrument has had no minutes until a day after the horizon.", view.as_of_ns)


def void(reason: str, at_ns: int) -> Ended:
    """An idea of which nobody knows what became, and why."""
    return Ended("void", reason, at_ns, None, None, None)


class Known(msgspec.Struct, frozen=True):
    """One ended idea as the judgement of a strategy needs it."""

    cell: int
    entered_ns: int
    horizon_s: float
    confidence: float | None
    net_bps: float


class LiveRecord(msgspec.Struct, frozen=True):
    """How told ideas of one strategy have done.

    Parameters
    ----------
    count, hit_frac
        Ended ideas, and the share that earned something after their stated costs; None without any.
    mean_bps, error_bps
        Mean net outcome and its standard error over clusters of time; None where unknown.
    miscalibrated
        Cells whose live 90 % interval excludes what was stated.
    """

    count: int
    hit_frac: float | None
    mean_bps: float | None
    error_bps: float | None
    miscalibrated: frozenset[int]


def judged(ended: Sequence[Known]) -> LiveRecord:
    """The record of one strategy's ended ideas.

    Notes
    -----
    A cell is judged from 30 independent ideas on; ideas entered within one span of max(1 day, longest horizon) are one
    cluster. Its Wilson interval is held against the mean of the confidences that were stated.
    """
    if not ended:
        return LiveRecord(0, None, None, None, frozenset())
    span = max(DAY_NS, math.ceil(max(item.horizon_s for item in ended)) * SECOND_NS)
    _, cluster = np.unique([item.entered_ns // span for item in ended], return_inverse=True)
    net = np.array([item.net_bps for item in ended])
    error = standard_error(clustered(cluster.astype(np.int64), net))
    by_cell: dict[int, list[int]] = defaultdict(list)
    for place, item in enumerate(ended):
        if item.confidence is not None:
            by_cell[item.cell].append(place)
    off = frozenset(
        cell
        for cell, places in by_cell.items()
        if _excluded(
            cluster[places].astype(np.int64),
            (net[places] > 0).astype(np.float64),
            float(np.mean([ended[place].confidence or 0.0 for place in places])),
        )
    )
    return LiveRecord(len(ended), float((net > 0).mean()), float(net.mean()), error, off)


def _excluded(cluster: Integers, hits: Floats, stated: float) -> bool:
    worth = effective_count(clustered(cluster, hits))
    if worth < PROVEN_EVENTS:
        return False
    low, high = wilson(float(hits.mean()), worth)
    return not low <= stated <= high
