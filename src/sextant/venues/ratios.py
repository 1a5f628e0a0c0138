"""The share of accounts net long, which no socket tells: asked again and again, one instrument after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from sextant.errors import SextantError, Throttled
from sextant.kit.clock import Clock, Deadline
from sextant.kit.conditions import Conditions
from sextant.model.events import Event
from sextant.model.instrument import Instrument
from sextant.venues.asking import Asks
from sextant.venues.port import Listing, Venue

ROUND_S: Final = 300.0
"""How long a round over all instruments takes at least: venues state one point in five minutes."""
PART: Final = 0.2
"""Share of the reads a second that a venue allows which a round may use; with more instruments it takes longer."""
POINTS: Final = 3
"""Points asked for, so that a read that failed, or a point that came late, is made up for."""
READ_S: Final = 10.0
IDLE_S: Final = 60.0


class AccountRatios:
    """Asks a venue for the newest points of each perpetual, the one asked longest ago first.

    Parameters
    ----------
    venue
        Who is asked.
    client
        Keeps the budgets; of the lowest priority.
    clock
        Paces the round.
    emit
        Takes the points.
    """

    def __init__(self, venue: Venue, client: Asks, clock: Clock, emit: Callable[[list[Event]], None]) -> None:
        self._venue = venue
        self._client = client
        self._clock = clock
        self._emit = emit
        self._asked_ns: dict[Instrument, int] = {}
        self._conditions = Conditions(clock)

    async def run(self, held: Callable[[], Sequence[Listing]]) -> None:
        """Ask until cancelled; of a venue that keeps no such history nothing.

        Parameters
        ----------
        held
            What is followed at the time.
        """
        if not self._venue.capabilities.account_ratio:
            return
        # The past that is fetched at the start holds the newest points.
        await self._clock.sleep(ROUND_S)
        while True:
            wanted = [listing for listing in held() if listing.instrument.kind == "perpetual"]
            if not wanted:
                await self._clock.sleep(IDLE_S)
                continue
            await self._clock.sleep(pause_s(len(wanted), self._venue.limits.requests_per_s))
            await self._ask(self._next(wanted))

    def _next(self, wanted: Sequence[Listing]) -> Listing:
        names = {listing.instrument for listing in wanted}
        self._asked_ns = {name: at for name, at in self._asked_ns.items() if name in names}
        return min(wanted, key=lambda listing: self._asked_ns.get(listing.instrument, -1))

    async def _ask(self, listing: Listing) -> None:
        history, name = self._venue.history, listing.instrument
        self._asked_ns[name] = self._clock.monotonic_ns()
        request = history.account_ratio_request(listing, self._clock.now_ns(), POINTS)
        try:
            answer = await self._client.get(request.path, request.query, Deadline(self._clock, READ_S))
            points = history.parse_account_ratio(answer.body, answer.receive_ns, name)
        except SextantError as error:
            self._note(holds=True, code=error.code, detail=error.message)
            if isinstance(error, Throttled):
                await self._clock.sleep(error.retry_after_s)
            return
        self._note(holds=False)
        if points:
            self._emit([*points])

    def _note(self, *, holds: bool, **facts: Any) -> None:
        self._conditions.note("account_ratio_unreadable", self._venue.name, holds=holds, **facts)


def pause_s(instruments: int, requests_per_s: float) -> float:
    """Seconds between two reads: a round of 300 s, or as long as a fifth of what the venue allows makes it.

    Examples
    --------
    >>> pause_s(200, 100.0), pause_s(300, 2.5)
    (1.5, 2.0)
    """
    return max(ROUND_S / instruments, 1.0 / (PART * requests_per_s))
