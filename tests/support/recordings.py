"""Recorded venue traffic, read from the folder of market data."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import zstandard

from sextant.venues.port import Category, SymbolTable, Venue
from support.deribit_answers import ANSWERS as DERIBIT

RECORDINGS = {
    "bybit": "cryptofeed/v3/BYBIT_btc_eth.jsonl.zst",
    "deribit": "cryptofeed/v3/DERIBIT.jsonl.zst",
}
"""The recorded session of each venue, below the data folder."""

EXAMPLES = {"deribit": DERIBIT}
"""Answers by path, of venues of which the folder holds no examples."""


@dataclass(frozen=True)
class Recording:
    """One recorded session: REST bodies by URL, and every received frame with its category and time."""

    bodies: dict[str, bytes]
    frames: list[tuple[Category, bytes, int]]

    def symbols(self, venue: Venue) -> SymbolTable:
        """The table filled from the recorded instrument lists."""
        table = SymbolTable()
        for body in self.bodies.values():
            for listing in venue.parse_instruments(body, 1).listings:
                table.add(listing)
        return table


def read_session(data_dir: Path, venue: Venue) -> Recording:
    """The recorded session of a venue, in the second cryptofeed format."""
    packed = (data_dir / RECORDINGS[venue.name]).read_bytes()
    text = zstandard.ZstdDecompressor().stream_reader(packed).read().decode()
    bodies: dict[str, bytes] = {}
    frames: list[tuple[Category, bytes, int]] = []
    category_of: dict[str, Category] = {}
    for line in text.splitlines():
        entry = json.loads(line)
        if entry["t"] == "http":
            bodies[entry["url"]] = entry["data"].encode()
        elif entry["t"] == "connect":
            category = venue.category_of(entry["addr"])
            assert category is not None
            category_of[entry["conn"]] = category
        elif entry["t"] == "recv":
            frames.append((category_of[entry["conn"]], entry["data"].encode(), int(entry["ts"] * 1e9)))
    return Recording(bodies, frames)


def read_examples(data_dir: Path, venue: str) -> dict[str, list[bytes]]:
    """Documentation-style REST answers of a venue, by path; those written in tests where the folder has none."""
    examples: dict[str, list[bytes]] = {path: [body] for path, body in EXAMPLES.get(venue, {}).items()}
    packed = data_dir / "rest" / f"jkorf_{venue}_payloads.jsonl.gz"
    if examples or not packed.exists():
        return examples
    with gzip.open(packed, "rt") as lines:
        for line in lines:
            entry = json.loads(line)
            if entry["kind"] == "rest":
                examples.setdefault(entry["path"], []).append(json.dumps(entry["response"]).encode())
    return examples


def read_quoted_frames(data_dir: Path, venue: str) -> list[bytes]:
    """Single real frames of a venue that have a topic."""
    lines = (data_dir / "liquidations" / "quoted_real_frames.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    return [
        entry["frame"].encode()
        for entry in entries
        if entry["venue"] == venue and "topic" in json.loads(entry["frame"])
    ]
