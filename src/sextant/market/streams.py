"""How the streams of each venue are: how many are live, since when the others are not, and what was lost on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

import msgspec

from sextant.market.freshness import STREAMS, Freshness, FreshnessState
from sextant.model.events import Stream
from sextant.model.instrument import Instrument

WORST_FIRST: Final[tuple[FreshnessState, ...]] = ("invalid", "stale", "late", "unsupported", "live")


class Losses(msgspec.Struct):
    """What was lost on a kind of stream of a venue since the process began.

    Parameters
    ----------
    gaps
        Books that lost a message.
    resyncs
        Books that had to be asked for anew, for whatever reason.
    losses
        Instruments whose stream ended with its connection.
    """

    gaps: int = 0
    resyncs: int = 0
    losses: int = 0


class Tally:
    """Losses by venue and kind of stream."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, Stream], Losses] = {}

    def resync(self, instrument: Instrument, reason: str) -> None:
        """Count a book that must be asked for anew."""
        row = self._row(instrument, "book")
        row.resyncs += 1
        row.gaps += reason == "gap"

    def lose(self, instrument: Instrument, stream: Stream) -> None:
        """Count a stream that ended."""
        self._row(instrument, stream).losses += 1

    def rows(self) -> dict[tuple[str, Stream], Losses]:
        """A copy."""
        return {key: msgspec.structs.replace(row) for key, row in self._rows.items()}

    def _row(self, instrument: Instrument, stream: Stream) -> Losses:
        return self._rows.setdefault((instrument.venue, stream), Losses())


class StreamSum(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of stream of one venue.

    Parameters
    ----------
    counts
        How many instruments are in each state.
    since_ns, reason
        Of the one that has been in the worst of the present states the longest; None and empty where all are live,
        or nothing ever came.
    youngest_ns
        Age of the newest proof of life; None where there was none.
    """

    venue: str
    stream: Stream
    counts: Mapping[str, int]
    since_ns: int | None
    reason: str
    youngest_ns: int | None
    lost: Losses


def sums_of(
    freshness: Mapping[Instrument, Mapping[Stream, Freshness]],
    lost: Mapping[tuple[str, Stream], Losses],
) -> list[StreamSum]:
    """Every kind of stream of every venue, by name of the venue and in the order of the streams."""
    found: dict[tuple[str, Stream], list[Freshness]] = {}
    for instrument, rows in freshness.items():
        for stream, row in rows.items():
            found.setdefault((instrument.venue, stream), []).append(row)
    keys = sorted({*found, *lost}, key=lambda key: (key[0], STREAMS.index(key[1])))
    return [_sum(key, found.get(key, []), lost.get(key, Losses())) for key in keys]


def _sum(key: tuple[str, Stream], rows: list[Freshness], lost: Losses) -> StreamSum:
    counts = Counter(row.state for row in rows)
    worst = next((state for state in WORST_FIRST if counts[state]), "live")
    bad = [row for row in rows if row.state == worst != "live" and row.since_ns is not None]
    oldest = min(bad, key=lambda row: row.since_ns or 0, default=None)
    return StreamSum(
        venue=key[0],
        stream=key[1],
        counts={state: counts[state] for state in reversed(WORST_FIRST)},
        since_ns=None if oldest is None else oldest.since_ns,
        reason="" if oldest is None else oldest.reason,
        youngest_ns=min((row.age_ns for row in rows if row.age_ns is not None), default=None),
        lost=lost,
    )
