"""``sextant evidence``: what each strategy would have earned on recorded bars, honestly."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from sextant.cli import report_page
from sextant.cli.evidence_pool import processes_of, run_all
from sextant.cli.evidence_work import ask_others
from sextant.cli.render import number
from sextant.cli.report import Bucket, Curve, PackEvidence, Report, StrategyEvidence
from sextant.cli.version import code_version
from sextant.errors import InputError
from sextant.evidence.calibrate import reliability_of
from sextant.evidence.events import EventTable
from sextant.evidence.merge import Merged
from sextant.evidence.partitions import MOST_CELLS
from sextant.evidence.scorecard import Scorer
from sextant.kit.blobs import Blobs
from sextant.model.bar import Floats
from sextant.model.scorecard import ReliabilityRow, Scorecard
from sextant.model.times import DAY_NS
from sextant.scans.evidence_jobs import EvidencePlan, collected, offered, plan_evidence, unfinished
from sextant.strategies.catalog import strategies
from sextant.strategies.contract import Strategy

CURVE_POINTS: Final = 400  # as many as a screen shows
ALL: Final = "all"
RELIABILITY: Final = ("stated", "mean", "n", "hits", "came", "90 % interval", "inside")
COLUMNS: Final = ("", "n", "n_eff", "net bps", "90 % interval", "hit", "grade")


@dataclass(frozen=True)
class Order:
    """What is to be scored, and by whom.

    Parameters
    ----------
    data
        Packs of bars: paths or URLs.
    spread_bps
        Assumed.
    jobs
        Processes of this machine; where absent one per core, and for a small pack this one alone.
    keep
        Where results are kept; nowhere beyond this run where absent.
    database
        The PostgreSQL through which other processes are asked; None for processes of this machine.
    """

    data: tuple[str, ...]
    spread_bps: float = 5.0
    jobs: int | None = None
    keep: str | None = None
    database: str | None = None


def write_report(order: Order, out: Path | None, *, as_json: bool) -> None:
    """Score every bar strategy over packs; print a table or JSON, and write a page where asked.

    Raises
    ------
    InputError
        If a file is no pack of bars, or an option is out of bounds.
    """
    if not 0 <= order.spread_bps <= 1_000:
        raise InputError(f"--assume-spread-bps is {order.spread_bps}; allowed are 0..1000.")
    processes_of(order.jobs)
    if order.database is not None and order.keep is None:
        raise InputError("--database needs --keep: a folder or URL that every process reaches.")
    report = report_of(order)
    if out is not None:
        out.write_text(report_page.page(report), encoding="utf-8")
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    else:
        _print(report)


def report_of(order: Order) -> Report:
    """What every bar strategy would have earned on the packs of an order, the same bytes however its jobs are run."""
    with ExitStack() as stack:
        keep = order.keep or stack.enter_context(TemporaryDirectory(prefix="evidence-"))
        store = Blobs(keep)
        shown = stack.enter_context(_progress())
        packs = []
        for place in order.data:
            plan = plan_evidence(place, order.spread_bps, code_version())
            jobs = offered(store, plan)
            left = unfinished(store, jobs)
            # Other processes take seconds to begin: longer than one job takes here.
            small = order.jobs is None and plan.survey.bars <= MOST_CELLS
            processes = 1 if small else processes_of(order.jobs)
            task = shown.add_task(place_name(place), total=len(jobs), completed=len(jobs) - len(left))
            if order.database is None:
                run_all(left, processes, lambda _, task=task: shown.advance(task))  # type: ignore[misc]
            else:
                asyncio.run(ask_others(order.database, store, left, lambda _, task=task: shown.advance(task)))  # type: ignore[misc]
            packs.append(pack_evidence(plan, collected(store, plan, jobs)))
    return Report(code_version(), order.spread_bps, tuple(packs))


def place_name(place: str) -> str:
    """The last part of a path or URL."""
    return place.rstrip("/").rsplit("/", 1)[-1]


def _progress() -> Progress:
    """A bar on standard error, which scripts that read the answer do not see."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def pack_evidence(plan: EvidencePlan, found: Merged) -> PackEvidence:
    """What every bar strategy would have earned on one pack, at entry fees and the assumed spread."""
    survey, costs = plan.survey, found.costs_bps
    scorers = {
        name: Scorer(table, costs) for name, table in found.tables.items() if not isinstance(table, str)
    }
    scored = [
        _scored(plugin, found.tables[plugin.id], scorers.get(plugin.id), costs)
        for plugin in strategies().values()
        if plugin.id in found.tables
    ]
    known = costs[np.isfinite(costs)]
    return PackEvidence(
        pack=place_name(survey.place),
        instruments=len(survey.specs),
        interval=survey.interval,
        start_ns=survey.period[0],
        end_ns=survey.period[1],
        mean_cost_bps=float(known.mean()) if len(known) else None,
        notes=survey.notes,
        strategies=tuple(scored),
        reliability=buckets_of({item.strategy_id: scorers[item.strategy_id] for item in scored if item.both}),
    )


def _scored(
    plugin: Strategy, table: EventTable | str, scorer: Scorer | None, costs: Floats
) -> StrategyEvidence:
    if isinstance(table, str) or scorer is None:
        return StrategyEvidence(plugin.id, plugin.name, str(table), None, None, None, Curve(0, (), ()))
    cards = (scorer.summary(), scorer.summary(1), scorer.summary(-1))
    return StrategyEvidence(plugin.id, plugin.name, None, *cards, curve_of(table, costs))


def buckets_of(scorers: Mapping[str, Scorer]) -> tuple[Bucket, ...]:
    """What each strategy and all of them together stated, against what came later.

    Notes
    -----
    Over all, the events of one day are one cluster, whichever strategy spoke.
    """
    told: list[Bucket] = []
    every = [scorer.predicted for scorer in scorers.values()]
    for name, scorer in scorers.items():
        told += _buckets(name, () if scorer.out_of_sample is None else scorer.out_of_sample.reliability)
    if any(len(one.stated) for one in every):
        stated, won, entry_ns = (np.concatenate(parts) for parts in zip(*every, strict=True))
        told += _buckets(ALL, reliability_of(stated, won, entry_ns // DAY_NS))
    return tuple(told)


def _buckets(name: str, rows: Sequence[ReliabilityRow]) -> list[Bucket]:
    return [
        Bucket(
            strategy_id=name,
            bucket_low=row.bucket_low,
            bucket_high=row.bucket_high,
            stated_frac=row.stated_frac,
            n=row.n,
            hits=round(row.n * row.observed_frac),
            observed_frac=row.observed_frac,
            low_frac=row.low_frac,
            high_frac=row.high_frac,
            inside=row.low_frac <= row.stated_frac <= row.high_frac,
        )
        for row in rows
    ]


def curve_of(table: EventTable, costs: Floats) -> Curve:
    """Net outcomes of the events whose cost is known, added up by the time each became known."""
    net = (table.gross - costs[table.column] / 1e4) * 1e4
    known = np.flatnonzero(np.isfinite(net))
    order = known[np.argsort(table.exit_ns[known], kind="stable")]
    total = np.cumsum(net[order])
    shown = np.unique(np.linspace(0, len(order) - 1, min(CURVE_POINTS, len(order))).astype(np.int64))
    return Curve(len(order), tuple(table.exit_ns[order][shown].tolist()), tuple(total[shown].tolist()))


def _print(report: Report) -> None:
    console = Console()
    for pack in report.packs:
        console.print(
            f"[bold]{pack.pack}[/bold]: {pack.instruments} instruments, {pack.interval} bars, "
            f"round trip {number(pack.mean_cost_bps)} bps"
        )
        console.print(_table(pack))
        if pack.reliability:
            console.print(_reliability(pack))
        for note in pack.notes:
            console.print(f"note: {note}")
    console.print(f"note: a spread of {report.spread_bps_assumed:g} bps is assumed: packs hold no quotes.")


def _table(pack: PackEvidence) -> Table:
    """A line per side below the name of each strategy; narrow enough for 80 columns."""
    table = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in ("", "grade") else "right", no_wrap=True)
    for item in pack.strategies:
        table.add_row(f"[bold]{item.strategy_id}[/bold]", *_cells(item.both))
        if item.skipped is not None:
            table.add_row(f"  {item.skipped}")
        for side, card in (("long", item.long), ("short", item.short)):
            if card is not None:
                table.add_row(f"  {side}", *_cells(card))
    return table


def _reliability(pack: PackEvidence) -> Table:
    """Stated before against observed after, over all strategies; the page and JSON have each of them."""
    table = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in RELIABILITY:
        table.add_column(name, justify="left" if name == "stated" else "right", no_wrap=True)
    for row in pack.reliability:
        if row.strategy_id == ALL:
            table.add_row(
                f"{row.bucket_low * 100:.0f} to {row.bucket_high * 100:.0f} %",
                f"{row.stated_frac * 100:.1f} %",
                str(row.n),
                str(row.hits),
                f"{row.observed_frac * 100:.1f} %",
                f"{row.low_frac * 100:.1f} .. {row.high_frac * 100:.1f}",
                "yes" if row.inside else "no",
            )
    return table


def _cells(card: Scorecard | None) -> list[str]:
    if card is None:
        return []
    low, high = card.expectancy_low_bps, card.expectancy_high_bps
    return [
        str(card.n),
        f"{card.n_eff:.0f}",
        number(card.expectancy_bps, sign="+"),
        "-" if low is None else f"{number(low)} .. {number(high)}",
        "-" if card.hit_frac is None else f"{card.hit_frac * 100:.0f}%",
        card.grade,
    ]
