"""Figures of the streams of venues: by venue and kind of stream, never by instrument."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from sextant.kit.metrics import Gauge, Metrics


class Lost(Protocol):
    """What was lost on a kind of stream since the process began."""

    @property
    def gaps(self) -> int:
        """Books that lost a message."""
        ...

    @property
    def resyncs(self) -> int:
        """Books asked for anew."""
        ...

    @property
    def losses(self) -> int:
        """Instruments whose stream ended with its connection."""
        ...


class Streams(Protocol):
    """One kind of stream of one venue."""

    @property
    def venue(self) -> str:
        """The name of the venue."""
        ...

    @property
    def stream(self) -> str:
        """The kind."""
        ...

    @property
    def counts(self) -> Mapping[str, int]:
        """How many instruments are in each state."""
        ...

    @property
    def lost(self) -> Lost:
        """What was lost."""
        ...


Read = Callable[[], Iterable[Streams]]
Rows = Iterator[tuple[Sequence[str], float]]


def add_stream_gauges(metrics: Metrics, read: Read) -> None:
    """Have the streams read whenever all figures are rendered."""

    def states() -> Rows:
        for row in read():
            for state, count in row.counts.items():
                yield (row.venue, row.stream, state), float(count)

    def of(figure: Callable[[Lost], int]) -> Callable[[], Rows]:
        def rows() -> Rows:
            for row in read():
                yield (row.venue, row.stream), float(figure(row.lost))

        return rows

    labels = ("venue", "stream")
    for gauge in (
        Gauge("sextant_streams", "Streams of instruments, by how old they are.", (*labels, "state"), states),
        Gauge("sextant_stream_gaps", "Books that lost a message.", labels, of(lambda lost: lost.gaps)),
        Gauge("sextant_stream_resyncs", "Books asked for anew.", labels, of(lambda lost: lost.resyncs)),
        Gauge(
            "sextant_stream_losses",
            "Streams of instruments that ended with their connection.",
            labels,
            of(lambda lost: lost.losses),
        ),
    ):
        metrics.gauge(gauge)
