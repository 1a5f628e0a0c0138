"""The arithmetic of a scan over a frozen view: no waiting, no clock, no rows.

The market part (columns, verdicts, past events) is computed once for all callers; a caller adds
entitlement, account, costs, filters and ranking.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from sextant.evidence.events import EventTable, event_table
from sextant.evidence.scorecard import Scorer
from sextant.model.account import Account
from sextant.model.bar import Floats
from sextant.model.opportunity import Disposition, Opportunity
from sextant.model.view import View
from sextant.scans.coverage import funnel_of, near_misses_of, tally
from sextant.scans.filters import filtered, refusal
from sextant.scans.records import ScanRequest, StrategyReport
from sextant.scans.universe import Universe
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Strategy, Verdict
from sextant.strategies.costs import Pricing
from sextant.strategies.gates import volume_24h_usd
from sextant.strategies.prices import CostAssumptions
from sextant.strategies.propose import judge

EVENT_TABLES_KEPT: Final = 64  # fourteen strategies, and some views behind the newest


class EvidenceShelf:
    """Past events of strategies, computed once per closed bar and shared by every view that ends on it."""

    def __init__(self) -> None:
        self._tables: OrderedDict[tuple[Any, ...], EventTable] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[Any, ...], make: Callable[[], EventTable]) -> EventTable:
        """The table under a key; made by the first who asks."""
        with self._lock:
            table = self._tables.get(key)
        if table is None:
            table = make()
            with self._lock:
                self._tables[key] = table
                while len(self._tables) > EVENT_TABLES_KEPT:
                    self._tables.popitem(last=False)
        return table


class MarketPart:
    """Everything about a view that is the same for all callers, computed when first needed.

    Parameters
    ----------
    view
        The frozen view.
    assumptions
        What is assumed where the view has no quotes; shown in every cost line.
    shelf
        Past events shared between views.
    """

    def __init__(self, view: View, assumptions: CostAssumptions, shelf: EvidenceShelf) -> None:
        self.view = view
        self.assumptions = assumptions
        self._shelf = shelf
        self._columns = Columns(view, assumptions)
        self._verdicts: dict[str, Verdict] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    @cached_property
    def turnover_usd(self) -> Floats:
        """float64 (S,): 24 h turnover, NaN where unknown."""
        return volume_24h_usd(self.view)

    def verdict(self, strategy: Strategy) -> Verdict:
        """What a strategy says about the view, with its default parameters."""
        with self._guard:
            lock = self._locks.setdefault(strategy.id, threading.Lock())
        with lock:
            if strategy.id not in self._verdicts:
                self._verdicts[strategy.id] = strategy.evaluate(self.view, strategy.defaults(), self._columns)
            return self._verdicts[strategy.id]

    def events(self, strategy: Strategy, verdict: Verdict) -> EventTable:
        """The past events of a strategy and what became of them, before cost."""
        frame = self.view.bars[verdict.interval]
        key = (
            strategy.id,
            tuple(sorted(strategy.defaults().items())),
            frame.content_digest,
            self.view.instruments,
        )
        return self._shelf.get(key, lambda: event_table(strategy.id, strategy.defaults(), verdict, self.view))


@dataclass(frozen=True)
class StrategyRun:
    """What one strategy gave one caller; the report holds no timing yet."""

    report: StrategyReport
    opportunities: tuple[Opportunity, ...]
    dispositions: tuple[Disposition, ...]


def skipped_run(strategy: Strategy, reason: str, kind: Any, universe: Universe, view: View) -> StrategyRun:
    """The run of a strategy that was not run; every candidate says so."""
    dispositions = tuple(
        Disposition(unit=str(spec.instrument), instruments=(spec.instrument,), kind=kind, stage=reason)
        for spec, chosen in zip(view.instruments, universe.chosen, strict=True)
        if chosen
    )
    outcome = "skipped" if kind in ("not_entitled", "insufficient_data") else kind
    return _run(strategy, outcome, reason, (), dispositions)


def run_strategy(
    strategy: Strategy, part: MarketPart, account: Account, request: ScanRequest, universe: Universe
) -> StrategyRun:
    """One strategy over the view for one caller.

    Parameters
    ----------
    universe
        The instruments of the request; candidates outside it are not counted.
    """
    verdict = part.verdict(strategy)
    if verdict.skipped is not None:
        return skipped_run(strategy, verdict.skipped, "insufficient_data", universe, part.view)
    pricing = Pricing(part.view, account, part.assumptions)
    scorer = Scorer(part.events(strategy, verdict), pricing.round_trip_bps)
    rows, dispositions = judge(strategy, verdict, scorer.card, pricing)
    inside = {
        spec.instrument for spec, chosen in zip(part.view.instruments, universe.chosen, strict=True) if chosen
    }
    kept: list[Opportunity] = []
    answers = {item.unit: item for item in dispositions if inside.issuperset(item.instruments)}
    for row in rows:
        unit = next(
            (name for name, item in answers.items() if item.opportunity_key == row.opportunity_key), None
        )
        if unit is None:
            continue
        reading = refusal(request, row)
        if reading is None:
            kept.append(row)
        else:
            answers[unit] = filtered(row, reading, unit)
    return _run(strategy, "ok" if kept else "empty", None, tuple(kept), tuple(answers.values()))


def _run(
    strategy: Strategy,
    outcome: Any,
    reason: str | None,
    rows: Sequence[Opportunity],
    dispositions: Sequence[Disposition],
) -> StrategyRun:
    report = StrategyReport(
        strategy_id=strategy.id,
        name=strategy.name,
        outcome=outcome,
        reason=reason,
        opportunities=len(rows),
        candidates=len(dispositions),
        dispositions=tally(dispositions),
        funnel=funnel_of(dispositions),
        near_misses=near_misses_of(dispositions),
    )
    return StrategyRun(report, tuple(rows), tuple(dispositions))


def tiers_in(universe: Universe, tier_of: Callable[[float], Any]) -> tuple[Any, ...]:
    """The turnover bands present among the chosen instruments, highest first."""
    present: Mapping[Any, None] = dict.fromkeys(
        tier_of(value) for value in -np.sort(-universe.turnover_usd[universe.chosen]) if np.isfinite(value)
    )
    return tuple(present)
