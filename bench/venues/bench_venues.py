"""Recorded frames of every venue to ordered events: parser and keeper, one core, processor time."""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from harness import data_dir, tell
from sextant.venues.catalog import venues
from sextant.venues.port import Venue
from support.recordings import read_session

BENCH = "venues.all"
RUNS = 11


def frames_per_cpu_s(place: Path, venue: Venue) -> tuple[float, float]:
    """Frames, and megabytes, a processor second; the keeper is made anew for each run, as for a connection."""
    recording = read_session(place, venue)
    symbols = recording.symbols(venue)
    make = venue.variations.keeper
    spent: list[float] = []
    for _ in range(RUNS):
        keepers = {category: make(category, symbols) for category in venue.sockets} if make else {}
        begun = time.process_time_ns()
        for category, frame, receive_ns in recording.frames:
            events = venue.parse_frame(category, frame, receive_ns, symbols)
            if keepers:
                keepers[category].take(frame, events, receive_ns)
        spent.append((time.process_time_ns() - begun) / 1e9)
    median = statistics.median(spent)
    return len(recording.frames) / median, sum(len(frame) for _, frame, _ in recording.frames) / median / 1e6


def main() -> None:
    """Measure and tell."""
    place = data_dir()
    figures: dict[str, float | None] = {}
    for name, venue in venues().items():
        rate, megabytes = (None, None) if place is None else frames_per_cpu_s(place, venue)
        figures[f"{name}_frames_per_cpu_s"], figures[f"{name}_mb_per_cpu_s"] = rate, megabytes
    rates = [value for name, value in figures.items() if name.endswith("_mb_per_cpu_s") and value is not None]
    figures["least_mb_per_cpu_s"] = min(rates, default=None)
    tell(BENCH, figures)


if __name__ == "__main__":
    main()
