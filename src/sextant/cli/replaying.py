"""``sextant replay``: recordings through the market state, with the truth about what they held."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from sextant.kit.clock import SystemClock
from sextant.model.events import Event

PACK_ENDINGS: Final = (".parquet", ".feather")
TOLD_EVERY: Final = 2_000  # events between two looks at the progress bar


class Source(Protocol):
    """Events of recordings, and the truth about what was in them; complete when the events are taken."""

    events: Iterator[Event]

    def messages(self) -> int:
        """What was received: frames, or bars of a pack."""
        ...

    def channels(self) -> dict[str, int]:
        """The same by channel."""
        ...

    def untranslated(self) -> dict[str, int]:
        """What no translator could read, by venue."""
        ...

    def notes(self) -> Sequence[str]:
        """What was assumed or left out."""
        ...


class _Packs:
    """Packs of bars, one after the other."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._notes: list[str] = []
        self._bars: Counter[str] = Counter()
        self.events: Iterator[Event] = self._read()

    def _read(self) -> Iterator[Event]:
        import numpy as np

        from sextant.model.bar import BarBlock
        from sextant.venues.packs import bar_pack_events

        for path in self._paths:
            pack = bar_pack_events(path)
            self._notes += pack.notes
            for event in pack.events:
                if isinstance(event, BarBlock):
                    self._bars[f"bars.{event.interval}"] += int(np.count_nonzero(~np.isnan(event.close)))
                yield event

    def messages(self) -> int:
        """Bars so far."""
        return self._bars.total()

    def channels(self) -> dict[str, int]:
        """Bars so far by interval."""
        return dict(sorted(self._bars.items()))

    def untranslated(self) -> dict[str, int]:
        """Nothing: a pack has one shape."""
        return {}

    def notes(self) -> Sequence[str]:
        """What was assumed or left out."""
        return tuple(self._notes)


def replay_files(paths: Sequence[Path], *, as_json: bool) -> None:
    """Replay recordings in order and print messages, gaps, crossed books, bars, rate and state hash."""
    from sextant.cli import render
    from sextant.market.ingest import ingest
    from sextant.market.state import MarketState
    from sextant.venues.replay import replay_events

    clock = SystemClock()
    begun_ns = clock.monotonic_ns()
    source: Source = (
        _Packs(paths) if all(path.suffix in PACK_ENDINGS for path in paths) else replay_events(paths)
    )
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
        render.facts("Replay", [(name, value) for name, value in answer.items() if value not in ({}, [], ())])
    )
