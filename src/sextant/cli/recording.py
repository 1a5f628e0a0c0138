"""``sextant record``: raw frames of a venue as they arrive."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console

from sextant.errors import InputError
from sextant.kit import log
from sextant.kit.clock import Clock, Deadline, SystemClock
from sextant.kit.frames import Frame, FrameLog
from sextant.kit.http import Answer, HttpSettings, RestClient
from sextant.kit.ids import new_fraction
from sextant.kit.retry import Retrying
from sextant.venues.catalog import venue as venue_named
from sextant.venues.feed import Feed, Wanted, Watcher, at
from sextant.venues.port import Venue

TOLD_EVERY_S: Final = 1.0
READ_S: Final = 20.0
QUOTES: Final = frozenset({"USDT", "USDC", "USD", "EUR"})


@dataclass(frozen=True)
class Order:
    """What is to be recorded: base assets (none means all), seconds (None means until interrupted), another address,
    and the venue.
    """

    bases: tuple[str, ...]
    seconds: float | None
    url: str | None
    venue: str = "bybit"


async def record_frames(folder: Path, order: Order, *, as_json: bool) -> None:
    """Record; the instruments come first, so that a replay knows them.

    Raises
    ------
    InputError
        If the time is not above 0, or the address is none.
    """
    if order.seconds is not None and not order.seconds > 0:
        raise InputError(f"--seconds is {order.seconds}; it must be above 0.")
    if order.url is not None and not order.url.startswith(("http://", "https://")):
        raise InputError(f"--url '{order.url}' is not an http:// or https:// address.")
    log.configure("text" if sys.stderr.isatty() else "json")
    clock = SystemClock()
    venue = venue_named(order.venue)
    if order.url is not None:
        venue = at(venue, order.url, order.url.replace("http", "ws", 1))
    bases = frozenset(base.upper() for base in order.bases)
    wanted = Wanted(bases=bases or None, quotes=QUOTES, history=None)
    with FrameLog(folder, venue.name, clock) as frames:
        await _write_directory(venue, clock, frames)
        tap = _Tap(venue, frames)
        feed = Feed(venue, clock, lambda _: (), wanted, Watcher(tap=tap.write, answered=tap.answer))
        with suppress(TimeoutError):
            async with asyncio.timeout(order.seconds), asyncio.TaskGroup() as group:
                group.create_task(feed.run())
                group.create_task(_told(frames))
        frames.flush()
        told = {"folder": str(folder), "frames": frames.frames_count, "bytes": frames.written_bytes}
    if as_json:
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    else:
        Console().print(f"{told['frames']:,} frames, {told['bytes']:,} bytes in {folder}")


class _Tap:
    """Writes every frame, and before the first of a connection where it came from."""

    def __init__(self, venue: Venue, frames: FrameLog) -> None:
        self._venue = venue
        self._frames = frames
        self._opened: set[str] = set()

    def answer(self, address: str, answer: Answer) -> None:
        """Log the beginning of a book, without which a replay could not read the changes that follow."""
        self._frames.write(Frame(answer.receive_ns, f"{self._venue.name}.http", "http", address, answer.body))

    def write(self, link: str, receive_ns: int, data: bytes) -> None:
        """Log one frame of a link, whose name is venue, category and number."""
        if link not in self._opened:
            self._opened.add(link)
            address = self._venue.sockets[link.split(".")[1]]
            self._frames.write(Frame(receive_ns, link, "open", address, b""))
        self._frames.write(Frame(receive_ns, link, "received", "", data))


async def _write_directory(venue: Venue, clock: Clock, frames: FrameLog) -> None:
    """The venue's answers about its instruments, as they came."""
    settings = HttpSettings(refusal=venue.refusal, elsewhere=venue.variations.rests)
    async with RestClient(venue.rest, Retrying(clock=clock, fraction=new_fraction), settings) as client:
        deadline = Deadline(clock, READ_S)
        for category in venue.sockets:
            cursor: str | None = None
            while True:
                request = venue.instruments_request(category, cursor)
                answer = await client.get(request.path, request.query, deadline)
                address = venue.address_of(request)
                found = Frame(answer.receive_ns, f"{venue.name}.http", "http", address, answer.body)
                frames.write(found, lead=True)  # so that each hour replays alone
                cursor = venue.parse_instruments(answer.body, answer.receive_ns).cursor
                if cursor is None:
                    break


async def _told(frames: FrameLog) -> None:
    """Show how much was recorded, and write what is held while nothing arrives."""
    with Console(stderr=True).status("recording") as shown:
        while True:
            await asyncio.sleep(TOLD_EVERY_S)
            frames.flush_due()
            shown.update(f"recording: {frames.frames_count:,} frames, {frames.written_bytes:,} bytes")
