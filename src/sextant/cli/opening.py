"""``sextant opportunity``: one idea taken apart to its orders, costs, past, gates and the age of what it was made of."""

from __future__ import annotations

import sys
from typing import Any, Final
from urllib.parse import quote

import msgspec
from rich.console import Console
from rich.table import Table

from sextant.cli.client import Client
from sextant.cli.render import UNKNOWN, hours, named, number, plain_table
from sextant.cli.settings import token
from sextant.errors import NotFound

_BASE: Final = "/api/v1/opportunities"


async def tell(server: str, which: str, *, as_json: bool) -> None:
    """Ask a server for one opportunity, by its id or by its rank in the caller's latest scan, and print it.

    Raises
    ------
    NotFound
        If the caller has no such opportunity, or the latest scan has fewer.
    """
    async with Client(server, token()) as client:
        name = await _ranked(client, int(which)) if which.isdecimal() else which
        body = await client.get(f"{_BASE}/{quote(name, safe='')}")
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(body), indent=2) + b"\n")
    else:
        show(Console(), body)


async def _ranked(client: Client, rank: int) -> str:
    """The id of what stands at a rank of the caller's latest scan."""
    rows = (await client.get(f"{_BASE}/results/latest"))["opportunities"]
    for row in rows:
        if row["rank"] == rank:
            return str(row["opportunity_id"])
    raise NotFound(f"The latest scan found {len(rows)} opportunities; there is no rank {rank}.")


def show(console: Console, body: dict[str, Any]) -> None:
    """Print the detail of one opportunity."""
    mark = ", SIMULATED DATA" if body["simulated"] else ""
    console.print(
        f"[bold]{named(body['instruments']) or body['symbol']} {body['direction']}[/bold], {body['strategy_name']}, grade {body['grade']}, "
        f"risk {body['risk_level']}, as of {body['as_of']} ({body['feed']}{mark})",
        highlight=False,
    )
    console.print(
        f"{number(body['size_usd'], 2)} USD of which {number(body['required_capital_usd'], 2)} is needed, for up to "
        f"{hours(body['horizon_s'])}; entry {_price(body['entry_price'])}, stop {_price(body['stop_price'])}, "
        f"target {_price(body['exit_price'])}",
        highlight=False,
    )
    for title, table in (
        ("Orders", _legs(body["legs"])),
        ("From gross to net", _waterfall(body["waterfall"])),
        ("Net edge by size", _capacity(body["capacity"])),
    ):
        if table.row_count:
            console.print(f"\n[bold]{title}[/bold]")
            console.print(table, highlight=False)
    console.print(f"\n[bold]Past[/bold]  {_past(body['calibration'])}", highlight=False)
    for title, lines in (("Why", body["rank_reasons"]), ("Beware", body["warnings"])):
        if lines:
            console.print(f"[bold]{title}[/bold]")
            for line in lines:
                console.print(f"  {line}", highlight=False)
    ages = [
        f"{item['name']} {item['age_s']:.1f} of {item['greatest_age_s']:g} s" for item in body["evidence"]
    ]
    console.print(f"[bold]Age of its inputs[/bold]  {', '.join(ages) or UNKNOWN}", highlight=False)
    seen = body["seen_before"]
    if seen is not None:
        console.print(f"Seen in {seen['count']} earlier scans, first at {seen['first_at']}.", highlight=False)


def _price(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.10g}"


def _legs(legs: list[dict[str, Any]]) -> Table:
    table = plain_table()
    for name in ("side", "instrument", "order"):
        table.add_column(name)
    for name in ("quantity", "price", "USD"):
        table.add_column(name, justify="right")
    for leg in legs:
        table.add_row(
            leg["side"],
            leg["instrument"],
            leg["order_kind"],
            _price(leg["quantity"]),
            _price(leg["price"]),
            number(leg["notional_usd"], 2),
        )
    return table


def _waterfall(lines: list[dict[str, Any]]) -> Table:
    table = plain_table()
    table.add_column("line")
    table.add_column("bps", justify="right")
    for name in ("kind", "source"):
        table.add_column(name)
    for line in lines:
        table.add_row(line["item"], number(line["bps"], 2, "+"), line["basis"], line["source"])
    return table


def _capacity(points: list[dict[str, Any]]) -> Table:
    table = plain_table()
    for name in ("USD", "net bps"):
        table.add_column(name, justify="right")
    for point in points:
        table.add_row(number(point["size_usd"], 0), number(point["edge_bps"], 1, "+"))
    return table


def _past(told: dict[str, Any]) -> str:
    """What the same signal did before, in one sentence."""
    state = told["state"].replace("_", " ")
    if told["hit_rate_pct"] is None:
        return f"{state}: {told['reason'] or UNKNOWN}, {told['n']} events"
    span = told["interval_pct"]
    between = "" if span is None else f" (between {span[0]:.0f} and {span[1]:.0f} %)"
    return (
        f"{told['hit_rate_pct']:.0f} % of {told['n']} events came good{between}, "
        f"{number(told['mean_net_bps'], 1, '+')} bps net on average, {state}"
    )
