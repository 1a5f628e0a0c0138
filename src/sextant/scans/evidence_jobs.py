"""Evidence over packs of any size: a plan, jobs that any process may run, and results that outlive it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from sextant.errors import InputError
from sextant.evidence.merge import Merged, merged
from sextant.evidence.partitions import MOST_CELLS, Partition, partitions_of
from sextant.evidence.parts import Part, packed, scored, unpacked
from sextant.kit.blobs import Blobs
from sextant.market.ingest import ingest
from sextant.market.state import MarketState
from sextant.model.account import Account
from sextant.model.bar import BAR_FIELDS
from sextant.model.times import INTERVAL_NS, INTERVALS, Interval
from sextant.model.view import BarFrame, View, bar_frame
from sextant.strategies.catalog import strategies
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Strategy
from sextant.strategies.costs import Pricing
from sextant.strategies.prices import CostAssumptions
from sextant.venues.packs import PackSurvey, survey_pack

_KEY_HEX: Final = 32


class EvidencePlan(msgspec.Struct, frozen=True):
    """Everything that decides what evidence over a pack says.

    Parameters
    ----------
    code_version
        Which program computes it; results of another are not taken.
    spread_bps
        Assumed, where the pack holds no quotes.
    survey
        The pack.
    partitions
        Its jobs.
    """

    code_version: str
    spread_bps: float
    survey: PackSurvey
    partitions: tuple[Partition, ...]

    @property
    def key(self) -> str:
        """32 hex digits of the plan."""
        return hashlib.blake2b(msgspec.json.encode(self), digest_size=_KEY_HEX // 2).hexdigest()


class EvidenceJob(msgspec.Struct, frozen=True):
    """A job in words that any process understands: where results are kept, the plan's key, and the number of the partition."""

    store: str
    plan: str
    number: int

    @property
    def name(self) -> str:
        """Under which its result is kept."""
        return f"{self.plan}/{self.number:06d}"


def plan_evidence(
    place: Path | str, spread_bps: float, code_version: str, most_cells: int = MOST_CELLS
) -> EvidencePlan:
    """The plan for a pack.

    Raises
    ------
    InputError
        If it is no pack of bars.
    """
    survey = survey_pack(place)
    first_ns, end_ns = survey.period
    rows = (end_ns - first_ns) // INTERVAL_NS[survey.interval]
    parts = partitions_of(strategies().values(), len(survey.specs), rows, most_cells)
    return EvidencePlan(code_version, spread_bps, survey, parts)


def offered(store: Blobs, plan: EvidencePlan) -> tuple[EvidenceJob, ...]:
    """All jobs of a plan, after the plan was made known to whoever runs them."""
    if store.get(f"{plan.key}/plan") is None:
        store.put(f"{plan.key}/plan", msgspec.json.encode(plan))
    return tuple(EvidenceJob(store.place, plan.key, number) for number in range(len(plan.partitions)))


def unfinished(store: Blobs, jobs: Iterable[EvidenceJob]) -> list[EvidenceJob]:
    """The jobs without a whole result."""
    return [job for job in jobs if store.get(job.name) is None]


def run_job(job: EvidenceJob) -> EvidenceJob:
    """The job itself, once its result is kept; one that has a result is not run again.

    Raises
    ------
    InputError
        If its plan is not in the store, or the pack has changed since.
    """
    store = Blobs(job.store)
    if store.get(job.name) is None:
        plan = _plan_of(store, job)
        store.put(job.name, packed(part_of(plan, plan.partitions[job.number])))
    return job


def collected(store: Blobs, plan: EvidencePlan, jobs: Sequence[EvidenceJob]) -> Merged:
    """What all jobs found, whichever ended first.

    Raises
    ------
    InputError
        If a result is missing or is not that of its job.
    """
    parts = []
    for job in jobs:
        content = store.get(job.name)
        if content is None:
            raise InputError(f"The result of job {job.name} is missing.", reason="missing_data")
        parts.append(unpacked(content))
    return merged(plan.partitions, parts, tuple(spec.instrument for spec in plan.survey.specs))


def part_of(plan: EvidencePlan, partition: Partition) -> Part:
    """What the strategies of a partition say about the past of its instruments."""
    chosen = [strategies()[name] for name in partition.strategies]
    view = _view_of(plan.survey, partition, chosen)
    assumptions = CostAssumptions(spread_bps_assumed=plan.spread_bps)
    columns = Columns(view, assumptions)
    found = [
        scored(strategy, strategy.evaluate(view, strategy.defaults(), columns), view) for strategy in chosen
    ]
    # Instruments that fell silent before the end have no touch at the end; what the past is charged is assumed for all.
    costs = 2.0 * Pricing(view, Account(), assumptions).taker_bps + plan.spread_bps
    return Part(
        tuple(facts for facts, _ in found),
        tuple(events for _, events in found),
        tuple(None if np.isnan(cost) else cost for cost in costs.tolist()),
    )


def _plan_of(store: Blobs, job: EvidenceJob) -> EvidencePlan:
    known = store.get(f"{job.plan}/plan")
    if known is None:
        raise InputError(f"The plan {job.plan} is not in {job.store}.", reason="missing_data")
    plan = msgspec.json.decode(known, type=EvidencePlan)
    if plan.survey.unlike_now():
        raise InputError(f"{plan.survey.place} has changed since it was planned.", reason="changed")
    return plan


def _view_of(survey: PackSurvey, partition: Partition, chosen: Sequence[Strategy]) -> View:
    """The bars of some instruments on the rows that those of all instruments have."""
    first_ns, end_ns = survey.period
    asked = {need.interval for strategy in chosen for need in strategy.needs if need.column == "bars"}
    rows = {
        name: (end_ns - first_ns) // INTERVAL_NS[name] + 2
        for name in INTERVALS[INTERVALS.index(survey.interval) :]
        if name in asked
    }
    state = MarketState("replay", simulated=False, keep_rows=rows)
    ingest(state, survey.events(partition.columns))
    view = state.view(end_ns)
    return dataclasses.replace(view, bars=_on_whole_rows(view.bars, rows, survey.period, view.size))


def _on_whole_rows(
    bars: Mapping[Interval, BarFrame], intervals: Iterable[Interval], period: tuple[int, int], size: int
) -> dict[Interval, BarFrame]:
    """Frames over every row that lies within the period, blank where an instrument has no bar."""
    whole: dict[Interval, BarFrame] = {}
    for interval in intervals:
        step = INTERVAL_NS[interval]
        open_ns = np.arange(-(-period[0] // step), period[1] // step, dtype=np.int64) * step
        frame = bars.get(interval)
        if frame is not None and np.array_equal(frame.open_ns, open_ns):
            whole[interval] = frame
        elif len(open_ns):
            fields = {name: np.full((len(open_ns), size), np.nan) for name in BAR_FIELDS}
            if frame is not None:
                at = (frame.open_ns - open_ns[0]) // step
                for name, column in fields.items():
                    column[at] = getattr(frame, name)
            whole[interval] = bar_frame(interval, open_ns, fields)
    return whole
