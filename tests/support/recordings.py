"""Recorded venue traffic, read from the folder of market data."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sextant.venues.port import Category, SymbolTable, Venue
from sextant.venues.recordings import read_recording
from support.deribit_answers import ANSWERS as DERIBIT
from support.okx import ANSWERS as OKX

RECORDINGS = {
    "binance": ("cryptofeed/v3/BINANCE.jsonl.zst", "cryptofeed/v3/BINANCE_FUTURES.jsonl.zst"),
    "bybit": ("cryptofeed/v3/BYBIT_btc_eth.jsonl.zst",),
    "coinbase": ("cryptofeed/v3/COINBASE.jsonl.zst",),
    "deribit": ("cryptofeed/v3/DERIBIT.jsonl.zst",),
    "kucoin": ("cryptofeed/v3/KUCOIN.jsonl.zst",),
    "okx": ("cryptofeed/v3/OKX.jsonl.zst",),
    "kraken": ("kraken/orderbook-v2.json.gz",),
}
"""The recorded sessions of each venue, below the data folder."""

EXAMPLES = {"deribit": DERIBIT, "okx": OKX}
"""Answers by path, of venues of which the folder holds no examples."""


@dataclass(frozen=True)
class Recording:
    """One recorded session: REST bodies by URL, and every received frame with its category and time."""

    bodies: dict[str, bytes]
    frames: list[tuple[Category, bytes, int]]

    def symbols(self, venue: Venue) -> SymbolTable:
        """The table filled from the recorded instrument lists, or off the frames where none was recorded."""
        table = SymbolTable()
        for body in self.bodies.values():
            for listing in venue.parse_instruments(body, 1).listings:
                table.add(listing)
        assume = venue.variations.assume
        if assume is not None and not self.bodies:
            for found in (assume(*frame) for frame in self.frames):
                if found is not None and table.instrument(found.category, found.symbol) is None:
                    table.add(found)
        return table


def read_session(data_dir: Path, venue: Venue) -> Recording:
    """The recorded sessions of a venue as one: its instrument lists and every received frame."""
    listings = {venue.instruments_request(category, None).path for category in venue.sockets}
    listings.update(venue.variations.former_lists)
    bodies: dict[str, bytes] = {}
    frames: list[tuple[Category, bytes, int]] = []
    for name in RECORDINGS[venue.name]:
        category_of: dict[str, Category] = {}
        for frame in read_recording(data_dir / name):
            if frame.kind == "http" and urlsplit(frame.address).path in listings:
                bodies[frame.address] = frame.data
            elif frame.kind == "open":
                category = venue.category_of(frame.address)
                assert category is not None
                category_of[frame.connection] = category
            elif frame.kind == "received":
                own = frame.connection.partition(".")[2]
                frames.append((category_of.get(frame.connection, own), frame.data, frame.receive_ns))
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
            if entry["kind"] == "rest" and "response" in entry:
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
