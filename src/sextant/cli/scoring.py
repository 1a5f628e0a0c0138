"""``sextant confluence``: one score taken apart, over a recorded bar pack or by a server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from sextant.cli.render import UNKNOWN, number
from sextant.errors import InputError
from sextant.model.times import parse_time_ns


def tell_replay(path: Path, as_of: str | None, instrument: str, *, as_json: bool) -> None:
    """Score a bar pack as of a time and print one instrument."""
    body, notes = replay_body(path, as_of, instrument)
    _tell(body, notes, as_json=as_json)


def replay_body(path: Path, as_of: str | None, instrument: str) -> tuple[bytes, tuple[str, ...]]:
    """The body of the API for one instrument of a pack, and what was assumed to make it.

    Raises
    ------
    InputError
        If the file is no pack of bars of 1m, or the name is not that of one instrument.
    """
    from sextant.api.confluence_wire import Beside, breakdown_body
    from sextant.confluence.scorer import evaluate
    from sextant.market.ingest import ingest
    from sextant.market.state import MarketState
    from sextant.scans.relations import Relating
    from sextant.scans.scoring import column_named
    from sextant.scans.source import KEEP_ROWS
    from sextant.venues.packs import bar_pack_events

    until_ns = None if as_of is None else parse_time_ns(as_of)
    pack = bar_pack_events(path, until_ns=until_ns)
    if pack.interval != "1m":
        raise InputError(f"{path.name} holds bars of {pack.interval}; confluence needs bars of 1m.")
    state = MarketState("replay", simulated=False, keep_rows=KEEP_ROWS)
    ingest(state, pack.events)
    view = state.view(pack.period[1] if until_ns is None else until_ns)
    column = column_named(instrument, view.names)
    found = evaluate(view)
    beside = Beside(relations=Relating().update(view))
    return breakdown_body(found, column, (view.feed, view.simulated), beside), pack.notes


async def tell_server(server: str, instrument: str, *, as_json: bool) -> None:
    """Ask a server for one instrument and print it."""
    from sextant.cli.client import Client
    from sextant.cli.settings import token

    async with Client(server, token()) as client:
        # A slash would be a further part of the path; BTC/USDT is BTC-USDT.
        name = quote(instrument.strip().replace("/", "-"), safe=":")
        answer = await client.get(f"/api/v1/confluence/{name}")
    _tell(msgspec.json.encode(answer), (), as_json=as_json)


def _tell(body: bytes, notes: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(body, indent=2) + b"\n")
    else:
        show(Console(), msgspec.json.decode(body), notes)


def show(console: Console, body: dict[str, Any], notes: tuple[str, ...] = ()) -> None:
    """Print a breakdown: the score, its dimensions and sub-scores, what is missing, what would change it."""
    mark = ", SIMULATED DATA" if body["simulated"] else ""
    score = "no score" if body["score"] is None else f"score {body['score']:.1f} ({body['word']})"
    console.print(
        f"[bold]{body['instrument']}[/bold] {body['direction'].upper()}, {score}, coverage {body['coverage']:.3f},"
        f" {body['agreement'] or UNKNOWN}, regime {body['regime']} as of {body['as_of']} ({body['feed']}{mark})"
    )
    if body["why_not"]:
        console.print(body["why_not"])
    told = body["confidence"]
    if told["confidence"] is not None:
        console.print(
            f"[bold]Confidence[/bold] {told['confidence']:.0f} % ({told['low']:.0f} to {told['high']:.0f} %,"
            f" {told['hits']} of {told['n']} entries came good)"
        )
    elif body["direction"] in ("long", "short"):
        console.print(f"[bold]Confidence[/bold] none: {told['reason']}")
    console.print(_parts(body))
    _lists(console, body)
    if body["flips"]:
        console.print("[bold]What would change it[/bold]")
        for item in body["flips"]:
            console.print(
                f"  {item['name']} from {item['from']:+.3f} to {item['to']:+.3f} reaches {item['reaches_score']:.1f}"
            )
    levels = [f"{name} {value:g}" for name, value in body["levels"].items() if value is not None]
    if levels:
        console.print(f"[bold]Levels[/bold]  {', '.join(levels)}")
    _place(console, body["market"])
    for note in notes:
        console.print(f"note: {note}")


def _place(console: Console, place: dict[str, Any] | None) -> None:
    """How the instrument follows the leader, and where it stands among the others."""
    if place is None:
        return
    parts = [
        f"{item['interval']} beta {item['beta']:.2f} (correlation {item['correlation']:.2f})"
        for item in place["following"]
        if item["beta"] is not None and item["correlation"] is not None
    ]
    if place["lead_minutes"] is not None:
        parts.append(f"it goes ahead by {place['lead_minutes']} min")
    if parts:
        console.print(f"[bold]Follows {place['leader']}[/bold]  {', '.join(parts)}", highlight=False)
    if place["liquidation_risk_frac"] is not None:
        console.print(
            f"[bold]Risk of forced closes[/bold]  {place['liquidation_risk_frac']:.2f} (1 is the highest rank)"
        )


def _lists(console: Console, body: dict[str, Any]) -> None:
    """What is missing, what is wrong with the data, and what is the case beside the score."""
    if body["missing"]:
        console.print("[bold]Missing[/bold]")
        for item in body["missing"]:
            console.print(f"  {item['name']}: {item['reason']}", highlight=False)
    # What does not apply is told among what is missing.
    wrong = [item for item in body["conditions"] if item["kind"] != "not_applicable"]
    if wrong:
        console.print("[bold]Conditions[/bold]")
        for item in wrong:
            console.print(f"  {_condition(item)}", highlight=False)
    if body["facts"]:
        console.print("[bold]Facts[/bold]")
        for item in body["facts"]:
            console.print(f"  {_fact(item)}", highlight=False)


def _condition(item: dict[str, Any]) -> str:
    subject = f" {item['subject']}" if item["subject"] else ""
    have = "" if item["have"] is None else f" ({item['have']:.4g}, line {item['need']:.4g})"
    return f"{item['kind']}{subject}{have} since {item['since']}: {item['effect']}"


def _fact(item: dict[str, Any]) -> str:
    words = (item["kind"], item["cause"], item["word"], item["direction"] or "")
    return f"{' '.join(word for word in words if word)} since {item['since']}, {item['value']:.6g}"


def _parts(body: dict[str, Any]) -> Table:
    table = Table(header_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("dimension", no_wrap=True)
    for name in ("signal", "weight", "used", "coverage", "points", "age s"):
        table.add_column(name, justify="right", no_wrap=True)
    for part in body["dimensions"]:
        table.add_row(
            f"[bold]{part['name']}[/bold]",
            number(part["signed_score"], 3, "+"),
            number(part["weight"], 3),
            number(part["weight_used"], 3),
            number(part["coverage"], 2),
            number(part["contribution"], 2, "+"),
            "",
        )
        for sub in part["signals"]:
            if sub["state"] == "ok":
                table.add_row(
                    f"  {sub['name']}",
                    number(sub["signed_score"], 3, "+"),
                    number(sub["weight"], 4),
                    number(sub["weight_used"], 4),
                    number(sub["quality_frac"], 2),
                    number(sub["contribution"], 2, "+"),
                    number(sub["age_s"], 0),
                )
    return table
