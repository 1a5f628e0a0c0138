"""How old what is known is: the streams of each venue, and of one instrument."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sextant.errors import NotFound
from sextant.kit.clock import Clock
from sextant.market.freshness import STREAMS, Freshness
from sextant.market.state import MarketState
from sextant.market.streams import StreamSum, sums_of
from sextant.model.events import Stream
from sextant.model.instrument import Instrument
from sextant.scans.source import MarketSource

SHARED_FOR_S: Final = 1.0  # thousands of streams are judged for one picture; who asks often sees the same one


class StreamAges:
    """Tells the age of streams.

    Parameters
    ----------
    source
        Whose market.
    clock
        Gives the instant of judging.
    """

    def __init__(self, source: MarketSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._sums: list[StreamSum] = []
        self._as_of_ns = 0
        self._summed_ns: int | None = None

    def sums(self) -> tuple[int, list[StreamSum]]:
        """When they were judged, and every kind of stream of every venue."""
        now_ns = self._clock.monotonic_ns()
        if self._summed_ns is None or now_ns - self._summed_ns > SHARED_FOR_S * 1e9:
            self._as_of_ns, self._summed_ns = self._clock.now_ns(), now_ns
            self._sums = self._source.within(self._judge)
        return self._as_of_ns, self._sums

    def of(self, instrument: Instrument) -> tuple[int, Mapping[Stream, Freshness]]:
        """When they were judged, and every stream of one instrument; of an option without a book its quote.

        Raises
        ------
        NotFound
            If it is not followed.
        """
        now_ns = self._clock.now_ns()

        def judge(state: MarketState) -> dict[Stream, Freshness]:
            row = state.held().chains.row(instrument)
            try:
                desk = state.desk(instrument)
            except NotFound:
                if row is None:
                    raise
                return {"quote": row.pulse.judge(now_ns)}
            return {stream: desk.freshness(stream, now_ns) for stream in STREAMS}

        return now_ns, self._source.within(judge)

    def _judge(self, state: MarketState) -> list[StreamSum]:
        return sums_of(state.freshness(self._as_of_ns), state.held().tally.rows())
