"""Follows every idea that a scan has told to somebody, and tells strategies how such ideas have done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from sextant.errors import MarketError
from sextant.evidence.live import Ended, Idea, Known, Position, follow, idea_of, judged
from sextant.evidence.live_couples import couple_idea_of, follow_couple
from sextant.kit.clock import Clock
from sextant.kit.conditions import Conditions
from sextant.model.instrument import Instrument
from sextant.model.opportunity import Opportunity
from sextant.model.times import SECOND_NS
from sextant.scans.blobs import pack, unpack
from sextant.scans.run import MarketPart
from sextant.scans.tables import LIVE_IDEAS, OPPORTUNITIES
from sextant.strategies.contract import Strategy

EVERY_S: Final = 60.0  # an idea moves once per minute, with its bars
BATCH: Final = 500  # rows of one statement; each holds a packed opportunity of some kilobytes
JUDGED_ROWS: Final = 50_000  # the newest ended ideas of one strategy that are judged
KEPT_EVERY_NS: Final = (
    3_600 * SECOND_NS
)  # a position is written once an hour; the minutes since are walked again
OVERLAP_NS: Final = 60 * SECOND_NS  # rows of one transaction may become visible after later ones


class LiveIdeas:
    """The rows of told ideas.

    Parameters
    ----------
    db
        An engine of ``kit.db``; its schema is migrated.
    """

    def __init__(self, db: AsyncEngine) -> None:
        self._db = db
        insert = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
        self._insert = insert(LIVE_IDEAS).on_conflict_do_nothing()

    async def told_since(self, since_ns: int, limit: int = BATCH) -> list[tuple[int, Opportunity]]:
        """Opportunities that scans found at or after a time, oldest first, each with that time."""
        query = (
            sa.select(OPPORTUNITIES.c.discovered_ns, OPPORTUNITIES.c.body)
            .where(OPPORTUNITIES.c.discovered_ns >= since_ns)
            .order_by(OPPORTUNITIES.c.discovered_ns, OPPORTUNITIES.c.opportunity_id)
            .limit(limit)
        )
        async with self._db.connect() as connection:
            rows = (await connection.execute(query)).all()
        return await asyncio.to_thread(
            lambda: [(row.discovered_ns, unpack(row.body, Opportunity)) for row in rows]
        )

    async def add(self, ideas: Sequence[Idea]) -> None:
        """Follow ideas from now on; one that is followed already stays as it is."""
        if not ideas:
            return
        rows = await asyncio.to_thread(lambda: [_row(idea) for idea in ideas])
        async with self._db.begin() as connection:
            await connection.execute(self._insert, rows)

    async def open(
        self, after: tuple[int, str] = (0, ""), limit: int = BATCH
    ) -> list[tuple[Idea, Position | None]]:
        """Ideas that have not ended, oldest first, from after the one of this time and key."""
        place = sa.tuple_(LIVE_IDEAS.c.as_of_ns, LIVE_IDEAS.c.opportunity_key)
        query = (
            sa.select(LIVE_IDEAS.c.idea, LIVE_IDEAS.c.position)
            .where(LIVE_IDEAS.c.result.is_(None), place > sa.tuple_(*after))
            .order_by(LIVE_IDEAS.c.as_of_ns, LIVE_IDEAS.c.opportunity_key)
            .limit(limit)
        )
        async with self._db.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [
            (unpack(row.idea, Idea), None if row.position is None else unpack(row.position, Position))
            for row in rows
        ]

    async def move(self, stands: Sequence[tuple[Idea, Position | Ended]]) -> None:
        """Write how ideas stand now; one that has ended stays as it ended."""
        if not stands:
            return
        async with self._db.begin() as connection:
            for idea, stand in stands:
                await connection.execute(
                    sa.update(LIVE_IDEAS)
                    .where(
                        LIVE_IDEAS.c.strategy_id == idea.strategy_id,
                        LIVE_IDEAS.c.opportunity_key == idea.opportunity_key,
                        LIVE_IDEAS.c.result.is_(None),
                    )
                    .values(**_columns(stand))
                )

    async def outcome(self, strategy_id: str, opportunity_key: str) -> Ended | None:
        """How an idea ended; None while it is followed, or where it never was."""
        mine = (LIVE_IDEAS.c.strategy_id == strategy_id, LIVE_IDEAS.c.opportunity_key == opportunity_key)
        names = Ended.__struct_fields__
        query = sa.select(*(LIVE_IDEAS.c[name] for name in names)).where(
            *mine, LIVE_IDEAS.c.result.is_not(None)
        )
        async with self._db.connect() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else Ended(**row._asdict())

    async def ended(self, strategy_id: str) -> list[Known]:
        """The newest ended ideas of a strategy whose outcome is known."""
        query = (
            sa.select(LIVE_IDEAS.c.idea, LIVE_IDEAS.c.entered_ns, LIVE_IDEAS.c.net_bps)
            .where(LIVE_IDEAS.c.strategy_id == strategy_id, LIVE_IDEAS.c.net_bps.is_not(None))
            .order_by(LIVE_IDEAS.c.resolved_ns.desc())
            .limit(JUDGED_ROWS)
        )
        async with self._db.connect() as connection:
            rows = (await connection.execute(query)).all()
        return await asyncio.to_thread(lambda: [_known(row) for row in rows])


class Follower:
    """Learns of new ideas, follows the open ones, and publishes each strategy's record.

    Parameters
    ----------
    ideas
        The rows.
    clock
        Gives the time to look back from and the wait between two rounds.
    catalogue
        The strategies there are.
    market
        Gives the newest market part; raises ``MarketError`` while there is none.
    conditions
        Told while the database refuses.
    """

    def __init__(
        self,
        ideas: LiveIdeas,
        clock: Clock,
        catalogue: Mapping[str, Strategy],
        market: Callable[[], MarketPart],
        conditions: Conditions,
    ) -> None:
        self._ideas = ideas
        self._clock = clock
        self._catalogue = catalogue
        self._market = market
        self._conditions = conditions
        self._since_ns = 0

    async def serve(self) -> None:
        """Follow until cancelled; a round that the database or the market refuses is made up for by the next."""
        while True:
            refused: dict[str, str] = {}
            try:
                with suppress(MarketError):
                    await self.round(await asyncio.to_thread(self._market))
            except SQLAlchemyError as error:
                refused = {"error": type(error).__name__}
            self._conditions.note(
                "ideas_not_followed", "database", holds=bool(refused), at_once=True, **refused
            )
            await self._clock.sleep(EVERY_S)

    async def round(self, part: MarketPart) -> int:
        """How many ideas ended in this round."""
        await self._learn(part)
        ended = await self._follow(part)
        if ended or not part.records:
            for strategy_id in self._catalogue:
                part.records[strategy_id] = judged(await self._ideas.ended(strategy_id))
        return ended

    async def _learn(self, part: MarketPart) -> None:
        ticks = {spec.instrument: float(spec.tick) for spec in part.view.instruments}
        while True:
            told = await self._ideas.told_since(self._since_ns)
            await self._ideas.add(await asyncio.to_thread(_ideas, [row for _, row in told], ticks))
            if len(told) < BATCH or told[-1][0] == self._since_ns:
                break
            self._since_ns = told[-1][0]
        if told:
            self._since_ns = max(self._since_ns, told[-1][0] - OVERLAP_NS)

    async def _follow(self, part: MarketPart) -> int:
        after, ended = (0, ""), 0
        while batch := await self._ideas.open(after):
            moved = await asyncio.to_thread(self._stands, part, batch)
            ended += sum(isinstance(stand, Ended) for _, stand in moved)
            await self._ideas.move(moved)
            after = (batch[-1][0].as_of_ns, batch[-1][0].opportunity_key)
        return ended

    def _stands(
        self, part: MarketPart, batch: Sequence[tuple[Idea, Position | None]]
    ) -> list[tuple[Idea, Position | Ended]]:
        """How ideas stand now, where that is worth writing."""
        moved: list[tuple[Idea, Position | Ended]] = []
        for idea, held in batch:
            strategy = self._catalogue.get(idea.strategy_id)
            if idea.second is not None:
                stand = follow_couple(idea, held, part.view)
            else:
                verdict = None if strategy is None else part.verdict(strategy)
                stand = follow(idea, held, part.view, verdict)
            if stand is not None and _worth_writing(held, stand):
                moved.append((idea, stand))
        return moved


def _ideas(told: Sequence[Opportunity], ticks: Mapping[Instrument, float]) -> list[Idea]:
    """What can be followed of what scans told."""
    made = (
        idea_of(row, ticks[row.legs[0].instrument]) or couple_idea_of(row)
        for row in told
        if row.legs and row.legs[0].instrument in ticks
    )
    return [idea for idea in made if idea is not None]


def _row(idea: Idea) -> dict[str, Any]:
    return {
        "strategy_id": idea.strategy_id,
        "opportunity_key": idea.opportunity_key,
        "as_of_ns": idea.as_of_ns,
        "idea": pack(idea),
    }


def _known(row: Any) -> Known:
    idea = unpack(row.idea, Idea)
    return Known(idea.cell, row.entered_ns, idea.horizon_s, idea.confidence, row.net_bps)


def _worth_writing(held: Position | None, stand: Position | Ended) -> bool:
    return held is None or isinstance(stand, Ended) or stand.from_ns - held.from_ns >= KEPT_EVERY_NS


def _columns(stand: Position | Ended) -> dict[str, Any]:
    if isinstance(stand, Position):
        return {"position": pack(stand), "entered_ns": stand.entered_ns}
    return msgspec.structs.asdict(stand)
