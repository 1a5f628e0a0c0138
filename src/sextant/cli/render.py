"""Tables a person reads: opportunities, what they cost, what they earned, and why the rest was refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from sextant.model.opportunity import CostLine, Opportunity
from sextant.model.times import iso_ms
from sextant.scans.records import Found, ScanResults, StrategyReport

MOST_ROWS = 20  # a screen; the rest is in --json
UNKNOWN = "-"

_COLUMNS: Final[tuple[tuple[str, Literal["left", "right"], int], ...]] = (
    ("#", "right", 2),
    ("instrument", "left", 10),
    ("side", "left", 5),
    ("type", "left", 13),
    ("grade", "left", 5),
    ("net bps", "right", 7),
    ("costs", "right", 6),
    ("hit/n", "right", 8),
    ("USD", "right", 5),
    ("time", "right", 4),
    ("risk", "left", 6),
)


def number(value: float | None, digits: int = 1, sign: str = "") -> str:
    """The number as text; a dash where it is unknown."""
    return UNKNOWN if value is None else f"{value:{sign},.{digits}f}"


def hours(seconds: float) -> str:
    """A duration in the largest unit that keeps it readable.

    Examples
    --------
    >>> hours(5400.0), hours(432000.0)
    ('1.5 h', '5 d')
    """
    return f"{seconds / 86_400:g} d" if seconds >= 172_800 else f"{seconds / 3_600:g} h"


def cost_bps(row: Opportunity) -> float | None:
    """Sum of the cost lines in basis points, negative; None while one is unknown."""
    lines: Sequence[CostLine] = [line for line in row.costs if line.item != "gross"]
    known = [line.bps for line in lines if line.bps is not None]
    return sum(known) if lines and len(known) == len(lines) else None


def opportunities(found: Sequence[Found]) -> Table:
    """The ranked opportunities, best first."""
    table = Table(header_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name, side, least in _COLUMNS:
        table.add_column(name, justify=side, no_wrap=True, min_width=least)
    for item in found[:MOST_ROWS]:
        table.add_row(*_cells(item))
    return table


def _cells(item: Found) -> list[str]:
    row = item.opportunity
    card = row.evidence
    names = ", ".join(f"{leg.instrument.base}-{leg.instrument.quote}" for leg in row.legs)
    hit = UNKNOWN if card.hit_frac is None else f"{card.hit_frac * 100:.0f}%"
    return [
        str(item.rank),
        names,
        row.direction,
        row.opportunity_type,
        row.grade,
        number(row.edge_bps, sign="+"),
        number(cost_bps(row)),
        f"{hit}/{card.n}",
        number(row.size.notional_usd, 0) + ("*" if row.size.illustrative else ""),
        hours(row.horizon_s),
        row.risk_level,
    ]


def funnel(reports: Sequence[StrategyReport]) -> Table:
    """Where the candidates of each strategy ended."""
    table = Table(
        title="Why the others were refused", title_justify="left", header_style="bold", box=SIMPLE_HEAD
    )
    for name in ("strategy", "outcome", "candidates", "funnel"):
        table.add_column(name, overflow="fold")
    for report in reports:
        lost = [
            f"{stage.gate} -{stage.entered - stage.passed}"
            for stage in report.funnel
            if stage.entered > stage.passed
        ]
        table.add_row(
            report.strategy_id,
            f"{report.outcome}{f' ({report.reason})' if report.reason else ''}",
            str(report.candidates),
            " | ".join([*lost, f"= {report.opportunities} found"]),
        )
    return table


def near_misses(reports: Sequence[StrategyReport], most: int = 5) -> Table | None:
    """The nearest refused candidates and what would change the answer; None where nothing was near."""
    rows = [miss for report in reports for miss in report.near_misses]
    if not rows:
        return None
    table = Table(title="Near misses", title_justify="left", header_style="bold", box=SIMPLE_HEAD)
    for name in ("candidate", "gate", "value", "limit", "flips if"):
        table.add_column(name, no_wrap=name != "flips if")
    for miss in sorted(rows, key=lambda miss: (miss.failed_count, miss.distance or 0.0))[:most]:
        table.add_row(
            miss.unit,
            miss.stage,
            number(miss.value, 3),
            number(miss.limit, 3),
            miss.flips_if or UNKNOWN,
        )
    return table


def scan(console: Console, results: ScanResults, notes: Sequence[str] = ()) -> None:
    """Print a whole scan: what it is of, what was found, why the rest was refused, what was assumed."""
    status = results.status
    stamp = "unknown time" if status.as_of_ns is None else iso_ms(status.as_of_ns)
    mark = " | SIMULATED DATA" if status.simulated else ""
    console.print(
        f"[bold]{status.found_count} opportunities[/bold] in {status.universe_count} instruments as of {stamp} "
        f"({status.feed}{mark}), outcome {status.outcome or status.status}"
    )
    if results.found:
        console.print(opportunities(results.found))
        if any(item.opportunity.size.illustrative for item in results.found):
            console.print(
                "* illustrative: no account was given, so sizes are for 1,000 USD and not ranked for a person"
            )
        if len(results.found) > MOST_ROWS:
            console.print(f"{len(results.found) - MOST_ROWS} more in --json")
    console.print(funnel(results.strategies))
    misses = near_misses(results.strategies)
    if misses is not None:
        console.print(misses)
    for note in notes:
        console.print(f"note: {note}")


def facts(title: str, rows: Sequence[tuple[str, Any]]) -> Table:
    """Names and values in two columns; lists and mappings take a line per entry."""
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, _told(value))
    return table


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{name}: {_told(part)}" for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return "\n".join(_told(part) for part in value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
