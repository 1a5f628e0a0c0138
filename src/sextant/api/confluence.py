"""Routes of confluence: list, one instrument taken apart, and its past."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from sextant.api.confluence_schemas import (
    BreakdownAnswer,
    BreakdownQuery,
    ConfluenceAnswer,
    ConfluenceHistoryAnswer,
    ConfluenceHistoryQuery,
    ConfluenceQuery,
    ConfluenceRow,
    Sort,
)
from sextant.api.confluence_trust import Outcomes, scored_entries
from sextant.api.confluence_wire import Beside, breakdown_answer, history_points, row
from sextant.api.cursors import Cursors
from sextant.api.endpoint import Answer, Call, Endpoint, NoBody
from sextant.api.scan_wire import BASE
from sextant.api.times import time_field
from sextant.confluence.scorer import Evaluation
from sextant.errors import InputError, Stale
from sextant.kit.clock import Clock
from sextant.model.times import INTERVAL_NS, iso_ms
from sextant.scans.scoring import Scored, Scoring, column_named

_LAST: Final = float("inf")

ORDERS: Final[dict[Sort, Callable[[ConfluenceRow], float]]] = {
    "abs_score": lambda one: _LAST if one.signed_score is None else -abs(one.signed_score),
    "score": lambda one: _LAST if one.signed_score is None else -one.signed_score,
    "change_1h": lambda one: _LAST if one.change_1h is None else -one.change_1h,
    "coverage": lambda one: -one.coverage,
    "age": lambda one: one.age_s,
}
"""What each order sorts by, smallest first; what is unknown comes last."""


class ConfluenceRoutes:
    """Tells scores and what they are made of.

    Parameters
    ----------
    scoring
        Front door of the room; None in a process that has no market of its own.
    cursors
        Signs pages.
    clock
        Gives ages.
    """

    def __init__(self, scoring: Scoring | None, cursors: Cursors, clock: Clock) -> None:
        self._scoring = scoring
        self._cursors = cursors
        self._clock = clock

    async def list(self, call: Call[NoBody, ConfluenceQuery]) -> Answer:
        """A page of scores in the wanted order."""
        query = call.query
        scored = self._newest(time_field(query.as_of, "as_of"))
        found = scored.evaluation
        # A page goes on in the evaluation it began with, so that no row is told twice or left out.
        begun_ns = found.as_of_ns
        bound = (call.user_id, "confluence", _filters(query))
        start = 0
        if query.cursor is not None:
            begun_ns, start = (int(part) for part in self._cursors.read(query.cursor, *bound))
            scored = self._newest(begun_ns)
            found = scored.evaluation
        now_ns = self._clock.now_ns()
        scored_before = self._scored(found)
        rows = [row(found, column, now_ns, scored_before) for column in range(len(found.instruments))]
        kept = [one for one in rows if _wanted(one, query)]
        order = ORDERS[query.sort]
        kept.sort(key=lambda one: (order(one), one.instrument))
        end = start + query.limit
        more = self._cursors.make((begun_ns, end), *bound) if end < len(kept) else None
        body = ConfluenceAnswer(
            rows=kept[start:end], next_cursor=more, feed=scored.feed, simulated=scored.simulated
        )
        return _dated(body, scored, query.as_of)

    async def read(self, call: Call[NoBody, BreakdownQuery]) -> Answer:
        """One score taken apart down to its inputs."""
        scored = self._newest(time_field(call.query.as_of, "as_of"))
        column = _column(scored, call.path["instrument"])
        origin = (scored.feed, scored.simulated)
        beside = Beside(relations=scored.relations, overview=scored.overview)
        if self._scoring is not None and call.query.as_of is None:
            name = scored.evaluation.instruments[column].instrument
            beside = replace(
                beside,
                entry=self._scoring.entry_of(name),
                facts=self._scoring.facts_of(name),
                scored=self._scored(scored.evaluation),
            )
        body: BreakdownAnswer = await asyncio.to_thread(
            breakdown_answer, scored.evaluation, column, self._clock.now_ns(), origin, beside
        )
        return _dated(body, scored, call.query.as_of)

    def _scored(self, found: Evaluation) -> Outcomes:
        """What became of the entries that were told, as far as the bars of an evaluation tell it."""
        return () if self._scoring is None else scored_entries(self._scoring.entries(), found)

    async def history(self, call: Call[NoBody, ConfluenceHistoryQuery]) -> ConfluenceHistoryAnswer:
        """The score at past closes, oldest first."""
        query = call.query
        scored = self._newest()
        found = scored.evaluation
        column = _column(scored, call.path["instrument"])
        start_ns, end_ns = time_field(query.start, "start"), time_field(query.end, "end")
        if start_ns is not None and end_ns is not None and start_ns > end_ns:
            raise InputError("start is after end.", reason="out_of_range", field="start")
        bound = (
            call.user_id,
            "confluence",
            str(found.instruments[column].instrument),
            query.start,
            query.end,
            query.step,
        )
        closes = found.history.close_ns
        chosen = closes % INTERVAL_NS[query.step] == 0
        if start_ns is not None:
            chosen &= closes >= start_ns
        if end_ns is not None:
            chosen &= closes <= end_ns
        if query.cursor is not None:
            chosen &= closes > int(self._cursors.read(query.cursor, *bound)[0])
        rows = np.flatnonzero(chosen)
        page = rows[: query.limit].tolist()
        more = len(rows) > query.limit
        return ConfluenceHistoryAnswer(
            points=history_points(found, column, page),
            next_cursor=self._cursors.make((int(closes[page[-1]]),), *bound) if more else None,
            feed=scored.feed,
            simulated=scored.simulated,
        )

    def _newest(self, as_of_ns: int | None = None) -> Scored:
        if self._scoring is None:
            raise Stale("This server has no market of its own; ask one that runs scans.", reason="feed_stale")
        return self._scoring.newest(as_of_ns)

    def endpoints(self) -> Sequence[Endpoint]:
        """The rows of api.md 3.3 about confluence."""
        return (
            Endpoint(
                method="GET",
                path=f"{BASE}/confluence",
                name="confluence_list",
                summary="Scores of all instruments",
                access=("market:read",),
                handler=self.list,
                query=ConfluenceQuery,
                answer=ConfluenceAnswer,
                errors=(410,),
                proof=("A12", "A25", "A35"),
            ),
            Endpoint(
                method="GET",
                path=f"{BASE}/confluence/{{instrument}}",
                name="confluence_read",
                summary="One score taken apart: dimensions, sub-scores, inputs, ages, what is missing, what would flip it",
                access=("market:read",),
                handler=self.read,
                query=BreakdownQuery,
                answer=BreakdownAnswer,
                errors=(410,),
                proof=("A25", "A35"),
            ),
            Endpoint(
                method="GET",
                path=f"{BASE}/confluence/{{instrument}}/history",
                name="confluence_history",
                summary="The score of one instrument at past closes",
                access=("market:read",),
                handler=self.history,
                query=ConfluenceHistoryQuery,
                answer=ConfluenceHistoryAnswer,
                proof=("A35",),
            ),
        )


def _column(scored: Scored, text: str) -> int:
    return column_named(text, [spec.instrument for spec in scored.evaluation.instruments])


def _filters(query: ConfluenceQuery) -> tuple[object, ...]:
    return (
        query.venue,
        query.kind,
        query.direction,
        query.min_abs_score,
        query.min_coverage,
        query.state,
        query.sort,
        query.as_of,
    )


def _wanted(one: ConfluenceRow, query: ConfluenceQuery) -> bool:
    venue, _, rest = one.instrument.partition(":")
    kind = rest.split(":")[1]
    return (
        query.venue in (None, venue)
        and query.kind in (None, kind)
        and query.direction in (None, one.direction)
        and query.state in (None, one.state)
        and one.coverage >= query.min_coverage
        and (query.min_abs_score == 0 or abs(one.signed_score or 0.0) >= query.min_abs_score)
    )


def _dated(body: ConfluenceAnswer | BreakdownAnswer, scored: Scored, as_of: str | None) -> Answer:
    headers = {} if as_of is None else {"Sextant-As-Of": iso_ms(scored.evaluation.as_of_ns)}
    return Answer(body, headers=headers)
