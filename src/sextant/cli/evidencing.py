"""``sextant evidence``: what each strategy would have earned on recorded bars, honestly."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from sextant.cli import report_page
from sextant.cli.render import number
from sextant.cli.report import Curve, PackEvidence, Report, StrategyEvidence
from sextant.cli.version import code_version
from sextant.errors import InputError
from sextant.evidence.events import EventTable, event_table
from sextant.evidence.scorecard import Scorer
from sextant.market.ingest import ingest
from sextant.market.state import MarketState
from sextant.model.account import Account
from sextant.model.bar import Floats
from sextant.model.scorecard import Scorecard
from sextant.model.times import INTERVAL_NS, INTERVALS, Interval
from sextant.model.view import View
from sextant.strategies.catalog import strategies
from sextant.strategies.columns import Columns
from sextant.strategies.contract import Strategy
from sextant.strategies.costs import Pricing
from sextant.strategies.prices import CostAssumptions
from sextant.venues.packs import bar_pack_events

CURVE_POINTS: Final = 400  # as many as a screen shows
COLUMNS: Final = ("", "n", "n_eff", "net bps", "90 % interval", "hit", "grade")


def write_report(data: Sequence[Path], out: Path | None, spread_bps: float, *, as_json: bool) -> None:
    """Score every bar strategy over packs; print a table or JSON, and write a page where asked.

    Raises
    ------
    InputError
        If a file is no pack of bars, or the spread is out of bounds.
    """
    if not 0 <= spread_bps <= 1_000:
        raise InputError(f"--assume-spread-bps is {spread_bps}; allowed are 0..1000.")
    packs = []
    with Console(stderr=True).status("reading") as shown:
        for path in data:
            shown.update(f"scoring {path.name}")
            packs.append(pack_evidence(path, spread_bps))
    report = Report(code_version(), spread_bps, tuple(packs))
    if out is not None:
        out.write_text(report_page.page(report), encoding="utf-8")
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    else:
        _print(report)


def pack_evidence(path: Path, spread_bps: float) -> PackEvidence:
    """What every bar strategy would have earned on one pack, at entry fees and the assumed spread."""
    pack = bar_pack_events(path)
    state = MarketState("replay", simulated=False, keep_rows=_all_rows(pack.period, pack.interval))
    ingest(state, pack.events)
    view = state.view(pack.period[1])
    assumptions = CostAssumptions(spread_bps_assumed=spread_bps)
    # Instruments that fell silent before the end have no touch at the end; what the past is charged is assumed for all.
    costs = 2.0 * Pricing(view, Account(), assumptions).taker_bps + spread_bps
    columns = Columns(view, assumptions)
    scored = [
        _scored(plugin, view, columns, costs)
        for plugin in strategies().values()
        if plugin.evidence_kind == "bars"
    ]
    known = costs[np.isfinite(costs)]
    return PackEvidence(
        pack=path.name,
        instruments=view.size,
        interval=pack.interval,
        start_ns=pack.period[0],
        end_ns=pack.period[1],
        mean_cost_bps=float(known.mean()) if len(known) else None,
        notes=pack.notes,
        strategies=tuple(scored),
    )


def _all_rows(period: tuple[int, int], interval: Interval) -> dict[Interval, int]:
    """Rows that hold the whole period, for the pack's own interval and the longer ones."""
    longer = INTERVALS[INTERVALS.index(interval) :]
    return {name: (period[1] - period[0]) // INTERVAL_NS[name] + 2 for name in longer}


def _scored(plugin: Strategy, view: View, columns: Columns, costs: Floats) -> StrategyEvidence:
    verdict = plugin.evaluate(view, plugin.defaults(), columns)
    if verdict.skipped is not None:
        return StrategyEvidence(plugin.id, plugin.name, verdict.skipped, None, None, None, Curve(0, (), ()))
    table = event_table(plugin.id, plugin.defaults(), verdict, view)
    scorer = Scorer(table, costs)
    cards = (scorer.summary(), scorer.summary(1), scorer.summary(-1))
    return StrategyEvidence(plugin.id, plugin.name, None, *cards, curve_of(table, costs))


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
