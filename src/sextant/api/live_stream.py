"""The live stream: a snapshot of each wanted topic, then what changes, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from sextant.api.confluence import ORDERS
from sextant.api.confluence_trust import Outcomes, condition_body, scored_entries
from sextant.api.confluence_wire import entry_body, fact_body, row
from sextant.api.endpoint import Call, Endpoint, EventStream, NoBody
from sextant.api.market import overview_body
from sextant.api.problems import problem_of
from sextant.api.scan_wire import BASE
from sextant.confluence.conditions import Turn
from sextant.confluence.detectors import Fact
from sextant.errors import InputError, SextantError, Stale
from sextant.kit.clock import Clock
from sextant.kit.sse import StreamEnd, frame, stream
from sextant.model.instrument import Instrument
from sextant.model.times import iso_ms
from sextant.scans.bulletin import Notice
from sextant.scans.scoring import Scored, Scoring, column_named

TOPICS: Final = ("confluence", "overview")
"""Of the topics of api.md 3.3 those that this build tells."""
MOST_TOPICS: Final = 8
MOST_INSTRUMENTS: Final = 50
PACE_S: Final = 0.05
"""Between two events: at most twenty a second."""
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


class LiveQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is followed: topics and instruments by comma; without instruments the fifty scores farthest from neutral."""

    topics: Annotated[str, Meta(min_length=1, max_length=200)]
    instruments: Annotated[str, Meta(max_length=4_000)] | None = None


class LiveRoutes:
    """Tells what changes about scores and the market.

    Parameters
    ----------
    scoring
        Front door of the room; None in a process that has no market of its own.
    clock
        Gives ages, paces events and ends streams.
    closing
        Set when the server stops.
    """

    def __init__(self, scoring: Scoring | None, clock: Clock, closing: asyncio.Event) -> None:
        self._scoring = scoring
        self._clock = clock
        self._closing = closing

    async def follow(self, call: Call[NoBody, LiveQuery]) -> EventStream:
        """A snapshot of each topic, then updates; conditions, facts and changes of direction go on after ``Last-Event-ID``."""
        if self._scoring is None:
            raise Stale("This server has no market of its own; ask one that runs scans.", reason="feed_stale")
        topics = topics_of(call.query.topics)
        wanted = instruments_of(call.query.instruments, self._scoring.newest())
        after = _number(call.headers.get("last-event-id"), self._scoring.bulletin.last)
        end = StreamEnd(
            max(0.0, (call.identity.expires_ns - self._clock.now_ns()) / 1e9),
            self._closing,
            lambda error: _ENCODER.encode(_problem(error, call)),
        )
        told = self._frames(self._scoring, topics, wanted, after)
        return EventStream(stream(told, self._clock, end))

    async def _frames(
        self, scoring: Scoring, topics: Sequence[str], wanted: frozenset[Instrument], after: int
    ) -> AsyncIterator[bytes]:
        snapshot = True
        while True:
            # What comes while the frames are sent must wake the next wait.
            more = asyncio.ensure_future(scoring.bulletin.more())
            try:
                scored = scoring.newest()
                for topic in topics:
                    yield frame(topic, self._state(topic, scored, wanted, snapshot=snapshot))
                    await self._clock.sleep(PACE_S)
                for notice in scoring.bulletin.after(after):
                    after = notice.number
                    if _is_wanted(notice, topics, wanted):
                        yield frame(*notice_frame(notice, scored), notice.number)
                        await self._clock.sleep(PACE_S)
                snapshot = False
                await more
            finally:
                more.cancel()

    def _state(self, topic: str, scored: Scored, wanted: frozenset[Instrument], *, snapshot: bool) -> bytes:
        now_ns = self._clock.now_ns()
        marks = {"snapshot": snapshot, "feed": scored.feed, "simulated": scored.simulated}
        if topic == "overview":
            facts = () if self._scoring is None else self._scoring.facts_of(None)
            picture = (
                None if scored.overview is None else overview_body(scored, scored.overview, now_ns, facts)
            )
            return _ENCODER.encode(marks | {"overview": picture})
        found = scored.evaluation
        entries: Outcomes = ()
        if self._scoring is not None:
            entries = scored_entries(self._scoring.entries(), found)
        rows = [
            row(found, column, now_ns, entries)
            for column, spec in enumerate(found.instruments)
            if not wanted or spec.instrument in wanted
        ]
        rows.sort(key=lambda one: (ORDERS["abs_score"](one), one.instrument))
        return _ENCODER.encode(marks | {"rows": rows[:MOST_INSTRUMENTS]})

    def endpoints(self) -> Sequence[Endpoint]:
        """The row of api.md 3.3 about the live stream."""
        return (
            Endpoint(
                method="GET",
                path=f"{BASE}/stream",
                name="live_stream",
                summary="Follow scores, conditions, facts and the market as server-sent events",
                access=("market:read",),
                handler=self.follow,
                query=LiveQuery,
                errors=(404,),
                proof=("A07", "A19"),
                media_type="text/event-stream",
            ),
        )


def topics_of(text: str) -> tuple[str, ...]:
    """The wanted topics, each once.

    Raises
    ------
    InputError
        If one is not told here, or there are too many.
    """
    topics = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    wrong = [topic for topic in topics if topic not in TOPICS]
    if wrong or len(topics) > MOST_TOPICS:
        raise InputError(
            f"'{wrong[0] if wrong else text}' is no topic of this server; there are {', '.join(TOPICS)}.",
            reason="not_a_choice",
            field="topics",
        )
    return topics


def instruments_of(text: str | None, scored: Scored) -> frozenset[Instrument]:
    """The wanted instruments; none means all.

    Raises
    ------
    InputError
        If there are more than fifty, or a name is that of several.
    NotFound
        If a name is that of none.
    """
    if not text:
        return frozenset()
    names = [part for part in text.split(",") if part.strip()]
    if len(names) > MOST_INSTRUMENTS:
        raise InputError(
            f"{len(names)} instruments are asked for; {MOST_INSTRUMENTS} are allowed.",
            reason="out_of_range",
            field="instruments",
        )
    known = [spec.instrument for spec in scored.evaluation.instruments]
    return frozenset(known[column_named(name, known)] for name in names)


def _is_wanted(notice: Notice, topics: Sequence[str], wanted: frozenset[Instrument]) -> bool:
    """Whether a follower is told: of the whole market by ``overview``, of an instrument by ``confluence``."""
    if notice.instrument is None:
        return "overview" in topics
    return "confluence" in topics and (not wanted or notice.instrument in wanted)


def notice_frame(notice: Notice, scored: Scored) -> tuple[str, bytes]:
    """Event and data of a notice."""
    what = notice.what
    head: dict[str, Any] = {
        "instrument": None if notice.instrument is None else str(notice.instrument),
        "at": iso_ms(notice.at_ns),
        "feed": scored.feed,
        "simulated": scored.simulated,
    }
    if isinstance(what, Turn):
        ended = what.condition.until_ns
        told = msgspec.structs.asdict(condition_body(what.condition))
        return "condition", _ENCODER.encode(
            head | {"word": what.word, "until": None if ended is None else iso_ms(ended)} | told
        )
    if isinstance(what, Fact):
        return "fact", _ENCODER.encode(head | msgspec.structs.asdict(fact_body(what)))
    return "direction", _ENCODER.encode(head | {"change": entry_body(what)})


def _number(text: str | None, last: int) -> int:
    """After which notice to go on; without a number, or with one of a server before a restart, only what comes is told."""
    if not text:
        return last
    if not text.isdecimal() or len(text) > 18:
        raise InputError(
            "Last-Event-ID is not the id of an event of this stream.",
            reason="out_of_range",
            field="Last-Event-ID",
        )
    return min(int(text), last)


def _problem(error: SextantError, call: Call[Any, Any]) -> msgspec.Struct:
    return problem_of(error, call.url_path, call.origin.request_id)
