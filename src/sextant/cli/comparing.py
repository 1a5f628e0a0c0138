"""``sextant scan diff`` and ``replay``: one scan of a server held against another, or against itself."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
from rich.console import Console

from sextant.cli.client import Client
from sextant.cli.render import number, plain_table
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


async def replay_stored(server: str, scan_id: str, *, as_json: bool) -> None:
    """Ask a server to run a stored scan again, and print whether it says the same.

    Raises
    ------
    NotFound
        If it is no scan of the caller, or what it saw is no longer kept.
    Conflict
        If it is still running.
    """
    async with Client(server, token()) as client:
        body = await client.get(f"/api/v1/scans/{scan_id}/replay")
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(body), indent=2) + b"\n")
        return
    console = Console()
    said = "says the same, byte for byte" if body["identical"] else "says something else"
    console.print(
        f"{scan_id} {said} ({body['stored_hash']} then, {body['replayed_hash']} now, {body['seconds']:.1f} s)"
    )
    for row in body["differences"]:
        console.print(
            f"{row['strategy_id']} {row['subject']} {row['field']}: {row['then']} then, {row['now']} now"
        )


def _print(body: dict[str, Any]) -> None:
    console = Console()
    console.print(f"[bold]{len(body['changes'])} changes[/bold], {body['unchanged_count']} unchanged")
    table = plain_table()
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
