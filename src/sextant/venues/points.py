"""What venues state every five minutes and no socket tells reliably: asked again and again while a feed runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from sextant.errors import SextantError, Throttled
from sextant.kit.clock import Clock, Deadline
from sextant.kit.conditions import Conditions
from sextant.model.events import Event
from sextant.model.instrument import Instrument
from sextant.model.times import INTERVAL_NS, SECOND_NS
from sextant.venues.asking import Asks
from sextant.venues.port import Listing, Request, Venue

GRID_S: Final = INTERVAL_NS["5m"] / SECOND_NS
LATE_S: Final = 15.0
"""How long after a time of the grid its point is asked for: venues state it some seconds late."""
ROUND_S: Final = 90.0
"""Over how long a round is spread, so that a point counts in full until the next one is there."""
PART: Final = 0.2
"""Share of the reads a second that a venue allows which a round may use; with more instruments it takes longer."""
POINTS: Final = 3
"""Points asked for, so that a read that failed, or a point that came late, is made up for."""
READ_S: Final = 10.0

Parse = Callable[[bytes, int, Instrument], Sequence[Event]]
Subject = tuple[str, Callable[[Listing, int, int], Request], Parse]


class GridPoints:
    """Asks a venue for open interest and account ratios of each perpetual, the one asked longest ago first.

    Parameters
    ----------
    venue
        Who is asked.
    client
        Keeps the budgets; of the lowest priority.
    clock
        Paces the rounds.
    emit
        Takes the points.
    """

    def __init__(self, venue: Venue, client: Asks, clock: Clock, emit: Callable[[list[Event]], None]) -> None:
        self._venue = venue
        self._client = client
        self._clock = clock
        self._emit = emit
        self._subjects = _offered(venue)
        self._asked_ns: dict[Instrument, int] = {}
        self._conditions = Conditions(clock)

    async def run(self, held: Callable[[], Sequence[Listing]]) -> None:
        """Ask until cancelled, a round after each time of the grid; of a venue that keeps no such history nothing.

        Parameters
        ----------
        held
            What is followed at the time.
        """
        while self._subjects:
            since_s = (self._clock.now_ns() / SECOND_NS - LATE_S) % GRID_S
            await self._clock.sleep(GRID_S - since_s)
            wanted = [listing for listing in held() if listing.instrument.kind == "perpetual"]
            known = self._asked_ns
            self._asked_ns = {one.instrument: known.get(one.instrument, -1) for one in wanted}
            reads = len(wanted) * len(self._subjects)
            for listing in sorted(wanted, key=lambda one: self._asked_ns[one.instrument]):
                self._asked_ns[listing.instrument] = self._clock.monotonic_ns()
                for subject in self._subjects:
                    await self._clock.sleep(pause_s(reads, self._venue.limits.requests_per_s))
                    await self._ask(subject, listing)

    async def _ask(self, subject: Subject, listing: Listing) -> None:
        name, ask, parse = subject
        request = ask(listing, self._clock.now_ns(), POINTS)
        try:
            answer = await self._client.get(request.path, request.query, Deadline(self._clock, READ_S))
            points = parse(answer.body, answer.receive_ns, listing.instrument)
        except SextantError as error:
            self._note(name, holds=True, code=error.code, detail=error.message)
            if isinstance(error, Throttled):
                await self._clock.sleep(error.retry_after_s)
            return
        self._note(name, holds=False)
        if points:
            self._emit([*points])

    def _note(self, name: str, *, holds: bool, **facts: Any) -> None:
        self._conditions.note(f"{name}_unreadable", self._venue.name, holds=holds, **facts)


def _offered(venue: Venue) -> tuple[Subject, ...]:
    """What of the two a venue keeps."""
    can, past = venue.capabilities, venue.history
    subjects: list[Subject] = []
    if can.open_interest:
        subjects.append(("open_interest", past.open_interest_request, past.parse_open_interest))
    if can.account_ratio:
        subjects.append(("account_ratio", past.account_ratio_request, past.parse_account_ratio))
    return tuple(subjects)


def pause_s(reads: int, requests_per_s: float) -> float:
    """Seconds between two reads: a round of 90 s, or as long as a fifth of what the venue allows makes it.

    Examples
    --------
    >>> pause_s(600, 100.0), pause_s(600, 2.5)
    (0.15, 2.0)
    """
    return max(ROUND_S / reads, 1.0 / (PART * requests_per_s))
