"""A recorded session played on loopback, in a process of its own."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from sextant.kit.clock import SystemClock
from sextant.sim.hosting import hosted
from sextant.sim.recorded import RecordedVenue, acknowledged
from sextant.venues.recordings import read_recording


async def play_recording(place: Path, port: int, pace: float) -> None:
    """Play a recording, print its address as one line, and end with standard input."""
    venue = RecordedVenue(SystemClock(), read_recording(place), acknowledged, pace)
    async with hosted({"/": venue}, port) as address:
        sys.stdout.write(address + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
