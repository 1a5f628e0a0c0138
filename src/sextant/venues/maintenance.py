"""Announced maintenance: while a venue says that it rests it is not asked, and it is found again by itself."""

from __future__ import annotations

from typing import Final

from sextant.errors import SextantError, Throttled
from sextant.kit.clock import Clock, Deadline
from sextant.kit.conditions import Conditions
from sextant.kit.http import RestClient
from sextant.kit.rate_limit import Silence
from sextant.venues.port import StatusPage

EVERY_S: Final = 30.0  # wire-rules.md 2.10: the status of a resting venue is looked at so often
LOOK_S: Final = 10.0
WORD: Final = "maintenance"


class Maintenance:
    """Looks at a venue's own statement about itself, again and again.

    Parameters
    ----------
    venue
        Its name.
    page
        Where it states whether it rests.
    clock
        Of the pauses between two looks.
    silence
        Asked for while it rests, so that neither reads nor connections are tried.

    Notes
    -----
    A page that cannot be read says nothing, and a refusal asks everybody for silence; while the venue asked for silence for
    another reason the page is not even looked at.
    """

    def __init__(self, venue: str, page: StatusPage, clock: Clock, silence: Silence) -> None:
        self._venue = venue
        self._page = page
        self._clock = clock
        self._silence = silence
        self._conditions = Conditions(clock)

    async def watch(self, client: RestClient) -> None:
        """Look until cancelled; the client must not share the silence that is asked for here."""
        while True:
            await self._clock.sleep(EVERY_S)
            if not self._silence.remaining_s() or self._silence.reason.startswith(WORD):
                await self._look(client)

    async def _look(self, client: RestClient) -> None:
        request = self._page.request
        try:
            answer = await client.get(request.path, request.query, Deadline(self._clock, LOOK_S))
            rests = self._page.parse(answer.body, self._clock.now_ns())
        except Throttled as refused:
            # Whoever reads the venue shares the address that was told to be quiet.
            self._silence.ask(refused.retry_after_s, refused.message)
            return
        except SextantError:
            return
        self._conditions.note("venue_maintenance", self._venue, holds=bool(rests), at_once=True, detail=rests)
        if rests:
            self._silence.ask(EVERY_S + LOOK_S, f"{WORD}: {rests}")
