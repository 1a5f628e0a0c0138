"""What a venue's feed says of itself, in the words of monitoring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from sextant.kit.breaker import Circuit
from sextant.monitoring.records import BudgetReading, SocketReading, UpstreamReading


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


class Absence(Protocol):
    """That a venue says nothing."""

    @property
    def since_ns(self) -> int:
        """Since when."""
        ...

    @property
    def reason(self) -> str:
        """Why."""
        ...


class Budget(Protocol):
    """How much of what a venue allows is spent."""

    @property
    def used(self) -> float:
        """Weight spent in the window."""
        ...

    @property
    def most(self) -> float:
        """Weight that may be."""
        ...

    @property
    def window_s(self) -> float:
        """Length of the window."""
        ...

    @property
    def room_s(self) -> float:
        """How long one more call would wait for room."""
        ...


class Allowance(Protocol):
    """What a call would meet now."""

    @property
    def circuit(self) -> Circuit:
        """Of the breaker."""
        ...

    @property
    def budget(self) -> Budget | None:
        """The fullest."""
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

    def away(self) -> Absence | None:
        """Since when nothing comes, and why; None while anything does."""
        ...

    def allowance(self) -> Allowance | None:
        """What a call would meet now; None where calls pass without a broker."""
        ...


def reader_of(*feeds: Feeding) -> Callable[[], UpstreamReading]:
    """A function that reads the feeds of one venue, one at least, as they are when it is called."""

    def read() -> UpstreamReading:
        blocked_s, reason = max(feed.silence() for feed in feeds)
        gone = [absence for absence in (feed.away() for feed in feeds) if absence is not None]
        allowance = next(filter(None, (feed.allowance() for feed in feeds)), None)  # they share one broker
        newest = max(gone, key=lambda absence: absence.since_ns) if len(gone) == len(feeds) else None
        return UpstreamReading(
            venue=feeds[0].venue,
            blocked_s=blocked_s,
            blocked_reason=reason,
            away_since_ns=None if newest is None else newest.since_ns,
            away_reason="" if newest is None else newest.reason,
            circuit=None if allowance is None else allowance.circuit,
            budget=_budget(allowance),
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
                for feed in feeds
                for state in feed.states()
            ),
        )

    return read


def _budget(allowance: Allowance | None) -> BudgetReading | None:
    budget = None if allowance is None else allowance.budget
    if budget is None:
        return None
    return BudgetReading(budget.used, budget.most, budget.window_s, budget.room_s)
