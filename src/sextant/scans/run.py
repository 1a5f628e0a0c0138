"""The arithmetic of a scan over a frozen view: no waiting, no clock, no rows.

The market part (columns, verdicts, past events) is computed once for all callers; a caller adds
entitlement, account, costs, filters and ranking.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar

import numpy as np

from sextant.evidence.couples import couple_costs_bps, couple_table
from sextant.evidence.events import EventTable, event_table
from sextant.evidence.gross import glance
from sextant.evidence.live import LiveRecord
from sextant.evidence.scorecard import Scorer
from sextant.model.account import Account
from sextant.model.bar import Floats
from sextant.model.instrument import Instrument, InstrumentSpec
from sextant.model.opportunity import Disposition, DispositionKind, Opportunity, Outcome
from sextant.model.scorecard import Scorecard
from sextant.model.times import Interval
from sextant.model.view import View
from sextant.scans.coverage import funnel_of, near_misses_of, tally
from sextant.scans.filters import filtered, refusal
from sextant.scans.records import ScanRequest, StrategyReport
from sextant.scans.universe import Universe
from sextant.strategies.answers import Alike, Answers, listed
from sextant.strategies.columns import Columns, spend
from sextant.strategies.compose import settled
from sextant.strategies.contract import Strategy, Verdict
from sextant.strategies.costs import Pricing
from sextant.strategies.gates import volume_24h_usd
from sextant.strategies.prices import CostAssumptions
from sextant.strategies.propose import judge
from sextant.strategies.tariff import Tariff

_OUTCOME_OF: Final[dict[DispositionKind, Outcome]] = {"late": "late", "failed": "failed"}
NO_PORTFOLIO: Final = "no portfolio"
V = TypeVar("V")

EVENT_TABLES_KEPT: Final = 64  # fourteen strategies, and some views behind the newest


TARIFFS_KEPT: Final = (
    16  # schedules of fees that share what was made of a view; most accounts pay the entry tiers
)


class BarColumns:
    """Columns that depend on nothing but bars and instruments, kept from view to view.

    Notes
    -----
    Of each interval only what was made of the bars asked for last is kept: never more than the verdicts of one view
    hold. Views of other bars asked in turn make theirs anew; a view in use keeps its own until it is dropped.
    """

    def __init__(self) -> None:
        self._kept: dict[Interval, tuple[bytes, tuple[InstrumentSpec, ...], dict[Hashable, Any]]] = {}
        self._lock = threading.Lock()

    def of(self, view: View, interval: Interval) -> dict[Hashable, Any]:
        """What has been made of the bars of this interval, by key; empty for bars or instruments not seen before."""
        digest = view.bars[interval].content_digest
        with self._lock:
            known = self._kept.get(interval)
            if known is None or known[0] != digest or known[1] != view.instruments:
                known = self._kept[interval] = (digest, view.instruments, {})
            return known[2]

    def spend(self) -> None:
        """Let go of what was read only until all strategies had spoken."""
        with self._lock:
            for _, _, made in self._kept.values():
                spend(made)


class EvidenceShelf:
    """Past events of strategies, computed once per closed bar and shared by every view that ends on it."""

    def __init__(self) -> None:
        self._tables: OrderedDict[tuple[Any, ...], EventTable] = OrderedDict()
        self._lock = threading.Lock()
        self.columns = BarColumns()
        self.records: dict[str, LiveRecord] = {}
        """How told ideas have done, by strategy; empty until the first round of following."""

    def get(self, key: tuple[Any, ...], make: Callable[[], EventTable]) -> EventTable:
        """The table under a key; made by the first who asks."""
        with self._lock:
            table = self._tables.get(key)
            if table is not None:
                self._tables.move_to_end(key)
        if table is None:
            table = make()
            self.put(key, table)
        return table

    def put(self, key: tuple[Any, ...], table: EventTable) -> None:
        """Keep a table under a key; the one unused for longest is dropped beyond the bound."""
        with self._lock:
            self._tables[key] = table
            self._tables.move_to_end(key)
            while len(self._tables) > EVENT_TABLES_KEPT:
                self._tables.popitem(last=False)


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
    tables
        Past events by strategy, where they were kept with the view; the shelf is not asked for them.
    """

    def __init__(
        self,
        view: View,
        assumptions: CostAssumptions,
        shelf: EvidenceShelf,
        tables: Mapping[str, EventTable] | None = None,
    ) -> None:
        self.view = view
        self.assumptions = assumptions
        self._shelf = shelf
        self._columns = Columns(view, assumptions, shelf.columns)
        self._tables = dict(tables or {})
        self._verdicts: dict[str, Verdict] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._tariffs: OrderedDict[tuple[Any, ...], Tariff] = OrderedDict()
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
        """The past events of a strategy and what became of them, before cost; the same for whoever asks this view."""
        table = self._tables.get(strategy.id)
        if table is None:
            made = self._shelf.get(
                self._key(strategy, verdict), lambda: past_events(strategy, self._whole(strategy), self.view)
            )
            table = self._tables.setdefault(strategy.id, made)
        return table

    def _whole(self, strategy: Strategy) -> Verdict:
        """The verdict with all its rows, made anew where they were let go."""
        verdict = self.verdict(strategy)
        if not verdict.lean:
            return verdict
        return strategy.evaluate(self.view, strategy.defaults(), Columns(self.view, self.assumptions))

    def settle(self, strategy: Strategy) -> None:
        """Let go of the rows of a verdict whose past events are known, here and for views to come."""
        verdict = self.verdict(strategy)
        if strategy.id in self._tables and verdict.couples is None and not verdict.lean:
            self._verdicts[strategy.id] = settled(
                self._shelf.columns.of(self.view, verdict.interval), verdict
            )

    def spend(self) -> None:
        """Let go of columns that were read only until all strategies had spoken; any that is asked for is made again."""
        self._shelf.columns.spend()

    def tariff(self, account: Account) -> Tariff:
        """What trading costs whoever pays the fees of an account; the same object for all who do."""
        key = tuple(sorted(account.fees.items()))
        with self._guard:
            known = self._tariffs.pop(key, None) or Tariff(self.view, account.fees, self.assumptions)
            self._tariffs[key] = known
            while len(self._tariffs) > TARIFFS_KEPT:
                self._tariffs.popitem(last=False)
        return known

    def scorer(self, strategy: Strategy, table: EventTable, pricing: Pricing) -> Scorer:
        """What past events say to whoever pays these prices; the same object for all who do."""
        live = self.records.get(strategy.id)
        return pricing.tariff.once(
            ("scorer", strategy.id, live, id(table)), lambda: scorer_of(strategy, table, pricing, live)
        )

    def bare(self) -> MarketPart:
        """The same part without what strategies said of it, which is most of its memory."""
        return MarketPart(self.view, self.assumptions, self._shelf, self.tables)

    @property
    def tables(self) -> dict[str, EventTable]:
        """The past events that were asked for, by strategy."""
        return dict(self._tables)

    def enrich(self, strategy: Strategy, verdict: Verdict, table: EventTable) -> None:
        """From now on ``table`` is what every later view that ends on the same bars knows of the past."""
        self._shelf.put(self._key(strategy, verdict), table)

    @property
    def records(self) -> dict[str, LiveRecord]:
        """How told ideas have done, by strategy; shared with every later view."""
        return self._shelf.records

    def _key(self, strategy: Strategy, verdict: Verdict) -> tuple[Any, ...]:
        frame = self.view.bars[verdict.interval]
        params = tuple(sorted(strategy.defaults().items()))
        return strategy.id, params, frame.content_digest, self.view.instruments


@dataclass(frozen=True)
class StrategyRun:
    """What one strategy gave one caller; the report holds no timing yet."""

    report: StrategyReport
    opportunities: tuple[Opportunity, ...]
    dispositions: Answers


@dataclass(frozen=True)
class Asked:
    """What strategies are asked to look at, and for whom.

    Parameters
    ----------
    part
        The market, shared by all callers.
    universe
        The instruments of the request; candidates outside it are not counted.
    account, request
        Who asks and which filters apply.
    """

    part: MarketPart
    universe: Universe
    account: Account
    request: ScanRequest

    @cached_property
    def pricing(self) -> Pricing:
        """The executable side of the market for this account."""
        part = self.part
        return Pricing(part.view, self.account, part.assumptions, part.tariff(self.account))

    @cached_property
    def instruments(self) -> tuple[Instrument, ...]:
        """The chosen instruments, in the order of the view."""
        specs = zip(self.part.view.instruments, self.universe.chosen, strict=True)
        return tuple(spec.instrument for spec, chosen in specs if chosen)


class _Cards:
    """Evidence for signals of the last row; past events are looked up when first asked for."""

    def __init__(self, strategy: Strategy, verdict: Verdict, pricing: Pricing, part: MarketPart) -> None:
        self._strategy = strategy
        self._verdict = verdict
        self._pricing = pricing
        self._part = part

    @cached_property
    def _table(self) -> EventTable:
        return self._part.events(self._strategy, self._verdict)

    @cached_property
    def _scorer(self) -> Scorer:
        return self._part.scorer(self._strategy, self._table, self._pricing)

    def __call__(self, column: int, direction: int, strength: float) -> Scorecard:
        return self._scorer.card(column, direction, strength)

    def variance(self, direction: int, strength: float) -> float | None:
        return self._scorer.variance(direction, strength)

    def glance(self, column: int, direction: int, strength: float) -> Scorecard:  # noqa: ARG002  # of the protocol
        return glance(self._table, direction, strength)


def past_events(strategy: Strategy, verdict: Verdict, view: View) -> EventTable:
    """The past events of a verdict with the defaults of its strategy, whatever they are about."""
    if verdict.couples is not None:
        return couple_table(strategy, strategy.defaults(), verdict, view)
    return event_table(strategy.id, strategy.defaults(), verdict, view)


def scorer_of(strategy: Strategy, table: EventTable, pricing: Pricing, live: LiveRecord | None) -> Scorer:
    """What past events of a strategy say to whoever pays these prices."""
    if strategy.unit == "couple":
        costs = couple_costs_bps(pricing, table)
    else:
        costs = pricing.resting_bps if table.resting else pricing.round_trip_bps
    return Scorer(table, costs, live=live)


def skipped_run(strategy: Strategy, reason: str, kind: DispositionKind, asked: Asked) -> StrategyRun:
    """The run of a strategy that was not run, or did not end; every candidate says so.

    Notes
    -----
    Before it has run, a strategy of the whole portfolio has one candidate: the portfolio.
    """
    said = Disposition(unit="portfolio", instruments=(), kind=kind, stage=reason)
    dispositions = listed([said])
    if strategy.unit != "portfolio":
        dispositions = Answers(Alike(said, asked.part.view.names), np.flatnonzero(asked.universe.chosen), {})
    outcome = _OUTCOME_OF.get(kind, "skipped")
    return _run(strategy, outcome, reason, (), dispositions)


def run_strategy(strategy: Strategy, asked: Asked) -> StrategyRun:
    """One strategy over the view for one caller."""
    part = asked.part
    verdict = part.verdict(strategy)
    if verdict.skipped is not None:
        return skipped_run(strategy, verdict.skipped, "insufficient_data", asked)
    if strategy.unit == "portfolio" and not asked.account.holds:
        return skipped_run(strategy, NO_PORTFOLIO, "insufficient_data", asked)
    cards = _Cards(strategy, verdict, asked.pricing, part)
    rows, dispositions = (strategy.judge or judge)(strategy, verdict, cards, asked.pricing)
    answers = _inside(dispositions, asked)
    kept: list[Opportunity] = []
    # Two instruments may lead to one trade; both share its fate.
    leading: defaultdict[str | None, dict[int, str]] = defaultdict(dict)
    for place, item in answers.own.items():
        leading[item.opportunity_key][place] = item.unit
    for row in rows:
        units = leading[row.opportunity_key]
        reading = refusal(asked.request, row)
        if reading is not None:
            answers = answers.changed({place: filtered(row, reading, name) for place, name in units.items()})
        elif units:
            kept.append(row)
    return _run(strategy, "ok" if kept else "empty", None, tuple(kept), answers)


def _inside(dispositions: Sequence[Disposition], asked: Asked) -> Answers:
    """What was said of candidates all of whose instruments were asked for."""
    if isinstance(dispositions, Answers):
        return dispositions.within(asked.universe.chosen)
    inside = frozenset(asked.instruments)
    return listed([item for item in dispositions if inside.issuperset(item.instruments)])


def _run(
    strategy: Strategy,
    outcome: Outcome,
    reason: str | None,
    rows: Sequence[Opportunity],
    dispositions: Answers,
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
    return StrategyRun(report, tuple(rows), dispositions)
