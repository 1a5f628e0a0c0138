"""What simulated spot venues share: a clock with a skew, one market as time passes, and faults of the whole venue."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Final

from aiohttp import web

from sextant.errors import InputError
from sextant.kit.clock import Clock
from sextant.sim.books import Level
from sextant.sim.faults import Fault, FaultPlan
from sextant.sim.limits import Counters
from sextant.sim.live import Live
from sextant.sim.market_model import MarketModel
from sextant.sim.spot_hub import SpotHub

BEAT_S: Final = 0.05
MILLISECOND_NS: Final = 1_000_000


class SpotVenue(ABC):
    """A running simulated venue.

    Parameters
    ----------
    clock
        Whose time the market follows.
    model
        The market as this venue lists it.
    pace
        Factor on how often each instrument trades.
    plan
        The script of faults.
    """

    hub: SpotHub

    def __init__(self, clock: Clock, model: MarketModel, pace: float, plan: FaultPlan) -> None:
        self._clock = clock
        self._skew_ms = 0
        self._resumes_ms = 0
        self._away_until_ms = 0
        self.model = model
        self.plan = plan
        self.counters = Counters()
        self.live = Live(model, pace)
        self.base_url = ""

    @abstractmethod
    async def reply(self, request: web.Request) -> web.StreamResponse:
        """The reply to any request that reaches the port while the venue is there."""

    @abstractmethod
    def lock(self, address: str) -> None:
        """Refuse an address for as long as the venue does."""

    def rest(self, *, resting: bool) -> None:  # noqa: B027  # not every venue announces it
        """Tell the clients that maintenance has begun or ended."""

    @property
    def resting(self) -> bool:
        """Whether the venue is in maintenance."""
        return self._resumes_ms > 0

    def now_ms(self) -> int:
        """Milliseconds since 1970 as the venue believes, with its skew."""
        return self._clock.now_ns() // MILLISECOND_NS + self._skew_ms

    def book(self, symbol: str, depth: int) -> tuple[list[Level], list[Level]]:
        """The truth as of the last push of a depth: bids and asks, best first, in whole ticks and lots.

        Raises
        ------
        InputError
            If the symbol is not listed or nobody has subscribed to that depth.
        """
        listing = self.model.find("spot", symbol)
        feed = None if listing is None else self.live.known_feed(listing, depth)
        if feed is None:
            raise InputError(f"No push of book {depth} of {symbol} has been made.")
        bids, asks = feed.told()
        return sorted(bids, reverse=True), sorted(asks)

    def lately(self, symbol: str, depth: int) -> list[tuple[list[Level], list[Level]]]:
        """The truth of a depth as of each of its last eight pushes, the oldest first; none before the first push.

        Raises
        ------
        InputError
            If the symbol is not listed.
        """
        listing = self.model.find("spot", symbol)
        if listing is None:
            raise InputError(f"{symbol} is not listed.")
        feed = self.live.known_feed(listing, depth)
        return [] if feed is None else feed.lately()

    def pump(self) -> None:
        """Push everything that has become due; tests that drive a clock may call it instead of waiting."""
        for fault in self.plan.moment(self._clock.now_ns() // MILLISECOND_NS):
            self.befall("127.0.0.1", fault)
        if self._resumes_ms and self.now_ms() >= self._resumes_ms:
            self._resumes_ms = 0
            self.rest(resting=False)
        self.hub.pump()

    def befall(self, address: str, fault: Fault) -> None:
        """Let a fault happen to the venue as a whole, or to everybody who is connected."""
        if fault.kind == "skew":
            self._skew_ms += int(fault.number("seconds", 0) * 1_000)
        elif fault.kind == "banned":
            self.lock(address)
        elif fault.kind == "away":
            self._away_until_ms = self.now_ms() + int(fault.number("seconds", 600) * 1_000)
            self.hub.strike_all(replace(fault, kind="reset"))
        elif fault.kind == "maintenance":
            self._resumes_ms = self.now_ms() + int(fault.number("seconds", 600) * 1_000)
            self.rest(resting=True)
        elif fault.kind in ("delist", "retick"):
            change = self.live.delist if fault.kind == "delist" else self.live.retick
            change("spot", str(fault.options.get("symbol", "")))
        else:
            self.hub.strike_all(fault)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The reply to any request that reaches the port; nothing but the end of the connection while it is away."""
        if self.now_ms() < self._away_until_ms and request.transport is not None:
            self.counters.while_away += 1
            self.counters.paths[request.path] = self.counters.paths.get(request.path, 0) + 1
            request.transport.abort()
            return web.Response()
        return await self.reply(request)

    async def run(self) -> None:
        """Let time pass until cancelled."""
        while True:
            await self._clock.sleep(BEAT_S)
            self.pump()

    async def close(self) -> None:
        """Say goodbye to every socket."""
        await self.hub.close_all()
