"""Tables a person reads: opportunities, what they cost, what they earned, and why the rest was refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from rich.console import Console
from rich.table import Table

MOST_ROWS = 20  # a screen; the rest is in --json
UNKNOWN = "-"

_OPPORTUNITIES: Final[tuple[tuple[str, Literal["left", "right"]], ...]] = (
    ("#", "right"),
    ("instrument", "left"),
    ("side", "left"),
    ("type", "left"),
    ("grade", "left"),
    ("net bps", "right"),
    ("conf/n", "right"),
    ("USD", "right"),
    ("costs", "right"),
    ("time", "right"),
    ("risk", "left"),
)
_WIDE: Final = 105  # columns of a console that shows the last three as well
_LAST: Final = 3
_KINDS: Final = {"perpetual": "perp"}
_MOST_PAIRS: Final = 2


def number(value: float | None, digits: int = 1, sign: str = "") -> str:
    """The number as text; a dash where it is unknown."""
    return UNKNOWN if value is None else f"{value:{sign},.{digits}f}"


def hours(seconds: float) -> str:
    """A duration in the largest unit that keeps it readable.

    Examples
    --------
    >>> hours(5400.0), hours(432000.0), hours(582974.3)
    ('1.5 h', '5 d', '6.75 d')
    """
    return f"{seconds / 86_400:.3g} d" if seconds >= 172_800 else f"{seconds / 3_600:.3g} h"


def named(instruments: Sequence[str]) -> str:
    """What the legs of an idea trade, short enough for a table.

    Examples
    --------
    >>> named(["bybit:BTC-USDT:perpetual"])
    'BTC-USDT perp'
    >>> named(["bybit:BTC-USDT:spot", "bybit:BTC-USDT:perpetual"])
    'BTC-USDT spot + perp'
    >>> named(["deribit:ETH-USD:option:2026-12-04:2850:call", "deribit:ETH-USD:option:2026-12-04:2500:put"])
    'ETH-USD 2 options'
    >>> named([f"bybit:{base}-USDT:spot" for base in ("BTC", "ETH", "SOL", "XRP")])
    'BTC-USDT, ETH-USDT + 2'
    """
    parts = [instrument.split(":") for instrument in instruments]
    pairs = list(dict.fromkeys(pair for _, pair, *_ in parts))
    if len(pairs) > 1:
        more = f" + {len(pairs) - _MOST_PAIRS}" if len(pairs) > _MOST_PAIRS else ""
        return ", ".join(pairs[:_MOST_PAIRS]) + more
    kinds = Counter(_KINDS.get(kind, kind) for _, _, kind, *_ in parts)
    return " ".join((*pairs, " + ".join(kind if n == 1 else f"{n} {kind}s" for kind, n in kinds.items())))


def opportunities(rows: Sequence[Mapping[str, Any]], width: int) -> Table:
    """The ranked opportunities of a results body, best first, on ``width`` columns."""
    shown = _OPPORTUNITIES if width >= _WIDE else _OPPORTUNITIES[:-_LAST]
    table = plain_table()
    for name, side in shown:
        table.add_column(name, justify=side, no_wrap=True)
    for row in rows[:MOST_ROWS]:
        told = row["metadata"]
        won = UNKNOWN if row["confidence_score"] is None else f"{row['confidence_score']:.0f}%"
        cells = (
            str(row["rank"]),
            named(row["instruments"]) or row["symbol"],
            row["direction"],
            row["opportunity_type"],
            row["grade"],
            number(row["edge_bps"], sign="+"),
            f"{won}/{row['confidence_n']}",
            number(row["size_usd"], 0) + ("*" if told["size_illustrative"] else ""),
            number(told["costs_bps"]),
            hours(row["horizon_s"]),
            row["risk_level"],
        )
        table.add_row(*cells[: len(shown)])
    return table


def funnel(reports: Sequence[Mapping[str, Any]], counts: Mapping[str, int]) -> Table:
    """Where the candidates of each strategy that ran ended, of a coverage body; ``counts`` are its opportunities."""
    timed = any(report["execution_time_ms"] is not None for report in reports)
    table = plain_table()
    table.add_column("strategy", no_wrap=True)
    table.add_column("ended")
    table.add_column("of", justify="right")
    if timed:
        table.add_column("ms", justify="right")
    table.add_column("refused by", overflow="fold")
    for report in reports:
        name = report["strategy_id"]
        lost = [
            f"{stage['gate']} {stage['in'] - stage['out']}"
            for stage in report["funnel"]
            if stage["in"] > stage["out"]
        ]
        table.add_row(
            name,
            f"{counts[name]} found" if report["outcome"] == "ok" else report["outcome"] or UNKNOWN,
            str(report["candidates"]),
            *([number(report["execution_time_ms"], 0)] if timed else []),
            ", ".join(lost),
        )
    return table


def near_misses(reports: Sequence[Mapping[str, Any]], most: int = 5) -> Table | None:
    """The nearest refused candidates and what would change the answer; None where nothing was near."""
    rows = [
        (miss["failed_count"], miss["distance_frac"] or 0.0, miss["instrument"], report["strategy_id"], miss)
        for report in reports
        for miss in report["near_misses"]
    ]
    if not rows:
        return None
    table = plain_table()
    for name in ("near miss", "strategy", "passes if"):
        table.add_column(name, no_wrap=name != "passes if", overflow="fold")
    for *_, instrument, strategy, miss in sorted(rows, key=lambda row: row[:4])[:most]:
        now = f"{miss['gate']} is {number(miss['value'], 3)}, the limit is {number(miss['limit'], 3)}"
        table.add_row(instrument, strategy, miss["flips_if"] or now)
    return table


def plain_table() -> Table:
    """A table without lines that leaves most of 80 columns to its cells."""
    return Table(header_style="bold", box=None, pad_edge=False, padding=(0, 1, 0, 0))


def skipped(reports: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The strategies that did not run, by the reason."""
    told: dict[str, list[str]] = {}
    for report in reports:
        if report["outcome"] == "skipped":
            told.setdefault(report["reason"] or UNKNOWN, []).append(report["strategy_id"])
    return told


def scan(
    console: Console,
    body: Mapping[str, Any],
    reports: Sequence[Mapping[str, Any]],
    notes: Sequence[str] = (),
) -> None:
    """Print a whole scan: what it is of, what was found, why the rest was refused, what was assumed.

    Parameters
    ----------
    body
        The results body of the API.
    reports
        Its coverage, one entry a strategy.
    """
    mark = ", SIMULATED DATA" if body["simulated"] else ""
    spent = body["execution_time_ms"]
    console.print(
        f"[bold]{body['total_opportunities']} opportunities[/bold] in {body['asset_discovery']['total_assets_scanned']} "
        f"instruments as of {body['as_of'] or 'unknown time'} ({body['feed']}{mark}), "
        f"{body['outcome'] or body['status']}{'' if spent is None else f' in {spent:,.0f} ms'}",
        highlight=False,
    )
    rows = body["opportunities"]
    if rows:
        console.print(opportunities(rows, console.width))
        if any(row["metadata"]["size_illustrative"] for row in rows):
            console.print(
                "* illustrative, for 1,000 USD: no account was given, so they are not ranked for a person"
            )
        if len(rows) > MOST_ROWS:
            console.print(f"{len(rows) - MOST_ROWS} more in --json")
    console.print("\n[bold]Why the others were refused[/bold]")
    ran = [report for report in reports if report["outcome"] != "skipped"]
    counts = {name: told["count"] for name, told in body["strategy_performance"].items()}
    console.print(funnel(ran, counts), highlight=False)
    for reason, names in skipped(reports).items():
        console.print(f"skipped, {reason}: {', '.join(names)}", highlight=False)
    misses = near_misses(reports)
    if misses is not None:
        console.print()
        console.print(misses, highlight=False)
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
