"""``sextant record``: raw frames of venues as they arrive."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console

from sextant.cli.venue_feeds import alone, places_of, simulated_at
from sextant.errors import InputError, VenueError
from sextant.kit import log
from sextant.kit.clock import Clock, Deadline, SystemClock
from sextant.kit.frames import Frame, FrameLog
from sextant.kit.http import Answer, HttpSettings, RestClient
from sextant.kit.ids import new_fraction
from sextant.kit.retry import Retrying
from sextant.venues.feed import Feed, Wanted, Watcher
from sextant.venues.port import Venue

TOLD_EVERY_S: Final = 1.0
READ_S: Final = 20.0
QUOTES: Final = frozenset({"USDT", "USDC", "USD", "EUR"})

_LOG: Final = log.get("cli")


@dataclass(frozen=True)
class Order:
    """What is to be recorded: base assets (none means all), seconds (None means until interrupted), another address,
    and the venues.
    """

    bases: tuple[str, ...]
    seconds: float | None
    url: str | None
    venues: tuple[str, ...] = ("bybit",)


async def record_frames(folder: Path, order: Order, *, as_json: bool) -> None:
    """Record; the instruments come first, so that a replay knows them. Venues that are away leave the others alone.

    Raises
    ------
    InputError
        If the time is not above 0, or the address is none.
    VenueError
        If the instruments of no venue could be read.
    """
    if order.seconds is not None and not order.seconds > 0:
        raise InputError(f"--seconds is {order.seconds}; it must be above 0.")
    if order.url is not None and not order.url.startswith(("http://", "https://")):
        raise InputError(f"--url '{order.url}' is not an http:// or https:// address.")
    log.configure("text" if sys.stderr.isatty() else "json")
    clock = SystemClock()
    places = places_of(order.venues) if order.url is None else simulated_at(order.venues, order.url)
    bases = frozenset(base.upper() for base in order.bases)
    wanted = Wanted(bases=bases or None, quotes=QUOTES, history=None)
    with ExitStack() as stack:
        logs = [stack.enter_context(FrameLog(folder, place.name, clock)) for place in places]
        feeds = [
            await _begun(place, clock, frames, wanted) for place, frames in zip(places, logs, strict=True)
        ]
        ready = [feed for feed in feeds if isinstance(feed, Feed)]
        if not ready:
            raise next(error for error in feeds if isinstance(error, VenueError))
        with suppress(TimeoutError):
            async with asyncio.timeout(order.seconds), asyncio.TaskGroup() as group:
                for feed in ready:
                    group.create_task(feed.run())
                group.create_task(_told(logs))
        for frames in logs:
            frames.flush()
        told: dict[str, Any] = {
            "folder": str(folder),
            "frames": sum(frames.frames_count for frames in logs),
            "bytes": sum(frames.written_bytes for frames in logs),
        }
    if as_json:
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    else:
        Console().print(f"{told['frames']:,} frames, {told['bytes']:,} bytes in {folder}")


async def _begun(place: Venue, clock: Clock, frames: FrameLog, wanted: Wanted) -> Feed | VenueError:
    """A feed whose instruments are recorded already, or why they could not be."""
    try:
        await _write_directory(place, clock, frames)
    except VenueError as error:
        _LOG.warning("record.no_venue", venue=place.name, code=error.code, detail=error.message)
        return error
    tap = _Tap(place, frames)
    tap.feed = Feed(place, clock, lambda _: (), wanted, Watcher(tap=tap.write, answered=tap.answer))
    return tap.feed


class _Tap:
    """Writes every frame, and before the first of a connection where it came from."""

    def __init__(self, venue: Venue, frames: FrameLog) -> None:
        self.feed: Feed | None = None
        self._venue = venue
        self._frames = frames
        self._opened: set[str] = set()

    def answer(self, address: str, answer: Answer) -> None:
        """Log the beginning of a book, without which a replay could not read the changes that follow."""
        told = alone(self._venue.name, address)
        self._frames.write(Frame(answer.receive_ns, f"{self._venue.name}.http", "http", told, answer.body))

    def write(self, link: str, receive_ns: int, data: bytes) -> None:
        """Log one frame of a link."""
        if link not in self._opened:
            self._opened.add(link)
            states = () if self.feed is None else self.feed.states()
            address = alone(self._venue.name, next((one.url for one in states if one.name == link), ""))
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
                address = alone(venue.name, venue.address_of(request))
                found = Frame(answer.receive_ns, f"{venue.name}.http", "http", address, answer.body)
                frames.write(found, lead=True)  # so that each hour replays alone
                cursor = venue.parse_instruments(answer.body, answer.receive_ns).cursor
                if cursor is None:
                    break


async def _told(logs: Sequence[FrameLog]) -> None:
    """Show how much was recorded, and write what is held while nothing arrives."""
    with Console(stderr=True).status("recording") as shown:
        while True:
            await asyncio.sleep(TOLD_EVERY_S)
            for frames in logs:
                frames.flush_due()
            count, size = sum(one.frames_count for one in logs), sum(one.written_bytes for one in logs)
            shown.update(f"recording: {count:,} frames, {size:,} bytes")
