"""What a venue's feed says of itself, in the words of monitoring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from sextant.monitoring.records import SocketReading, UpstreamReading


class Counts(Protocol):
    """What happened on a connection since it was made."""

    @property
    def resyncs(self) -> int:
        """Books that were asked for anew."""
        ...

    @property
    def drops(self) -> int:
        """How often it was lost."""
        ...

    @property
    def wire_errors(self) -> int:
        """Frames that could not be read."""
        ...


class Connection(Protocol):
    """A connection as a feed tells it."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def up(self) -> bool:
        """Whether it is open."""
        ...

    @property
    def reason(self) -> str:
        """Why it is not."""
        ...

    @property
    def counts(self) -> Counts:
        """What happened on it."""
        ...

    @property
    def silent_s(self) -> float | None:
        """Seconds since its last frame; None before the first."""
        ...


class Feeding(Protocol):
    """A feed of one venue."""

    @property
    def venue(self) -> str:
        """The name of the venue."""
        ...

    def states(self) -> Sequence[Connection]:
        """Every connection as it is now."""
        ...

    def silence(self) -> tuple[float, str]:
        """How long the venue still wants silence, and in which words."""
        ...


def reader_of(feed: Feeding) -> Callable[[], UpstreamReading]:
    """A function that reads a feed as it is when it is called."""

    def read() -> UpstreamReading:
        blocked_s, reason = feed.silence()
        return UpstreamReading(
            venue=feed.venue,
            blocked_s=blocked_s,
            blocked_reason=reason,
            sockets=tuple(
                SocketReading(
                    name=state.name,
                    up=state.up,
                    reason=state.reason,
                    last_message_age_s=state.silent_s,
                    resyncs=state.counts.resyncs,
                    drops=state.counts.drops,
                    wire_errors=state.counts.wire_errors,
                )
                for state in feed.states()
            ),
        )

    return read
