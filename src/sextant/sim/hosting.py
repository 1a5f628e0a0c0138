"""Simulated venues on one loopback port, each by its own paths, stopped with their context."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from aiohttp import web
from aiohttp.typedefs import Handler

from sextant.errors import InputError
from sextant.kit.clock import Clock
from sextant.model.times import DAY_NS
from sextant.sim.market_model import FIRST_DAY, LAST_DAY


class Hosted(Protocol):
    """A simulated venue."""

    base_url: str

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The reply to a request of its paths."""

    async def run(self) -> None:
        """Let time pass until cancelled."""

    async def close(self) -> None:
        """Say goodbye to every socket."""


class Below:
    """A venue whose own paths begin behind a prefix: several venues have paths of one spelling.

    Parameters
    ----------
    prefix
        As ``/binance``, without a final slash.
    venue
        Sees its paths as if they began at the root.
    """

    def __init__(self, prefix: str, venue: Hosted) -> None:
        self._prefix = prefix
        self._venue = venue

    @property
    def base_url(self) -> str:
        """Where the venue's own paths begin."""
        return self._venue.base_url

    @base_url.setter
    def base_url(self, address: str) -> None:
        self._venue.base_url = address + self._prefix

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The reply to a request of its paths."""
        own = request.rel_url.raw_path.removeprefix(self._prefix)
        address = request.rel_url.with_path(own, encoded=True, keep_query=True)
        return await self._venue.answer(request.clone(rel_url=address))

    async def run(self) -> None:
        """Let time pass until cancelled."""
        await self._venue.run()

    async def close(self) -> None:
        """Say goodbye to every socket."""
        await self._venue.close()


@contextlib.asynccontextmanager
async def hosted(venues: Mapping[str, Hosted], port: int) -> AsyncIterator[str]:
    """The address at which venues answer, inside the caller's loop until the context ends.

    Parameters
    ----------
    venues
        By the beginning of their paths; ``/`` takes what no other does.
    port
        On 127.0.0.1; 0 takes a free one.
    """
    application = web.Application(middlewares=[_until_they_leave])
    for prefix in sorted(venues, key=len, reverse=True):
        application.router.add_route("*", f"{prefix}{{path:.*}}", venues[prefix].answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    every = list({id(venue): venue for venue in venues.values()}.values())
    for venue in every:
        venue.base_url = address
    beats = [asyncio.create_task(venue.run(), name=f"simulated {type(venue).__name__}") for venue in every]
    for beat in beats:
        beat.add_done_callback(_report)
    try:
        yield address
    finally:
        for beat in beats:
            beat.cancel()
        await asyncio.wait(beats)
        for venue in every:
            await venue.close()
        await runner.cleanup()
        for beat in beats:
            if not beat.cancelled():
                beat.result()


@web.middleware
async def _until_they_leave(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer, and take it calmly when whoever asked has hung up before anything could be said."""
    try:
        return await handler(request)
    except ConnectionError:
        if request.transport is not None and not request.transport.is_closing():
            raise
        return web.Response()


def _report(beat: asyncio.Task[None]) -> None:
    """Tell the loop at once when time has stopped for another reason than the end of the context."""
    error = None if beat.cancelled() else beat.exception()
    if error is not None:
        beat.get_loop().call_exception_handler(
            {"message": "The simulated venue has stopped pushing.", "exception": error, "task": beat}
        )


def check_time(clock: Clock, history_days: int) -> None:
    """Refuse a clock outside the days that the market knows.

    Raises
    ------
    InputError
        If it shows fewer than ``history_days`` behind it, or none ahead.
    """
    today = clock.now_ns() // DAY_NS
    if not FIRST_DAY + history_days < today < LAST_DAY:
        raise InputError(
            f"The clock shows day {today} since 1970; the simulated market lives in "
            f"{FIRST_DAY + history_days + 1}..{LAST_DAY - 1}."
        )


def check_pace(pace: float) -> None:
    """Refuse a factor on the pace of trading that the tapes cannot play.

    Raises
    ------
    InputError
        If it is outside 0.05..4.
    """
    if not 0.05 <= pace <= 4.0:
        raise InputError(f"Pace {pace} is outside 0.05..4.")
