"""The route of the streams: how old what is known is, and what was lost on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sextant.api.endpoint import Answer, Call, Endpoint, NoBody
from sextant.api.market_schemas import InstrumentStreamBody, StreamBody, StreamsAnswer, StreamsQuery
from sextant.api.opportunity_wire import age_s
from sextant.api.scan_wire import BASE
from sextant.errors import Stale
from sextant.kit.clock import Clock
from sextant.market.freshness import Freshness
from sextant.market.streams import StreamSum
from sextant.model.events import Stream
from sextant.model.instrument import parse_instrument
from sextant.model.times import SECOND_NS, iso_ms
from sextant.scans.lifecycle import Origin
from sextant.scans.stream_ages import StreamAges


class StreamRoutes:
    """Tells how the streams are.

    Parameters
    ----------
    ages
        Front door of the room; None in a process that has no market of its own.
    origin
        Whose facts they are.
    clock
        Gives ages.
    """

    def __init__(self, ages: StreamAges | None, origin: Callable[[], Origin], clock: Clock) -> None:
        self._ages = ages
        self._origin = origin
        self._clock = clock

    async def streams(self, call: Call[NoBody, StreamsQuery]) -> Answer:
        """Every kind of stream of every venue, and each stream of one instrument where one is asked about."""
        if self._ages is None:
            raise Stale("This server has no market of its own; ask one that runs scans.", reason="feed_stale")
        query = call.query
        as_of_ns, sums = self._ages.sums()
        one: list[InstrumentStreamBody] | None = None
        if query.instrument is not None:
            _, found = self._ages.of(parse_instrument(query.instrument))
            one = [_instrument(stream, row) for stream, row in found.items()]
        origin = self._origin()
        return Answer(
            StreamsAnswer(
                streams=[_stream(row) for row in sums if query.venue in (None, row.venue)],
                instrument=one,
                as_of=iso_ms(as_of_ns),
                age_s=age_s(as_of_ns, self._clock.now_ns()),
                feed=origin.feed,
                simulated=origin.simulated,
            )
        )

    def endpoints(self) -> Sequence[Endpoint]:
        """The row of decision 19 about streams."""
        return (
            Endpoint(
                method="GET",
                path=f"{BASE}/market/streams",
                name="market_streams",
                summary="How old the streams of each venue are, and what was lost on them",
                access=("market:read",),
                handler=self.streams,
                query=StreamsQuery,
                answer=StreamsAnswer,
                errors=(404,),
                proof=("A25", "A35"),
            ),
        )


def _stream(row: StreamSum) -> StreamBody:
    return StreamBody(
        venue=row.venue,
        stream=row.stream,
        live=row.counts["live"],
        late=row.counts["late"],
        stale=row.counts["stale"],
        invalid=row.counts["invalid"],
        unsupported=row.counts["unsupported"],
        since=None if row.since_ns is None else iso_ms(row.since_ns),
        reason=row.reason or None,
        youngest_age_s=_seconds(row.youngest_ns),
        gaps_total=row.lost.gaps,
        resyncs_total=row.lost.resyncs,
        losses_total=row.lost.losses,
    )


def _instrument(stream: Stream, row: Freshness) -> InstrumentStreamBody:
    return InstrumentStreamBody(
        stream=stream,
        state=row.state,
        since=None if row.since_ns is None else iso_ms(row.since_ns),
        reason=row.reason or None,
        as_of=None if row.event_ns is None else iso_ms(row.event_ns),
        age_s=_seconds(row.age_ns),
    )


def _seconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else round(nanoseconds / SECOND_NS, 3)
