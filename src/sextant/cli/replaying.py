"""``sextant replay``: recordings through the market state, with the truth about what they held."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from sextant.kit.clock import SystemClock
from sextant.model.events import Event

PACK_ENDINGS: Final = (".parquet", ".feather")
TOLD_EVERY: Final = 2_000  # events between two looks at the progress bar


def replay_files(paths: Sequence[Path], *, as_json: bool) -> None:
    """Replay recordings in order and print messages, gaps, crossed books, bars, rate and state hash."""
    from sextant.cli import render
    from sextant.market.ingest import ingest
    from sextant.market.state import MarketState

    clock = SystemClock()
    begun_ns = clock.monotonic_ns()
    source = _packs(paths) if all(path.suffix in PACK_ENDINGS for path in paths) else _frames(paths)
    state = MarketState("replay", simulated=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,} events"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        shown = progress.add_task(paths[0].name, total=None)

        def counted() -> Iterator[Event]:
            for count, event in enumerate(source.events, 1):
                if count % TOLD_EVERY == 0:
                    progress.update(shown, completed=count)
                yield event

        report = ingest(state, counted())
    spent_s = (clock.monotonic_ns() - begun_ns) / 1e9
    answer: dict[str, Any] = {
        "files": [path.name for path in paths],
        "messages": source.messages(),
        "channels": source.channels(),
        "untranslated": source.untranslated(),
        "events": report.events,
        "gaps": report.gaps,
        "crossed": report.crossed,
        "bars": report.bars_closed,
        "instruments": len(state.instruments),
        "seconds": round(spent_s, 3),
        "rate": round(source.messages() / spent_s),
        "state_hash": state.state_hash(),
        "notes": source.notes(),
    }
    if as_json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(answer), indent=2) + b"\n")
        return
    console = Console()
    console.print(
        render.facts("Replay", [(name, value) for name, value in answer.items() if value not in ({}, [])])
    )
