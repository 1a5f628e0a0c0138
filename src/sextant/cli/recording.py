"""``sextant record``: raw frames of a venue as they arrive."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from rich.console import Console

from sextant.errors import InputError
from sextant.kit import log
from sextant.kit.clock import Clock, Deadline, SystemClock
from sextant.kit.frames import Frame, FrameLog
from sextant.kit.http import RestClient
from sextant.kit.ids import new_fraction
from sextant.kit.retry import Retrying
from sextant.venues.catalog import venue as venue_named
from sextant.venues.feed import Feed, Wanted, Watcher, at
from sextant.venues.port import Venue

TOLD_EVERY_S: Final = 1.0
READ_S: Final = 20.0


async def record_frames(
    folder: Path, bases: Sequence[str] | None, seconds: float | None, url: str | None
) -> None:
    """Record until interrupted, or for a time; the instruments come first, so that a replay knows them."""
    if seconds is not None and not seconds > 0:
        raise InputError(f"--seconds is {seconds}; it must be above 0.")
    if url is not None and not url.startswith(("http://", "https://")):
        raise InputError(f"--url '{url}' is not an http:// or https:// address.")
    log.configure("text" if sys.stderr.isatty() else "json")
    clock = SystemClock()
    venue = venue_named("bybit")
    if url is not None:
        venue = at(venue, url, url.replace("http", "ws", 1))
    wanted = Wanted(bases=None if bases is None else frozenset(base.upper() for base in bases), history=None)
    with FrameLog(folder, venue.name, clock) as frames:
        await _write_directory(venue, clock, frames)
        tap = _Tap(venue, frames)
        feed = Feed(venue, clock, lambda _: (), wanted, Watcher(tap=tap.write))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                group.create_task(feed.run())
                group.create_task(_told(frames))
    Console(stderr=True).print(f"{frames.frames_count:,} frames, {frames.written_bytes:,} bytes in {folder}")


class _Tap:
    """Writes every frame, and before the first of a connection where it came from."""

    def __init__(self, venue: Venue, frames: FrameLog) -> None:
        self._venue = venue
        self._frames = frames
        self._opened: set[str] = set()

    def write(self, link: str, receive_ns: int, data: bytes) -> None:
        """Log one frame of a link, whose name is venue, category and number."""
        if link not in self._opened:
            self._opened.add(link)
            address = self._venue.sockets[link.split(".")[1]]
            self._frames.write(Frame(receive_ns, link, "open", address, b""))
        self._frames.write(Frame(receive_ns, link, "received", "", data))


async def _write_directory(venue: Venue, clock: Clock, frames: FrameLog) -> None:
    """The venue's answers about its instruments, as they came."""
    async with RestClient(venue.rest, Retrying(clock=clock, fraction=new_fraction)) as client:
        deadline = Deadline(clock, READ_S)
        for category in venue.sockets:
            cursor: str | None = None
            while True:
                request = venue.instruments_request(category, cursor)
                answer = await client.get(request.path, request.query, deadline)
                query = "&".join(f"{name}={value}" for name, value in request.query)
                address = f"{venue.rest}{request.path}?{query}"
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
