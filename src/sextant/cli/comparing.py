"""``sextant scan diff``: what changed between two scans of a server, and why."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from sextant.cli.client import Client
from sextant.cli.render import number
from sextant.cli.settings import token


async def compare(server: str, a: str, b: str, *, as_json: bool) -> None:
    """Ask a server for every change from scan ``a`` to scan ``b`` and print them.

    Raises
    ------
    NotFound
        If either is no scan of the caller.
    Conflict
        If either is still running.
    """
    changes: list[dict[str, Any]] = []
    async with Client(server, token()) as client:
        cursor = ""
        while True:
            page = await client.get(f"/api/v1/scans/diff?a={a}&b={b}&limit=200{cursor}")
            changes += page["changes"]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
    whole = page | {"changes": changes}
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n")
    else:
        _print(whole)


def _print(body: dict[str, Any]) -> None:
    console = Console()
    console.print(f"[bold]{len(body['changes'])} changes[/bold], {body['unchanged_count']} unchanged")
    table = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("change", "rank", "net bps", "instruments", "why"):
        table.add_column(name)
    for row in body["changes"]:
        table.add_row(
            row["change"],
            f"{row['rank_a'] or '-'} to {row['rank_b'] or '-'}",
            f"{number(row['edge_a_bps'], sign='+')} to {number(row['edge_b_bps'], sign='+')}",
            ", ".join(row["instruments"]),
            ", ".join(_cause(item) for item in row["causes"]),
        )
    console.print(table)


def _cause(item: dict[str, Any]) -> str:
    share = item["share_frac"]
    said = str(item["cause"]).replace("_", " ")
    return said if share is None else f"{said} {share * 100:.0f}%"
