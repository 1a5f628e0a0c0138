"""The past of every strategy, scored once per closed bar and off every scan's path."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final

from sextant.errors import BudgetExceeded, MarketError
from sextant.evidence.events import EventTable
from sextant.kit.clock import Clock, Deadline
from sextant.kit.memory import Ebb
from sextant.kit.precedence import Precedence
from sextant.model.account import Account
from sextant.model.times import Interval
from sextant.scans.crew import Crew
from sextant.scans.records import STRATEGY_HARD_STOP_S, ScanRequest
from sextant.scans.run import Asked, MarketPart
from sextant.scans.scoreboard import Scoreboard
from sextant.scans.universe import choose
from sextant.strategies.contract import Strategy, Verdict

KEEP_EVERY_S: Final = 5.0  # how often it is seen whether a bar has closed; the shortest is a minute

Archive = Callable[[EventTable], Awaitable[EventTable]]
"""Keeps past events and gives them back with those that are older than the bars."""


async def forgetful(table: EventTable) -> EventTable:
    """The table as it is: an archive that keeps nothing."""
    return table


class EvidenceKeeper:
    """Scores what strategies said in the past, so that a scan only reads it.

    Parameters
    ----------
    crew
        Runs the arithmetic.
    clock
        Says when to look again.
    catalogue
        The strategies there are.
    market
        Gives the newest market part; raises ``MarketError`` while there is none.
    archive
        Adds what is older than the bars.
    """

    def __init__(
        self,
        crew: Crew,
        clock: Clock,
        catalogue: Mapping[str, Strategy],
        market: Callable[[], MarketPart],
        archive: Archive = forgetful,
    ) -> None:
        self._crew = crew
        self._clock = clock
        self._catalogue = catalogue
        self._market = market
        self._archive = archive
        self.board = Scoreboard()
        self._ebb = Ebb(clock)
        self.precedence = Precedence()

    async def keep(self) -> None:
        """Score whenever a bar has closed, until cancelled."""
        known: tuple[bytes, ...] = ()
        while True:
            await self.precedence.give_way()
            with suppress(MarketError, BudgetExceeded):
                deadline = Deadline(self._clock, STRATEGY_HARD_STOP_S)
                part, newest = await self._crew.run(_newest, self._market, deadline, "view")
                if newest != known:
                    await self.score(part)
                    known = newest
            await self._clock.sleep(KEEP_EVERY_S)

    async def score(self, part: MarketPart) -> None:
        """Compute the past of every strategy; what it saw before the view's bars is added from the archive.

        Notes
        -----
        Strategies of one frame follow each other: columns are let go once the last of them has spoken. Each waits for scans
        that run, a second at most.
        """
        everything = ScanRequest()
        asked = Asked(part, choose(part.view, everything, part.turnover_usd), Account(), everything)
        speaking: list[Strategy] = []
        frame: Interval | None = None
        for strategy in sorted(self._catalogue.values(), key=_first_frame):
            if _first_frame(strategy) != frame:
                frame = _first_frame(strategy)
                await self._let_go(part)
            await self.precedence.give_way()
            run = await self._crew.guarded(strategy, asked, Deadline(self._clock, STRATEGY_HARD_STOP_S))
            if run.report.outcome not in ("ok", "empty"):
                self.board.silence(strategy.id, run.report.reason, part.view.as_of_ns)
                continue
            speaking.append(strategy)
            deadline = Deadline(self._clock, STRATEGY_HARD_STOP_S)
            verdict, events = await self._crew.run(partial(_past, part), strategy, deadline, "evidence")
            if events is not None:
                part.enrich(strategy, verdict, await self._archive(events))
                await asyncio.to_thread(part.settle, strategy)
        deadline = Deadline(self._clock, STRATEGY_HARD_STOP_S)
        await self._crew.run(lambda _: self.board.learn(part, speaking), None, deadline, "scoreboard")
        await self._let_go(part)

    async def _let_go(self, part: MarketPart) -> None:
        """Free columns that nobody reads any more, and give their memory back where it is much."""
        await asyncio.to_thread(part.spend)
        await asyncio.to_thread(self._ebb.look)


def _newest(market: Callable[[], MarketPart]) -> tuple[MarketPart, tuple[bytes, ...]]:
    """The newest market part, and what stands for all its bars."""
    part = market()
    return part, tuple(frame.content_digest for _, frame in sorted(part.view.bars.items()))


def _past(part: MarketPart, strategy: Strategy) -> tuple[Verdict, EventTable | None]:
    """What a strategy says and said; a strategy of chains alone may speak while its frame has no bars, and has no past."""
    verdict = part.verdict(strategy)
    return verdict, part.events(strategy, verdict) if verdict.interval in part.view.bars else None


def _first_frame(strategy: Strategy) -> Interval:
    """The frame of a strategy's bars; the longest for one that needs none."""
    return next((need.interval for need in strategy.needs if need.interval is not None), "1d")
